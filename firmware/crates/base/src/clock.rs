//! Monotonic and wall time, as all stamps of a frame are taken.
//!
//! The monotonic clock is the machine's `CLOCK_MONOTONIC`: one base for all processes, so a stamp
//! taken in a camera process can be subtracted from one taken in `edgecamd`.

use std::fs;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// Time since the machine's monotonic clock began.
pub fn monotonic() -> Duration {
    let t = clock_gettime(ClockId::Monotonic);
    Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).unwrap_or(0))
}

/// Time since the kernel booted, the time that the machine slept included. Unlike the wall clock
/// nobody sets it; it means nothing once [`kernel_boot`] has changed.
pub fn since_boot() -> Duration {
    let t = clock_gettime(ClockId::Boottime);
    Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).unwrap_or(0))
}

/// The id that the kernel gave itself when it booted: another one each time.
///
/// # Errors
/// When `/proc` is not there.
pub fn kernel_boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The wall clock now, UTC.
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// The wall time of a monotonic stamp of this boot, as far as the wall clock is right now.
pub fn wall_at(stamp: Duration) -> Timestamp {
    let age = monotonic().saturating_sub(stamp);
    wall() - jiff::SignedDuration::try_from(age).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_of_now_has_the_wall_time_of_now() {
        let difference = wall().duration_since(wall_at(monotonic()));
        assert!(difference.abs() < jiff::SignedDuration::from_millis(50), "{difference:?}");
    }

    #[test]
    fn monotonic_time_does_not_go_back() {
        let first = monotonic();
        assert!(monotonic() >= first);
    }

    #[test]
    fn the_boot_has_an_id_that_stays_and_an_age_that_grows() {
        assert_eq!(kernel_boot().unwrap(), kernel_boot().unwrap());
        let first = since_boot();
        assert!(since_boot() >= first);
    }
}
