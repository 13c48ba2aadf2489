//! `edgecam`: the command line of EdgeCam. A client of the API and nothing else: what it can do, any
//! program can do with the OpenAPI document in hand.
//!
//! | module | owns |
//! |---|---|
//! | `args` | the command line |
//! | `book` | the devices that are known: address, token, certificate |
//! | `client` | requests and answers; server-sent events |
//! | `connect` | a connection: finding the address, TLS |
//! | `trust` | whose certificate is believed (pure but for the system's list) |
//! | `assign` | `path=value` → merge patch (pure) |
//! | `show` | answers and refusals as text for people (pure) |
//! | `error` | what can go wrong, each with its way out |
//! | `commands` | one file per command |

mod args;
mod assign;
mod book;
mod client;
mod commands;
mod connect;
mod error;
mod show;
mod trust;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = args::Args::parse();
    // Fails only when a provider is set already, and then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(args)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("edgecam: {error}\n");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text.push_str(&format!("  because {cause}\n"));
                source = cause.source();
            }
            // Nowhere is left to say that this failed.
            let _ = std::io::stderr().write_all(text.as_bytes());
            ExitCode::FAILURE
        }
    }
}
