//! edgecamd: the daemon. Wiring only; what anything does is in the crates.
//!
//! | module | owns |
//! |---|---|
//! | [`app`] | build → spawn → ready → wait → drain |
//! | [`again`] | another start in the same process |
//! | [`args`] | the command line |
//! | [`cameras`] | a supervised process and a task per camera |
//! | [`access`] | who may come in, and under which names |
//! | [`announce`], [`recorder`] | what cameras report → events → the store |
//! | [`pins`] | inputs and outputs of the device: their events, and the events that drive them |
//! | [`settings`] | found at the start, changed while everything runs; the cameras' orders |
//! | [`jobs`] | long work: run, told, ended |
//! | [`workshop`] | work with a model in a process of its own |
//! | [`models`] | the models that cameras need |
//! | [`media_server`], [`broker`] | MediaMTX and mosquitto as supervised children |
//! | [`updates`] | the firmware itself, replaced by a new one that must prove itself |
//! | [`units`] | where children run as other users, where systemd offers that |
//! | [`hands`] | has the machine's network and clock made as they are set |
//! | [`issues`] | what is wrong now (pure) |
//! | [`journal`] | the system's log |
//! | [`backups`] | settings and users, kept and restored |
//! | [`reset`] | back to the state of delivery |
//! | [`reserve`] | room for a start on a full disk |
//! | [`viewers`] | a key frame for who begins to watch |
//! | [`listen`] | whether the children's ports are free |
//! | [`ports`] | what `control` and `mqtt` need, answered by the rest |
//! | [`inform`] | status, health and updates → the MQTT session |
//! | [`commands`] | what is commanded over MQTT → the ports |
//! | [`node`], [`machine`] | who and what this device is |
//! | [`watchdog`] | the sign of life for systemd |
//! | [`backtest`] | other zones and lines, tried on what was tracked |
//! | [`banner`] | where to look, printed once it runs |

mod access;
mod again;
mod announce;
mod app;
mod args;
mod backtest;
mod backups;
mod banner;
mod broker;
mod cameras;
mod commands;
mod found;
mod hands;
mod inform;
mod issues;
mod jobs;
mod journal;
mod latencies;
mod listen;
mod machine;
mod media_server;
mod models;
mod node;
mod pins;
mod ports;
mod recorder;
mod reserve;
mod reset;
mod settings;
mod units;
mod updates;
mod viewers;
mod viewing;
mod watchdog;
mod workshop;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use args::{Args, Command};

fn main() -> ExitCode {
    // A launcher is no daemon: it must become the child's program before anything else happens.
    if let Some(exit) = supervise::launch::intercept() {
        return exit;
    }
    let args = Args::parse();
    let done = match args.command {
        Some(Command::Openapi) => args::print(&control::openapi_json()),
        Some(Command::Backtest(asked)) => backtest::print(&args.run, &asked),
        Some(Command::Check) => args::check(&args.run),
        Some(Command::InstallModel(install)) => args::install_model(&args.run, &install),
        Some(Command::Card(args)) => args::card(&args),
        Some(Command::HostAgent) => host::agent::serve().context("serving as the host agent"),
        Some(Command::UpdateGuard) => args::updates::guard(),
        Some(Command::UpdateHandler { stage }) => args::updates::handle(stage),
        Some(Command::ResetAccess) => args::reset_access(&args.run),
        Some(Command::Run) | None => app::main(&args.run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => args::fail(&error),
    }
}
