//! Long work of the device, waited for.

use std::time::Duration;

use api::problem::Problem;
use serde_json::Value;

use super::say;
use crate::client::Client;
use crate::error::CliError;

/// Time between two looks.
const AGAIN: Duration = Duration::from_millis(500);

/// Waits for the end of `job`, says what it does, and answers with how it ended.
pub(super) async fn ended(client: &Client, mut job: Value) -> Result<Value, CliError> {
    let mut said = String::new();
    loop {
        let state = job["state"].as_str().unwrap_or_default();
        let stage = format!("{state}: {}", job["stage"].as_str().unwrap_or_default());
        if stage != said {
            say(&stage)?;
            said = stage;
        }
        match serde_json::from_value::<Problem>(job["problem"].clone()) {
            Ok(problem) => return Err(CliError::Refused(Box::new(problem))),
            Err(_) if !["queued", "running"].contains(&state) => return Ok(job),
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
        let id = job["id"].as_str().unwrap_or_default().to_owned();
        job = client.get(&format!("jobs/{id}")).await?;
    }
}
