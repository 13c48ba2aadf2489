//! Any text as a model's manifest: what is taken holds together.
#![no_main]

use detect::manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(manifest) = manifest::parse(text, "fuzz.toml") {
        assert!(manifest::check(&manifest).is_ok());
    }
});
