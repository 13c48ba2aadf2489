//! The code that a new device shows, by which its owner claims it.

use subtle::ConstantTimeEq;

use crate::secret::random;

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
    fn codes_are_of_ten_letters_and_all_different() {
        let codes: std::collections::BTreeSet<_> = (0..100).map(|_| new()).collect();
        assert_eq!(codes.len(), 100);
        assert!(codes.iter().all(|code| code.len() == 11 && code.as_bytes()[5] == b'-'));
    }
}
