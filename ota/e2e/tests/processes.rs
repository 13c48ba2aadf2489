//! What happens to the processes of a device, under its own systemd: none takes another one with it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use edgecam_e2e::image::Image;
use edgecam_e2e::owned::Owned;
use edgecam_e2e::wait_for;

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// The process of the daemon.
fn daemon(owned: &mut Owned) -> String {
    owned.machine.ask("systemctl show --property=MainPID --value edgecamd.service").unwrap()
}

#[test]
fn a_daemon_that_hangs_is_ended_and_starts_anew() {
    let Some(image) = Image::of_this_run("a_daemon_that_hangs_is_ended_and_starts_anew") else {
        return;
    };
    let mut owned = Owned::new(&image).unwrap();
    let before = daemon(&mut owned);
    owned.machine.ask("systemctl kill --signal=STOP --kill-whom=main edgecamd.service").unwrap();
    let another = || {
        let now = daemon(&mut owned);
        (now != before && now != "0").then_some(())
    };
    wait_for("daemon that was started anew", 10 * MINUTE, SECOND, another).unwrap();
    owned.device.ready().unwrap();
    let said = owned.machine.ask("journalctl --boot --unit=edgecamd --output=cat").unwrap();
    assert!(said.contains("Watchdog timeout"), "{said}");
}

#[test]
fn a_camera_that_takes_more_memory_than_it_may_is_ended_alone_and_starts_anew() {
    let name = "a_camera_that_takes_more_memory_than_it_may_is_ended_alone_and_starts_anew";
    let Some(image) = Image::of_this_run(name) else { return };
    let mut owned = Owned::new(&image).unwrap();
    let before = daemon(&mut owned);
    let camera = |owned: &mut Owned| {
        let list = "systemctl list-units --plain --no-legend --state=active 'edgecam-camera@*' | cut -d' ' -f1";
        owned.machine.ask(list).unwrap()
    };
    let taken = camera(&mut owned);
    let may = format!("systemctl show --property=MemoryMax,MemoryPeak --value '{taken}'");
    let may = owned.machine.ask(&may).unwrap();
    assert!(may.lines().any(|bytes| bytes == "536870912"), "{taken} may take {may}");
    // As if it had a leak: what it has is now more than it may have.
    owned.machine.ask(&format!("systemctl set-property --runtime '{taken}' MemoryMax=8M")).unwrap();
    let another = || {
        let now = camera(&mut owned);
        (!now.is_empty() && now != taken).then_some(())
    };
    wait_for("camera that was started anew", 5 * MINUTE, SECOND, another).unwrap();
    owned.device.ready().unwrap();
    assert_eq!(before, daemon(&mut owned), "the daemon was not touched");
    let said = owned.machine.ask("journalctl --boot --dmesg --output=cat --grep=oom").unwrap();
    assert!(said.contains("edgecam-camera"), "{said}");
}
