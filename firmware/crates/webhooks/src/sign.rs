//! Secrets and signatures by the Standard Webhooks specification (standardwebhooks.com, 1.0.0). Pure but
//! for random bytes.

use api::settings::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::hmac::{HMAC_SHA256, Key, sign};

/// How a secret begins, so that a leaked one can be recognised.
const PREFIX: &str = "whsec_";
/// Bytes of a secret that we make.
const MADE: usize = 32;

/// A new secret.
///
/// # Panics
/// When the system has no random bytes: then nothing that needs secrets may go on.
pub(crate) fn new_secret() -> Secret {
    let mut bytes = [0; MADE];
    #[expect(clippy::expect_used, reason = "without random bytes there are no secrets")]
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    Secret::from(format!("{PREFIX}{}", STANDARD.encode(bytes)).as_str())
}

/// The key that `secret` is.
///
/// # Errors
/// What it would have to be.
pub(crate) fn key(secret: &Secret) -> Result<Key, &'static str> {
    let wrong = "must be `whsec_` and 24 to 64 bytes in base64; leave it out and one is made";
    let text = secret.reveal().strip_prefix(PREFIX).ok_or(wrong)?;
    let bytes = STANDARD.decode(text).map_err(|_| wrong)?;
    if !(24..=64).contains(&bytes.len()) {
        return Err(wrong);
    }
    Ok(Key::new(HMAC_SHA256, &bytes))
}

/// The headers `webhook-id`, `webhook-timestamp` and `webhook-signature` of a post of `body` at `now`.
pub(crate) fn headers(
    key: &Key,
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> [(&'static str, String); 3] {
    let time = now.as_second().to_string();
    let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body].concat();
    let signature = format!("v1,{}", STANDARD.encode(sign(key, &signed)));
    [("webhook-id", id.to_owned()), ("webhook-timestamp", time), ("webhook-signature", signature)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_is_signed_as_the_specification_shows() {
        // The example of the specification's own libraries.
        let key = key(&Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let [_, (_, time), (_, signature)] = headers(&key, id, at, br#"{"test": 2432232314}"#);
        assert_eq!(time, "1614265330");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_that_we_make_are_keys_and_all_different() {
        assert!(key(&new_secret()).is_ok());
        assert_ne!(new_secret(), new_secret());
    }

    #[test]
    fn what_is_too_short_or_no_base64_is_no_key() {
        for text in [
            "",
            "whsec_",
            "hunter2",
            "whsec_c2hvcnQ=",
            "whsec_***",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert!(key(&Secret::from(text)).is_err(), "{text}");
        }
    }
}
