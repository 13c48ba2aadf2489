//! Any text as a network's structure (`.param`): read, or refused with a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ncnn::Param;

fuzz_target!(|text: &str| {
    if let Ok(param) = Param::parse(text) {
        for blob in param.outputs() {
            assert!(param.has_blob(blob), "{blob:?} is an output and no blob");
        }
        for input in param.inputs() {
            assert!(param.has_blob(&input.name), "{:?} is an input and no blob", input.name);
        }
    }
});
