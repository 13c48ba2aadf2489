//! The words of the database for our types, and numbers across its border (SQLite's are signed).

use api::event::{EventType, Kind, Phase};
use serde::Serialize;

/// The wire word of an enum, as it stands in the JSON.
pub(crate) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        // The enums of `api::event` are all written as strings.
        _ => String::new(),
    }
}

/// Names as a value for `json_each`.
pub(crate) fn listed(names: &Vec<String>) -> String {
    // Infallible: texts have a JSON.
    serde_json::to_string(names).unwrap_or_default()
}

/// A count or `seq` for a column.
pub(crate) fn to_column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count or `seq` from a column.
pub(crate) fn from_column(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A camera for a column, where the device itself is no name that a camera can have.
pub(crate) fn camera_column(camera: Option<&str>) -> &str {
    camera.unwrap_or_default()
}

/// The camera of a column.
pub(crate) fn camera_of(column: String) -> Option<String> {
    Some(column).filter(|camera| !camera.is_empty())
}

/// Names of zones for a column; null where there are none.
pub(crate) fn zones_column<'a>(zones: impl Iterator<Item = &'a String>) -> Option<String> {
    let zones = zones.fold(String::new(), |all, zone| all + "/" + zone);
    (!zones.is_empty()).then(|| zones + "/")
}

/// What a closing announcement says happened.
pub(crate) fn closing_type(kind: Kind) -> EventType {
    match kind {
        Kind::Object => EventType::ObjectEnd,
        Kind::Zone => EventType::ZoneLeft,
        Kind::Loitering => EventType::Loitering,
        Kind::LineCrossing => EventType::LineCrossed,
        Kind::Governor => EventType::Governor,
        Kind::Crowding => EventType::CrowdingEnded,
        Kind::Input => EventType::InputOff,
    }
}

/// Whether an announcement leaves its event open.
pub(crate) fn leaves_open(phase: Phase, ended: bool) -> bool {
    phase != Phase::End && !ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_wire() {
        assert_eq!(word(Kind::LineCrossing), "line_crossing");
        assert_eq!(word(Phase::New), "new");
        for event_type in EventType::ALL {
            assert!(!word(event_type).is_empty());
        }
    }

    #[test]
    fn each_zone_stands_between_two_slashes() {
        let zones = ["door".to_owned(), "yard".to_owned()];
        assert_eq!(zones_column(zones.iter()).as_deref(), Some("/door/yard/"));
        assert_eq!(zones_column([].iter()), None);
    }

    #[test]
    fn numbers_cross_the_border_both_ways() {
        assert_eq!(from_column(to_column(18_234)), 18_234);
        assert_eq!(from_column(-1), 0);
    }
}
