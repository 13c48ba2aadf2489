//! What may not be installed is refused with its reason, and the running system is untouched.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use edgecam_e2e::image::Image;
use edgecam_e2e::owned::Owned;
use edgecam_e2e::server::Server;
use serde_json::json;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn bundles_that_are_not_for_this_device_are_refused_and_nothing_is_written() {
    let name = "bundles_that_are_not_for_this_device_are_refused_and_nothing_is_written";
    let Some(image) = Image::of_this_run(name) else { return };
    let server = Server::start(&image).unwrap();
    let mut owned = Owned::new(&image).unwrap();
    let before = slots(&mut owned);
    let cases = [
        ("stranger.raucb", "wrong_signature"),
        ("other-device.raucb", "wrong_compatible"),
        ("older.raucb", "older_version"),
        ("truncated.raucb", "damaged"),
    ];
    for (bundle, code) in cases {
        let sent = owned.device.send("/api/v1/updates/install", &image.file(bundle)).unwrap();
        assert_eq!((sent.0, &sent.1["code"]), (422, &json!(code)), "{bundle}: {sent:?}");
        let updates = owned.wait_for_phase(&["failed"], Duration::from_secs(60)).unwrap();
        assert_eq!(updates["problem"]["code"], code, "{bundle}: {updates}");
    }
    // Past the daemon, by somebody who has root: RAUC itself refuses.
    for (bundle, why) in [
        ("older.raucb", "Pre-install handler error"),
        ("stranger.raucb", "signature verification failed"),
    ] {
        let past = format!("rauc install {} 2>&1", server.url(bundle));
        let (status, said) = owned.machine.shell(&past, Duration::from_secs(300)).unwrap();
        assert!(status != 0 && said.contains(why), "{bundle}: {status} {said}");
    }
    let upload = "ls /var/lib/edgecam/updates";
    let (_, there) = owned.machine.shell(upload, Duration::from_secs(30)).unwrap();
    assert!(!there.contains(".raucb"), "what was refused does not lie about: {there}");
    assert_eq!(before, slots(&mut owned), "the slots and the choice between them");

    // RAUC sees only while it installs that there is no room for it.
    owned.install("large.raucb").unwrap();
    let updates = owned.wait_for_phase(&["failed", "installed"], 5 * MINUTE).unwrap();
    assert_eq!(updates["problem"]["code"], "too_large_for_slot", "{updates}");
    assert_eq!(before[..2], slots(&mut owned)[..2], "the other slot");
    owned = owned.cut_and_start().unwrap();
    owned.machine.booted().unwrap();
    assert!(owned.machine.ask("cat /proc/cmdline").unwrap().contains("rauc.slot=A"));
}

/// What is in the other slot, and which one is chosen. The device may say other things on its console meanwhile.
fn slots(owned: &mut Owned) -> Vec<String> {
    let look = "sha256sum /dev/disk/by-partlabel/{rootfs,boot}-b; fw_printenv";
    let (_, said) = owned.machine.shell(look, Duration::from_secs(300)).unwrap();
    let of_slots = |line: &&str| line.contains("by-partlabel") || line.starts_with("BOOT_");
    let lines: Vec<_> = said.lines().filter(of_slots).map(str::to_owned).collect();
    assert_eq!(lines.len(), 5, "{said}");
    lines
}
