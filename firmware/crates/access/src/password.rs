//! Which passwords are taken, and their hashes: argon2id with 19 MiB, two passes, one lane, as OWASP's
//! password storage guide asks for at least.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::error::AccessError;

/// Fewest characters.
pub const MIN: usize = 10;
/// Most bytes: a longer one only costs time.
pub const MAX: usize = 256;
/// Least number of different characters.
const DIFFERENT: usize = 4;

/// Checks a new password of `username`, which stands at `pointer` of what was sent.
///
/// # Errors
/// When it is too short, too long, or one that everybody tries first.
pub fn check(password: &str, username: &str, pointer: &'static str) -> Result<(), AccessError> {
    let wrong = |reason: &str| {
        Err(AccessError::Invalid { pointer, reason: format!("the password {reason}") })
    };
    let mut letters: Vec<char> = password.to_lowercase().chars().collect();
    if letters.len() < MIN {
        return wrong(&format!("must have at least {MIN} characters"));
    }
    if password.len() > MAX {
        return wrong(&format!("must have at most {MAX} bytes"));
    }
    if password.to_lowercase().contains(&username.to_lowercase()) && password.len() < 2 * MIN {
        return wrong("must not contain the user's name");
    }
    letters.sort_unstable();
    letters.dedup();
    if letters.len() < DIFFERENT {
        return wrong(&format!("must have at least {DIFFERENT} different characters"));
    }
    Ok(())
}

/// The hash of `password` with a salt of its own, as a PHC string. Slow by intent: not for an async task.
///
/// # Panics
/// When the system gives no random bytes.
pub fn hash(password: &str) -> String {
    #[expect(clippy::expect_used, reason = "the parameters are argon2's own, the salt is random")]
    let hash = Argon2::default().hash_password(password.as_bytes()).expect("argon2's defaults");
    hash.to_string()
}

/// Whether `password` is that of `hash`. Slow by intent: not for an async task. What is no hash fits
/// no password.
pub fn fits(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Takes as long as [`fits`], so that a name that nobody has takes as long as a wrong password.
pub fn fits_nobody(password: &str) {
    use std::sync::LazyLock;
    static NOBODY: LazyLock<String> = LazyLock::new(|| hash("nobody has this password"));
    fits(password, &NOBODY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_only_and_is_argon2id_with_owasps_least() {
        let hash = hash("correct horse");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(fits("correct horse", &hash) && !fits("correct horsf", &hash));
        assert_ne!(super::hash("correct horse"), hash, "each has a salt of its own");
        assert!(!fits("x", "no hash"));
    }

    #[test]
    fn passwords_that_everybody_tries_first_are_refused_with_the_reason() {
        let reason =
            |password: &str| check(password, "owner", "/password").unwrap_err().to_string();
        assert!(reason("short").contains("at least 10 characters"));
        assert!(reason("aaaaaaaaaaaa").contains("different"));
        assert!(reason("owner12345").contains("user's name"));
        assert!(reason(&"ab1c".repeat(65)).contains("at most 256"));
        check("a quiet street", "owner", "/password").unwrap();
    }
}
