//! Zones and lines, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use api::settings::{CrowdingSettings, LineSettings, ZoneSettings};
use domain::{Crowding, Line, LineError, LineId, Point, Scope, SizeRange, Zone, ZoneId};

use super::detection;
use crate::check::Check;
use crate::schedule;

/// Most windows of one schedule.
const WINDOWS: usize = 64;
/// Default of `crowding.after_s`: people who pass each other are no crowd.
const CROWDED_AFTER_S: f32 = 10.0;
/// A day, the longest that anything here takes.
const DAY_S: f32 = 86_400.0;

/// Default of a zone's `inertia`, in frames.
const ZONE_INERTIA: u32 = 3;

/// Checks the zones.
pub(super) fn zones(
    check: &mut Check<'_>,
    all: &BTreeMap<String, ZoneSettings>,
) -> Option<Vec<Zone>> {
    let made: Vec<_> = all.iter().map(|(id, one)| zone(&mut check.below(id), id, one)).collect();
    made.into_iter().collect()
}

fn zone(check: &mut Check<'_>, id: &str, settings: &ZoneSettings) -> Option<Zone> {
    check.id("", id);
    let scope = scope(
        check,
        settings.labels.as_deref(),
        [settings.min_area, settings.max_area, settings.min_height],
        settings.schedule.as_deref(),
    );
    let crowding = settings.crowding.as_ref();
    let crowding = crowding.and_then(|one| crowding_of(&mut check.below("crowding"), one));
    let loitering =
        check.within("loitering_s", settings.loitering_s.unwrap_or(0.0), 0.0..=86_400.0);
    let inertia = check.within("inertia", settings.inertia.unwrap_or(ZONE_INERTIA), 1..=30);
    if !corners(check, &settings.polygon) {
        return None;
    }
    let polygon = settings.polygon.iter().map(|[x, y]| Point::new(*x, *y)).collect();
    match Zone::new(ZoneId::new(id), polygon) {
        Ok(mut zone) => {
            zone.scope = scope;
            zone.crowding = crowding;
            zone.loitering = (loitering > 0.0).then(|| Duration::from_secs_f32(loitering));
            zone.inertia = inertia;
            zone.leave_inertia = inertia;
            Some(zone)
        }
        Err(error) => {
            check.wrong("polygon", None, error.to_string());
            None
        }
    }
}

/// Whether `polygon` has a number of corners that it may have.
pub(super) fn corners(check: &mut Check<'_>, polygon: &[[f32; 2]]) -> bool {
    let corners = polygon.len();
    let fits = (3..=64).contains(&corners);
    if !fits {
        let reason = format!("has {corners} corners, but must have 3 to 64, as [x, y] each");
        check.wrong("polygon", None, reason);
    }
    fits
}

/// Checks the lines.
pub(super) fn lines(
    check: &mut Check<'_>,
    all: &BTreeMap<String, LineSettings>,
) -> Option<Vec<Line>> {
    let made: Vec<_> = all.iter().map(|(id, one)| line(&mut check.below(id), id, one)).collect();
    made.into_iter().collect()
}

fn line(check: &mut Check<'_>, id: &str, settings: &LineSettings) -> Option<Line> {
    check.id("", id);
    let scope = scope(
        check,
        settings.labels.as_deref(),
        [settings.min_area, settings.max_area, settings.min_height],
        settings.schedule.as_deref(),
    );
    let point = |[x, y]: [f32; 2]| Point::new(x, y);
    match Line::new(LineId::new(id), point(settings.from), point(settings.to)) {
        Ok(mut line) => {
            line.scope = scope;
            Some(line)
        }
        Err(error) => {
            let field = match &error {
                LineError::EndOutside { end, .. } => end,
                LineError::TooShort { .. } => "to",
            };
            check.wrong(field, None, error.to_string());
            None
        }
    }
}

/// Whom a zone or line looks at, and when; `sizes` are `min_area`, `max_area` and `min_height`.
fn scope(
    check: &mut Check<'_>,
    labels: Option<&[String]>,
    sizes: [Option<f32>; 3],
    windows: Option<&[String]>,
) -> Scope {
    let [min_area, max_area, min_height] = sizes;
    let mut share =
        |field: &str, value: Option<f32>| value.map(|v| check.within(field, v, 0.0..=1.0));
    let size = SizeRange {
        min_area: share("min_area", min_area),
        max_area: share("max_area", max_area),
        min_height: share("min_height", min_height),
    };
    if let (Some(least), Some(most)) = (min_area, max_area)
        && least > most
    {
        check.wrong("min_area", Some(&least), format!("is above `max_area`, {most}"));
    }
    Scope {
        labels: detection::labels(check, labels),
        size,
        schedule: windows_of(check, "schedule", windows),
    }
}

/// The schedule that `field` says; `None`: always, or it says none.
pub(super) fn windows_of(
    check: &mut Check<'_>,
    field: &str,
    windows: Option<&[String]>,
) -> Option<domain::Schedule> {
    let windows = windows.filter(|windows| !windows.is_empty())?;
    if windows.len() > WINDOWS {
        let reason = format!("has {} windows, but may have {WINDOWS}", windows.len());
        check.wrong(field, None, reason);
        return None;
    }
    match schedule::parse(windows) {
        Ok(schedule) => Some(schedule),
        Err((index, reason)) => {
            check.below(field).item(index).wrong("", Some(&windows[index]), reason);
            None
        }
    }
}

fn crowding_of(check: &mut Check<'_>, settings: &CrowdingSettings) -> Option<Crowding> {
    let after = check.within("after_s", settings.after_s.unwrap_or(CROWDED_AFTER_S), 0.0..=DAY_S);
    let clear = check.within("clear_after_s", settings.clear_after_s.unwrap_or(after), 0.0..=DAY_S);
    let Some(more_than) = settings.more_than else {
        check.wrong("more_than", None, "is missing: say how many objects are no crowd yet");
        return None;
    };
    Some(Crowding {
        more_than: check.within("more_than", more_than, 0..=1000),
        after: Duration::from_secs_f32(after),
        clear_after: Duration::from_secs_f32(clear),
    })
}
