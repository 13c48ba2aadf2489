//! What is found, from facts that a test made up.

use api::resources::{ChildStatus, MqttStatus};
use api::revisions::{PendingConfirmation, RolledBack};

use super::*;

type Change<'a> = &'a dyn Fn(&mut Facts);

const GB: u64 = 1_000_000_000;

fn well() -> Facts {
    let now: Timestamp = "2026-07-01T12:00:00Z".parse().unwrap();
    let child = ChildStatus { pid: Some(7), ..ChildStatus::default() };
    let certificate = Certificate {
        self_made: true,
        names: vec![],
        issuer: String::new(),
        not_before: now,
        not_after: now + SignedDuration::from_hours(24 * 365),
        sha256: String::new(),
    };
    let system = System {
        temperature_c: Some(50.0),
        memory_total_bytes: 4 * GB,
        memory_available_bytes: 2 * GB,
        disk_total_bytes: 30 * GB,
        disk_free_bytes: 20 * GB,
        mqtt: MqttStatus { enabled: true, connected: true, ..MqttStatus::default() },
        children: [("mediamtx".to_owned(), child)].into(),
        ..System::default()
    };
    let camera =
        CameraStatus { id: "front".into(), phase: CameraPhase::Running, ..CameraStatus::default() };
    Facts {
        now,
        system,
        cameras: vec![camera],
        certificate: Some(certificate),
        synchronised: Some(true),
        max_temp_c: Some(75.0),
        ..Facts::default()
    }
}

fn codes(change: impl FnOnce(&mut Facts)) -> Vec<String> {
    let mut facts = well();
    change(&mut facts);
    find(&facts).into_iter().map(|one| one.code).collect()
}

#[test]
fn while_all_is_well_nothing_is_found() {
    assert_eq!(codes(|_| {}), Vec::<String>::new());
    assert_eq!(codes(|facts| facts.synchronised = None), Vec::<String>::new(), "nobody knows");
    let off = |facts: &mut Facts| {
        facts.cameras[0].phase = CameraPhase::Disabled;
        facts.cameras[0].detector.note = Some("no model".into());
    };
    assert_eq!(codes(off), Vec::<String>::new());
    let starting = |facts: &mut Facts| {
        *facts.system.children.get_mut("mediamtx").unwrap() = ChildStatus::default();
    };
    assert_eq!(codes(starting), Vec::<String>::new());
}

#[test]
fn each_thing_that_is_wrong_has_its_code() {
    let pending = |facts: &mut Facts| {
        facts.settings.pending =
            Some(PendingConfirmation { revision: 2, back_to: 1, confirm_by: facts.now });
    };
    let back = |facts: &mut Facts| {
        let reason = "the port is taken".to_owned();
        facts.settings.rolled_back = Some(RolledBack { revision: 2, at: facts.now, reason });
    };
    let certificate = |facts: &mut Facts| {
        let ends = facts.now + SignedDuration::from_hours(24);
        facts.certificate.as_mut().unwrap().not_after = ends;
    };
    let child = |facts: &mut Facts| {
        let child = facts.system.children.get_mut("mediamtx").unwrap();
        *child = ChildStatus { last_exit: Some("killed".into()), ..ChildStatus::default() };
    };
    let broker = |facts: &mut Facts| {
        facts.system.mqtt.connected = false;
        facts.system.mqtt.error = Some("refused".into());
    };
    let cases: [(&str, Change<'_>); 15] = [
        ("camera_down.front", &|facts| facts.cameras[0].phase = CameraPhase::Waiting),
        ("model_missing.front", &|facts| facts.cameras[0].detector.note = Some("x".into())),
        ("program_down.mediamtx", &child),
        ("disk_full", &|facts| facts.system.disk_free_bytes = GB),
        ("memory_low", &|facts| facts.system.memory_available_bytes = GB / 10),
        ("too_hot", &|facts| facts.system.temperature_c = Some(75.0)),
        ("clock_not_set", &|facts| facts.synchronised = Some(false)),
        ("media_server_missing", &|facts| facts.no_media_server = true),
        ("machine_not_as_set", &|facts| facts.hands = Some("no agent".into())),
        ("broker_unreachable", &broker),
        ("events_dropped", &|facts| facts.system.mqtt.dropped_events = 3),
        ("settings_unconfirmed", &pending),
        ("settings_taken_back", &back),
        ("settings_damaged", &|facts| facts.settings.problems = vec!["revision 3".into()]),
        ("certificate_ends", &certificate),
    ];
    for (code, change) in cases {
        assert_eq!(codes(change), [code]);
    }
}

#[test]
fn the_gravest_comes_first_and_says_what_can_be_done() {
    let mut facts = well();
    facts.synchronised = Some(false);
    facts.system.disk_free_bytes = GB / 10;
    let child = facts.system.children.get_mut("mediamtx").unwrap();
    *child = ChildStatus { last_exit: Some("killed".into()), ..ChildStatus::default() };
    let found = find(&facts);
    let severities: Vec<_> = found.iter().map(|one| one.severity).collect();
    assert_eq!(severities, [Error, Error, Warning]);
    assert_eq!(found[0].fix, Some(Fix::Restart("mediamtx".into())));
    assert!(found.iter().all(|one| !one.text.is_empty() && !one.suggestion.is_empty()));
}
