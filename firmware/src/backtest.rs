//! Other zones and lines, tried on what was tracked: loads the stored past of a camera and compares.
//! What fires is for `domain` to say.

use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use config::{CameraConfig, Loaded};
use domain::Labels;
use domain::backtest::{Backtest, Change, Report, Rule, RuleSet, What};
use domain::history::decode;
use jiff::{SignedDuration, Timestamp};
use store::{StoreError, TrackQuery, TrackReader};

use crate::args::{self, RunArgs};

/// What happened before the window is played from so long before on: a longer stay that goes on when
/// the window begins is taken to begin then.
const WARM_UP: SignedDuration = SignedDuration::from_hours(1);

/// Compares what `old` and `new` make of what `camera` tracked in `window`. Blocks: about a second
/// for a day of a busy street. Where `stop` says so, what was compared until then is the answer.
///
/// # Errors
/// When the past cannot be read. Pieces of it that are damaged are left out.
pub(crate) fn run(
    past: &TrackReader,
    camera: &str,
    old: RuleSet,
    new: RuleSet,
    window: &Range<Timestamp>,
    stop: &dyn Fn() -> bool,
) -> Result<Report, StoreError> {
    let from = window.start.saturating_sub(WARM_UP).unwrap_or(Timestamp::UNIX_EPOCH);
    let clock = config::schedule::local_clock(since_epoch(from), since_epoch(window.end));
    let span = since_epoch(window.start)..since_epoch(window.end);
    let mut backtest = Backtest::new(old, new, span, clock);
    let mut query = TrackQuery {
        camera: camera.to_owned(),
        from,
        to: window.end,
        after_row: 0,
        limit: TrackQuery::MAX_LIMIT,
    };
    let mut session = None;
    loop {
        let page = past.list(&query)?;
        let Some(last) = page.last().filter(|_| !stop()) else { return Ok(backtest.report()) };
        query.after_row = last.row;
        for piece in page {
            if session != Some(piece.session) {
                backtest.begin(piece.session, &Labels::new(piece.labels));
                session = Some(piece.session);
            }
            match decode(&piece.body, since_epoch(piece.from)) {
                Ok(stretch) => backtest.play(&stretch),
                Err(error) => tracing::warn!(row = piece.row, %error, "left out of a backtest"),
            }
        }
    }
}

fn since_epoch(time: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millisecond()).unwrap_or(0))
}

/// What to compare.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct BacktestArgs {
    /// Settings file with the changed zones and lines; wins over all other files.
    #[arg(long, value_name = "FILE")]
    with: PathBuf,
    /// The camera.
    #[arg(long, default_value = "cam")]
    camera: String,
    /// How far to look back, in hours.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=87_600))]
    hours: u32,
}

/// Prints what would fire with the settings of `with` and what would not, against those in force.
pub(crate) fn print(run_args: &RunArgs, asked: &BacktestArgs) -> anyhow::Result<()> {
    let (old, new) = (run_args.load()?, run_args.clone().with_file(&asked.with).load()?);
    let dir: &Path = &old.config.data.dir;
    let past = TrackReader::open(dir).context("reading what was tracked")?;
    let now = base::clock::wall();
    let window = (now - SignedDuration::from_hours(asked.hours.into()))..now;
    let (old, new) = (rules_of(&old, &asked.camera)?, rules_of(&new, &asked.camera)?);
    let report = run(&past, &asked.camera, old, new, &window, &|| false)?;
    args::print(&text(&report))
}

fn rules_of(loaded: &Loaded, camera: &str) -> anyhow::Result<RuleSet> {
    let CameraConfig { zones, lines, .. } = loaded
        .config
        .cameras
        .iter()
        .find(|one| one.id.as_str() == camera)
        .with_context(|| format!("there is no camera `{camera}` in the settings"))?;
    Ok(RuleSet { zones: zones.clone(), lines: lines.clone() })
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    let mut add = |line: std::fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
    };
    add(format_args!("{} tracks, {} pictures", report.tracks, report.steps));
    for tally in &report.rules {
        let (before, after) = (tally.before(), tally.after());
        add(format_args!("{}: {before} before, {after} after", name(&tally.rule, tally.what)));
    }
    for (sign, changes) in [('+', &report.gained), ('-', &report.lost)] {
        for Change { fired, because } in changes {
            let ms = i64::try_from(fired.from.as_millis()).unwrap_or(i64::MAX);
            let time = Timestamp::from_millisecond(ms).unwrap_or_default();
            let label = fired.label.as_deref().unwrap_or("");
            let name = name(&fired.rule, fired.what);
            add(format_args!("{sign} {time} {name} {label} ({because:?})"));
        }
    }
    text
}

fn name(rule: &Rule, what: What) -> String {
    format!("{rule} {what:?}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::history::{Path as TrackPath, Sample, Sight, Stretch, Tolerance, encode};
    use domain::{BBox, ClassId, Line, LineId, Point, TrackId};
    use store::{NewTracks, OutboxPolicy, Store, StoreOptions, TrackLimits};
    use ulid::Ulid;

    fn gate(x: f32) -> RuleSet {
        let line = Line::new(LineId::new("gate"), Point::new(x, 0.0), Point::new(x, 1.0));
        RuleSet { zones: Vec::new(), lines: vec![line.unwrap()] }
    }

    /// A walk from left to right in five seconds, from `start` on, as stored.
    fn walk(session: Ulid, start: Timestamp) -> NewTracks {
        let steps = (0..50).map(|step| Duration::from_millis(step * 100)).collect();
        let sample = |step: u16| Sample {
            step: step.into(),
            class: ClassId(1),
            score: 0.8,
            bbox: BBox::new(f32::from(step) * 0.018, 0.4, 0.1, 0.2),
        };
        let path = TrackPath {
            id: TrackId(1),
            first_seen: Duration::ZERO,
            samples: (0..50).map(sample).collect(),
            ended: None,
        };
        let stretch = Stretch { steps, paths: vec![path], sight: Sight::Seeing };
        NewTracks {
            session,
            camera: "front".into(),
            labels: vec!["person".into(), "car".into()],
            from: start,
            to: start + SignedDuration::from_secs(5),
            body: encode(&stretch, &Tolerance::USUAL),
        }
    }

    #[tokio::test]
    async fn the_stored_past_tells_what_other_rules_would_have_made_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            dir: dir.path().to_owned(),
            node: "ec-test".into(),
            events_max: 1000,
            outbox: OutboxPolicy::Off,
            tracks: TrackLimits { max_bytes: 1 << 20, max_age: Duration::from_secs(86_400) },
        };
        let (store, threads) = Store::open(options).unwrap().spawn().unwrap();
        let start = base::clock::wall() - SignedDuration::from_mins(60);
        let at = |seconds| start + SignedDuration::from_secs(seconds);
        // Two processes; the number of a track begins anew with each.
        for (session, second) in [(1, 0), (2, 60), (2, 2000)] {
            store.append_tracks(walk(Ulid::from(session), at(second))).await.unwrap();
        }
        let damaged = NewTracks { body: vec![1, 200], ..walk(Ulid::from(2), at(120)) };
        store.append_tracks(damaged).await.unwrap();
        let past = TrackReader::open(dir.path()).unwrap();
        let compare = |old, new, window| run(&past, "front", old, new, &window, &|| false).unwrap();

        let report = compare(gate(0.5), gate(0.55), at(0)..at(600));
        assert_eq!((report.kept.len(), report.gained.len(), report.lost.len()), (2, 0, 0));
        assert_eq!(report.kept[0].label.as_deref(), Some("car"));
        let crossed = report.kept[0].from.abs_diff(since_epoch(at(3)));
        assert!(crossed < Duration::from_secs(1), "{crossed:?}");

        let report = compare(gate(0.5), RuleSet::default(), at(30)..at(600));
        assert_eq!(report.lost.len(), 1, "the first is before the window");
        let text = text(&report);
        assert!(text.contains("line gate crossing(out): 1 before, 0 after"), "{text}");
        assert!(text.contains("line gate crossing(out) car (NoRule)"), "{text}");
        threads.stop().await;
    }
}
