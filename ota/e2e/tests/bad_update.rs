//! An update that does not work takes itself back, and the system that comes back says why.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use edgecam_e2e::image::Image;
use edgecam_e2e::owned::Owned;
use serde_json::Value;

/// Installs `bundle` and waits until the old system is back; answers the problem that it tells.
fn taken_back(test: &str, bundle: &str) -> Option<Value> {
    let image = Image::of_this_run(test)?;
    let mut owned = Owned::new(&image).unwrap();
    owned.install(bundle).unwrap();
    let updates = owned.wait_for_phase(&["rolled_back"], Duration::from_secs(2400)).unwrap();
    assert_eq!(updates["version"], "0.1.0", "{updates}");
    let state = owned.machine.ask("fw_printenv").unwrap();
    assert!(state.contains("BOOT_B_LEFT=0") && state.contains("BOOT_ORDER=A"), "{state}");
    Some(updates["problem"].clone())
}

#[test]
fn a_system_without_a_kernel_is_left_after_its_tries() {
    let test = "a_system_without_a_kernel_is_left_after_its_tries";
    let Some(problem) = taken_back(test, "no-kernel.raucb") else { return };
    assert_eq!(problem["code"], "did_not_start", "{problem}");
}

#[test]
fn a_kernel_that_panics_is_left_after_its_tries() {
    let test = "a_kernel_that_panics_is_left_after_its_tries";
    let Some(problem) = taken_back(test, "panic.raucb") else { return };
    assert_eq!(problem["code"], "did_not_start", "{problem}");
}

#[test]
fn a_system_whose_daemon_does_not_run_is_left() {
    let test = "a_system_whose_daemon_does_not_run_is_left";
    let Some(problem) = taken_back(test, "dead.raucb") else { return };
    assert_eq!(problem["code"], "did_not_start", "{problem}");
}

#[test]
fn a_system_whose_cameras_give_nothing_takes_itself_back_and_says_so() {
    let test = "a_system_whose_cameras_give_nothing_takes_itself_back_and_says_so";
    let Some(problem) = taken_back(test, "blind.raucb") else { return };
    assert_eq!(problem["code"], "trial_failed", "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("cam"), "it names the camera: {detail}");
}
