//! Home Assistant's device discovery: one retained payload for the whole device. Pure.
//!
//! Keys are Home Assistant's own abbreviations: the payload of a box with many cameras stays
//! small. `dev`, `o` and per component `p` and `uniq_id` are mandatory.

use std::collections::BTreeMap;

use api::event::{Direction, EventType};
use serde_json::{Map, Value, json};

use crate::site::{Camera, Node, Site};
use crate::to_wire::{SeenLabels, label_counts};
use crate::topics::{INSTALL, Topics, level, snake};

/// Where people find the project.
const SUPPORT_URL: &str = "https://github.com/edgecam/edgecam";

/// Components by key, each with its platform: what Home Assistant knows of a device.
pub(crate) type Components = BTreeMap<String, String>;

/// The payload and the components it has. Components of `known` that are no more are listed with
/// their platform only, which is how Home Assistant is told to remove them. With `commands` there is a
/// button to install an update.
pub(crate) fn device(
    topics: &Topics,
    node: &Node,
    site: &Site,
    seen: &SeenLabels,
    known: &Components,
    commands: bool,
) -> (Value, Components) {
    let mut builder = Builder { topics, components: Map::new() };
    builder.node();
    if site.firmware.is_some() {
        builder.firmware(commands);
    }
    for camera in site.cameras.values() {
        builder.camera(camera, seen);
    }
    let mut components = builder.components;
    let current = components_of(&components);
    for (key, platform) in known {
        if !components.contains_key(key) {
            components.insert(key.clone(), json!({ "p": platform }));
        }
    }
    let payload = json!({
        "dev": device_of(topics, node),
        "o": { "name": "edgecam", "sw": node.version, "url": SUPPORT_URL },
        "avty": [{ "t": topics.availability() }],
        "cmps": components,
    });
    (payload, current)
}

/// The components of a payload that was found at the broker.
pub(crate) fn components_in(payload: &[u8]) -> Components {
    let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
    payload.get("cmps").and_then(Value::as_object).map(components_of).unwrap_or_default()
}

fn components_of(components: &Map<String, Value>) -> Components {
    let platform = |component: &Value| Some(component.get("p")?.as_str()?.to_owned());
    let entry = |(key, component): (&String, &Value)| Some((key.clone(), platform(component)?));
    components.iter().filter_map(entry).collect()
}

fn device_of(topics: &Topics, node: &Node) -> Value {
    let mut device = json!({
        "ids": [topics.device_id()],
        "name": node.name,
        "mf": "EdgeCam",
        "sw": node.version,
    });
    // Home Assistant refuses null here.
    let optional = [("mdl", &node.board), ("sn", &node.serial), ("cu", &node.api_url)];
    for (key, value) in optional {
        if let Some(value) = value {
            device[key] = json!(value);
        }
    }
    device
}

struct Builder<'a> {
    topics: &'a Topics,
    components: Map<String, Value>,
}

impl Builder<'_> {
    /// Adds a component; its unique id is made from its key.
    fn add(&mut self, key: &str, platform: &str, mut rest: Value) {
        rest["p"] = json!(platform);
        rest["uniq_id"] = json!(format!("{}_{key}", self.topics.device_id()));
        self.components.insert(key.to_owned(), rest);
    }

    fn firmware(&mut self, commands: bool) {
        let mut update = json!({
            "name": "Firmware",
            "stat_t": self.topics.update(),
            "dev_cla": "firmware",
            "ent_cat": if commands { "config" } else { "diagnostic" },
        });
        if commands {
            update["cmd_t"] = json!(self.topics.update_command());
            update["payload_install"] = json!(INSTALL);
            update["qos"] = json!(1);
        }
        self.add("firmware", "update", update);
    }

    fn node(&mut self) {
        let sensors = [
            ("temperature", "Temperature", "temperature_c", "°C", Some("temperature")),
            ("cpu", "Processor", "cpu_percent", "%", None),
            ("disk_free", "Disk free", "disk_free_bytes", "B", Some("data_size")),
        ];
        for (key, name, field, unit, class) in sensors {
            let mut sensor = json!({
                "name": name,
                "stat_t": self.topics.system(),
                "val_tpl": format!("{{{{ value_json.{field} }}}}"),
                "unit_of_meas": unit,
                "stat_cla": "measurement",
                "ent_cat": "diagnostic",
            });
            if let Some(class) = class {
                sensor["dev_cla"] = json!(class);
            }
            self.add(key, "sensor", sensor);
        }
    }

    fn camera(&mut self, camera: &Camera, seen: &SeenLabels) {
        let site = &camera.site;
        self.camera_state(&site.id, &site.name);
        let event_types: Vec<Value> = EventType::ALL.map(|event_type| json!(event_type)).into();
        let event = json!({
            "name": format!("{} event", site.name),
            "stat_t": self.topics.events(Some(&site.id)),
            "event_types": event_types,
            "qos": 1,
        });
        self.of_camera(&site.id, "event", "event", event);
        let all = json!({
            "name": format!("{} objects", site.name),
            "stat_t": self.topics.count(&site.id, "all"),
            "stat_cla": "measurement",
        });
        self.of_camera(&site.id, "count_all", "sensor", all);
        for label in label_counts(camera, seen).keys() {
            self.label(&site.id, &site.name, label);
        }
        for zone in &site.zones {
            let occupancy = json!({
                "name": format!("{} {zone} occupancy", site.name),
                "stat_t": self.topics.zone_occupancy(&site.id, zone),
                "dev_cla": "occupancy",
            });
            let key = format!("zone_{}", snake(&level(zone)));
            self.of_camera(&site.id, &key, "binary_sensor", occupancy);
        }
        for line in &site.lines {
            self.line(&site.id, &site.name, line);
        }
    }

    fn label(&mut self, camera: &str, name: &str, label: &str) {
        let topic = self.topics.count(camera, label);
        let words = label.replace('_', " ");
        let occupancy = json!({
            "name": format!("{name} {words} occupancy"),
            "stat_t": topic,
            "val_tpl": "{{ 'ON' if value | int(0) > 0 else 'OFF' }}",
            "dev_cla": "occupancy",
        });
        self.of_camera(camera, &format!("occupancy_{label}"), "binary_sensor", occupancy);
        let count = json!({
            "name": format!("{name} {words} count"),
            "stat_t": topic,
            "stat_cla": "measurement",
        });
        self.of_camera(camera, &format!("count_{label}"), "sensor", count);
    }

    fn line(&mut self, camera: &str, name: &str, line: &str) {
        for (direction, word) in [(Direction::In, "in"), (Direction::Out, "out")] {
            let total = json!({
                "name": format!("{name} {line} {word}"),
                "stat_t": self.topics.line(camera, line, direction),
                "stat_cla": "total_increasing",
            });
            let key = format!("line_{}_{word}", snake(&level(line)));
            self.of_camera(camera, &key, "sensor", total);
        }
    }

    /// State, rate and latency, which are of interest while the camera is not available, too.
    fn camera_state(&mut self, camera: &str, name: &str) {
        let sensors = [
            ("state", "state", "phase", None),
            ("fps", "frame rate", "fps", Some("fps")),
            ("infer_ms", "inference time", "infer_ms", Some("ms")),
        ];
        for (key, words, field, unit) in sensors {
            let mut sensor = json!({
                "name": format!("{name} {words}"),
                "stat_t": self.topics.camera_state(camera),
                "val_tpl": format!("{{{{ value_json.{field} | default(None) }}}}"),
                "ent_cat": "diagnostic",
            });
            if let Some(unit) = unit {
                sensor["unit_of_meas"] = json!(unit);
                sensor["stat_cla"] = json!("measurement");
            }
            self.add(&key_of(camera, key), "sensor", sensor);
        }
    }

    /// Adds a component that is there only while the camera's pictures flow.
    fn of_camera(&mut self, camera: &str, key: &str, platform: &str, mut rest: Value) {
        rest["avty"] = json!([
            { "t": self.topics.availability() },
            { "t": self.topics.camera_availability(camera) },
        ]);
        rest["avty_mode"] = json!("all");
        self.add(&key_of(camera, key), platform, rest);
    }
}

/// A key of Home Assistant's: letters, digits, `_` and `-`.
fn key_of(camera: &str, key: &str) -> String {
    format!("{}_{key}", snake(camera))
}
