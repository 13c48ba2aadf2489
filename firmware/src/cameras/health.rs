//! When a camera process has to be replaced. Pure.

use std::time::Duration;

use api::status::CameraPhase;

/// A running camera without a frame for this time is stalled.
pub(super) const STALL: Duration = Duration::from_millis(4_500);
/// A camera that neither runs nor says why for this time is stuck.
pub(super) const START: Duration = Duration::from_secs(20);
/// A process that gives no sign of life for this time hangs.
pub(super) const SILENCE: Duration = Duration::from_millis(3_500);

/// What a camera's own report says about its health; `Some`: replace its process, and why.
///
/// `frame_age` is the time since its newest frame, `in_phase` the time since it entered `phase`.
pub(super) fn complaint(
    phase: CameraPhase,
    frame_age: Duration,
    in_phase: Duration,
) -> Option<String> {
    match phase {
        CameraPhase::Running if frame_age >= STALL && in_phase >= STALL => {
            Some(format!("no frame for {:.1} s", frame_age.as_secs_f32()))
        }
        CameraPhase::Starting if in_phase >= START => {
            Some(format!("no picture {} s after its start", in_phase.as_secs()))
        }
        CameraPhase::Running
        | CameraPhase::Starting
        | CameraPhase::Waiting
        | CameraPhase::Stalled
        | CameraPhase::Ended
        | CameraPhase::Failed
        | CameraPhase::Disabled => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn a_running_camera_without_frames_is_replaced_within_five_seconds() {
        let reason = complaint(CameraPhase::Running, Duration::from_millis(4_600), LONG);
        assert_eq!(reason.as_deref(), Some("no frame for 4.6 s"));
        assert_eq!(complaint(CameraPhase::Running, Duration::from_millis(900), LONG), None);
    }

    #[test]
    fn a_camera_that_waits_for_its_source_is_left_alone() {
        for phase in [CameraPhase::Waiting, CameraPhase::Ended, CameraPhase::Failed] {
            assert_eq!(complaint(phase, LONG, LONG), None, "{phase:?}");
        }
    }

    #[test]
    fn a_camera_that_never_starts_is_replaced() {
        assert!(complaint(CameraPhase::Starting, Duration::ZERO, LONG).is_some());
        assert_eq!(complaint(CameraPhase::Starting, Duration::ZERO, Duration::from_secs(5)), None);
    }
}
