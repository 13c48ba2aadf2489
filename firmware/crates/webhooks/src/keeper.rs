//! The task behind the handle: runs a pump for each webhook, keeps what they tell, ends them.

use std::sync::Arc;

use base::shutdown::Shutdown;
use store::HookNote;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use ulid::Ulid;

use crate::handle::Webhooks;
use crate::pump::Pump;
use crate::slot::Slot;

/// Notes that may wait to be kept; a pump waits beyond that. They are kept together, so that a backlog is
/// not posted at the pace of the disk.
const NOTES: usize = 64;

/// Runs the webhooks.
#[derive(Debug)]
pub struct Keeper {
    hooks: Webhooks,
    first: Vec<Arc<Slot>>,
    only: Option<Vec<Ulid>>,
    beginning: mpsc::Receiver<Arc<Slot>>,
}

impl Keeper {
    pub(crate) fn new(
        hooks: Webhooks,
        first: Vec<Arc<Slot>>,
        only: Option<Vec<Ulid>>,
        beginning: mpsc::Receiver<Arc<Slot>>,
    ) -> Self {
        Self { hooks, first, only, beginning }
    }

    /// Runs until `shutdown`. What was posted until then is kept before it ends.
    pub async fn run(self, shutdown: Shutdown) {
        let Self { hooks, first, only, mut beginning } = self;
        let (notes, mut noted) = mpsc::channel(NOTES);
        let mut pumps = JoinSet::new();
        let begin =
            |slot: Arc<Slot>| Pump::new(hooks.clone(), slot, notes.clone(), shutdown.clone()).run();
        if let Some(hooks_now) = only {
            // Of what was deleted while nobody could note it.
            keep(&hooks, vec![HookNote::KeepOnly { hooks: hooks_now }]).await;
        }
        first.into_iter().for_each(|slot| drop(pumps.spawn(begin(slot))));
        let mut stopping = shutdown.clone();
        let mut batch = Vec::with_capacity(NOTES);
        loop {
            tokio::select! {
                _ = noted.recv_many(&mut batch, NOTES) => {
                    keep(&hooks, std::mem::take(&mut batch)).await;
                }
                Some(slot) = beginning.recv() => drop(pumps.spawn(begin(slot))),
                Some(_) = pumps.join_next() => {}
                () = stopping.wait() => break,
            }
        }
        // The pumps end by themselves; they may still have something to say.
        drop(notes);
        let ended = async { while pumps.join_next().await.is_some() {} };
        let kept = async {
            while noted.recv_many(&mut batch, NOTES).await > 0 {
                keep(&hooks, std::mem::take(&mut batch)).await;
            }
        };
        tokio::join!(ended, kept);
    }
}

/// What cannot be kept is posted again after a start: at least once.
async fn keep(hooks: &Webhooks, notes: Vec<HookNote>) {
    if let Err(error) = hooks.store().note_hooks(notes).await {
        let error = base::error::chain(&error);
        tracing::warn!(error, "what webhooks posted cannot be kept: it may be posted again");
    }
}
