//! The code that a new device shows, by which its owner claims it.

use subtle::ConstantTimeEq;

use crate::secret::{digest, random};

/// Crockford's base 32: no I, L, O, U, so that nothing is misread.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a code: 50 bits, with few tries a minute.
const LEN: usize = 10;

/// A new code, such as `K7QDM-3XA9T`.
pub fn new() -> String {
    let letters = random::<LEN>().map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let text: String = letters.iter().collect();
    format!("{}-{}", &text[..LEN / 2], &text[LEN / 2..])
}

/// Whether `given`, as a person types it, is `code`.
pub fn is(given: &str, code: &str) -> bool {
    plain(given).as_bytes().ct_eq(plain(code).as_bytes()).into()
}

/// What claims a device that has no owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// A code that it made itself, and shows.
    Made(String),
    /// A code that the owner chose before the first start: its SHA-256, in lower case hexadecimal.
    Chosen(String),
}

impl Claim {
    /// The code, where it is known and is to be shown.
    pub(crate) fn shown(self) -> Option<String> {
        match self {
            Self::Made(code) => Some(code),
            Self::Chosen(_) => None,
        }
    }

    /// Whether `given`, as a person types it, is the code. A chosen one is also known without dashes
    /// and spaces and in capitals, for those who hashed it so.
    pub(crate) fn is(&self, given: &str) -> bool {
        let known = |text: &str, hash: &str| -> bool {
            digest(text).as_bytes().ct_eq(hash.as_bytes()).into()
        };
        match self {
            Self::Made(code) => is(given, code),
            // Both are asked, whatever the first answers.
            Self::Chosen(hash) => known(given.trim(), hash) | known(&plain(given), hash),
        }
    }
}

/// The hash in `text`, where it is one.
pub(crate) fn chosen(text: &str) -> Option<Claim> {
    let hash = text.trim();
    let fits = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| Claim::Chosen(hash.to_ascii_lowercase()))
}

/// Without dashes and spaces, in capitals, with the letters that are taken for others put right.
fn plain(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase());
    letters
        .map(|letter| match letter {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_however_it_is_typed_and_no_other_is() {
        assert!(is("k7qdm 3xa9t", "K7QDM-3XA9T") && is("K7QDM3XA9T", "K7QDM-3XA9T"));
        assert!(is("o1234-56i89", "01234-56189"));
        assert!(!is("K7QDM-3XA9", "K7QDM-3XA9T") && !is("", "K7QDM-3XA9T"));
    }

    #[test]
    fn a_chosen_code_is_known_by_its_hash_as_it_was_typed_or_in_plain_capitals() {
        let claim = |text: &str| chosen(&digest(text)).unwrap();
        assert!(claim("my own wide gate").is(" my own wide gate\n"));
        assert!(!claim("my own wide gate").is("My own wide gate"));
        assert!(claim("K7QDM3XA9T").is("k7qdm-3xa9t") && claim("K7QDM-3XA9T").is("K7QDM-3XA9T"));
        assert!(!claim("K7QDM3XA9T").is(&digest("K7QDM3XA9T")), "the hash is no code");
        assert_eq!(chosen("K7QDM-3XA9T"), None);
    }

    #[test]
    fn codes_are_of_ten_letters_and_all_different() {
        let codes: std::collections::BTreeSet<_> = (0..100).map(|_| new()).collect();
        assert_eq!(codes.len(), 100);
        assert!(codes.iter().all(|code| code.len() == 11 && code.as_bytes()[5] == b'-'));
    }
}
