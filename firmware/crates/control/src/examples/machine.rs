//! Examples of the machine and of backups.

use std::collections::BTreeMap;

use api::settings::{InterfaceSettings, NetworkSettings, Secret};
use api::system::{
    Backup, BackupFile, Begun, FactoryReset, Issue, IssueSeverity, LogLevel, LogLine, LogLines,
    Network, NetworkInterface, NewBackup, NewTime, SystemPatch, Time,
};
use serde_json::{Value, json as raw};
use utoipa::openapi::{OpenApi, RefOr};

use super::settings::{applied, applying};
use super::{JSON, operation, time};
use crate::extract::MERGE_PATCH_JSON;
use crate::patch::json;

const ID: &str = "01JZ8Q0V7X3C9K2M4N5P6R7S8T";

/// Puts an example into every JSON answer and request body.
pub(super) fn put_into(document: &mut OpenApi) {
    for (id, status, example) in answers() {
        let Some(operation) = operation(document, id) else { continue };
        if let Some(RefOr::T(answer)) = operation.responses.responses.get_mut(status) {
            put!(answer.content, JSON, example);
        }
    }
    for (id, example) in bodies() {
        let body = operation(document, id).and_then(|operation| operation.request_body.as_mut());
        if let Some(RefOr::T(body)) = body {
            for media_type in [MERGE_PATCH_JSON, JSON] {
                put!(body.content, media_type, example.clone());
            }
        }
    }
    if let Some(live) = operation(document, "stream_logs")
        && let Some(RefOr::T(answer)) = live.responses.responses.get_mut("200")
    {
        let text = format!("data: {}\nid: 412\n\n", json(&line()));
        put!(answer.content, "text/event-stream", Value::from(text));
    }
}

fn answers() -> Vec<(&'static str, &'static str, Value)> {
    let begun = |detail: &str| json(&Begun { detail: detail.into() });
    let mut all = vec![
        ("get_network", "200", json(&network())),
        ("get_time", "200", json(&clock())),
        ("reboot_system", "202", begun("the machine starts anew")),
        ("shut_down_system", "202", begun("the machine is switched off")),
        ("reset_system", "202", begun("the device goes back to its state of delivery")),
        ("get_logs", "200", json(&LogLines { items: vec![line()] })),
        ("list_issues", "200", json(&[issue()])),
        ("fix_issue", "200", begun("the device has made itself a new certificate")),
        ("list_backups", "200", json(&[backup()])),
        ("create_backup", "201", json(&backup())),
        ("get_backup", "200", json(&backup())),
        ("get_backup_file", "200", json(&file())),
    ];
    for id in ["patch_system", "put_network", "put_time", "restore_backup"] {
        all.extend([(id, "200", applied()), (id, "202", applying())]);
    }
    all
}

fn bodies() -> [(&'static str, Value); 6] {
    let patch = SystemPatch { name: Some("Gate house".into()), ..SystemPatch::default() };
    let servers = Some(vec!["pool.ntp.org".to_owned()]);
    [
        ("patch_system", raw!({ "name": patch.name })),
        ("put_network", json(&network().settings)),
        ("put_time", json(&NewTime { zone: Some("Europe/Berlin".into()), servers })),
        ("reset_system", json(&FactoryReset { confirm: "ec-0a1b2c".into() })),
        (
            "create_backup",
            json(&NewBackup {
                note: Some("before the move".into()),
                users: Some(true),
                passphrase: Some(Secret::from("a gate in the rain")),
            }),
        ),
        ("restore_backup", raw!({ "id": ID, "passphrase": "a gate in the rain" })),
    ]
}

fn network() -> Network {
    let list = |one: &str| vec![one.to_owned()];
    let fixed = InterfaceSettings {
        addresses: Some(list("192.168.1.20/24")),
        gateways: Some(list("192.168.1.1")),
        dns: Some(list("192.168.1.1")),
        ..InterfaceSettings::default()
    };
    let interface = NetworkInterface {
        name: "end0".into(),
        wireless: false,
        connected: true,
        mac: Some("d8:3a:dd:01:02:03".into()),
        speed_mbps: Some(1000),
        addresses: list("192.168.1.20/24"),
    };
    Network {
        managed: true,
        hostname: "edgecam".into(),
        dns: list("192.168.1.1"),
        gateways: list("192.168.1.1"),
        interfaces: vec![interface],
        settings: NetworkSettings {
            interfaces: BTreeMap::from([("end0".to_owned(), fixed)]),
            ..NetworkSettings::default()
        },
    }
}

fn clock() -> Time {
    Time {
        now: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        synchronised: Some(true),
        zone: Some("Europe/Berlin".into()),
        servers: vec!["pool.ntp.org".into()],
        managed: true,
    }
}

fn line() -> LogLine {
    LogLine {
        seq: Some(412),
        at: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        level: LogLevel::Info,
        unit: "edgecamd".into(),
        message: "camera".into(),
        fields: BTreeMap::from([("camera".to_owned(), "front".to_owned())]),
    }
}

fn issue() -> Issue {
    Issue {
        code: "certificate_ends".into(),
        severity: IssueSeverity::Warning,
        since: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        text: "the certificate that was put in place ends 2026-07-15T00:00:00Z".into(),
        suggestion: "put a new one in place, or let the device make its own".into(),
        fixable: true,
    }
}

fn backup() -> Backup {
    Backup {
        id: ID.into(),
        made_at: time("2026-07-01T12:00:00Z").unwrap_or_default(),
        node: "ec-0a1b2c".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        revision: 12,
        users: true,
        encrypted: false,
        note: Some("before the move".into()),
        size_bytes: 2411,
    }
}

fn file() -> BackupFile {
    let backup = backup();
    BackupFile {
        format: "edgecam.backup/1".into(),
        id: backup.id,
        made_at: backup.made_at,
        node: backup.node,
        version: backup.version,
        schema: 1,
        revision: 12,
        users: true,
        note: backup.note,
        encryption: None,
        sha256: "df08ff30e65d24ae09480c3b64fca78be67bdea9c6dfd0b1ea47ed1b7adb9c2e".into(),
        content: "eyJzZXR0aW5ncyI6e319".into(),
    }
}
