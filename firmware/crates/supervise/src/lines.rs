//! One log line of a child, read: its level, and its message without what our own log adds again.
//! Pure.

use tracing::Level;

use crate::redact::redact;
use crate::spec::LogFormat;

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Error,
}

/// A line that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) level: Level,
    pub(crate) message: String,
}

/// Reads a line of at most `max` bytes (the rest is cut). Credentials in URLs and control
/// characters are taken out.
pub(crate) fn read(format: LogFormat, stream: Stream, bytes: &[u8], max: usize) -> Line {
    let cut = bytes.len() > max;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(max)]);
    let text = strip_ansi(text.trim_end());
    let (level, message) = match format {
        LogFormat::Plain => None,
        LogFormat::Tracing => tracing_line(&text),
        LogFormat::MediaMtx => mediamtx_line(&text),
        LogFormat::Mosquitto => mosquitto_line(&text),
    }
    .unwrap_or((fallback(format, stream), &text));
    let mut message: String =
        redact(message).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if cut {
        message.push_str(" … (cut)");
    }
    Line { level, message }
}

/// A line without a level of its own. Formats with levels write such lines only when something
/// unforeseen speaks (a panic, a library): that is worth a warning on standard error.
fn fallback(format: LogFormat, stream: Stream) -> Level {
    match (format, stream) {
        (LogFormat::Mosquitto, _) | (_, Stream::Output) => Level::INFO,
        (_, Stream::Error) => Level::WARN,
    }
}

/// `2026-01-31T12:00:00.123Z  INFO target: message`, or the same as JSON.
fn tracing_line(text: &str) -> Option<(Level, &str)> {
    if text.starts_with('{') {
        let (_, rest) = text.split_once("\"level\":\"")?;
        return Some((level(rest.split('"').next()?)?, text));
    }
    let (stamp, rest) = text.split_once(' ')?;
    if !(stamp.ends_with('Z') && stamp.contains('T')) {
        return None;
    }
    let rest = rest.trim_start();
    let (word, message) = rest.split_once(' ')?;
    Some((level(word)?, message))
}

/// `2026/01/31 12:00:00 INF message`.
fn mediamtx_line(text: &str) -> Option<(Level, &str)> {
    let mut parts = text.splitn(4, ' ');
    let (date, time, word) = (parts.next()?, parts.next()?, parts.next()?);
    let stamped = date.split('/').count() == 3 && time.split(':').count() == 3;
    Some((stamped.then(|| level(word)).flatten()?, parts.next().unwrap_or_default()))
}

/// `1700000000: message`; errors and warnings say so in words.
fn mosquitto_line(text: &str) -> Option<(Level, &str)> {
    let (stamp, message) = text.split_once(": ")?;
    if !stamp.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let level = match message {
        m if m.starts_with("Error") => Level::ERROR,
        m if m.starts_with("Warning") => Level::WARN,
        // Clients come and go often on a busy broker.
        m if m.starts_with("New ") || m.starts_with("Client ") => Level::DEBUG,
        _ => Level::INFO,
    };
    Some((level, message))
}

fn level(word: &str) -> Option<Level> {
    Some(match word {
        "ERROR" | "ERR" => Level::ERROR,
        "WARN" | "WAR" => Level::WARN,
        "INFO" | "INF" => Level::INFO,
        "DEBUG" | "DEB" => Level::DEBUG,
        "TRACE" => Level::TRACE,
        _ => return None,
    })
}

/// Without colour codes (`ESC [ … letter`).
fn strip_ansi(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            plain.push(c);
        } else if chars.as_str().starts_with('[') {
            chars.find(|c| c.is_ascii_alphabetic());
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: LogFormat, stream: Stream, text: &str, level: Level, message: &str) {
        let line = read(format, stream, text.as_bytes(), 200);
        assert_eq!(line, Line { level, message: message.into() }, "{text}");
    }

    #[test]
    fn levels_of_our_own_processes_are_kept() {
        let ours = |text, level, message| {
            check(LogFormat::Tracing, Stream::Error, text, level, message);
        };
        ours("2026-01-31T12:00:00.1Z  INFO media: up fps=25", Level::INFO, "media: up fps=25");
        ours("2026-01-31T12:00:00.1Z ERROR media: bad", Level::ERROR, "media: bad");
        ours("2026-01-31T12:00:00.1Z DEBUG x: y", Level::DEBUG, "x: y");
        ours(
            "\u{1b}[2m2026-01-31T12:00:00Z\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m a: b",
            Level::WARN,
            "a: b",
        );
        let json = r#"{"timestamp":"2026-01-31T12:00:00Z","level":"WARN","message":"m"}"#;
        ours(json, Level::WARN, json);
        ours("thread 'ec-tap' panicked at", Level::WARN, "thread 'ec-tap' panicked at");
        ours("{ not ours }", Level::WARN, "{ not ours }");
    }

    #[test]
    fn levels_of_mediamtx_are_kept() {
        let mtx = |text, level, message| {
            check(LogFormat::MediaMtx, Stream::Output, text, level, message);
        };
        mtx("2026/01/31 12:00:00 INF MediaMTX v1.20.1", Level::INFO, "MediaMTX v1.20.1");
        mtx("2026/01/31 12:00:00 WAR [path a] slow", Level::WARN, "[path a] slow");
        mtx("2026/01/31 12:00:00 ERR listen tcp", Level::ERROR, "listen tcp");
        mtx("2026/01/31 12:00:00 DEB [conn]", Level::DEBUG, "[conn]");
        mtx("panic: runtime error", Level::INFO, "panic: runtime error");
    }

    #[test]
    fn levels_of_mosquitto_are_told_from_its_words() {
        let mosquitto = |text, level, message| {
            check(LogFormat::Mosquitto, Stream::Error, text, level, message);
        };
        let up = "mosquitto version 2.0.11 starting";
        mosquitto("1700000000: mosquitto version 2.0.11 starting", Level::INFO, up);
        mosquitto("1700000000: Error: Address in use", Level::ERROR, "Error: Address in use");
        mosquitto("1700000000: Warning: x", Level::WARN, "Warning: x");
        mosquitto("1700000000: New connection from ::1", Level::DEBUG, "New connection from ::1");
        mosquitto("no stamp: x", Level::INFO, "no stamp: x");
    }

    #[test]
    fn lines_without_a_level_get_that_of_their_stream() {
        check(LogFormat::Plain, Stream::Output, "ERROR x", Level::INFO, "ERROR x");
        check(LogFormat::Plain, Stream::Error, "x", Level::WARN, "x");
    }

    #[test]
    fn a_line_is_cut_and_cleaned() {
        let long = "ä".repeat(2_000);
        let line = read(LogFormat::Plain, Stream::Output, long.as_bytes(), 11);
        assert_eq!(line.message, "äääää\u{fffd} … (cut)");
        check(LogFormat::Plain, Stream::Output, "a\u{7}b\tc\u{1b}[31md", Level::INFO, "a b cd");
        check(LogFormat::Plain, Stream::Output, "rtsp://u:p@h/", Level::INFO, "rtsp://…@h/");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_can_make_reading_fail(
            bytes in proptest::collection::vec(0u8.., 0..300), max in 0usize..300,
        ) {
            for format in [
                LogFormat::Plain, LogFormat::Tracing, LogFormat::MediaMtx, LogFormat::Mosquitto,
            ] {
                let line = read(format, Stream::Error, &bytes, max);
                proptest::prop_assert!(!line.message.chars().any(char::is_control));
            }
        }
    }
}
