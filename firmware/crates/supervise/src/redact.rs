//! Takes credentials out of text: the user and password of every URL in it.

use std::borrow::Cow;

/// `text` with the userinfo of each URL replaced: `rtsp://user:secret@host` → `rtsp://…@host`.
///
/// In doubt it takes too much: passwords in the wild contain raw `/`, `,`, `://` and `@`, so all up
/// to the last `@` before a space or quote goes.
pub fn redact(text: &str) -> Cow<'_, str> {
    if !text.contains("://") || !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
        let end = after.find(ends).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(sign) => {
                clean.push('…');
                &after[sign..]
            }
            None => after,
        };
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_every_url() {
        for (text, clean) in [
            ("no url, but me@home", "no url, but me@home"),
            ("open rtsp://cam/1 failed", "open rtsp://cam/1 failed"),
            ("open rtsp://me:pw@cam/1 failed", "open rtsp://…@cam/1 failed"),
            ("'mqtt://u@h' and \"http://a:b@c\"", "'mqtt://…@h' and \"http://…@c\""),
            ("rtsp://me:p/w?d@x@cam/1", "rtsp://…@cam/1"),
            ("a=rtsp://u:p@h;b=rtsp://v:q@i", "a=rtsp://…@i"),
            ("rtsp://u:p@", "rtsp://…@"),
            ("rtsp://u:a,b://c@h x", "rtsp://…@h x"),
            ("://@ü", "://…@ü"),
        ] {
            assert_eq!(redact(text), clean);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_secret_in_a_url_survives(before in "\\PC{0,20}", secret in "[a-z0-9/?#:@]{8,16}") {
            let text = format!("{before} rtsp://admin:{secret}@host/x");
            proptest::prop_assert!(redact(&text).ends_with("rtsp://…@host/x"));
        }
    }
}
