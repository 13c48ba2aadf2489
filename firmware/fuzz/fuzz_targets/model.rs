//! Any structure with any weights (`.param`, a zero byte, `.bin`), taken apart as the quantizer does
//! it: read, or refused with the layer and the reason.
#![no_main]

use detect::quantize::Network;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let split = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (param, bin) = data.split_at(split);
    let Ok(param) = std::str::from_utf8(param) else { return };
    if let Ok(network) = Network::read(param, bin.get(1..).unwrap_or_default()) {
        assert!(network.quantizable().count() <= param.lines().count());
    }
});
