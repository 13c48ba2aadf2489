//! Which releases there are: the index that the settings name, and its newest version.

use std::time::Duration;

use api::updates::{AvailableUpdate, UpdateCode as Code, UpdateIndex};
use control::PortError;
use egress::Limits;
use ota::state::Reason;
use ota::version;

use super::engine::{Found, Updater, refusal};
use super::way::way_out;

/// A look; a request waits for it.
const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    connect: Duration::from_secs(8),
    whole: Duration::from_secs(20),
    redirects: 3,
};

impl Updater {
    /// Looks at the index.
    ///
    /// # Errors
    /// `NoIndex`, `AddressRefused`, `FetchFailed`.
    pub(super) async fn look_at_index(&self) -> Result<(), PortError> {
        let release = self.device()?.release.clone();
        let config = self.config();
        let url = config.as_ref().and_then(|config| config.index(&release.compatible));
        let Some((config, url)) = config.zip(url) else {
            let detail = "set `updates.index_url` to where the index of releases is";
            return Err(PortError::update(Code::NoIndex, detail));
        };
        let looked = tokio::task::spawn_blocking(move || {
            let egress = way_out(url.as_str(), &|url| config.allows(url), false)?;
            let address = egress.address(url.as_str());
            let address = address.map_err(|error| failed(base::error::chain(&error)))?;
            let mut text = Vec::new();
            egress
                .get(&address, LIMITS, &|| false, &mut text)
                .map_err(|error| failed(base::error::chain(&error)))?;
            newest(&text, &release.compatible, &release.version)
        });
        let looked = looked.await.unwrap_or_else(|error| Err(failed(error.to_string())));
        let found = Found {
            at: Some(base::clock::wall()),
            available: looked.as_ref().ok().cloned().flatten(),
            error: looked.as_ref().err().map(|reason| reason.detail.clone()),
        };
        *self.0.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = found;
        self.tell(&self.state().await);
        looked.map(drop).map_err(|reason| refusal(&reason))
    }
}

fn failed(detail: String) -> Reason {
    Reason::new(Code::FetchFailed, detail)
}

/// The newest release of the index `text` for devices that are `compatible`, if it is newer than what runs.
fn newest(text: &[u8], compatible: &str, running: &str) -> Result<Option<AvailableUpdate>, Reason> {
    let index: UpdateIndex = serde_json::from_slice(text)
        .map_err(|error| failed(format!("what answers is no index of releases: {error}")))?;
    if index.compatible != compatible {
        let detail = format!(
            "the index is for \"{}\", and this device is \"{compatible}\"",
            index.compatible
        );
        return Err(failed(detail));
    }
    // One whose version nobody understands is nobody's to install.
    let newer = index.releases.into_iter().filter(|one| version::is_newer(&one.version, running));
    Ok(newer.reduce(|a, b| if version::is_newer(&b.version, &a.version) { b } else { a }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_release_counts_wherever_it_stands() {
        let text = r#"{"compatible":"c","releases":[
            {"version":"0.5.0","url":"https://e/5"},{"version":"latest","url":"https://e/x"},
            {"version":"0.10.0","url":"https://e/10"},{"version":"0.9.0","url":"https://e/9"}]}"#;
        let found = newest(text.as_bytes(), "c", "0.5.0").unwrap().unwrap();
        assert_eq!((found.version.as_str(), found.url.as_str()), ("0.10.0", "https://e/10"));
        assert_eq!(newest(text.as_bytes(), "c", "0.10.0").unwrap(), None);
        assert!(newest(text.as_bytes(), "d", "0.1.0").is_err());
        assert!(newest(b"<html>", "c", "0.1.0").is_err());
    }
}
