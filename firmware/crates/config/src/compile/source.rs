//! Where a camera's pictures come from, as text and as value.

use std::path::PathBuf;

use api::settings::CameraSettings;
use url::Url;

use crate::check::Check;
use crate::model::Source;

/// The source that `settings` name.
pub(super) fn source(check: &mut Check<'_>, settings: &CameraSettings) -> Option<Source> {
    let text = check.need("source", settings.source.as_deref());
    let seed = check.need("scene_seed", settings.scene_seed);
    let looped = check.need("loop_clip", settings.loop_clip);
    let (text, seed, looped) = (text?.trim(), seed?, looped?);
    match parse(text, seed, looped) {
        Ok(source) => Some(source),
        Err(reason) => {
            check.wrong("source", Some(&text), reason);
            None
        }
    }
}

const FORMS: &str = "must be `scene`, the path of a clip or file:///…, rtsp://…, /dev/video… or \
                     libcamera[:name]";

fn parse(text: &str, seed: u64, looped: bool) -> Result<Source, String> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err(FORMS.into());
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return match scheme.to_ascii_lowercase().as_str() {
            "rtsp" | "rtsps" => rtsp(text),
            "file" => file_url(text, rest, looped),
            other => Err(format!("has the unknown scheme {other}://; it {FORMS}")),
        };
    }
    match text.split_once(':') {
        _ if text == "scene" => Ok(Source::Scene { seed }),
        _ if text == "libcamera" => Ok(Source::Libcamera { name: None }),
        Some(("libcamera", name)) if !name.is_empty() => {
            Ok(Source::Libcamera { name: Some(name.into()) })
        }
        Some(("libcamera", _)) => Err("names no camera after `libcamera:`".into()),
        _ if text.starts_with("/dev/") => Ok(Source::V4l2 { device: text.into() }),
        _ => Ok(Source::File { path: text.into(), looped }),
    }
}

fn rtsp(text: &str) -> Result<Source, String> {
    let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
    match url.host_str() {
        Some(host) if !host.is_empty() => Ok(Source::Rtsp(url)),
        _ => Err("names no host; write rtsp://host/path".into()),
    }
}

fn file_url(text: &str, rest: &str, looped: bool) -> Result<Source, String> {
    // `file://clip.mp4` would name a host called clip.mp4.
    if !rest.starts_with('/') {
        return Err(format!("must have three slashes and a whole path: file:///…/{rest}"));
    }
    let url = Url::parse(text).map_err(|error| format!("is no URL: {error}"))?;
    let path = PathBuf::from(decoded(url.path()));
    Ok(Source::File { path, looped })
}

/// `text` without percent encoding; as it is where that makes no text.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = || {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            (*first == b'%').then(|| u8::from_str_radix(digits, 16).ok())?
        };
        match escaped() {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_source_is_understood() {
        let clip = |path: &str| Source::File { path: path.into(), looped: true };
        let rtsp = |text: &str| Source::Rtsp(Url::parse(text).unwrap());
        for (text, expected) in [
            ("scene", Source::Scene { seed: 7 }),
            ("clip.mp4", clip("clip.mp4")),
            ("/media/a clip.mp4", clip("/media/a clip.mp4")),
            ("C:clip.mp4", clip("C:clip.mp4")),
            ("file:///media/a%20clip.mp4", clip("/media/a clip.mp4")),
            ("rtsp://u:p@10.0.0.9:554/a?b=c", rtsp("rtsp://u:p@10.0.0.9:554/a?b=c")),
            ("rtsps://10.0.0.9/a", rtsp("rtsps://10.0.0.9/a")),
            ("/dev/video0", Source::V4l2 { device: "/dev/video0".into() }),
            ("libcamera", Source::Libcamera { name: None }),
            (
                "libcamera:/base/soc/i2c0mux/i2c@1/imx708@1a",
                Source::Libcamera { name: Some("/base/soc/i2c0mux/i2c@1/imx708@1a".into()) },
            ),
        ] {
            assert_eq!(parse(text, 7, true), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_source_that_cannot_be_is_refused_with_the_way_out() {
        for (text, hint) in [
            ("", "must be `scene`"),
            ("http://10.0.0.9/a.mp4", "unknown scheme http://"),
            ("rtsp:///path", "rtsp://host/path"),
            ("rtsp://[bad/path", "is no URL"),
            ("file://clip.mp4", "three slashes"),
            ("libcamera:", "names no camera"),
        ] {
            let reason = parse(text, 7, true).unwrap_err();
            assert!(reason.contains(hint), "{text}: {reason}");
        }
    }

    #[test]
    fn percent_signs_that_encode_nothing_stay() {
        assert_eq!(decoded("50%25%zz%4"), "50%%zz%4");
        assert_eq!(decoded("caf%C3%A9"), "café");
        assert_eq!(decoded("%ff"), "%ff");
    }
}
