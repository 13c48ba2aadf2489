//! A model that is fetched from where somebody says: a job, by the guarded way out.

use std::fs::File;
use std::path::Path;

use api::jobs::{Job, JobKind, JobResult};
use api::manifest::ModelManifest;
use api::models::NewModel;
use api::problem::FieldProblem;
use base::error::{ErrorKind, Kind};
use control::PortError;
use control::ports::Beginner;
use egress::{Address, Egress, EgressError, Limits, Reach};
use sha2::{Digest, Sha256};

use super::{ModelPort, blocking};
use crate::jobs::{Context, Lane, Order};
use crate::models::{LIMITS, MAX_FILE, MAX_MANIFEST, MAX_PARAM, Newcomer, Staging};
use crate::models::{hexadecimal, read_manifest};
use crate::settings::refused;

/// Where the manifest is.
#[derive(Debug)]
enum Source {
    /// Elsewhere, with this hash.
    Elsewhere(Address, String),
    /// Here.
    Here(Box<ModelManifest>),
}

/// Begins to fetch what `new` names.
pub(super) fn begin(port: ModelPort, new: NewModel, by: Beginner) -> Result<Job, PortError> {
    // What came over the network has no business in the owner's own.
    let egress = Egress::new(Reach::Public);
    let source = source(egress, new)?;
    if let Source::Here(manifest) = &source {
        // What can be refused at once is.
        addresses(egress, &newcomer(&port, manifest)?)?;
    }
    let order = Order { kind: JobKind::AddModel, camera: None, lane: Lane::Idle, by };
    let jobs = port.jobs.clone();
    jobs.begin(order, move |context| run(port, egress, source, context))
}

fn source(egress: Egress, new: NewModel) -> Result<Source, PortError> {
    let NewModel { manifest_url, sha256, manifest } = new;
    match (manifest_url, sha256, manifest) {
        (Some(url), Some(sha256), None) => {
            let mut errors = Vec::new();
            let address = egress.address(&url);
            let wrong =
                |pointer: &str, detail: String| FieldProblem { pointer: pointer.into(), detail };
            if let Err(error) = &address {
                errors.push(wrong("/manifest_url", error.to_string()));
            }
            if sha256.len() != 64 || !sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            {
                let detail = "must be 64 lower case hexadecimal digits".to_owned();
                errors.push(wrong("/sha256", detail));
            }
            match address {
                Ok(address) if errors.is_empty() => Ok(Source::Elsewhere(address, sha256)),
                _ => Err(PortError::input("the model cannot be fetched from there", errors)),
            }
        }
        (None, None, Some(manifest)) => Ok(Source::Here(Box::new(manifest))),
        _ => {
            let detail = "must have either `manifest_url` and `sha256`, or `manifest`".to_owned();
            let errors = vec![FieldProblem { pointer: String::new(), detail }];
            Err(PortError::input("it is not said where the model is", errors))
        }
    }
}

fn newcomer(port: &ModelPort, manifest: &ModelManifest) -> Result<Newcomer, PortError> {
    port.library.newcomer(manifest.clone()).map_err(|error| in_manifest(PortError::from(&error)))
}

fn in_manifest(mut error: PortError) -> PortError {
    for problem in &mut error.errors {
        problem.pointer.insert_str(0, "/manifest");
    }
    error
}

/// Addresses of the two files.
fn addresses(egress: Egress, newcomer: &Newcomer) -> Result<[Address; 2], PortError> {
    let mut errors = Vec::new();
    let mut found = Vec::new();
    for (file, name) in newcomer.from.iter().zip(["param", "bin"]) {
        let address = match &file.url {
            Some(url) => egress.address(url).map_err(|error| error.to_string()),
            None => Err("must be there".to_owned()),
        };
        match address {
            Ok(address) => found.push(address),
            Err(detail) => {
                errors.push(FieldProblem { pointer: format!("/manifest/{name}/url"), detail });
            }
        }
    }
    <[Address; 2]>::try_from(found)
        .map_err(|_| PortError::input("the model cannot be fetched from there", errors))
}

async fn run(
    port: ModelPort,
    egress: Egress,
    source: Source,
    context: Context,
) -> Result<JobResult, PortError> {
    let (worker, fetching) = (port.clone(), context.clone());
    let (newcomer, staging) = blocking(move || fetch(&worker, egress, source, &fetching)).await?;
    context.progress(0.95, "trying it");
    port.add(newcomer, staging).await.map(JobResult::AddModel)
}

/// Fetches the manifest, if need be, and the two files. Blocks.
fn fetch(
    port: &ModelPort,
    egress: Egress,
    source: Source,
    context: &Context,
) -> Result<(Newcomer, Staging), PortError> {
    let manifest = match source {
        Source::Here(manifest) => *manifest,
        Source::Elsewhere(address, sha256) => {
            context.progress(0.0, "fetching the manifest");
            let mut text = Vec::new();
            let limits = Limits { bytes: MAX_MANIFEST, ..LIMITS };
            get(egress, &address, limits, &mut text, context)?;
            let found = hexadecimal(Sha256::new_with_prefix(&text));
            if found != sha256 {
                let detail = format!("its SHA-256 is {found}");
                let errors = vec![FieldProblem { pointer: "/sha256".into(), detail }];
                return Err(PortError::input("the manifest is another one", errors));
            }
            read_manifest(&text).map_err(|error| in_manifest(PortError::from(&error)))?
        }
    };
    let newcomer = newcomer(port, &manifest)?;
    let [param, bin] = addresses(egress, &newcomer)?;
    let staging = port.library.staging().map_err(refused)?;
    let files =
        [(&param, &newcomer.manifest.param, MAX_PARAM), (&bin, &newcomer.manifest.bin, MAX_FILE)];
    for (at, (address, file, bytes)) in files.into_iter().enumerate() {
        context.progress(0.1 + 0.1 * at as f32, format!("fetching {}", file.file));
        let path = staging.path().join(&file.file);
        save(egress, address, Limits { bytes, ..LIMITS }, &path, context)?;
    }
    Ok((newcomer, staging))
}

fn save(
    egress: Egress,
    address: &Address,
    limits: Limits,
    path: &Path,
    context: &Context,
) -> Result<(), PortError> {
    let mut file = File::create(path).map_err(|error| {
        PortError::new(ErrorKind::ResourceExhausted, format!("it cannot be kept: {error}"))
    })?;
    get(egress, address, limits, &mut file, context)
}

fn get(
    egress: Egress,
    address: &Address,
    limits: Limits,
    to: &mut dyn std::io::Write,
    context: &Context,
) -> Result<(), PortError> {
    let got = egress.get(address, limits, &|| context.is_stopping(), to);
    got.map(drop)
        .map_err(|error: EgressError| PortError::new(error.kind(), base::error::chain(&error)))
}
