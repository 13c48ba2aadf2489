//! RAUC's sentences as codes. Pure.
//!
//! RAUC has no codes on the bus, only English; its sentences (1.13, 1.15) are matched by their telling words,
//! and what is not known stays a failed installation with RAUC's own words.

use api::updates::UpdateCode as Code;

use crate::state::Reason;

/// Telling words in lower case, and what they mean; the first that is found counts.
const WORDS: &[(&str, Code)] = &[
    ("certificate has expired", Code::CertificateExpired),
    ("certificate is not yet valid", Code::CertificateExpired),
    ("pre-install handler error", Code::OlderVersion),
    ("compatible mismatch", Code::WrongCompatible),
    ("version mismatch", Code::OlderVersion),
    ("no space left", Code::DiskFull),
    ("payload is corrupted", Code::Damaged),
    ("input/output error", Code::Damaged),
    ("i/o error", Code::Damaged),
    ("exceeds bundle size", Code::Damaged),
    ("not a multiple of 4kib", Code::Damaged),
    ("is not the one that was looked at", Code::Damaged),
    ("too large", Code::TooLargeForSlot),
    ("too small for image", Code::TooLargeForSlot),
    ("bundle format", Code::NoBundle),
    ("signature size", Code::NoBundle),
    ("too small", Code::NoBundle),
    ("not a regular file", Code::NoBundle),
    ("invalid bundle", Code::NoBundle),
    ("invalid identifier", Code::NoBundle),
    ("names no ", Code::NoBundle),
    ("failed to parse signature", Code::NoBundle),
    ("signature verification failed", Code::WrongSignature),
    ("verify", Code::WrongSignature),
    ("signature", Code::WrongSignature),
];

/// What `words` mean.
pub fn reason(words: &str) -> Reason {
    let plain = words.to_ascii_lowercase();
    let known = WORDS.iter().find(|(telling, _)| plain.contains(telling));
    let code = known.map_or(Code::InstallFailed, |(_, code)| *code);
    let words: String = words.trim().chars().take(500).collect();
    Reason::new(code, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rauc_refuses_is_told_by_its_code_and_in_its_words() {
        for (words, code) in [
            (
                "signature verification failed: Verify error: unable to get local issuer certificate",
                Code::WrongSignature,
            ),
            (
                "signature verification failed: Verify error: certificate has expired",
                Code::CertificateExpired,
            ),
            (
                "Compatible mismatch: Expected 'a' but bundle manifest has 'b'",
                Code::WrongCompatible,
            ),
            ("Pre-install handler error: Child process exited with code 1", Code::OlderVersion),
            ("Bundle format 'plain' not allowed", Code::NoBundle),
            ("Signature size (99) exceeds bundle size", Code::Damaged),
            (
                "Installation error: Failed updating slot rootfs.1: Input/output error",
                Code::Damaged,
            ),
            ("Post-install handler error: exited with code 3", Code::InstallFailed),
        ] {
            let reason = reason(words);
            assert_eq!((reason.code, reason.detail.as_str()), (code, words));
        }
    }
}
