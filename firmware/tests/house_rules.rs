//! The rules of the house, held by a test: who imports whom, and what every source file looks like.
//!
//! A new crate or arrow is a design decision: write an ADR, then run with `UPDATE_GOLDEN=1`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Dependencies that only one crate may see, and that crate.
const GUARDED: [(&str, &str); 8] = [
    ("gstreamer", "edgecam-media"),
    ("axum", "edgecam-control"),
    ("rumqttc", "edgecam-mqtt"),
    ("rusqlite", "edgecam-store"),
    ("edgecam-ncnn", "edgecam-detect"),
    ("mdns-sd", "edgecam-discovery"),
    ("rppal", "edgecam-gpio"),
    ("zbus", "edgecam-ota"),
];
/// Not shipped: it may see whatever it tries to break.
const FUZZ: &str = "edgecam-fuzz";
/// The longest source file, in lines.
const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("firmware lies in the project").to_owned()
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    metadata["packages"].as_array().expect("packages are a list").clone()
}

fn dependencies(package: &Value) -> Vec<&str> {
    let list = package["dependencies"].as_array().expect("dependencies are a list");
    list.iter().filter(|d| d["kind"].is_null()).filter_map(|d| d["name"].as_str()).collect()
}

#[test]
fn the_dependency_graph_is_the_one_that_was_decided() {
    let packages = packages();
    let ours: Vec<_> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut lines: Vec<String> = packages
        .iter()
        .map(|package| {
            let mut deps = dependencies(package);
            deps.retain(|name| ours.contains(name));
            deps.sort_unstable();
            format!("{}: {}", package["name"].as_str().unwrap_or("?"), deps.join(" "))
                .trim_end()
                .to_owned()
        })
        .collect();
    lines.sort_unstable();
    let graph = lines.join("\n") + "\n";
    let golden = root().join("firmware/tests/golden/dependencies.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &graph).expect("the golden file can be written");
    }
    let decided = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(decided, graph, "an arrow changed: write an ADR, then run with UPDATE_GOLDEN=1");
}

#[test]
fn guarded_libraries_are_seen_by_one_crate_only() {
    for package in packages() {
        let name = package["name"].as_str().unwrap_or("?");
        for (library, owner) in GUARDED {
            let sees = dependencies(&package).contains(&library);
            assert!(
                !sees || name == owner || name == FUZZ,
                "{name} imports {library}, which only {owner} may see"
            );
        }
    }
}

#[test]
fn every_crate_takes_its_lints_and_versions_from_the_workspace() {
    for package in packages() {
        let path = package["manifest_path"].as_str().expect("a manifest has a path");
        let manifest = std::fs::read_to_string(path).expect("the manifest can be read");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{path} has lints of its own");
        let versioned = manifest.lines().find(|line| line.contains("version = \""));
        assert_eq!(versioned, None, "{path} names a version: they stand in the root Cargo.toml");
    }
}

#[test]
fn every_source_file_says_what_it_owns_and_fits_the_house() {
    let mut faults = String::new();
    for file in source_files() {
        let text = std::fs::read_to_string(&file).expect("a source file can be read");
        let name = file.strip_prefix(root()).unwrap_or(&file).display();
        if !text.starts_with("//!") && !text.starts_with("#!") {
            writeln!(faults, "{name} does not open with //!").expect("a string takes text");
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            writeln!(faults, "{name} has {lines} lines, more than {MAX_LINES}")
                .expect("a string takes text");
        }
        let unsafe_code = text.contains(concat!("allow(", "unsafe_code)"));
        if unsafe_code && !file.starts_with(root().join("firmware/crates/ncnn")) {
            writeln!(faults, "{name} allows unsafe code outside ncnn")
                .expect("a string takes text");
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}

/// All Rust files that git knows or would take.
fn source_files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .expect("git runs");
    let list = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let files: Vec<_> = list.lines().map(|line| root().join(line)).filter(|p| p.exists()).collect();
    assert!(!files.is_empty(), "no source file found: is this a git checkout?");
    files
}
