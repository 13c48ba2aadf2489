//! `devices`, `claim`, `login`, `logout`: the devices that are known here.

use std::time::Duration;

use hyper::Method;
use serde_json::json;
use url::Url;

use super::devices::browse;
use super::prompt::{asked, secret};
use super::{say, url_of};
use crate::args::Target;
use crate::book::{Book, Known};
use crate::client::{Caller, Client};
use crate::error::CliError;
use crate::show;
use crate::trust::Trust;

/// How long a device has to answer to its name.
const ANSWER: Duration = Duration::from_secs(4);

/// Lists them.
pub(super) fn list(target: &Target) -> Result<(), CliError> {
    let book = Book::open(target.book.as_deref())?;
    if book.devices.is_empty() {
        return Err(CliError::NoDevice);
    }
    let row = |(name, known): (&String, &Known)| [name.clone(), known.url.to_string()];
    say(&show::table(["NAME", "URL"], &book.devices.iter().map(row).collect::<Vec<_>>()))
}

/// The known device that is meant, or the URL of one that is not known.
pub(super) fn chosen(book: &Book, device: Option<&str>) -> Result<Result<Known, Url>, CliError> {
    let Some(device) = device else {
        let mut all = book.devices.values();
        return match (all.next(), all.next()) {
            (Some(one), None) => Ok(Ok(one.clone())),
            (None, _) => Err(CliError::NoDevice),
            _ => {
                let names: Vec<_> = book.devices.keys().map(String::as_str).collect();
                Err(CliError::WhichDevice(names.join(", ")))
            }
        };
    };
    if let Some(known) = book.devices.get(device) {
        return Ok(Ok(known.clone()));
    }
    let url = url_of(device).ok_or_else(|| CliError::UnknownDevice(device.to_owned()))?;
    let known = book.devices.values().find(|known| known.url == url);
    Ok(known.cloned().ok_or(url))
}

/// Makes `user` the owner of a new device.
pub(super) async fn claim(
    target: &Target,
    device: &str,
    code: Option<String>,
    user: &str,
) -> Result<(), CliError> {
    let client = newcomer(target, device).await?;
    let code = match code {
        Some(code) => code,
        None => asked("The code that the device shows: ")?,
    };
    let password = secret(&format!("A new password for {user}, at least 10 characters: "))?;
    let body = json!({ "code": code.trim(), "username": user, "password": password });
    client.ask(Method::POST, "setup/claim", Some(&body)).await?;
    keep(target, client, user, &password).await
}

/// Signs `user` in.
pub(super) async fn login(target: &Target, device: &str, user: &str) -> Result<(), CliError> {
    let client = newcomer(target, device).await?;
    // The certificate is shown before the password is sent.
    client.get("setup").await?;
    let password = secret(&format!("The password of {user}: "))?;
    keep(target, client, user, &password).await
}

/// Revokes the token of a known device and forgets it.
pub(super) async fn logout(target: &Target) -> Result<(), CliError> {
    let mut book = Book::open(target.book.as_deref())?;
    let Ok(known) = chosen(&book, target.device.as_deref())? else {
        return Err(CliError::UnknownDevice(target.device.clone().unwrap_or_default()));
    };
    let revoked = super::client(target)?
        .ask(Method::DELETE, &format!("tokens/{}", known.token_id), None)
        .await;
    book.devices.retain(|_, other| *other != known);
    book.keep()?;
    match revoked {
        Ok(_) => say(&format!("{} is forgotten, and its token revoked", known.url)),
        Err(error) => {
            say(&format!("{} is forgotten; its token could not be revoked: {error}", known.url))
        }
    }
}

/// A device that is not known yet, whose certificate is shown for comparison.
async fn newcomer(target: &Target, device: &str) -> Result<Client, CliError> {
    let wanted = device.to_owned();
    let is_it =
        move |found: &discovery::Found| [&found.name, &found.node, &found.host].contains(&&wanted);
    let mut found = Vec::new();
    if !device.contains(['/', ':', '.']) || device.ends_with(".local") {
        found = browse(ANSWER, is_it.clone()).await?;
    }
    let announced = found.iter().find(|found| is_it(found)).and_then(|one| url_of(&one.url()));
    let url = announced.or_else(|| url_of(device));
    let url = url.ok_or_else(|| CliError::UnknownDevice(device.to_owned()))?;
    let trust = match &target.fingerprint {
        Some(sha256) => Trust::Only(sha256.replace(':', "").to_lowercase()),
        None => Trust::First,
    };
    let client = Client::new(url, Caller::Nobody, trust);
    client.get("setup").await?;
    if let Some(shown) = client.shown().filter(|shown| !shown.vouched_for) {
        say(&format!(
            "{} shows a certificate of its own; compare it with what the device says of it:\n  SHA-256 {}",
            client.url, shown.sha256
        ))?;
    }
    Ok(client)
}

/// Gets a token for `user` and keeps it with what the device showed.
async fn keep(target: &Target, client: Client, user: &str, password: &str) -> Result<(), CliError> {
    let shown = client.shown().filter(|shown| !shown.vouched_for);
    let client = client.called_by(Caller::Password(basic(user, password)));
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = format!("edgecam on {}", machine.trim());
    let me = client.get("auth/me").await?;
    let body = json!({ "name": name, "role": me["role"], "cameras": me["cameras"] });
    let made = client.ask(Method::POST, "tokens", Some(&body)).await?;
    let text = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
    let known = Known {
        url: client.url.clone(),
        token: text("secret"),
        token_id: text("id"),
        certificate_sha256: shown.map(|shown| shown.sha256),
    };
    let client = client.called_by(Caller::Token(known.token.clone()));
    let system = client.get("system").await?;
    let name = ["name", "node_name", "node", "id"].iter().find_map(|field| system[field].as_str());
    let name =
        name.map_or_else(|| client.url.host_str().unwrap_or("device").to_owned(), str::to_owned);
    let mut book = Book::open(target.book.as_deref())?;
    book.devices.retain(|_, other| other.url != known.url);
    book.devices.insert(name.clone(), known);
    book.keep()?;
    say(&format!("{name} is known now as {user}'s: try `edgecam get cameras`"))
}

/// The value of an `Authorization` header (RFC 7617).
fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(names: &[&str]) -> (tempfile::TempDir, Book) {
        let folder = tempfile::tempdir().unwrap();
        let mut book = Book::open(Some(&folder.path().join("devices.json"))).unwrap();
        for name in names {
            let known = Known {
                url: Url::parse(&format!("https://{name}.local")).unwrap(),
                token: String::new(),
                token_id: String::new(),
                certificate_sha256: None,
            };
            book.devices.insert((*name).to_owned(), known);
        }
        (folder, book)
    }

    #[test]
    fn the_only_known_device_need_not_be_named_and_of_several_one_must() {
        let (_folder, one) = book(&["gate"]);
        assert_eq!(chosen(&one, None).unwrap().unwrap(), one.devices["gate"]);
        let (_folder, two) = book(&["gate", "yard"]);
        assert!(
            matches!(chosen(&two, None), Err(CliError::WhichDevice(names)) if names == "gate, yard")
        );
        assert_eq!(chosen(&two, Some("yard")).unwrap().unwrap(), two.devices["yard"]);
        assert_eq!(chosen(&two, Some("gate.local")).unwrap().unwrap(), two.devices["gate"]);
        assert!(chosen(&two, Some("10.0.0.1")).unwrap().is_err());
    }

    #[test]
    fn what_is_kept_is_read_again_and_is_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, kept) = book(&["gate"]);
        kept.keep().unwrap();
        let path = folder.path().join("devices.json");
        assert_eq!(Book::open(Some(&path)).unwrap().devices, kept.devices);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "{").unwrap();
        let error = Book::open(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("devices.json") && error.contains("mend or remove"), "{error}");
    }
}
