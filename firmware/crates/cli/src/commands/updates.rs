//! `update`: the device's firmware, looked at, updated, kept or taken back.

mod send;

use std::path::Path;
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::{Value, json};

use super::{job, say};
use crate::args::{InstallArgs, Updates};
use crate::client::Client;
use crate::error::CliError;
use crate::show;

/// Time between two looks while the device starts anew.
const AGAIN: Duration = Duration::from_secs(2);
/// The longest that a device may take for start, trial and return.
const OUTCOME_WITHIN: Duration = Duration::from_secs(20 * 60);

/// What is to be done with it.
pub(super) async fn updates(client: &Client, what: Option<Updates>) -> Result<(), CliError> {
    match what.unwrap_or(Updates::Status) {
        Updates::Status => say(&shown(&client.get("updates").await?)),
        Updates::Check => {
            let found = client.ask(Method::POST, "updates/check", None).await?;
            let running = text(&found, "version");
            match found["available"]["version"].as_str() {
                Some(version) => say(&format!(
                    "{version} is there, {running} runs; `edgecam update install` installs it"
                )),
                None => say(&format!("{running} runs, and nothing newer is there")),
            }
        }
        Updates::Install(args) => install(client, &args).await,
        Updates::Commit => {
            let kept = client.ask(Method::POST, "updates/commit", None).await?;
            say(&format!("{} stays", text(&kept, "version")))
        }
        Updates::Rollback => {
            let begun = client.ask(Method::POST, "updates/rollback", None).await?;
            say(text(&begun, "detail"))
        }
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

async fn install(client: &Client, args: &InstallArgs) -> Result<(), CliError> {
    let mut wanted = json!({ "force": args.force, "reboot": !args.no_reboot });
    if let Some(sha256) = &args.sha256 {
        wanted["sha256"] = json!(sha256);
    }
    match &args.bundle {
        Some(bundle) if bundle.contains("://") => wanted["url"] = json!(bundle),
        Some(bundle) => {
            // What is installed is what was sent, whatever else is staged meanwhile.
            wanted["sha256"] = json!(send::send(client, Path::new(bundle), &args.sha256).await?);
        }
        None => {}
    }
    let job = client.ask(Method::POST, "updates/install", Some(&wanted)).await?;
    if args.no_wait {
        return say(&format!(
            "it has begun: `edgecam get jobs/{}` shows how far it is",
            text(&job, "id")
        ));
    }
    let version = match job::ended(client, job).await {
        Ok(job) if args.no_reboot => {
            let version = text(&job["result"], "version");
            return say(&format!("{version} is installed; the next start of the machine tries it"));
        }
        Ok(job) => text(&job["result"], "version").to_owned(),
        // It starts anew before it can say that it does.
        Err(CliError::Connect { .. } | CliError::Broken { .. }) => "the new version".to_owned(),
        Err(error) => return Err(error),
    };
    say(&format!("{version} is installed; the device starts anew and tries it"))?;
    outcome(client).await
}

/// Waits until it is known whether the new version stays.
async fn outcome(client: &Client) -> Result<(), CliError> {
    let began = Instant::now();
    let mut said = String::new();
    while began.elapsed() < OUTCOME_WITHIN {
        // While it starts it does not answer.
        if let Ok(now) = client.get("updates").await {
            if let Some(end) = end(&now) {
                return end.and_then(|words| say(&words));
            }
            let phase = words(text(&now, "phase"));
            if phase != said {
                say(&phase)?;
                said = phase;
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
    Err(CliError::Silent(OUTCOME_WITHIN.as_secs()))
}

/// How it ended; `None`: it has not.
fn end(updates: &Value) -> Option<Result<String, CliError>> {
    let version = text(updates, "version");
    match text(updates, "phase") {
        "committed" | "idle" => Some(Ok(format!("{version} runs and stays"))),
        "awaiting_confirmation" => Some(Ok(format!(
            "{version} runs; `edgecam update commit` keeps it, else the one before comes back at {}",
            text(updates, "confirm_by")
        ))),
        "rolled_back" | "failed" => {
            let why = text(&updates["problem"], "detail");
            Some(Err(CliError::CameToNothing(format!("{why}; {version} runs"))))
        }
        _ => None,
    }
}

/// A word of the API as people write it.
fn words(word: &str) -> String {
    word.replace('_', " ")
}

/// Where the device is with updates.
fn shown(updates: &Value) -> String {
    let mut lines = vec![format!("version    {}", text(updates, "version"))];
    if updates["supported"] != true {
        lines.push(format!("no updates {}", text(updates, "reason")));
        return lines.join("\n");
    }
    if updates["release"]["development_keys"] == true {
        lines.push("keys       of development: anybody may have signed an update".to_owned());
    }
    let progress = updates["progress"].as_f64().map(|share| format!(", {:.0} %", share * 100.0));
    let state = words(text(updates, "phase"));
    lines.push(format!("state      {state}{}", progress.unwrap_or_default()));
    let given = [
        ("update", &updates["update"]["version"]),
        ("until", &updates["confirm_by"]),
        ("problem", &updates["problem"]["detail"]),
        ("available", &updates["available"]["version"]),
        ("no check", &updates["check_error"]),
    ];
    for (name, value) in given {
        if let Some(value) = value.as_str() {
            lines.push(format!("{name:<10} {value}"));
        }
    }
    let row = |slot: &Value| {
        let mark = |field: &str, word: &str| if slot[field] == true { word } else { "" }.to_owned();
        let (name, version) = (text(slot, "name").to_owned(), text(slot, "version").to_owned());
        let state = text(slot, "state").to_owned();
        [name, version, state, mark("booted", "runs"), mark("primary", "next")]
    };
    let slots: Vec<_> = updates["slots"].as_array().into_iter().flatten().map(row).collect();
    lines.push(show::table(["SLOT", "VERSION", "STATE", "NOW", "START"], &slots));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_shown_with_what_its_owner_has_to_know() {
        let slot = |name: &str, version: &str, runs: bool| json!({ "name": name, "version": version, "state": "good", "booted": runs, "primary": runs });
        let updates = json!({
            "supported": true, "version": "0.4.0", "phase": "rolled_back",
            "release": { "development_keys": true },
            "problem": { "detail": "camera front gave no frames" },
            "slots": [slot("A", "0.5.0", false), slot("B", "0.4.0", true)],
        });
        let text = "version    0.4.0
keys       of development: anybody may have signed an update
state      rolled back
problem    camera front gave no frames
SLOT  VERSION  STATE  NOW   START
A     0.5.0    good
B     0.4.0    good   runs  next";
        assert_eq!(shown(&updates), text);
        let none = json!({ "version": "0.4.0", "supported": false, "reason": "no image" });
        assert_eq!(shown(&none), "version    0.4.0\nno updates no image");
    }

    #[test]
    fn the_wait_ends_when_it_is_known_what_became_of_the_update() {
        let end = |phase: &str| {
            end(
                &json!({ "phase": phase, "version": "0.4.0", "problem": { "detail": "no frames" } }),
            )
        };
        for goes_on in ["installing", "installed", "trial"] {
            assert!(end(goes_on).is_none(), "{goes_on}");
        }
        assert!(end("committed").unwrap().unwrap().contains("stays"));
        assert!(end("awaiting_confirmation").unwrap().unwrap().contains("update commit"));
        let error = end("rolled_back").unwrap().unwrap_err().to_string();
        assert!(error.contains("no frames; 0.4.0 runs"), "{error}");
    }
}
