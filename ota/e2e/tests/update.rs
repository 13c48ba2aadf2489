//! An update over the API is tried, kept, and everything that is the owner's is still there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use edgecam_e2e::image::Image;
use edgecam_e2e::owned::Owned;
use edgecam_e2e::server::{HOST, Server};
use serde_json::json;

#[test]
fn an_update_over_the_api_is_tried_and_kept_with_all_that_is_the_owners() {
    let name = "an_update_over_the_api_is_tried_and_kept_with_all_that_is_the_owners";
    let Some(image) = Image::of_this_run(name) else { return };
    let mut owned = Owned::new(&image).unwrap();
    let set = json!({"updates": {"channel": "beta", "allowed_hosts": [HOST]}});
    let (status, set) = owned.device.patch("/api/v1/settings", &set).unwrap();
    assert_eq!(status, 200, "{set}");
    let before = owned.newest_event().unwrap();

    // Every block of the daemon is another one; nothing else has changed.
    let server = Server::start(&image).unwrap();
    owned.install_from(&server.url("daemon.raucb"), false).unwrap();
    // The line is dead for half a minute meanwhile.
    owned.wait_for_phase(&["installing", "failed"], Duration::from_secs(600)).unwrap();
    let dead = "cd /sys/class/net; for line in e*; do ip link set $line down; sleep 30; ip link set $line up; done";
    owned.machine.ask(dead).unwrap();
    let updates = owned.wait_for_phase(&["installed", "failed"], Duration::from_secs(900)).unwrap();
    assert_eq!(updates["phase"], "installed", "{updates}");
    let share = server.share_sent(&image, "daemon.raucb").unwrap();
    let told = updates["update"]["transferred_bytes"].as_f64().unwrap()
        / updates["update"]["size_bytes"].as_f64().unwrap();
    eprintln!("of an update of the daemon alone {:.1} % were transferred", share * 100.0);
    assert!(share <= 0.15 && (share - told).abs() < 0.01, "{share:.3}, as told {told:.3}");
    let (status, given_up) = owned.device.delete("/api/v1/updates/staged").unwrap();
    assert_eq!(status, 200, "{given_up}");

    owned.install_from(&server.url("next.raucb"), true).unwrap();
    let updates = owned.wait_for_phase(&["committed"], Duration::from_secs(1200)).unwrap();
    assert_eq!(updates["version"], "0.2.0", "{updates}");
    assert_eq!(updates["problem"], json!(null), "{updates}");
    assert!(server.share_sent(&image, "next.raucb").unwrap() <= 0.15);
    let slot = |name: &str| {
        let slots = updates["slots"].as_array().unwrap().iter();
        slots.clone().find(|slot| slot["name"] == name).cloned().unwrap()
    };
    assert_eq!((&slot("B")["booted"], &slot("B")["primary"]), (&json!(true), &json!(true)));
    assert_eq!(slot("B")["state"], "good", "{updates}");
    assert_eq!(slot("A")["version"], "0.1.0", "{updates}");
    assert_eq!((&slot("A")["booted"], &slot("A")["state"]), (&json!(false), &json!("good")));

    let (_, settings) = owned.device.get("/api/v1/settings").unwrap();
    assert_eq!(settings["updates"]["channel"], "beta", "the setting of the old system");
    assert!(owned.newest_event().unwrap() >= before, "events of the old system are there");
    let state = owned.machine.ask("fw_printenv").unwrap();
    assert!(state.contains("BOOT_B_LEFT=3") && state.contains("BOOT_ORDER=B A"), "{state}");
}
