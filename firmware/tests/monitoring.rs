//! Promise: the dashboard and the alerts ask for nothing that a running device does not export.

mod harness;

use std::collections::BTreeSet;
use std::time::Duration;

use harness::{Need, Setup, Site, clips, site, until};
use serde_json::Value;

const LONG: Duration = Duration::from_secs(60);

/// The names of our metrics in `text`.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c| !is_part(c));
    words.filter(|word| word.starts_with("edgecam_")).map(str::to_owned).collect()
}

/// Our metrics that `page` has a value of.
fn exported(page: &str) -> BTreeSet<String> {
    let values = page.lines().filter(|line| !line.starts_with('#'));
    values.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect()
}

#[test]
fn every_metric_of_the_dashboard_and_the_alerts_is_exported_by_a_running_device() {
    let Some(_site) = Site::with(&[Need::Shared]) else { return };
    let setup = Setup::new();
    let clip = clips::car_passes(setup.folder());
    let line = r#"cameras.cam.lines.road={"from":[0.5,0.0],"to":[0.5,1.0]}"#;
    let pin = r#"gpio.pins.lamp={"number":22,"direction":"out"}"#;
    let setup = setup.set("media_server.enabled=false").set(line).set(pin);
    let edgecam = setup.clip(&clip).start();
    let docs = site::root().join("firmware/docs/monitoring");
    let text = |name| std::fs::read_to_string(docs.join(name)).expect("the file is there");
    let dashboard: Value = serde_json::from_str(&text("grafana.json")).expect("it is JSON");
    let asked: BTreeSet<String> = dashboard["panels"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|p| names(&p.to_string()))
        .collect();
    assert!(asked.len() > 15, "{asked:?}");
    // The processor of this machine may have no sensor.
    let asked = asked.into_iter().chain(names(&text("alerts.yml")));
    let asked: Vec<_> = asked.filter(|name| name != "edgecam_temperature_celsius").collect();
    let mut missing = Vec::new();
    until("everything is exported", LONG, || {
        let page = edgecam.api().get("/metrics").body;
        let page = exported(&String::from_utf8_lossy(&page));
        missing = asked.iter().filter(|name| !page.contains(*name)).cloned().collect();
        println!("{missing:?}");
        missing.is_empty()
    });
}
