//! Encryption under a passphrase: argon2id makes the key, ChaCha20-Poly1305 keeps the content. Random
//! bytes apart, pure.

use api::system::BackupEncryption;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Name of the method.
const METHOD: &str = "argon2id-chacha20poly1305";
/// Memory of argon2id, in KiB, and its passes: a multiple of what a password's hash takes here.
const MEMORY_KIB: u32 = 47_104;
const PASSES: u32 = 3;
/// What another device may have asked for at most.
const MOST_MEMORY_KIB: u32 = 131_072;
const MOST_PASSES: u32 = 10;
const SALT: usize = 16;

/// Why something stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It was made by another method, or for another size.
    Method,
    /// The passphrase is not the one, or the file is not as it was made.
    Passphrase,
    /// This machine gives no random bytes, or no memory.
    Machine,
}

/// Encrypts `plain`; `about` is not hidden, but held to what it was. Slow by intent.
pub(super) fn close(
    passphrase: &str,
    mut plain: Vec<u8>,
    about: &str,
) -> Result<(BackupEncryption, Vec<u8>), Closed> {
    let (mut salt, mut nonce) = ([0; SALT], [0; NONCE_LEN]);
    getrandom::fill(&mut salt).map_err(|_| Closed::Machine)?;
    getrandom::fill(&mut nonce).map_err(|_| Closed::Machine)?;
    let key = key(passphrase, &salt, MEMORY_KIB, PASSES)?;
    let unique = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(unique, Aad::from(about.as_bytes()), &mut plain)
        .map_err(|_| Closed::Machine)?;
    let encryption = BackupEncryption {
        method: METHOD.to_owned(),
        memory_kib: MEMORY_KIB,
        passes: PASSES,
        salt: STANDARD.encode(salt),
        nonce: STANDARD.encode(nonce),
    };
    Ok((encryption, plain))
}

/// The opposite of [`close`].
pub(super) fn open(
    passphrase: &str,
    how: &BackupEncryption,
    mut closed: Vec<u8>,
    about: &str,
) -> Result<Vec<u8>, Closed> {
    let sizes = (1..=MOST_PASSES).contains(&how.passes)
        && (Params::MIN_M_COST..=MOST_MEMORY_KIB).contains(&how.memory_kib);
    let salt = STANDARD.decode(&how.salt).ok().filter(|salt| salt.len() == SALT);
    let nonce = STANDARD.decode(&how.nonce).ok().and_then(|nonce| nonce.try_into().ok());
    let (Some(salt), Some(nonce)) = (salt, nonce) else { return Err(Closed::Method) };
    if how.method != METHOD || !sizes {
        return Err(Closed::Method);
    }
    let key = key(passphrase, &salt, how.memory_kib, how.passes)?;
    let about = Aad::from(about.as_bytes());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let plain = key.open_in_place(nonce, about, &mut closed).map_err(|_| Closed::Passphrase)?;
    Ok(plain.to_vec())
}

fn key(passphrase: &str, salt: &[u8], memory: u32, passes: u32) -> Result<LessSafeKey, Closed> {
    let mut key = [0; 32];
    let params = Params::new(memory, passes, 1, Some(key.len())).map_err(|_| Closed::Method)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key)
        .map_err(|_| Closed::Machine)?;
    let key = UnboundKey::new(&CHACHA20_POLY1305, &key).map_err(|_| Closed::Machine)?;
    Ok(LessSafeKey::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_opens_with_its_passphrase_and_as_it_was_alone() {
        let (how, closed) = close("a gate in the rain", b"c4nary".to_vec(), "of ec-1").unwrap();
        assert!(!closed.windows(6).any(|window| window == b"c4nary"));
        let opens = |passphrase: &str, how: &BackupEncryption, closed: &[u8], about: &str| {
            open(passphrase, how, closed.to_vec(), about)
        };
        let plain = opens("a gate in the rain", &how, &closed, "of ec-1").unwrap();
        assert_eq!(plain, b"c4nary");
        let wrong = Err(Closed::Passphrase);
        assert_eq!(opens("a gate in the sun!", &how, &closed, "of ec-1"), wrong);
        assert_eq!(opens("a gate in the rain", &how, &closed, "of ec-2"), wrong);
        let mut changed = closed.clone();
        changed[0] ^= 1;
        assert_eq!(opens("a gate in the rain", &how, &changed, "of ec-1"), wrong);
        let (again, other) = close("a gate in the rain", b"c4nary".to_vec(), "of ec-1").unwrap();
        assert!(again.salt != how.salt && again.nonce != how.nonce && other != closed);
    }

    #[test]
    fn a_file_cannot_ask_for_all_memory() {
        let (how, closed) = close("a gate in the rain", b"x".to_vec(), "").unwrap();
        for odd in [
            BackupEncryption { memory_kib: u32::MAX, ..how.clone() },
            BackupEncryption { passes: 1_000_000, ..how.clone() },
            BackupEncryption { passes: 0, ..how.clone() },
            BackupEncryption { method: "none".into(), ..how.clone() },
            BackupEncryption { nonce: "AAAA".into(), ..how.clone() },
            BackupEncryption { salt: "?".into(), ..how.clone() },
        ] {
            let opened = open("a gate in the rain", &odd, closed.clone(), "");
            assert_eq!(opened, Err(Closed::Method), "{odd:?}");
        }
    }
}
