//! edgecam-camera: source, detector, tracker and link of one camera in one process.
//!
//! Started by `edgecamd`, to which its standard input is a connection; it holds no secrets of the product, opens no port
//! and ends itself when the link closes.
//!
//! | module | owns |
//! |---|---|
//! | [`app`] | the life of the process: connect, configure, run, stop |
//! | [`daemon`] | the link to the daemon: a task that reads and one that writes |
//! | [`vision`] | the thread `ec-detect`: frames → detector → tracker → rules |
//! | [`history`] | what is tracked, in batches, to be kept |
//! | [`models`] | finding and loading the detector's model |
//! | [`governor`] | the thread `ec-governor`: what is reduced to hold the limits |
//! | [`meter`] | rates and latencies for the statistics |
//! | [`work`] | one thing with a model, in a process of its own |
//! | [`to_link`] | happenings and counts in the words of the link |
//!
//! Channels: frames come through a latest-wins slot (the tap never waits for the detector); what
//! happened goes to the link through a bounded channel that the detector's thread waits for, so a
//! daemon that stores slowly slows the detector and never the stream.

mod app;
mod daemon;
mod governor;
mod history;
mod meter;
mod models;
mod to_link;
mod vision;
mod work;

use std::process::ExitCode;

use base::error::chain;
use clap::Parser;

/// One camera of EdgeCam. Started by `edgecamd`, not by hand: its standard input is the link to it.
#[derive(Debug, Parser)]
#[command(version, subcommand_negates_reqs = true)]
struct Args {
    /// Something else than being a camera.
    #[command(subcommand)]
    other: Option<Other>,
    /// Id of the camera.
    #[arg(long, required = true)]
    camera: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum Other {
    /// Do one thing with a model, as standard input says, and end.
    Work,
}

impl Args {
    async fn run(&self) -> anyhow::Result<()> {
        match (self.other, &self.camera) {
            (Some(Other::Work), _) => work::run().await,
            (None, Some(camera)) => app::run(camera).await,
            // The command line does not let this through.
            (None, None) => Ok(()),
        }
    }
}

fn main() -> ExitCode {
    base::trace::init();
    let args = Args::parse();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(args.run()),
        Err(error) => Err(anyhow::Error::new(error).context("starting the async runtime")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(
                camera = args.camera.unwrap_or_default(),
                error = chain(error.as_ref()),
                "the camera process failed"
            );
            ExitCode::FAILURE
        }
    }
}
