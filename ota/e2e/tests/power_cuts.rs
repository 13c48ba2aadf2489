//! Power cuts at random moments of an update: it always starts, never half of one system with half of the
//! other, and nothing that was acknowledged is lost. `EDGECAM_E2E_CUTS` says how many; 10 when absent.
//!
//! An update goes on while copies of its card are taken, each as a cut of the power would leave it at that
//! moment; then a device is started from each. A cut costs a start so, and not an update.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use edgecam_e2e::card::Card;
use edgecam_e2e::image::Image;
use edgecam_e2e::owned::Owned;
use edgecam_e2e::server::{HOST, Server};
use edgecam_e2e::wait_for;
use serde_json::json;

/// Cuts within one update: half of them while it is installed, the others after its first start.
const A_RUN: usize = 10;
/// From the order to install until the restart, and from there until the new system is kept, on an idle machine.
const HALVES: [Duration; 2] = [Duration::from_secs(110), Duration::from_secs(110)];
/// Either half when others use the machine, too.
const LONG: Duration = Duration::from_secs(1200);
/// How often something is asked of the device.
const ASKED: Duration = Duration::from_secs(2);

/// What the device has acknowledged, and what it said it was doing.
#[derive(Clone, Debug, Default)]
struct Said {
    setting: u64,
    event: u64,
    phase: String,
}

/// What a cut would have left.
#[derive(Debug)]
struct Cut {
    after: Duration,
    said: Said,
    card: Card,
}

#[test]
fn whenever_the_power_is_cut_it_starts_whole_and_has_lost_nothing() {
    let name = "whenever_the_power_is_cut_it_starts_whole_and_has_lost_nothing";
    let Some(image) = Image::of_this_run(name) else { return };
    let wanted = std::env::var("EDGECAM_E2E_CUTS").ok().and_then(|n| n.parse().ok());
    let mut left: usize = wanted.unwrap_or(A_RUN);
    let server = Server::start(&image).unwrap();
    // Sent, or read where it lies, by turns.
    let mut sent = fastrand::bool();
    while left > 0 {
        let mut owned = Owned::new(&image).unwrap();
        let hosts = json!({"updates": {"allowed_hosts": [HOST]}});
        assert_eq!(owned.device.patch("/api/v1/settings", &hosts).unwrap().0, 200);
        let event = || owned.newest_event().ok().filter(|newest| *newest > 0);
        wait_for("event that must not be lost", LONG, ASKED, event).unwrap();
        if sent {
            owned.install("next.raucb").unwrap();
        } else {
            owned.install_from(&server.url("next.raucb"), true).unwrap();
        }
        say(&format!("an update is {}", if sent { "sent" } else { "read where it lies" }));
        let cuts = cuts_within(&owned, left.min(A_RUN));
        left -= cuts.len();
        sent = !sent;
        for cut in cuts {
            owned = starts_whole(owned, cut);
        }
    }
}

/// Copies the card at random moments of the update that goes on.
fn cuts_within(owned: &Owned, count: usize) -> Vec<Cut> {
    let (said, over) = (Mutex::new(Said::default()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| keep_asking(owned, &said, &over));
        let begin = Instant::now();
        let restarts = || (owned.machine.starts() > 1).then_some(());
        let mut cuts = Vec::new();
        for (half, time) in [count / 2, count.div_ceil(2)].into_iter().zip(HALVES) {
            for _ in 0..half {
                let gap = time.mul_f32(2.0 * fastrand::f32()) / u32::try_from(half).unwrap();
                std::thread::sleep(gap);
                // What was acknowledged before the cut.
                let said = said.lock().unwrap().clone();
                let card = owned.card_if_cut_now().unwrap();
                cuts.push(Cut { after: begin.elapsed(), said, card });
            }
            wait_for("restart into the new system", LONG, ASKED, restarts).unwrap();
        }
        over.store(true, Ordering::Relaxed);
        cuts
    })
}

/// Has the device acknowledge settings and events, one after the other.
fn keep_asking(owned: &Owned, said: &Mutex<Said>, over: &AtomicBool) {
    for number in 1.. {
        let wanted = json!({"updates": {"channel": format!("cut-{number}")}});
        let set = owned.device.patch("/api/v1/settings", &wanted);
        let (newest, updates) = (owned.newest_event(), owned.device.get("/api/v1/updates"));
        let mut said = said.lock().unwrap();
        if set.is_ok_and(|(status, _)| status == 200) {
            said.setting = number;
        }
        if let Ok(newest) = newest {
            said.event = newest;
        }
        if let Ok((200, updates)) = updates {
            updates["phase"].as_str().unwrap().clone_into(&mut said.phase);
        }
        drop(said);
        if over.load(Ordering::Relaxed) {
            return;
        }
        std::thread::sleep(ASKED);
    }
}

/// The device as the cut left it starts, with both halves of one system and all that it acknowledged.
fn starts_whole(owned: Owned, cut: Cut) -> Owned {
    let Cut { after, said, card } = cut;
    let mut owned = owned.start_from(card).unwrap();
    owned.machine.booted().unwrap();
    owned.device.ready().unwrap();
    let boot = owned.machine.ask("cat /run/edgecam-boot-version").unwrap();
    let (_, updates) = owned.device.get("/api/v1/updates").unwrap();
    assert_eq!(updates["version"], boot.as_str(), "the halves of the slot: {said:?}");
    let (_, settings) = owned.device.get("/api/v1/settings").unwrap();
    let channel = settings["updates"]["channel"].as_str().unwrap();
    let setting = channel.strip_prefix("cut-").map_or(0, |number| number.parse().unwrap());
    let event = owned.newest_event().unwrap();
    say(&format!(
        "cut after {:.0} s, while {}: {boot} runs, setting {} and event {} were acknowledged, {setting} and {event} are there",
        after.as_secs_f32(),
        said.phase,
        said.setting,
        said.event
    ));
    assert!(setting >= said.setting, "a setting was lost");
    assert!(event >= said.event, "an event was lost");
    owned
}

fn say(words: &str) {
    drop(writeln!(std::io::stderr(), "{words}"));
}
