//! The command line.

pub(crate) mod updates;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use config::{Board, HostFacts, Layers, Loaded, Sources};

use crate::backtest::BacktestArgs;
use crate::models::ModelLibrary;
use crate::{node, settings};

/// EdgeCam: finds, follows, streams and announces what cameras see.
///
/// Settings come from the built-in defaults, the board, `--settings` files, what was made over the API,
/// environment variables `EDGECAM__SECTION__FIELD`, and `--set`; each wins over those before it.
#[derive(Debug, Parser)]
#[command(name = "edgecamd", version)]
pub(crate) struct Args {
    /// What to do; `run` when absent.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Settings of the run.
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Run the product.
    Run,
    /// Check the settings and print them as they would be used, without secrets.
    Check,
    /// Try changed zones and lines on what a camera tracked: which events would have fired, and which
    /// would not.
    Backtest(BacktestArgs),
    /// Do one thing to the machine that the daemon may not: started by systemd, not by hand.
    #[command(hide = true)]
    HostAgent,
    /// Watch over a new system until it has decided about itself: started by systemd, not by hand.
    #[command(hide = true)]
    UpdateGuard,
    /// Say whether a bundle may be installed: started by RAUC, not by hand.
    #[command(hide = true)]
    UpdateHandler {
        /// What RAUC is about to do.
        stage: updates::Stage,
    },
    /// Take over what the owner put on the card, and show him there what he is to know: started by
    /// systemd, not by hand.
    #[command(hide = true)]
    Card(CardArgs),
    /// Print the OpenAPI document.
    Openapi,
    /// Forget all users, tokens and sessions, so that the device can be claimed anew. While no daemon
    /// runs.
    ResetAccess,
    /// Fetch a detection model, or copy it from a folder. A daemon that waits for it takes it up.
    InstallModel(InstallArgs),
}

/// Which model, from where, to where.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct InstallArgs {
    /// Name of the model; the one that the settings choose when absent.
    name: Option<String>,
    /// Folder with the model's files; its upstream when absent.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Folder for the model's files; `models` in the data folder when absent.
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

/// Where the card is, and where its choices go.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CardArgs {
    /// Folder where the card's boot partition is mounted.
    #[arg(long, value_name = "FOLDER")]
    firmware: PathBuf,
    /// The data folder.
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
}

/// Where settings come from.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Settings file (TOML); later ones win over earlier ones.
    #[arg(long, value_name = "FILE", global = true)]
    settings: Vec<PathBuf>,
    /// The same, of the owner's choices on the card: wins over the other files, and need not be there.
    #[arg(long, value_name = "FILE", global = true)]
    card_settings: Option<PathBuf>,
    /// One setting, such as `cameras.front.encoder.bitrate_kbps=800`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", global = true)]
    set: Vec<String>,
    /// What the camera shows: `scene`, a clip, `rtsp://…`, `/dev/video…` or `libcamera`.
    #[arg(long, global = true, env = "EDGECAM_SOURCE", hide_env_values = true)]
    source: Option<String>,
}

impl RunArgs {
    /// The same with another settings file, which wins over the other files.
    pub(crate) fn with_file(mut self, file: &Path) -> Self {
        self.settings.push(file.to_owned());
        self
    }

    /// Reads all layers but what was made over the API.
    pub(crate) fn sources(&self) -> Sources {
        Sources::read(&Layers {
            board: Board::detect(),
            host: HostFacts { node_id: node::default_id(), data_dir: default_data_dir() },
            files: self.files(),
            env: std::env::vars_os()
                .filter_map(|(key, value)| {
                    Some((key.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            set: self.set.clone(),
            source: self.source.clone().filter(|source| !source.is_empty()),
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        // One that is there and cannot be seen is said to be unreadable, not passed over.
        let there = |path: &&PathBuf| path.try_exists().unwrap_or(true);
        self.settings.iter().chain(self.card_settings.iter().filter(there)).cloned().collect()
    }

    /// The settings of all layers, checked; nothing is written.
    pub(crate) fn load(&self) -> anyhow::Result<Loaded> {
        settings::peek(&self.sources())
    }
}

/// `/var/lib/edgecam` on the appliance (systemd names it), else `$XDG_DATA_HOME/edgecam`, else
/// `~/.local/share/edgecam`.
fn default_data_dir() -> PathBuf {
    let named = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    named("STATE_DIRECTORY")
        .or_else(|| Some(named("XDG_DATA_HOME")?.join("edgecam")))
        .or_else(|| Some(named("HOME")?.join(".local/share/edgecam")))
        .unwrap_or_else(|| PathBuf::from("/var/lib/edgecam"))
}

/// Checks the settings and prints them as TOML, without secrets.
pub(crate) fn check(run: &RunArgs) -> anyhow::Result<()> {
    let loaded = run.load()?;
    print(&toml::to_string_pretty(&config::redact(&loaded.settings))?)
}

/// Forgets all users, unless a daemon runs, which would write them down again.
pub(crate) fn reset_access(run: &RunArgs) -> anyhow::Result<()> {
    let config = run.load()?.config;
    let _lock = crate::settings::start::take(&config.data.dir)?;
    crate::access::reset(&config)?;
    print("all users are forgotten; the next start of edgecamd shows a code to claim the device\n")
}

/// Takes over what the owner put on the card. What is wrong with it is told there, and here.
pub(crate) fn card(args: &CardArgs) -> anyhow::Result<()> {
    let done = host::card::run(&args.firmware, &args.data).context("reading the card")?;
    if !done.taken.is_empty() {
        print(&format!("taken over from the card: {}\n", done.taken.join(", ")))?;
    }
    done.wrong.iter().try_for_each(|wrong| print(&format!("on the card: {wrong}\n")))
}

/// Installs a model, each file checked against its manifest.
pub(crate) fn install_model(run: &RunArgs, install: &InstallArgs) -> anyhow::Result<()> {
    let loaded = run.load()?;
    let chosen = loaded.settings.detector.model.as_deref();
    let name = install.name.as_deref().or(chosen).unwrap_or_default();
    let folder = match &install.into {
        Some(folder) => std::path::absolute(folder)?,
        None => ModelLibrary::folder_of(&loaded.config.data.dir),
    };
    let library = ModelLibrary::in_folder(folder.clone())?;
    let manifest = library.get(name)?;
    match &install.from {
        Some(from) => library.copy_from(from, &manifest)?,
        None => library.fetch(&manifest)?,
    }
    print(&format!("the model {name} is in {}\n", folder.display()))
}

/// Prints `text` on standard output. A reader that went away early is no failure.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says on standard error what went wrong, for a person.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    // With standard error gone there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "edgecamd: {error:#}");
    ExitCode::FAILURE
}
