//! What systemd and RAUC start of updates, as root: thin over crate `ota`.

use std::path::Path;
use std::process::Command;

use anyhow::bail;
use ota::folder::Folder;
use ota::{guard, handler};

/// The data of the appliance; there is no other place where these run.
const DATA: &str = "/var/lib/edgecam";
const CMDLINE: &str = "/proc/cmdline";
/// What is asked of the daemon's unit.
const SHOW: [&str; 4] =
    ["show", "edgecamd.service", "--property", "ActiveState,SubState,Result,NRestarts"];

/// What RAUC is about to do.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Stage {
    /// To install a bundle.
    PreInstall,
}

/// Watches over a new system; fails when its time is up, for its unit to start the machine anew.
pub(crate) fn guard() -> anyhow::Result<()> {
    base::trace::init();
    match guard::run(&Folder::of(Path::new(DATA)), Path::new(CMDLINE), &unit) {
        Ok(()) => Ok(()),
        Err(why) => bail!("the machine starts anew: {why}"),
    }
}

/// How the daemon is, in systemd's words.
fn unit() -> String {
    let shown = Command::new("systemctl").args(SHOW).output();
    let text = match shown {
        Ok(shown) => String::from_utf8_lossy(&shown.stdout).trim().replace('\n', ", "),
        Err(error) => format!("systemctl cannot be run: {error}"),
    };
    format!("edgecamd.service: {text}")
}

/// Lets RAUC go on, or not.
pub(crate) fn handle(stage: Stage) -> anyhow::Result<()> {
    match stage {
        Stage::PreInstall => {
            let mount = std::env::var_os(handler::MOUNT).map(Into::into);
            match handler::pre_install(mount, Path::new(handler::RELEASE)) {
                Ok(found) => super::print(&format!("{found}\n")),
                Err(why) => {
                    // RAUC shows lines that begin so to whoever asked.
                    super::print(&format!("<< error {why}\n"))?;
                    Err(why.into())
                }
            }
        }
    }
}
