//! The bytes of a file: JSON whose last field is the SHA-256 of everything before it, so that what a
//! disk garbled is not taken for settings (pure).

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Stands between the content and its checksum.
const SEAL: &str = ",\"sha256\":\"";
/// Ends the file.
const END: &str = "\"}\n";

/// `content`, which must be a JSON object with fields, with its checksum.
///
/// # Errors
/// When it has no JSON form.
pub(super) fn sealed(content: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let text = serde_json::to_string(content)?;
    let inner = text.strip_suffix('}').unwrap_or(&text);
    Ok(format!("{inner}{SEAL}{}{END}", checksum(inner)).into_bytes())
}

/// The content of `bytes`.
///
/// # Errors
/// When the checksum does not hold or the content is of another form, in one sentence.
pub(super) fn opened<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let damaged = || "its checksum does not hold".to_owned();
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let (inner, seal) = text.rsplit_once(SEAL).ok_or_else(damaged)?;
    if seal.strip_suffix(END) != Some(checksum(inner).as_str()) {
        return Err(damaged());
    }
    serde_json::from_str(&format!("{inner}}}"))
        .map_err(|error| format!("is of another form: {error}"))
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_was_sealed_comes_back_and_the_file_is_plain_json() {
        let content = json!({ "a": [1, 0.35, "\",\"sha256\":\""], "b": {} });
        let bytes = sealed(&content).unwrap();
        assert_eq!(opened::<Value>(&bytes).unwrap(), content);
        let plain: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(plain["sha256"].as_str().unwrap().len(), 64);
    }

    #[test]
    fn no_changed_or_missing_byte_goes_unnoticed() {
        let bytes = sealed(&json!({ "bitrate_kbps": 900 })).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(opened::<Value>(&changed).is_err(), "byte {at}");
            assert!(opened::<Value>(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
