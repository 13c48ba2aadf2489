//! `edgecam-camera work`: does one thing with a model for `edgecamd`, says what came of it and ends. What
//! decodes pictures and loads models of strangers may crash here, and nothing else does.

mod picture;
mod tasks;

use anyhow::Context as _;
use link::work::{FromWorker, ToWorker};
use link::{Receiver, Sender};
use tokio::io::{Stdin, Stdout};
use tokio::sync::mpsc;

/// What is said may wait for the other side to listen.
const WORDS: usize = 16;

/// Why nothing came of it.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Whether what was given is to blame.
    input: bool,
    detail: String,
}

impl Refused {
    /// What was given is to blame.
    fn input(error: &(dyn std::error::Error + 'static)) -> Self {
        Self { input: true, detail: base::error::chain(error) }
    }
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        Self { input: false, detail: format!("{error:#}") }
    }
}

/// Tells `edgecamd` how far the work is. Waits for nothing: what comes too fast is left out.
pub(crate) struct Teller(mpsc::Sender<FromWorker>);

impl Teller {
    /// `share` of it is done, 0..=1.
    fn progress(&self, share: f32, stage: String) {
        let _ = self.0.try_send(FromWorker::Progress { share, stage });
    }
}

/// The whole life of the process.
pub(crate) async fn run() -> anyhow::Result<()> {
    let mut input = Receiver::<ToWorker, Stdin>::new(tokio::io::stdin());
    let mut output = Sender::<FromWorker, Stdout>::new(tokio::io::stdout());
    let Some((ToWorker::Do(work), _)) = input.receive().await.context("hearing what to do")? else {
        anyhow::bail!("the first word must be what to do");
    };
    let pictures = pictures(&mut input, &work).await?;
    let (words, mut said) = mpsc::channel(WORDS);
    let teller = Teller(words);
    let working = tokio::task::spawn_blocking(move || tasks::run(&work, pictures, &teller));
    // Ends with the teller.
    while let Some(word) = said.recv().await {
        output.send(&word, &[]).await.context("telling how far it is")?;
    }
    let came = match working.await {
        Ok(Ok(came)) => came,
        Ok(Err(Refused { input, detail })) => FromWorker::Failed { input, detail },
        // What it said is in the log.
        Err(_) => {
            let detail = "what was given made the work panic".to_owned();
            FromWorker::Failed { input: true, detail }
        }
    };
    output.send(&came, &[]).await.context("telling what came of it")
}

/// The pictures that `work` needs, as they came.
async fn pictures(
    input: &mut Receiver<ToWorker, Stdin>,
    work: &link::work::Work,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut pictures = Vec::new();
    if !tasks::needs_pictures(work) {
        return Ok(pictures);
    }
    while let Some((word, blob)) = input.receive().await.context("hearing pictures")? {
        match word {
            ToWorker::Picture => pictures.push(blob),
            ToWorker::Enough => break,
            ToWorker::Do(_) => anyhow::bail!("there is one thing to do"),
        }
    }
    Ok(pictures)
}
