//! The machine's name, network and clock: settings with an address of their own.

use api::problem::FieldProblem;
use api::revisions::SettingsChange;
use api::settings::{NetworkSettings, Settings};
use api::system::{Network, NewTime, SystemPatch, Time};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use crate::extract::{JsonBody, MergePatch, QueryOf};
use crate::gate::caller::Caller;
use crate::gate::record::Note;
use crate::openapi::{
    Conflict, Invalid, Malformed, Outdated, TooLarge, Unavailable, UnsupportedMediaType,
};
use crate::patch::Place;
use crate::ports::{Ports, What};
use crate::problem::Failure;
use crate::routes::settings::{Change, ChangeQuery, answer};

/// Time in which a change of the network has to be confirmed, in seconds.
const CONFIRM_WITHIN: u32 = 120;
/// The fields of a `SystemPatch`, and where they stand in the settings.
const PLACES: &[(&str, &str)] =
    &[("/name", "/node/name"), ("/time_zone", "/time/zone"), ("/ntp_servers", "/time/servers")];

/// Change name and clock
///
/// A merge patch of what `GET /api/v1/system` and `GET /api/v1/system/time` show; the same as a change of
/// the settings `node.name`, `time.zone` and `time.servers`. Another name takes a start of the daemon.
#[utoipa::path(
    patch,
    path = "/api/v1/system",
    tag = "system",
    operation_id = "patch_system",
    params(
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: an `ETag`."),
    ),
    request_body(
        description = "A merge patch.",
        content((SystemPatch = "application/merge-patch+json"), (SystemPatch = "application/json")),
    ),
    responses(
        (status = 200, description = "What came of it.", body = SettingsChange),
        (status = 202, description = "It is kept; the daemon starts again to take it over.", body = SettingsChange),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn patch(
    State(ports): State<Ports>,
    QueryOf(query): QueryOf<ChangeQuery>,
    Caller(caller): Caller,
    note: Note,
    headers: HeaderMap,
    MergePatch(patch): MergePatch,
) -> Result<Response, Failure> {
    let patch = settings_patch(&patch)?;
    let change = Change { place: Place::of_fields(PLACES), what: What::Patch(patch), query };
    let made = change.make(&ports, &headers, &caller, &note).await;
    Ok(made.map_or_else(|refused| refused, answer))
}

/// The patch of the settings that a patch of the system is.
fn settings_patch(patch: &Value) -> Result<Value, Failure> {
    let Value::Object(fields) = patch else {
        let detail = "must be an object with name, time_zone and ntp_servers".to_owned();
        let errors = vec![FieldProblem { pointer: String::new(), detail: detail.clone() }];
        return Err(Failure::input(detail, errors));
    };
    let known = |key: &String| PLACES.iter().any(|(field, _)| field[1..] == **key);
    let unknown = fields.keys().filter(|key| !known(key)).map(|key| FieldProblem {
        pointer: format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        detail: "is unknown: there are name, time_zone and ntp_servers".to_owned(),
    });
    let unknown: Vec<_> = unknown.collect();
    if !unknown.is_empty() {
        return Err(Failure::input("a field is unknown; nothing was changed", unknown));
    }
    let mut settings = Map::new();
    for (field, pointer) in PLACES {
        let value = fields.get(&field[1..]);
        if let Some((value, (section, name))) = value.zip(pointer[1..].split_once('/')) {
            let entry = settings.entry(section).or_insert_with(|| json!({}));
            entry[name] = value.clone();
        }
    }
    Ok(Value::Object(settings))
}

/// The network
///
/// Interfaces, routers and name servers as they are, and what is set, without passwords.
#[utoipa::path(
    get,
    path = "/api/v1/system/network",
    tag = "system",
    operation_id = "get_network",
    responses((status = 200, description = "The network.", body = Network))
)]
pub(crate) async fn network(State(ports): State<Ports>) -> Json<Network> {
    let settings = config::redact(&ports.settings.in_force().settings).network;
    Json(Network { settings, ..ports.machine.network() })
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NetworkQuery {
    /// Only say what it would come to: nothing is changed.
    #[param(nullable = false, default = false)]
    dry_run: bool,
    /// Take the change back after this time unless it is confirmed, in seconds.
    #[param(minimum = 1, maximum = 86400, default = 120, nullable = false)]
    confirm_within: Option<u32>,
}

/// Set the network
///
/// All of it: an interface that is not named goes back to what the image says, and so does a field. A
/// password that is left out stays as long as the name of its wireless network does.
///
/// It is taken back after `confirm_within` unless `POST /api/v1/settings/confirm` comes in time, under the
/// new address: a mistake locks nobody out. Refused where EdgeCam does not manage the network.
#[utoipa::path(
    put,
    path = "/api/v1/system/network",
    tag = "system",
    operation_id = "put_network",
    params(
        NetworkQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: an `ETag`."),
    ),
    request_body(description = "The network's settings.", content = NetworkSettings),
    responses(
        (status = 200, description = "What came of it.", body = SettingsChange),
        (status = 202, description = "It is kept; the daemon starts again to take it over.", body = SettingsChange),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn put_network(
    State(ports): State<Ports>,
    QueryOf(query): QueryOf<NetworkQuery>,
    Caller(caller): Caller,
    note: Note,
    headers: HeaderMap,
    JsonBody(new): JsonBody<Value>,
) -> Response {
    let now = in_force(&ports, |settings| crate::patch::json(&settings.network));
    let query = ChangeQuery {
        dry_run: query.dry_run,
        confirm_within: Some(query.confirm_within.unwrap_or(CONFIRM_WITHIN)),
    };
    let place = Place::of(["network"]);
    let what = What::Patch(place.patch(instead_of(&now, new)));
    let made = Change { place, what, query }.make(&ports, &headers, &caller, &note).await;
    made.map_or_else(|refused| refused, answer)
}

fn in_force(ports: &Ports, part: impl Fn(&Settings) -> Value) -> Value {
    part(&ports.settings.in_force().settings)
}

/// The merge patch that puts `new` in the place of `now`.
fn instead_of(now: &Value, new: Value) -> Value {
    let (Value::Object(now), Value::Object(mut new)) = (now, new.clone()) else { return new };
    let same_network = now.get("ssid").is_some() && now.get("ssid") == new.get("ssid");
    for (key, value) in now {
        match new.remove(key) {
            Some(wanted) => _ = new.insert(key.clone(), instead_of(value, wanted)),
            // Nobody can send back what nobody can read.
            None if key == "password" && same_network => {}
            None => _ = new.insert(key.clone(), Value::Null),
        }
    }
    Value::Object(new)
}

/// The clock
///
/// The time, whether it is right, the time zone and the NTP servers.
#[utoipa::path(
    get,
    path = "/api/v1/system/time",
    tag = "system",
    operation_id = "get_time",
    responses((status = 200, description = "The clock.", body = Time))
)]
pub(crate) async fn time(State(ports): State<Ports>) -> Json<Time> {
    let servers = ports.settings.in_force().settings.time.servers.clone().unwrap_or_default();
    Json(Time { servers, ..ports.machine.time() })
}

/// Set the clock
///
/// Time zone and NTP servers. Another zone takes a start of the cameras' processes. Refused where EdgeCam
/// does not manage the clock.
#[utoipa::path(
    put,
    path = "/api/v1/system/time",
    tag = "system",
    operation_id = "put_time",
    params(
        ChangeQuery,
        ("If-Match" = Option<String>, Header, description = "Change only this revision: an `ETag`."),
    ),
    request_body(description = "Time zone and servers.", content = NewTime),
    responses(
        (status = 200, description = "What came of it.", body = SettingsChange),
        (status = 202, description = "It is kept; the daemon starts again to take it over.", body = SettingsChange),
        (status = 400, response = Malformed),
        (status = 409, response = Conflict),
        (status = 412, response = Outdated),
        (status = 413, response = TooLarge),
        (status = 415, response = UnsupportedMediaType),
        (status = 422, response = Invalid),
        (status = 503, response = Unavailable),
    )
)]
pub(crate) async fn put_time(
    State(ports): State<Ports>,
    QueryOf(query): QueryOf<ChangeQuery>,
    Caller(caller): Caller,
    note: Note,
    headers: HeaderMap,
    JsonBody(new): JsonBody<NewTime>,
) -> Response {
    let place = Place::of(["time"]);
    let patch = json!({ "zone": new.zone, "servers": new.servers });
    let what = What::Patch(place.patch(patch));
    let made = Change { place, what, query }.make(&ports, &headers, &caller, &note).await;
    made.map_or_else(|refused| refused, answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_takes_the_place_of_all_that_was_but_of_a_password_that_still_fits() {
        let now = json!({ "wifi_country": "DE", "interfaces": {
            "end0": { "addresses": ["10.0.0.2/8"] },
            "wlan0": { "wifi": { "ssid": "Home", "password": "c4nary-c4nary" } },
        } });
        let new = json!({ "wifi_country": "DE", "interfaces": {
            "wlan0": { "wifi": { "ssid": "Home" }, "dns": ["9.9.9.9"] } } });
        assert_eq!(
            instead_of(&now, new),
            json!({ "wifi_country": "DE", "interfaces": { "end0": null,
                "wlan0": { "wifi": { "ssid": "Home" }, "dns": ["9.9.9.9"] } } })
        );
        let other = json!({ "interfaces": { "wlan0": { "wifi": { "ssid": "Other" } } } });
        assert_eq!(
            instead_of(&now, other)["interfaces"]["wlan0"]["wifi"],
            json!({ "ssid": "Other", "password": null })
        );
        assert_eq!(instead_of(&now, json!([1])), json!([1]), "what is no object is refused later");
    }

    #[test]
    fn a_patch_of_the_system_is_one_of_the_settings() {
        let patch = settings_patch(&json!({ "name": "Gate", "ntp_servers": null })).unwrap();
        assert_eq!(patch, json!({ "node": { "name": "Gate" }, "time": { "servers": null } }));
        assert_eq!(settings_patch(&json!({})).unwrap(), json!({}));
        assert!(settings_patch(&json!({ "board": 1 })).is_err());
        assert!(settings_patch(&json!(3)).is_err());
    }
}
