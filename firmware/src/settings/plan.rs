//! What a change of settings takes to be taken over (pure).

use std::collections::BTreeMap;

use api::settings::Settings;
use config::{ConfigDiff, Cost};

/// What a camera has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// Take the new order over as it runs.
    Live,
    /// Start its process again with the new order; start or end it, where it comes or goes.
    Rebuild,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// These cameras have something to do; the rest goes on.
    Cameras(BTreeMap<String, Work>),
    /// The daemon starts again.
    Restart,
}

/// What is taken over by the machine below or the pins, and by no camera.
const IS_OF_NO_CAMERA: [&str; 3] = ["/network/", "/time/servers", "/gpio/"];

impl Plan {
    /// What it takes to get from settings to `new`, which differ by `diff`.
    pub(crate) fn of(diff: &ConfigDiff, new: &Settings) -> Self {
        let mut cameras = BTreeMap::new();
        for change in &diff.changes {
            let work = match change.cost {
                Cost::Live => Work::Live,
                Cost::Rebuild => Work::Rebuild,
                Cost::Restart => return Self::Restart,
            };
            if IS_OF_NO_CAMERA.iter().any(|section| change.pointer.starts_with(section)) {
                continue;
            }
            // What is not of one camera is of all. One that comes or goes is named by its settings.
            let ids: Vec<_> = match change.pointer.strip_prefix("/cameras/") {
                Some(rest) => vec![rest.split('/').next().unwrap_or_default().to_owned()],
                None => new.cameras.keys().cloned().collect(),
            };
            for id in ids {
                let most = cameras.entry(id).or_insert(work);
                *most = work.max(*most);
            }
        }
        Self::Cameras(cameras)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(set: &[&str]) -> Settings {
        let mut set: Vec<_> = set.iter().map(|&text| text.to_owned()).collect();
        set.extend(["cameras.front.source=scene".into(), "cameras.yard.source=scene".into()]);
        let layers = config::Layers { set, ..config::Layers::default() };
        config::load(&layers).unwrap().settings
    }

    fn plan(set: &[&str]) -> Plan {
        let (old, new) = (settings(&[]), settings(set));
        Plan::of(&ConfigDiff::between(&old, &new), &new)
    }

    fn cameras<const N: usize>(work: [(&str, Work); N]) -> Plan {
        Plan::Cameras(work.map(|(id, work)| (id.to_owned(), work)).into())
    }

    #[test]
    fn a_change_of_one_camera_leaves_the_others_alone() {
        assert_eq!(plan(&[]), cameras([]));
        let name = "cameras.front.name=Door";
        assert_eq!(plan(&[name]), cameras([("front", Work::Live)]));
        let smaller = "cameras.front.video.fps=10";
        assert_eq!(plan(&[name, smaller]), cameras([("front", Work::Rebuild)]));
        let both = plan(&[smaller, "cameras.yard.overlay.boxes=false"]);
        assert_eq!(both, cameras([("front", Work::Rebuild), ("yard", Work::Live)]));
    }

    #[test]
    fn what_holds_for_all_cameras_is_work_for_each() {
        let live = cameras([("front", Work::Live), ("yard", Work::Live)]);
        assert_eq!(plan(&["governor.calm_s=30"]), live);
        let machine = ["time.servers=[\"a.example\"]", "network.interfaces.end0.dhcp=true"];
        assert_eq!(plan(&machine), cameras([]), "no camera's business");
        let zone = cameras([("front", Work::Rebuild), ("yard", Work::Rebuild)]);
        assert_eq!(plan(&["time.zone=Europe/Berlin"]), zone, "schedules are in local time");
        let mixed = plan(&["detector.threads=2", "cameras.yard.name=Yard"]);
        assert_eq!(mixed, cameras([("front", Work::Rebuild), ("yard", Work::Rebuild)]));
    }

    #[test]
    fn what_is_of_no_camera_is_work_for_none() {
        let pin = ["gpio.pins.lamp.number=22", "gpio.pins.lamp.direction=out"];
        assert_eq!(plan(&pin), cameras([]));
    }

    #[test]
    fn one_setting_that_takes_a_restart_is_enough() {
        let name = "cameras.front.name=Door";
        assert_eq!(plan(&[name, "mqtt.prefix=other"]), Plan::Restart);
    }

    #[test]
    fn a_camera_that_comes_or_goes_has_work_and_leaves_the_others_alone() {
        let (two, three) = (settings(&[]), settings(&["cameras.new.source=scene"]));
        for (old, new) in [(&two, &three), (&three, &two)] {
            let plan = Plan::of(&ConfigDiff::between(old, new), new);
            assert_eq!(plan, cameras([("new", Work::Rebuild)]));
        }
    }
}
