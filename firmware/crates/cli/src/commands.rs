//! One file per command; what they share: which device, and printing.

mod backups;
mod devices;
mod events;
mod job;
mod known;
mod models;
mod prompt;
mod settings;
mod updates;

use std::io::Write;

use clap::CommandFactory;
use serde_json::Value;
use url::Url;

use crate::args::{Args, Command, Target};
use crate::assign;
use crate::book::Book;
use crate::client::{Caller, Client};
use crate::error::CliError;
use crate::trust::Trust;

/// Does what the command line says.
pub(crate) async fn run(args: Args) -> Result<(), CliError> {
    let Args { target, command } = args;
    match command {
        Command::Discover { seconds } => devices::discover(seconds).await,
        Command::Devices => known::list(&target),
        Command::Claim { device, code, user } => known::claim(&target, &device, code, &user).await,
        Command::Login { device, user } => known::login(&target, &device, &user).await,
        Command::Logout => known::logout(&target).await,
        Command::Get { path, pointer, lines } => get(&target, &path, &pointer, lines).await,
        Command::Set(set) => settings::set(&client(&target)?, &set).await,
        Command::Confirm => settings::confirm(&client(&target)?).await,
        Command::Events(events) => events::events(&client(&target)?, &events).await,
        Command::Models { what } => models::models(&client(&target)?, what).await,
        Command::Backup { what } => backups::backups(&client(&target)?, what).await,
        Command::Update { what } => updates::updates(&client(&target)?, what).await,
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "edgecam", &mut std::io::stdout());
            Ok(())
        }
    }
}

/// Prints `text` and a line break.
pub(crate) fn say(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    Ok(writeln!(out, "{text}").and_then(|()| out.flush())?)
}

async fn get(target: &Target, path: &str, pointer: &str, lines: bool) -> Result<(), CliError> {
    let client = client(target)?;
    let answer = client.get(path).await?;
    let nothing = || CliError::NothingThere { pointer: pointer.to_owned() };
    let part = answer.pointer(pointer).ok_or_else(nothing)?;
    match part {
        Value::String(text) => say(text),
        _ if lines => say(&assign::lines(part).join("\n")),
        _ => say(&format!("{part:#}")),
    }
}

/// The device that the command is for.
fn client(target: &Target) -> Result<Client, CliError> {
    let book = Book::open(target.book.as_deref())?;
    let (url, token, certificate) = match known::chosen(&book, target.device.as_deref())? {
        Ok(known) => (known.url, Some(known.token), known.certificate_sha256),
        Err(url) => (url, None, None),
    };
    let token = target.token.clone().or(token);
    let token = token.ok_or_else(|| CliError::NotSignedIn(url.to_string()))?;
    let trust = match target.fingerprint.clone().or(certificate) {
        Some(sha256) => Trust::Only(sha256.replace(':', "").to_lowercase()),
        None => Trust::System,
    };
    Ok(Client::new(url, Caller::Token(token), trust))
}

/// The URL of what a person wrote: a URL, or a host with or without a port. On this machine HTTP is
/// meant, elsewhere HTTPS.
fn url_of(text: &str) -> Option<Url> {
    if text.contains("://") {
        return Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    }
    let url = Url::parse(&format!("https://{text}")).ok()?;
    let near = match url.host()? {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(ip) => ip.is_loopback(),
        url::Host::Ipv6(ip) => ip.is_loopback(),
    };
    if near { Url::parse(&format!("http://{text}")).ok() } else { Some(url) }
}

#[cfg(test)]
mod tests {
    use super::url_of;

    #[test]
    fn an_address_without_a_scheme_is_reached_by_https_unless_it_is_this_machine() {
        for (text, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("[::1]:8080", "http://[::1]:8080/"),
            ("edgecam-0a1b2c.local", "https://edgecam-0a1b2c.local/"),
            ("192.168.1.7:8443", "https://192.168.1.7:8443/"),
            ("http://gate", "http://gate/"),
        ] {
            assert_eq!(url_of(text).map(|url| url.to_string()).as_deref(), Some(url));
        }
        for text in ["ftp://gate", "a b", ""] {
            assert_eq!(url_of(text), None, "{text}");
        }
    }
}
