//! A bundle that is sent, in as many requests as it takes: what came is on the disk, and the next one goes
//! on there, after a restart as well.

use std::io;

use api::updates::{NewUpload, UpdateCode as Code, UpdatePhase, UpdateUpload};
use base::error::ErrorKind;
use control::PortError;
use control::ports::{Answer, Bytes, UpdateReceiver};
use futures::FutureExt;
use ota::machine::Input;
use ota::state::{Order, Reason, Source};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;
use tokio::sync::OwnedSemaphorePermit;

use super::engine::{Updater, refusal};
use super::fetch;
use super::shown;

/// A part of an upload under way.
struct Receiver {
    updater: Updater,
    _turn: OwnedSemaphorePermit,
    upload: UpdateUpload,
    sha256: Option<String>,
    file: File,
}

impl Updater {
    /// Begins an upload; what stands still, or is staged, makes way.
    pub(super) async fn begin_upload(
        &self,
        new: NewUpload,
        by: &str,
    ) -> Result<UpdateUpload, PortError> {
        self.device()?;
        let _turn = self.turn()?;
        let folder = self.0.folder.part();
        let folder = folder.parent().unwrap_or(&folder);
        let goes = [self.0.folder.part(), self.0.folder.bundle()];
        let goes = goes.iter().filter_map(|file| std::fs::metadata(file).ok());
        let goes: u64 = goes.map(|facts| facts.len()).sum();
        fetch::room_for(folder, new.size_bytes.saturating_sub(goes))
            .map_err(|reason| refusal(&reason))?;
        let order = Order {
            id: ulid::Ulid::generate().to_string(),
            source: Source::Upload {
                size: new.size_bytes,
                sha256: new.sha256.map(|hash| hash.to_ascii_lowercase()),
            },
            force: false,
            install: false,
            reboot: false,
            by: by.to_owned(),
            at: Some(base::clock::wall()),
            rest: serde_json::Map::new(),
        };
        let state = self.take(Input::Begin(order)).await?;
        // No later download takes these bytes for its own.
        let discarded = self.0.folder.discard_part();
        discarded.map_err(|error| refusal(&fetch::kept(&base::error::chain(&error))))?;
        File::create(self.0.folder.part()).await.map_err(|error| unkept(&error))?;
        shown::upload(&state.phase, 0).ok_or_else(gone)
    }

    /// The upload `id`.
    pub(super) async fn upload_of(&self, id: &str) -> Option<UpdateUpload> {
        let state = self.state().await;
        let came = std::fs::metadata(self.0.folder.part()).map_or(0, |facts| facts.len());
        shown::upload(&state.phase, came).filter(|upload| upload.id == id)
    }

    /// Goes on with the upload `id` at `offset`.
    pub(super) async fn receive(
        &self,
        id: &str,
        offset: u64,
    ) -> Result<Box<dyn UpdateReceiver>, PortError> {
        self.device()?;
        let upload = self.upload_of(id).await.ok_or_else(gone)?;
        let turn = self.turn()?;
        if upload.offset != offset {
            let detail = format!("go on at byte {}, not {offset}", upload.offset);
            return Err(PortError::update(Code::WrongOffset, detail));
        }
        let state = self.state().await;
        let sha256 = match state.phase.order().map(|order| &order.source) {
            Some(Source::Upload { sha256, .. }) => sha256.clone(),
            _ => None,
        };
        let file = OpenOptions::new().create(true).append(true).open(self.0.folder.part()).await;
        let file = file.map_err(|error| unkept(&error))?;
        Ok(Box::new(Receiver { updater: self.clone(), _turn: turn, upload, sha256, file }))
    }

    /// Gives the upload `id` up.
    pub(super) async fn discard_upload(&self, id: &str) -> Result<Option<UpdateUpload>, PortError> {
        let Some(upload) = self.upload_of(id).await else { return Ok(None) };
        let _turn = self.turn()?;
        self.take(Input::Cancel).await?;
        Ok(Some(upload))
    }

    /// The turn of one request at the upload.
    pub(super) fn turn(&self) -> Result<OwnedSemaphorePermit, PortError> {
        self.0.uploads.clone().try_acquire_owned().map_err(|_| {
            let detail = "another request sends a bundle; let it end";
            PortError::update(Code::UpdateRunning, detail)
        })
    }

    /// The bundle is here, whole: it is looked into.
    async fn arrived(&self, sha256: Option<String>) -> Result<(), PortError> {
        let mut status = self.watch();
        let checked = self.check_arrived(sha256).await;
        let input = match checked {
            Ok(()) => Input::Arrived,
            Err(reason) => Input::Failed(reason),
        };
        self.take(input).await?;
        let is_over = |status: &api::updates::Updates| status.phase != UpdatePhase::Receiving;
        let gone = |_| PortError::new(ErrorKind::Unavailable, "the daemon is stopping");
        let status = status.wait_for(is_over).await.map_err(gone)?;
        match &status.problem {
            Some(problem) if status.phase == UpdatePhase::Failed => {
                Err(PortError::update(problem.code, problem.detail.clone()))
            }
            _ => Ok(()),
        }
    }

    async fn check_arrived(&self, sha256: Option<String>) -> Result<(), Reason> {
        if let Some(wanted) = sha256 {
            let (found, _) = fetch::hash_of(self.0.folder.part()).await?;
            if found != wanted {
                let detail = format!("its SHA-256 is {found}, and should be {wanted}");
                return Err(Reason::new(Code::Damaged, detail));
            }
        }
        let folder = self.0.folder.clone();
        let completed = super::engine::blocking(move || folder.complete()).await;
        completed.map_err(|error| fetch::kept(&base::error::chain(&error)))
    }
}

impl UpdateReceiver for Receiver {
    fn take(&mut self, bytes: Bytes) -> Answer<'_, ()> {
        async move {
            let (came, size) = (self.upload.offset + bytes.len() as u64, self.upload.size_bytes);
            if came > size {
                let detail = format!("{size} bytes were announced, and more come");
                return Err(PortError::update(Code::TooLargeForSlot, detail));
            }
            self.file.write_all(&bytes).await.map_err(|error| unkept(&error))?;
            self.upload.offset = came;
            self.updater.progress(came as f32 / size.max(1) as f32);
            Ok(())
        }
        .boxed()
    }

    fn finish(self: Box<Self>) -> Answer<'static, UpdateUpload> {
        async move {
            let Self { updater, _turn, upload, sha256, mut file } = *self;
            let safe = async {
                file.flush().await?;
                file.sync_all().await
            };
            safe.await.map_err(|error| unkept(&error))?;
            drop(file);
            if upload.offset == upload.size_bytes {
                updater.arrived(sha256).await?;
            } else {
                updater.tell(&updater.state().await);
            }
            Ok(upload)
        }
        .boxed()
    }
}

fn gone() -> PortError {
    PortError::new(ErrorKind::NotFound, "there is no such upload, or not any more; begin one")
}

fn unkept(error: &io::Error) -> PortError {
    refusal(&fetch::kept(&format!("the upload cannot be kept: {error}")))
}
