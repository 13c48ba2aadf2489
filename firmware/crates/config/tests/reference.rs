//! The table of all settings in the documentation is the one that the code makes.

use std::fmt::Write as _;
use std::path::Path;

use edgecam_config::diff::{COSTS, Cost};
use edgecam_config::shape::Shape;
use serde_json::Value;

const BEGIN: &str = "<!-- settings: written by `UPDATE_GOLDEN=1 cargo test -p edgecam-config --test reference` -->\n";
const END: &str = "<!-- end of settings -->\n";

fn defaults() -> Value {
    let text = include_str!("../../../config/10-defaults.toml");
    toml::from_str(text).expect("the built-in defaults are valid")
}

/// The shape at `pattern`, and what its field says about itself.
fn field(pattern: &str) -> (&'static Shape, String) {
    let (mut shape, mut doc) = (Shape::settings(), String::new());
    for key in pattern.split('/').skip(1) {
        if let Shape::Group(fields) = shape {
            let field =
                fields.iter().find(|field| field.name == key).expect("the table is complete");
            doc.clone_from(&field.doc);
        }
        shape = shape.child(key).expect("the table is complete");
    }
    (shape, doc)
}

fn table() -> String {
    let defaults = defaults();
    let mut table =
        String::from("| setting | type | default | change | what |\n|---|---|---|---|---|\n");
    for (pattern, cost) in COSTS {
        let (shape, doc) = field(pattern);
        let default = defaults.pointer(&pattern.replacen("/cameras/*", "/cameras/default", 1));
        let default = default.map(|value| format!("`{value}`")).unwrap_or_default();
        let cost = match cost {
            Cost::Live => "live",
            Cost::Rebuild => "rebuild",
            Cost::Restart => "restart",
        };
        let name = pattern[1..].replace("/*", ".<name>").replace('/', ".");
        let doc = doc.replace('\n', " ").replace('|', "\\|");
        writeln!(table, "| `{name}` | {} | {default} | {cost} | {doc} |", shape.noun())
            .expect("a string takes text");
    }
    table
}

#[test]
fn the_documented_settings_are_those_there_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    let page = std::fs::read_to_string(&path).expect("the page can be read");
    let (before, rest) = page.split_once(BEGIN).expect("the page has the mark of its table");
    let (documented, after) = rest.split_once(END).expect("the page has the end of its table");
    let table = table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}"))
            .expect("the page can be written");
        return;
    }
    assert_eq!(documented, table, "run with UPDATE_GOLDEN=1 and read the difference");
}

#[test]
fn whoever_comes_from_nanostream_is_sent_to_settings_that_there_are() {
    let page = include_str!("../../../docs/settings.md");
    let (_, rows) = page.split_once("| NanoStream | EdgeCam |").expect("the page has the table");
    // Groups may be named for all that is in them; names of the owner's choice stand for a `*`.
    let is_known = |name: &str| {
        COSTS.iter().any(|(pattern, _)| {
            let mut keys = pattern[1..].trim_start_matches("cameras/*/").split('/');
            name.split('.').all(|word| keys.next().is_some_and(|key| key == word || key == "*"))
        })
    };
    let (mut named, mut unknown) = (0, Vec::new());
    for row in rows.lines().filter(|row| row.starts_with("| `NANOSTREAM_")) {
        let cell = row.split('|').nth(2).expect("a row has three cells");
        // What stands between backticks; values of a setting have no dot.
        for name in cell.split('`').skip(1).step_by(2).filter(|name| name.contains('.')) {
            named += 1;
            if !is_known(name) {
                unknown.push(name);
            }
        }
    }
    assert!(named > 10 && unknown.is_empty(), "{named} named, unknown: {unknown:?}");
}
