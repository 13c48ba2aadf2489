//! Names of all topics (`docs`: features D.2). Pure; the only place where they are spelled.

use api::event::Direction;

/// Payload of an availability topic.
pub const ONLINE: &str = "online";
/// Payload of an availability topic.
pub const OFFLINE: &str = "offline";
/// Payload of the command that installs an update.
pub const INSTALL: &str = "install";

/// The topics of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    base: String,
    discovery_prefix: Option<String>,
    node: String,
}

/// One of our own retained topics that belong to a camera, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfCamera<'a> {
    /// `count/<label>`
    Count(&'a str),
    /// `zone/<zone>/count/<label>`
    ZoneCount(&'a str, &'a str),
    /// Any other.
    Other,
}

impl Topics {
    /// The topics of `node` below `prefix`; discovery below `discovery_prefix`.
    pub fn new(prefix: &str, discovery_prefix: Option<&str>, node: &str) -> Self {
        let node = level(node);
        let prefix = prefix.trim_matches('/');
        let discovery_prefix = discovery_prefix.map(|prefix| prefix.trim_matches('/').to_owned());
        Self { base: format!("{prefix}/{node}"), discovery_prefix, node }
    }

    /// The node as a topic level.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// `online` or `offline`, retained; the last will.
    pub fn availability(&self) -> String {
        format!("{}/availability", self.base)
    }

    /// Birth certificate, retained.
    pub fn info(&self) -> String {
        format!("{}/info", self.base)
    }

    /// Health of the machine, retained.
    pub fn system(&self) -> String {
        format!("{}/system", self.base)
    }

    /// The firmware and what there is newer, retained.
    pub fn update(&self) -> String {
        format!("{}/update", self.base)
    }

    /// Where an update is ordered, by [`INSTALL`].
    pub fn update_command(&self) -> String {
        format!("{}/update/set", self.base)
    }

    /// Whether a camera's pictures flow, retained.
    pub fn camera_availability(&self, camera: &str) -> String {
        self.of_camera(camera, "availability")
    }

    /// State of a camera, retained.
    pub fn camera_state(&self, camera: &str) -> String {
        self.of_camera(camera, "state")
    }

    /// Announcements of a camera, or of the device itself; not retained.
    pub fn events(&self, camera: Option<&str>) -> String {
        match camera {
            Some(camera) => self.of_camera(camera, "events"),
            None => format!("{}/events", self.base),
        }
    }

    /// Objects of a label in the picture, retained; `all` for all labels.
    pub fn count(&self, camera: &str, label: &str) -> String {
        self.of_camera(camera, &format!("count/{}", snake(label)))
    }

    /// Whether anything is in a zone, retained.
    pub fn zone_occupancy(&self, camera: &str, zone: &str) -> String {
        self.of_camera(camera, &format!("zone/{}/occupancy", level(zone)))
    }

    /// Objects of a label in a zone, retained.
    pub fn zone_count(&self, camera: &str, zone: &str, label: &str) -> String {
        self.of_camera(camera, &format!("zone/{}/count/{}", level(zone), snake(label)))
    }

    /// Crossings of a line in one direction, retained.
    pub fn line(&self, camera: &str, line: &str, direction: Direction) -> String {
        let direction = match direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        self.of_camera(camera, &format!("line/{}/{direction}", level(line)))
    }

    /// The part of [`Topics::line`] that is of one label, retained.
    pub fn line_label(
        &self,
        camera: &str,
        line: &str,
        direction: Direction,
        label: &str,
    ) -> String {
        format!("{}/{}", self.line(camera, line, direction), snake(label))
    }

    /// The device payload of Home Assistant's discovery, retained; `None`: switched off.
    pub fn discovery(&self) -> Option<String> {
        let prefix = self.discovery_prefix.as_ref()?;
        Some(format!("{prefix}/device/{}/config", self.device_id()))
    }

    /// The id under which Home Assistant knows this device.
    pub fn device_id(&self) -> String {
        format!("edgecam_{}", snake(&self.node))
    }

    /// Where Home Assistant says that it came up; `None`: discovery is switched off.
    pub fn home_assistant_status(&self) -> Option<String> {
        self.discovery_prefix.as_ref().map(|prefix| format!("{prefix}/status"))
    }

    /// Filters for everything that we may have left retained at the broker, so that what is no
    /// more can be emptied. Not matched: announcements, which would come back to us otherwise.
    pub fn own_retained(&self) -> Vec<String> {
        let of_cameras = [
            "+/availability",
            "+/state",
            "+/count/+",
            "+/zone/+/occupancy",
            "+/zone/+/count/+",
            "+/line/+/+",
            "+/line/+/+/+",
        ];
        let mut filters: Vec<_> =
            of_cameras.iter().map(|filter| format!("{}/{filter}", self.base)).collect();
        filters.push(self.update());
        filters.extend(self.discovery());
        filters
    }

    /// The camera of one of our topics, and which topic it is.
    pub(crate) fn parse<'a>(&self, topic: &'a str) -> Option<(&'a str, OfCamera<'a>)> {
        let rest = topic.strip_prefix(self.base.as_str())?.strip_prefix('/')?;
        let (camera, rest) = rest.split_once('/')?;
        let levels: Vec<_> = rest.split('/').collect();
        let what = match levels.as_slice() {
            ["count", label] => OfCamera::Count(label),
            ["zone", zone, "count", label] => OfCamera::ZoneCount(zone, label),
            _ => OfCamera::Other,
        };
        Some((camera, what))
    }

    fn of_camera(&self, camera: &str, what: &str) -> String {
        format!("{}/{}/{what}", self.base, level(camera))
    }
}

/// `name` as one topic level: what MQTT reads as structure becomes `_`.
pub fn level(name: &str) -> String {
    let forbidden = |c: char| matches!(c, '/' | '+' | '#') || c.is_control() || c.is_whitespace();
    name.replace(forbidden, "_")
}

/// `name` in `lower_snake`, as labels stand in topics and ids.
pub fn snake(name: &str) -> String {
    let lower = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.chars().map(lower).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Topics {
        Topics::new("edgecam", Some("homeassistant"), "ec-9f3a12")
    }

    #[test]
    fn a_name_never_adds_a_level_or_a_wildcard() {
        assert_eq!(level("a/b+c#d e"), "a_b_c_d_e");
        assert_eq!(
            topics().count("front", "Traffic light"),
            "edgecam/ec-9f3a12/front/count/traffic_light"
        );
        assert_eq!(
            topics().zone_occupancy("front", "a/b"),
            "edgecam/ec-9f3a12/front/zone/a_b/occupancy"
        );
    }

    #[test]
    fn own_topics_are_taken_apart_and_others_are_not() {
        let topics = topics();
        assert_eq!(
            topics.parse(&topics.count("front", "car")),
            Some(("front", OfCamera::Count("car")))
        );
        let zone = topics.zone_count("front", "drive", "car");
        assert_eq!(topics.parse(&zone), Some(("front", OfCamera::ZoneCount("drive", "car"))));
        let line = topics.line("front", "gate", Direction::In);
        assert_eq!(topics.parse(&line), Some(("front", OfCamera::Other)));
        assert_eq!(topics.parse("edgecam/ec-9f3a12/availability"), None);
        assert_eq!(topics.parse("edgecam/ec-9f3a123/front/state"), None);
    }

    #[test]
    fn every_retained_topic_of_a_camera_is_found_again_and_no_announcement_is() {
        let topics = topics();
        let filters = topics.own_retained();
        let found = |topic: &str| filters.iter().any(|filter| rumqttc::matches(topic, filter));
        for topic in [
            topics.camera_availability("front"),
            topics.camera_state("front"),
            topics.count("front", "all"),
            topics.zone_occupancy("front", "drive"),
            topics.zone_count("front", "drive", "car"),
            topics.line("front", "gate", Direction::Out),
            topics.line_label("front", "gate", Direction::Out, "traffic light"),
            topics.update(),
            topics.discovery().unwrap(),
        ] {
            assert!(found(&topic), "{topic}");
        }
        assert!(!found(&topics.events(Some("front"))) && !found(&topics.update_command()));
    }

    #[test]
    fn a_prefix_of_several_levels_is_kept() {
        let topics = Topics::new("/home/cams/", None, "n1");
        assert_eq!(topics.availability(), "home/cams/n1/availability");
        assert_eq!(topics.discovery(), None);
    }
}
