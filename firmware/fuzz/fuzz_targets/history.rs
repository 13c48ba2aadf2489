//! Any bytes as a piece of track history: refused, or read and written again as the same.
#![no_main]

use std::time::Duration;

use domain::history::{Tolerance, decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(stretch) = decode(bytes, Duration::ZERO) else { return };
    let start = stretch.steps.first().copied().unwrap_or_default();
    let again = decode(&encode(&stretch, &Tolerance::default()), start).expect("our own bytes");
    assert_eq!(again.steps.len(), stretch.steps.len());
    assert!(again.paths.iter().map(|p| p.id).eq(stretch.paths.iter().map(|p| p.id)));
});
