//! How often what took how long, as histograms; pins, and what is followed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use api::settings::PinDirection;
use axum::http::StatusCode;
use base::histogram::{BOUNDS, COUNTS, Counted};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::{Labels, Page, Scrape, flag};

/// How long answers took, since the daemon started. There are as many rows as there are operations and
/// classes of status that ever came.
#[derive(Debug, Default)]
pub(crate) struct Answered(Mutex<BTreeMap<(&'static str, &'static str), Counted>>);

/// How long answers of an operation with a class of status took.
#[derive(Clone, Debug)]
pub(crate) struct AnswerTimes {
    operation: &'static str,
    status: &'static str,
    counted: Counted,
}

impl Answered {
    /// The answer to `operation` with `status` took this long, up to the begin of its body.
    pub(crate) fn add(&self, operation: &'static str, status: StatusCode, took: Duration) {
        let class = match status.as_u16() {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((operation, class)).or_default().add(took);
    }

    /// All rows.
    pub(crate) fn read(&self) -> Vec<AnswerTimes> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |(&(operation, status), &counted)| AnswerTimes { operation, status, counted };
        all.iter().map(row).collect()
    }
}

impl Page<'_> {
    fn histogram<'a>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, &'a [u64], f64)>,
    ) -> fmt::Result {
        let unit = Some(&Unit::Seconds);
        let mut family = self.0.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        let bounds = BOUNDS.map(|bound| bound.as_secs_f64()).into_iter().chain([f64::INFINITY]);
        for (labels, counts, sum) in rows {
            let buckets: Vec<_> = bounds.clone().zip(counts.iter().copied()).collect();
            let mut metric = family.encode_family(&labels)?;
            metric.encode_histogram::<Labels>(sum, counts.iter().sum(), &buckets, None)?;
        }
        Ok(())
    }
}

impl Scrape {
    /// How long frames and events take, stage by stage.
    pub(super) fn stage_times(&self, page: &mut Page<'_>) -> fmt::Result {
        let rows = self.cameras.iter().flat_map(|camera| {
            // A camera process of another build would count otherwise.
            let times = camera.times.iter().filter(|times| times.counts.len() == COUNTS);
            times.map(|times| {
                let labels =
                    vec![("camera", camera.status.id.clone()), ("stage", times.stage.clone())];
                (labels, times.counts.as_slice(), times.sum_s)
            })
        });
        let help = "Time that a stage takes for a frame or an event.";
        page.histogram("camera_stage_duration", help, rows)
    }

    /// How long the API takes, and what is open to be followed.
    pub(super) fn answers(&self, page: &mut Page<'_>) -> fmt::Result {
        let rows = self.answered.iter().map(|row| {
            let labels =
                vec![("operation", row.operation.to_owned()), ("status", row.status.to_owned())];
            (labels, row.counted.counts.as_slice(), row.counted.sum.as_secs_f64())
        });
        let help = "Time from a request's head to the begin of its answer's body.";
        page.histogram("api_request_duration", help, rows)?;
        let open = self.following.iter().filter(|(kind, _)| !kind.is_empty());
        let open = open.map(|(kind, open)| (vec![("kind", (*kind).to_owned())], *open as f64));
        page.gauge("api_following", "Event streams and WebSockets that are open.", None, open)
    }

    /// Inputs and outputs of the device.
    pub(super) fn pins(&self, page: &mut Page<'_>) -> fmt::Result {
        let labels = |pin: &api::gpio::GpioPin| {
            let direction = match pin.direction {
                PinDirection::In => "in",
                PinDirection::Out => "out",
            };
            vec![("pin", pin.name.clone()), ("direction", direction.to_owned())]
        };
        let active = self.pins.iter().map(|pin| (labels(pin), flag(pin.active)));
        page.gauge("gpio_active", "Whether a pin is active.", None, active)?;
        let works = self.pins.iter().map(|pin| (labels(pin), flag(pin.error.is_none())));
        page.gauge("gpio_working", "Whether a pin could be had.", None, works)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_operation_and_class_of_status_with_cumulative_buckets() {
        let answered = Answered::default();
        let ms = Duration::from_millis;
        answered.add("get_camera", StatusCode::OK, ms(1));
        answered.add("get_camera", StatusCode::OK, ms(30));
        answered.add("get_camera", StatusCode::NOT_FOUND, ms(70_000));
        let scrape = Scrape { answered: answered.read(), ..Scrape::default() };
        let page = scrape.page().unwrap();
        let of = r#"operation="get_camera",status="2xx""#;
        for line in [
            format!(r#"edgecam_api_request_duration_seconds_bucket{{le="0.001",{of}}} 1"#),
            format!(r#"edgecam_api_request_duration_seconds_bucket{{le="0.05",{of}}} 2"#),
            format!(r#"edgecam_api_request_duration_seconds_bucket{{le="+Inf",{of}}} 2"#),
            format!("edgecam_api_request_duration_seconds_count{{{of}}} 2"),
            format!("edgecam_api_request_duration_seconds_sum{{{of}}} 0.031"),
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is missing in\n{page}");
        }
    }
}
