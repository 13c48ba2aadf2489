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

use super::{ModelPort, blocking, in_manifest};
use crate::jobs::{Context, Lane, Order};
use crate::models::{LIMITS, MAX_FILE, MAX_MANIFEST, MAX_PARAM, ModelLibrary, Newcomer, Staging};
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
        addresses(egress, &newcomer(&port.library, manifest)?)?;
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

fn newcomer(library: &ModelLibrary, manifest: &ModelManifest) -> Result<Newcomer, PortError> {
    library.newcomer(manifest.clone()).map_err(|error| in_manifest(&error))
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
    let (library, fetching) = (port.library.clone(), context.clone());
    let (newcomer, staging) = blocking(move || fetch(&library, egress, source, &fetching)).await?;
    context.progress(0.95, "trying it");
    port.add(newcomer, staging).await.map(JobResult::AddModel)
}

/// Fetches the manifest, if need be, and the two files. Blocks.
fn fetch(
    library: &ModelLibrary,
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
            read_manifest(&text).map_err(|error| in_manifest(&error))?
        }
    };
    let newcomer = newcomer(library, &manifest)?;
    let [param, bin] = addresses(egress, &newcomer)?;
    let staging = library.staging().map_err(refused)?;
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    use api::access::Role;
    use api::jobs::JobState;

    use super::*;
    use crate::jobs::Jobs;

    /// Serves the manifest `forklifts`, at `/m`, and its files, which are `abc`; answers the address.
    fn serve(sha256: &str) -> (String, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let mut manifest = manifest::built_in().remove(0);
        manifest.name = "forklifts".into();
        for (file, name) in [(&mut manifest.param, "p"), (&mut manifest.bin, "b")] {
            (file.url, file.sha256) = (Some(format!("{at}/{name}")), sha256.into());
        }
        let text = toml::to_string(&manifest).unwrap();
        let hash = hexadecimal(Sha256::new_with_prefix(&text));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut request) = (stream.unwrap(), [0; 4096]);
                let length = stream.read(&mut request).unwrap_or(0);
                let body = if request[..length].starts_with(b"GET /m ") { &text } else { "abc" };
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
                let _ = write!(stream, "{head} {}\r\n\r\n{body}", body.len());
            }
        });
        (at, hash)
    }

    type Fetched = Arc<Mutex<Option<Result<(Newcomer, Staging), PortError>>>>;

    /// What comes of fetching the manifest at `url` into the folder `data`.
    async fn fetched(
        data: &Path,
        url: &str,
        sha256: &str,
    ) -> Result<(Newcomer, Staging), PortError> {
        let library = ModelLibrary::open(data).unwrap();
        // As for what does not come over the network: the server is on this machine.
        let egress = Egress::new(Reach::Anywhere);
        let (manifest_url, sha256) = (Some(url.to_owned()), Some(sha256.to_owned()));
        let source = source(egress, NewModel { manifest_url, sha256, manifest: None }).unwrap();
        let (_stopper, shutdown) = base::shutdown::channel();
        let mut tasks = tokio::task::JoinSet::new();
        let jobs = Jobs::start(&mut tasks, &shutdown);
        let mut changes = jobs.subscribe();
        let by = Beginner { by: "ann".into(), role: Role::Admin };
        let order = Order { kind: JobKind::AddModel, camera: None, lane: Lane::Idle, by };
        let came = Fetched::default();
        let into = came.clone();
        let work = move |context: Context| async move {
            let run = move || {
                *into.lock().unwrap() = Some(fetch(&library, egress, source, &context));
                Ok(())
            };
            blocking(run).await?;
            Err(PortError::new(ErrorKind::Internal, "that is all"))
        };
        jobs.begin(order, work).unwrap();
        while changes.recv().await.unwrap().state != JobState::Failed {}
        came.lock().unwrap().take().unwrap()
    }

    /// SHA-256 of `abc`, from FIPS 180-4.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[tokio::test]
    async fn a_model_is_fetched_whole_and_kept_without_its_addresses() {
        let data = tempfile::tempdir().unwrap();
        let (at, hash) = serve(ABC);
        let (newcomer, staging) = fetched(data.path(), &format!("{at}/m"), &hash).await.unwrap();
        assert_eq!(
            (newcomer.manifest.name.as_str(), &newcomer.manifest.bin.url),
            ("forklifts", &None)
        );
        for file in ["forklifts.param", "forklifts.bin"] {
            assert_eq!(std::fs::read(staging.path().join(file)).unwrap(), b"abc");
        }
        let other = fetched(data.path(), &format!("{at}/m"), &"0".repeat(64)).await.unwrap_err();
        assert_eq!(other.errors[0].pointer, "/sha256");
    }

    #[test]
    fn what_leads_inside_or_is_said_twice_is_refused_at_once() {
        let public = Egress::new(Reach::Public);
        let at = |url: &str, sha256: &str| NewModel {
            manifest_url: Some(url.into()),
            sha256: Some(sha256.into()),
            manifest: None,
        };
        let wrong = source(public, at("http://10.0.0.1/m", "x")).unwrap_err();
        let pointers: Vec<_> = wrong.errors.iter().map(|one| one.pointer.as_str()).collect();
        assert_eq!(pointers, ["/manifest_url", "/sha256"], "every reason at once");
        let manifest = Some(manifest::built_in().remove(0));
        let twice = NewModel { manifest, ..at("https://example.org/m", ABC) };
        assert_eq!(source(public, twice).unwrap_err().errors[0].pointer, "");
        assert!(source(public, NewModel::default()).is_err());
        assert!(source(public, at("https://example.org/m", ABC)).is_ok());
    }
}
