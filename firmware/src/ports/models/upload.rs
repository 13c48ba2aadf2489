//! A model that somebody sends: to the disk as it comes, within limits, hashed on the way.

use api::problem::FieldProblem;
use api::resources::Model;
use base::error::ErrorKind;
use control::PortError;
use control::ports::{Answer, Bytes, ModelPart, ModelReceiver};
use futures::FutureExt;
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::OwnedSemaphorePermit;

use super::{ModelPort, blocking, in_manifest};
use crate::models::{
    MAX_FILE, MAX_MANIFEST, MAX_PARAM, Newcomer, Staging, hexadecimal, read_manifest,
};
use crate::settings::refused;

/// An upload under way.
struct Upload {
    port: ModelPort,
    _turn: OwnedSemaphorePermit,
    staging: Staging,
    manifest: Vec<u8>,
    newcomer: Option<Newcomer>,
    file: Option<Writing>,
}

/// A file that is being written.
struct Writing {
    part: ModelPart,
    file: File,
    hasher: Sha256,
    length: u64,
}

/// Takes an upload, if none is under way.
pub(super) async fn begin(port: ModelPort) -> Result<Box<dyn ModelReceiver>, PortError> {
    let turn = port.uploads.clone().try_acquire_owned().map_err(|_| {
        let detail = "another model is being sent; try again when it is there";
        PortError::new(ErrorKind::Unavailable, detail)
    })?;
    let library = port.library.clone();
    let staging = blocking(move || library.staging().map_err(refused)).await?;
    let (manifest, newcomer, file) = (Vec::new(), None, None);
    Ok(Box::new(Upload { port, _turn: turn, staging, manifest, newcomer, file }))
}

impl ModelReceiver for Upload {
    fn take(&mut self, part: ModelPart, bytes: Bytes) -> Answer<'_, ()> {
        async move {
            match part {
                ModelPart::Manifest => self.take_manifest(&bytes),
                ModelPart::Param | ModelPart::Bin => self.write(part, &bytes).await,
            }
        }
        .boxed()
    }

    fn finish(mut self: Box<Self>) -> Answer<'static, Model> {
        async move {
            self.close().await?;
            self.check_manifest()?;
            let Upload { port, newcomer, staging, _turn, .. } = *self;
            let newcomer = newcomer.ok_or_else(|| wrong(ModelPart::Manifest, "is empty"))?;
            port.add(newcomer, staging).await
        }
        .boxed()
    }
}

impl Upload {
    fn take_manifest(&mut self, bytes: &[u8]) -> Result<(), PortError> {
        if (self.manifest.len() + bytes.len()) as u64 > MAX_MANIFEST {
            return Err(wrong(ModelPart::Manifest, "must have at most 256 KiB"));
        }
        self.manifest.extend_from_slice(bytes);
        Ok(())
    }

    /// The manifest is whole: reads it, once.
    fn check_manifest(&mut self) -> Result<&Newcomer, PortError> {
        if self.newcomer.is_none() {
            let read = read_manifest(&self.manifest);
            let newcomer = read.and_then(|manifest| self.port.library.newcomer(manifest));
            self.newcomer = Some(newcomer.map_err(|error| in_manifest(&error))?);
        }
        self.newcomer.as_ref().ok_or_else(|| wrong(ModelPart::Manifest, "is empty"))
    }

    async fn write(&mut self, part: ModelPart, bytes: &[u8]) -> Result<(), PortError> {
        if self.file.as_ref().is_none_or(|file| file.part != part) {
            self.close().await?;
            let name = expected(self.check_manifest()?, part).0.to_owned();
            let path = self.staging.path().join(name);
            let file = File::create(path).await.map_err(|error| unkept(&error))?;
            self.file = Some(Writing { part, file, hasher: Sha256::new(), length: 0 });
        }
        let Some(writing) = &mut self.file else { return Ok(()) };
        writing.length += bytes.len() as u64;
        let (most, said) = match part {
            ModelPart::Bin => (MAX_FILE, "must have at most 256 MiB"),
            _ => (MAX_PARAM, "must have at most 4 MiB"),
        };
        if writing.length > most {
            return Err(wrong(part, said));
        }
        writing.hasher.update(bytes);
        writing.file.write_all(bytes).await.map_err(|error| unkept(&error))
    }

    /// The file that is being written is whole.
    async fn close(&mut self) -> Result<(), PortError> {
        let Some(Writing { part, mut file, hasher, .. }) = self.file.take() else { return Ok(()) };
        file.flush().await.map_err(|error| unkept(&error))?;
        let (found, wanted) = (hexadecimal(hasher), expected(self.check_manifest()?, part).1);
        if found == wanted {
            return Ok(());
        }
        let detail = format!("its SHA-256 is {found}, but the manifest names {wanted}");
        Err(wrong(part, &detail))
    }
}

/// Name and hash of a file of `newcomer`.
fn expected(newcomer: &Newcomer, part: ModelPart) -> (&str, &str) {
    let file = match part {
        ModelPart::Bin => &newcomer.manifest.bin,
        _ => &newcomer.manifest.param,
    };
    (&file.file, &file.sha256)
}

fn wrong(part: ModelPart, detail: &str) -> PortError {
    let problem = FieldProblem { pointer: format!("/{}", part.name()), detail: detail.to_owned() };
    PortError::input("the model is not taken; nothing was added", vec![problem])
}

fn unkept(error: &std::io::Error) -> PortError {
    PortError::new(ErrorKind::ResourceExhausted, format!("the upload cannot be kept: {error}"))
}
