//! Waiting for a condition with a deadline, and what was measured.

use std::time::{Duration, Instant};

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// Waits until `look` finds something, and answers it with the time that it took.
///
/// # Panics
/// When `within` has passed; the message says what was waited for.
#[track_caller]
pub(crate) fn until_some<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> (T, Duration) {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return (found, begun.elapsed());
        }
        assert!(begun.elapsed() < within, "{what}: not within {} s", within.as_secs_f32());
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Waits until `holds` does; answers how long that took.
///
/// # Panics
/// When `within` has passed.
#[track_caller]
pub(crate) fn until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    until_some(what, within, || holds().then_some(())).1
}

/// The value that `share` (0..=1) of `times` do not exceed: nearest rank.
pub(crate) fn quantile(times: &[Duration], share: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// `times` in milliseconds, for people.
pub(crate) fn in_ms(times: &[Duration]) -> String {
    let words: Vec<_> = times.iter().map(|time| time.as_millis().to_string()).collect();
    words.join(" ")
}
