//! `events`: what happened, and what happens.

use std::time::Duration;

use api::event::Event;
use url::form_urlencoded::Serializer;

use super::say;
use crate::args::EventsArgs;
use crate::client::{Client, Message};
use crate::error::CliError;
use crate::show;

/// How long to wait before a lost connection is tried again, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Prints them.
pub(super) async fn events(client: &Client, args: &EventsArgs) -> Result<(), CliError> {
    if args.follow { follow(client, args).await } else { past(client, args).await }
}

fn query(args: &EventsArgs, more: &[(&str, String)]) -> String {
    let mut query = Serializer::new(String::new());
    let given = [("camera", &args.camera), ("label", &args.label)];
    for (name, value) in given {
        query.extend_pairs(value.iter().map(|value| (name, value)));
    }
    query.extend_pairs(args.after.iter().map(|after| ("after_seq", after.to_string())));
    query.extend_pairs(more);
    query.finish()
}

/// The newest of the past, oldest first.
async fn past(client: &Client, args: &EventsArgs) -> Result<(), CliError> {
    let query = query(args, &[("limit", args.limit.to_string()), ("order", "desc".to_owned())]);
    let page = client.get(&format!("events?{query}")).await?;
    for event in page["items"].as_array().into_iter().flatten().rev() {
        print(&event.to_string(), args.json)?;
    }
    Ok(())
}

/// Those to come, for ever. What came while the connection was lost comes when it is back.
async fn follow(client: &Client, args: &EventsArgs) -> Result<(), CliError> {
    let path = format!("stream/events?{}", query(args, &[]));
    let mut last: Option<String> = None;
    // A mistake in what was asked for is told at once; what breaks later is waited for.
    let mut stream = Some(client.listen(&path, None).await?);
    let mut wait = AGAIN.0;
    loop {
        if let Some(stream) = &mut stream {
            while let Some(message) = stream.next().await {
                wait = AGAIN.0;
                last = message.id.clone().or(last);
                told(&message, args.json)?;
            }
        }
        tokio::time::sleep(wait).await;
        wait = AGAIN.1.min(wait * 2);
        stream = match client.listen(&path, last.as_deref()).await {
            Ok(stream) => Some(stream),
            Err(refused @ CliError::Refused(_)) if !is_for_a_while(&refused) => {
                return Err(refused);
            }
            Err(_) => None,
        };
    }
}

fn is_for_a_while(error: &CliError) -> bool {
    matches!(error, CliError::Refused(problem) if problem.status == 429 || problem.status >= 500)
}

fn told(message: &Message, json: bool) -> Result<(), CliError> {
    if message.event != "gap" {
        return print(&message.data, json);
    }
    if json { say(&message.data) } else { say("(older ones are no more kept)") }
}

fn print(data: &str, json: bool) -> Result<(), CliError> {
    match serde_json::from_str::<Event>(data) {
        Ok(event) if !json => say(&show::event(&event)),
        _ => say(data),
    }
}
