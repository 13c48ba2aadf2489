//! Random secrets and their digests.

use api::settings::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Bytes of a secret: nobody guesses 256 bits.
const BYTES: usize = 32;

/// What a secret opens; the beginning of its text, so that a leaked one can be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A session of a browser.
    Session,
    /// A token of a program.
    Token,
    /// A viewer's way through to the media server, once and at once; kept nowhere.
    Ticket,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::Session => "ecs_",
            Self::Token => "ect_",
            Self::Ticket => "ecv_",
        }
    }

    /// What `secret` says that it opens; `None`: it is none of ours.
    pub fn of(secret: &str) -> Option<Self> {
        [Self::Session, Self::Token, Self::Ticket]
            .into_iter()
            .find(|purpose| secret.starts_with(purpose.prefix()))
    }
}

/// A new secret.
pub fn new(purpose: Purpose) -> Secret {
    let text = format!("{}{}", purpose.prefix(), URL_SAFE_NO_PAD.encode(random::<BYTES>()));
    Secret::from(text.as_str())
}

/// SHA-256 of `bytes` in hexadecimal: what is kept of a secret. No salt and no work factor: it is random.
pub fn digest(bytes: impl AsRef<[u8]>) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Infallible: a string takes text.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Random bytes from the system.
///
/// # Panics
/// When the system has none: then nothing that needs secrets may go on.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without random bytes there are no secrets")]
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_all_different_and_say_what_they_open() {
        let (one, other) = (new(Purpose::Token), new(Purpose::Token));
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), 4 + 43);
        assert_eq!(Purpose::of(one.reveal()), Some(Purpose::Token));
        assert_eq!(Purpose::of(new(Purpose::Session).reveal()), Some(Purpose::Session));
        assert_eq!(Purpose::of("anything"), None);
    }

    #[test]
    fn a_digest_is_that_of_sha_256() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(""), empty);
    }
}
