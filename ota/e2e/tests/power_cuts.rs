//! Power cuts at random moments of an update: it always starts, never half of one system with half of the
//! other, and nothing that was acknowledged is lost. `EDGECAM_E2E_CUTS` says how many; 3 when absent.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::Write as _;
use std::time::{Duration, Instant};

use edgecam_e2e::image::Image;
use edgecam_e2e::owned::Owned;
use edgecam_e2e::server::{HOST, Server};
use serde_json::json;

/// From the order to install until the new system is kept, on an idle machine: cuts fall within it.
const UPDATE: Duration = Duration::from_secs(180);

/// What the device has acknowledged.
#[derive(Debug)]
struct Acknowledged {
    setting: String,
    event: u64,
}

#[test]
fn whenever_the_power_is_cut_it_starts_whole_and_has_lost_nothing() {
    let name = "whenever_the_power_is_cut_it_starts_whole_and_has_lost_nothing";
    let Some(image) = Image::of_this_run(name) else { return };
    let cuts = std::env::var("EDGECAM_E2E_CUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let mut owned = Owned::new(&image).unwrap();
    let server = Server::start(&image).unwrap();
    let mut random = fastrand::Rng::new();
    for cut in 1..=cuts {
        let acknowledged = acknowledge(&owned, cut);
        // What is on trial, or has just been installed, is left to go on: the cut comes into that.
        let (_, updates) = owned.device.get("/api/v1/updates").unwrap();
        let phase = updates["phase"].as_str().unwrap().to_owned();
        match phase.as_str() {
            // Sent, or read where it lies, by turns.
            "idle" | "failed" | "rolled_back" if cut % 2 == 0 => {
                owned.install("next.raucb").unwrap();
            }
            "idle" | "failed" | "rolled_back" => {
                owned.install_from(&server.url("next.raucb"), true).unwrap();
            }
            "staged" => {
                let (status, answer) =
                    owned.device.post("/api/v1/updates/install", &json!({})).unwrap();
                assert_eq!(status, 202, "{answer}");
            }
            _ => {}
        }
        let after = UPDATE.mul_f32(random.f32());
        let begin = Instant::now();
        let mut seen = phase;
        while begin.elapsed() < after && seen != "committed" {
            std::thread::sleep(Duration::from_millis(500));
            if let Ok((200, updates)) = owned.device.get("/api/v1/updates") {
                updates["phase"].as_str().unwrap_or_default().clone_into(&mut seen);
            }
        }
        owned = owned.cut_and_start().unwrap();
        owned.machine.booted().unwrap();
        owned.device.ready().unwrap();
        let version = whole(&mut owned);
        drop(writeln!(
            std::io::stderr(),
            "cut {cut} of {cuts}: after {:.0} s, while {seen}; {version} runs",
            begin.elapsed().as_secs_f32()
        ));
        let (_, settings) = owned.device.get("/api/v1/settings").unwrap();
        assert_eq!(settings["updates"]["channel"], acknowledged.setting.as_str(), "cut {cut}");
        let newest = owned.newest_event().unwrap();
        assert!(newest >= acknowledged.event, "event {} was lost", acknowledged.event);
        if seen == "committed" {
            owned = Owned::new(&image).unwrap();
        }
    }
}

/// Has the device acknowledge a setting and an event.
fn acknowledge(owned: &Owned, cut: u32) -> Acknowledged {
    let setting = format!("cut-{cut}");
    let wanted = json!({"updates": {"channel": setting, "allowed_hosts": [HOST]}});
    let (status, answer) = owned.device.patch("/api/v1/settings", &wanted).unwrap();
    assert_eq!(status, 200, "{answer}");
    Acknowledged { setting, event: owned.newest_event().unwrap() }
}

/// The version that runs, which both halves of its slot must say.
fn whole(owned: &mut Owned) -> String {
    let boot = owned.machine.ask("cat /run/edgecam-boot-version").unwrap();
    let (_, updates) = owned.device.get("/api/v1/updates").unwrap();
    assert_eq!(updates["version"], boot.as_str(), "the halves of the slot");
    boot
}
