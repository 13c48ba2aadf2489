//! Promise: an update goes from the first byte to its commit over the API, and back by itself with its
//! reason; where there is nothing to update, that is what is said. RAUC is played by a peer on a message bus
//! of the test's own: the real one takes device-mapper and a boot loader, which QEMU has.

mod harness;
#[path = "../../ota/tests/peer/mod.rs"]
mod peer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::daemon::EdgeCam;
use harness::{Setup, Site, mqtt, until};
use peer::{Install, Peer, PrivateBus, World};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const LONG: Duration = Duration::from_secs(30);
/// The gate takes a minute, on a machine that may be busy.
const GATE: Duration = Duration::from_secs(150);
const SMALL: &str = "\
[media_server]
enabled = false
[cameras.cam]
enabled = false
";
const RELEASE: &str = r#"{"version":"1.0.0","compatible":"edgecam-debian-arm64","commit":"c",
    "built_at":"2026-07-01T12:00:00Z","kernel":"debian","development_keys":true}"#;

/// A device with two slots: what stays when its daemon starts anew.
struct Device {
    folder: tempfile::TempDir,
    bus: PrivateBus,
    _runtime: Runtime,
    world: Arc<Mutex<World>>,
    _peer: Peer,
}

impl Device {
    /// `None`: this machine has no message bus.
    fn new(world: World) -> Option<Self> {
        let bus = PrivateBus::start()?;
        let runtime = Runtime::new().expect("a runtime can be made");
        let peer = runtime.block_on(Peer::start(&bus, world));
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("release.json"), RELEASE).expect("it can be written");
        Some(Self { folder, bus, _runtime: runtime, world: peer.world.clone(), _peer: peer })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its daemon, in `slot`.
    fn start(&self, slot: &str) -> EdgeCam {
        self.start_with(slot, "mqtt.enabled=false")
    }

    /// The same with another setting.
    fn start_with(&self, slot: &str, setting: &str) -> EdgeCam {
        self.world.lock().expect("no test panicked").booted = slot.to_owned();
        std::fs::write(self.file("cmdline"), format!("quiet rauc.slot={slot}\n"))
            .expect("it can be written");
        Setup::new()
            .settings(SMALL)
            .set(setting)
            .data(&self.file("data"))
            .env("EDGECAM_RELEASE", self.file("release.json"))
            .env("EDGECAM_CMDLINE", self.file("cmdline"))
            .env("DBUS_SYSTEM_BUS_ADDRESS", Path::new(&self.bus.address))
            .start()
    }

    /// Has what is remembered look as after a restart of the machine.
    fn as_after_a_reboot(&self) {
        self.remember(|state| state["phase"]["change"]["boot"] = json!("another boot"));
    }

    /// Changes what is remembered; answers what it was before.
    fn remember(&self, change: impl FnOnce(&mut Value)) -> Value {
        let path = self.file("data/updates/state.json");
        let text = std::fs::read_to_string(&path).expect("it was written");
        let before: Value = serde_json::from_str(&text).expect("it is JSON");
        let mut state = before.clone();
        change(&mut state);
        std::fs::write(&path, state.to_string()).expect("it can be written");
        before
    }

    /// Has the installation that hangs come to a good end.
    fn ends_well(&self) {
        let mut world = self.world.lock().expect("no test panicked");
        let transaction = world.written.take().map(|(id, _)| id).unwrap_or_default();
        world.written = Some((transaction, true));
        world.primary = "B".into();
        world.busy = false;
    }

    fn world(&self) -> World {
        self.world.lock().expect("no test panicked").clone()
    }
}

fn updates(edgecam: &EdgeCam) -> Value {
    edgecam.api().get("/api/v1/updates").json()
}

fn phase(edgecam: &EdgeCam) -> String {
    updates(edgecam)["phase"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn until_phase(edgecam: &EdgeCam, wanted: &str, within: Duration) {
    until(&format!("the update is {wanted}"), within, || phase(edgecam) == wanted);
}

/// Sends a bundle in one piece; answers status and code.
fn sent(edgecam: &EdgeCam) -> (u16, Value) {
    let begun = edgecam.api().post("/api/v1/updates/uploads", &json!({ "size_bytes": 8 })).json();
    let path = format!("/api/v1/updates/uploads/{}", begun["id"].as_str().unwrap_or_default());
    let url = format!("http://{}{path}", edgecam.at().api);
    let answer = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let answer = answer
        .patch(url)
        .header("Authorization", format!("Bearer {}", edgecam.token()))
        .header("Content-Type", "application/partial-upload")
        .header("Upload-Offset", "0")
        .send(&b"a bundle"[..]);
    let mut answer = answer.expect("the API answers");
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    (answer.status().as_u16(), body["code"].clone())
}

/// Sends a bundle and has it installed; the machine is not started anew.
fn installed(edgecam: &EdgeCam) {
    assert!(sent(edgecam).0 < 300);
    assert_eq!(phase(edgecam), "staged");
    let begun = edgecam.api().post("/api/v1/updates/install", &json!({ "reboot": false }));
    assert_eq!(begun.status, 202, "{}", begun.json());
}

#[test]
fn a_machine_that_runs_no_image_says_that_it_cannot_be_updated_and_why() {
    let Some(_site) = Site::with(&[]) else { return };
    let edgecam = Setup::new().settings(SMALL).set("mqtt.enabled=false").start();
    let updates = updates(&edgecam);
    assert_eq!(updates["supported"], json!(false));
    let reason = updates["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("does not run from an EdgeCam image"), "{updates}");
    assert_eq!(updates["slots"], json!([]));
    for (path, body) in [
        ("/api/v1/updates/install", json!({ "url": "https://updates.example.org/e.raucb" })),
        ("/api/v1/updates/check", json!({})),
        ("/api/v1/updates/rollback", json!({})),
        ("/api/v1/updates/commit", json!({})),
    ] {
        let answer = edgecam.api().post(path, &body);
        let problem = answer.json();
        assert_eq!(answer.status, 409, "{path} {problem}");
        assert_eq!(problem["code"], "updates_not_supported", "{path}");
    }
}

#[test]
fn an_image_without_its_installer_says_so_and_goes_on() {
    let Some(_site) = Site::with(&[]) else { return };
    let Some(device) = Device::new(World::default()) else { return };
    let nowhere = format!("unix:path={}", device.file("nowhere").display());
    std::fs::write(device.file("cmdline"), "rauc.slot=A").expect("it can be written");
    let edgecam = Setup::new()
        .settings(SMALL)
        .set("mqtt.enabled=false")
        .env("EDGECAM_RELEASE", device.file("release.json"))
        .env("EDGECAM_CMDLINE", device.file("cmdline"))
        .env("DBUS_SYSTEM_BUS_ADDRESS", nowhere)
        .start();
    let answer = edgecam.api().post("/api/v1/updates/rollback", &json!({}));
    assert_eq!(answer.status, 503, "{}", answer.json());
    assert_eq!(answer.json()["code"], "installer_unavailable");
    assert_eq!(edgecam.api().get("/healthz").status, 200);
}

#[test]
fn an_update_is_sent_installed_tried_and_kept_when_its_owner_says_so_and_not_without() {
    let Some(_site) = Site::with(&[]) else { return };
    let Some(device) = Device::new(World::default()) else { return };
    let owner = "updates.confirm=owner";
    let edgecam = device.start_with("A", owner);
    until("the running slot is marked good", LONG, || {
        device.world().calls.contains(&"Mark good booted".to_owned())
    });
    installed(&edgecam);
    until_phase(&edgecam, "installed", LONG);
    assert_eq!(device.world().primary, "B");
    drop(edgecam);

    // The machine starts anew, in the new system.
    device.as_after_a_reboot();
    device.world.lock().expect("no test panicked").calls.clear();
    let edgecam = device.start_with("B", owner);
    assert_eq!(phase(&edgecam), "trial");
    until_phase(&edgecam, "awaiting_confirmation", GATE);
    assert!(updates(&edgecam)["confirm_by"].is_string());
    let marked = |call: &String| call.starts_with("Mark");
    assert!(!device.world().calls.iter().any(marked), "nothing is for good yet");
    drop(edgecam);

    // He says nothing in time.
    let awaiting = device.remember(|state| {
        let began = state["phase"]["began"]["at_s"].as_u64().unwrap_or_default();
        state["phase"]["began"]["at_s"] = json!(began.saturating_sub(3600));
    });
    let before = device.world();
    let edgecam = device.start_with("B", owner);
    until("the boot loader is led back", LONG, || device.world().primary == "A");
    assert_eq!(updates(&edgecam)["problem"]["code"], "not_confirmed");
    drop(edgecam);

    // He does.
    device.remember(|state| *state = awaiting);
    *device.world.lock().expect("no test panicked") = before;
    let edgecam = device.start_with("B", owner);
    let said = edgecam.api().post("/api/v1/updates/commit", &json!({}));
    assert_eq!(said.status, 200, "{}", said.json());
    until_phase(&edgecam, "committed", LONG);
    let calls = device.world().calls;
    assert!(calls.contains(&"Mark good booted".to_owned()), "{calls:?}");
    assert_eq!(updates(&edgecam)["update"]["version"], "2.0.0");
    assert_eq!(updates(&edgecam)["problem"], Value::Null);
}

#[test]
fn what_is_staged_is_installed_when_home_assistant_says_so() {
    let Some(_site) = Site::with(&[]) else { return };
    let Some(device) = Device::new(World::default()) else { return };
    let edgecam = device.start_with("A", "mqtt.commands=true");
    let subscriber = edgecam.subscriber();
    assert!(sent(&edgecam).0 < 300);
    let offered = || subscriber.newest("/update").is_some_and(|told| told.contains("2.0.0"));
    until("the update is offered", LONG, offered);
    let topic = subscriber.topic("/update").expect("something came of it");
    mqtt::publish(edgecam.at().mqtt, &format!("{topic}/set"), "install");
    until_phase(&edgecam, "installed", LONG);
    assert_eq!(device.world().primary, "B");
}

#[test]
fn a_system_that_did_not_start_is_told_of_and_not_tried_again() {
    let Some(_site) = Site::with(&[]) else { return };
    let Some(device) = Device::new(World::default()) else { return };
    let edgecam = device.start("A");
    installed(&edgecam);
    until_phase(&edgecam, "installed", LONG);
    drop(edgecam);
    device.as_after_a_reboot();
    // The boot loader tried it, and came back.
    let edgecam = device.start("A");
    until_phase(&edgecam, "rolled_back", LONG);
    let problem = updates(&edgecam)["problem"].clone();
    assert_eq!((&problem["code"], &problem["version"]), (&json!("did_not_start"), &json!("2.0.0")));
    until("the failed slot is bad and the old one next", LONG, || {
        let world = device.world();
        !world.good["B"] && world.primary == "A"
    });
    // It is still told after the next start.
    drop(edgecam);
    assert_eq!(phase(&device.start("A")), "rolled_back");
}

#[test]
fn what_the_installer_refuses_is_refused_with_its_code_and_leaves_the_running_slot_alone() {
    let Some(_site) = Site::with(&[]) else { return };
    let why = "signature verification failed: Verify error: self-signed certificate";
    let world = World { install: Install::FailsFirst(why.into()), ..World::default() };
    let Some(device) = Device::new(world) else { return };
    let edgecam = device.start("A");
    installed(&edgecam);
    until_phase(&edgecam, "failed", LONG);
    let problem = updates(&edgecam)["problem"].clone();
    assert_eq!((&problem["code"], &problem["detail"]), (&json!("wrong_signature"), &json!(why)));
    let world = device.world();
    assert_eq!((world.primary.as_str(), world.good["B"]), ("A", true));
    // An older one is not even staged.
    device.world.lock().expect("no test panicked").version = "0.9.0".into();
    assert_eq!(sent(&edgecam), (422, json!("older_version")));
}

#[test]
fn a_daemon_that_was_killed_while_installing_finds_the_end_of_it() {
    let Some(_site) = Site::with(&[]) else { return };
    let world = World { install: Install::Hangs, ..World::default() };
    let Some(device) = Device::new(world) else { return };
    let edgecam = device.start("A");
    installed(&edgecam);
    until("the slot is being written", LONG, || device.world().written.is_some());
    assert_eq!(phase(&edgecam), "installing");
    drop(edgecam);
    let edgecam = device.start("A");
    assert_eq!(phase(&edgecam), "installing", "RAUC is still at it");
    device.ends_well();
    until_phase(&edgecam, "installed", Duration::from_secs(90));
}

#[test]
fn how_an_installation_ended_is_told_on_a_full_disk_too_and_found_again_by_the_next_start() {
    let Some(_site) = Site::with(&[]) else { return };
    let world = World { install: Install::Hangs, ..World::default() };
    let Some(device) = Device::new(world) else { return };
    let edgecam = device.start("A");
    installed(&edgecam);
    until("the slot is being written", LONG, || device.world().written.is_some());
    // From here on nothing can be remembered.
    let in_the_way = device.file("data/updates/state.json.new");
    std::fs::create_dir(&in_the_way).expect("a folder can be made");
    device.ends_well();
    until_phase(&edgecam, "installed", Duration::from_secs(90));
    drop(edgecam);
    std::fs::remove_dir(in_the_way).expect("it is empty");
    let edgecam = device.start("A");
    until_phase(&edgecam, "installed", Duration::from_secs(90));
}
