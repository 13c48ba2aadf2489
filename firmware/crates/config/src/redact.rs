//! Takes secrets out of settings and texts before anybody reads them.

use api::settings::{CameraSettings, Settings};
use serde_json::Value;
use url::Url;

use crate::pointer;

/// `settings` without secrets: no password of the broker or of Wi-Fi, no user names and passwords in URLs.
#[must_use]
pub fn redact(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    settings.mqtt.password = None;
    settings.mqtt.url = settings.mqtt.url.map(|url| redact_url(&url));
    for interface in settings.network.interfaces.values_mut() {
        if let Some(wifi) = &mut interface.wifi {
            wifi.password = None;
        }
    }
    for camera in settings.cameras.values_mut() {
        *camera = redact_camera(camera);
    }
    settings
}

/// `camera` without secrets: no user name and password in its source.
#[must_use]
pub fn redact_camera(camera: &CameraSettings) -> CameraSettings {
    let source = camera.source.as_deref().map(redact_url);
    CameraSettings { source, ..camera.clone() }
}

/// `tree`, settings or a part of them below `at` (a JSON pointer), without secrets: no passwords, no
/// user names and passwords in URLs.
#[must_use]
pub fn redact_tree(at: &str, tree: &Value) -> Value {
    match tree {
        Value::Object(map) => {
            let shown = map.iter().filter_map(|(key, value)| {
                let at = pointer::join(at, key);
                (!is_secret(&at)).then(|| (key.clone(), redact_tree(&at, value)))
            });
            shown.collect()
        }
        Value::Array(list) => list.iter().map(|value| redact_tree(at, value)).collect(),
        Value::String(_) if is_secret(at) => Value::Null,
        Value::String(text) => Value::String(redact_url(text)),
        other => other.clone(),
    }
}

/// `text` without user name and password, where it is a URL; else as it is.
#[must_use]
pub fn redact_url(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            // Neither fails: a URL that carries a user name has a host.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.to_string()
        }
        // What is no URL may still carry a password, when the mistake lies elsewhere in it.
        Err(_) => in_text(text),
        Ok(_) => text.to_owned(),
    }
}

/// Whether the setting at `pointer` is a secret as a whole.
pub(crate) fn is_secret(pointer: &str) -> bool {
    pointer.rsplit('/').next().is_some_and(|name| name.contains("password"))
}

/// `text` with everything cut that stands between `://` and an `@`.
pub(crate) fn in_text(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let authority = after.find(['/', '?', '#', '"', ' ']).unwrap_or(after.len());
        // A password may hold a `/` that nobody encoded, so the last `@` of the word counts.
        let word = after.find(['"', ' ']).unwrap_or(after.len());
        let end = after[..word].rfind('@').or_else(|| after[..authority].rfind('@'));
        rest = end.map_or(after, |at| &after[at + 1..]);
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use api::settings::{InterfaceSettings, WifiSettings};

    use super::*;

    #[test]
    fn no_secret_is_left() {
        let mut settings = Settings::default();
        settings.mqtt.password = Some("c4nary".into());
        settings.mqtt.url = Some("mqtts://me:c4nary@broker:8883".into());
        let source = Some("rtsp://admin:c4nary@10.0.0.9/stream".to_owned());
        let camera = CameraSettings { source, ..CameraSettings::default() };
        settings.cameras.insert("front".into(), camera);
        let wifi = WifiSettings { password: Some("c4nary".into()), ..WifiSettings::default() };
        let interface = InterfaceSettings { wifi: Some(wifi), ..InterfaceSettings::default() };
        settings.network.interfaces.insert("wlan0".into(), interface);
        let redacted = redact(&settings);
        assert!(!serde_json::to_string(&redacted).unwrap().contains("c4nary"));
        assert!(!format!("{redacted:?}").contains("c4nary"));
        assert_eq!(
            redacted.cameras["front"].source.as_deref(),
            Some("rtsp://10.0.0.9/stream"),
            "the address stays"
        );
    }

    #[test]
    fn a_broken_url_shows_no_password_either() {
        for text in ["rtsp://u:c4nary@ho st/x", "rtsp://u:c4/nary@[bad", "http://u:c4nary@h:99999/"]
        {
            assert!(!redact_url(text).contains("nary"), "{}", redact_url(text));
        }
        assert_eq!(in_text(r#""rtsp://10.0.0.9/a@b""#), r#""rtsp://b""#);
        assert_eq!(redact_url("rtsp://10.0.0.9/a@b"), "rtsp://10.0.0.9/a@b");
        assert_eq!(redact_url("clip.mp4"), "clip.mp4");
    }
}
