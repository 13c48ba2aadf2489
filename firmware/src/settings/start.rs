//! The settings at the start: what was made over the API is found, and what is of no use is passed
//! over, so that the daemon comes up in any case.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, bail};
use config::revisions::{Moment, Revisions};
use config::{Loaded, Sources};
use rustix::fs::{FlockOperation, flock};

use super::labels;
use crate::models::ModelLibrary;
use crate::{reserve, reset};

/// The settings, and what they were made of.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What is in force.
    pub(crate) loaded: Loaded,
    /// All layers but the API's.
    pub(crate) sources: Sources,
    /// What was made over the API.
    pub(crate) revisions: Revisions,
    /// The models of the data folder.
    pub(crate) library: ModelLibrary,
}

/// The data folder is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Takes the data folder and opens the settings in it.
///
/// # Errors
/// When the layers besides the API's have mistakes, or the data folder cannot be used.
pub(crate) fn open(sources: Sources) -> anyhow::Result<(Opened, Lock)> {
    let data = match sources.data_dir() {
        Some(data) => data,
        None => loaded(&sources, None)?.config.data.dir,
    };
    if !data.join("settings").exists() {
        // A mistake that nothing can mend leaves no trace.
        loaded(&sources, None)?;
    }
    let lock = take(&data)?;
    reset::obey(&data)?;
    reserve::give_up_when_full(&data);
    let library = ModelLibrary::open(&data)?;
    let mut revisions = Revisions::open(&data)?;
    if let Err(error) = revisions.settle(&Moment::now()) {
        tracing::error!(error = base::error::chain(&error), "settings could not be taken back");
    }
    let loaded = usable(&sources, &mut revisions, &library)?;
    Ok((Opened { loaded, sources, revisions, library }, lock))
}

/// The settings as [`open`] would find them; nothing is written.
///
/// # Errors
/// As there.
pub(crate) fn peek(sources: &Sources) -> anyhow::Result<Loaded> {
    let Some(data) = sources.data_dir() else { return loaded(sources, None) };
    loaded(sources, Some(&Revisions::open(&data)?))
}

fn loaded(sources: &Sources, revisions: Option<&Revisions>) -> anyhow::Result<Loaded> {
    let made = revisions.map_or_else(|| serde_json::json!({}), Revisions::settings);
    Ok(sources.load(&made)?)
}

/// The settings with the newest revision that can be used.
fn usable(
    sources: &Sources,
    revisions: &mut Revisions,
    library: &ModelLibrary,
) -> anyhow::Result<Loaded> {
    loop {
        let why = match sources.load(&revisions.settings()) {
            Ok(loaded) => {
                let unknown = labels::unknown(library, &loaded.settings);
                if unknown.is_empty() {
                    return Ok(loaded);
                }
                let told = unknown.iter().map(|one| format!("{}: {}", one.pointer, one.detail));
                anyhow::Error::msg(told.collect::<Vec<_>>().join("; "))
            }
            Err(errors) => errors.into(),
        };
        if revisions.number() == 0 {
            return Err(why);
        }
        let why = format!("{why:#}");
        tracing::error!(revision = revisions.number(), why, "settings cannot be used");
        revisions.use_older(&why);
    }
}

/// Makes the data folder ours: writable, and no other daemon's.
pub(crate) fn take(data: &Path) -> anyhow::Result<Lock> {
    let run = data.join("run");
    let hint = "choose another with `data.dir` or EDGECAM__DATA__DIR, or make it writable";
    fs::create_dir_all(&run)
        .with_context(|| format!("the data folder {} cannot be used; {hint}", data.display()))?;
    let path = run.join("lock");
    let file = File::create(&path)
        .with_context(|| format!("the data folder {} cannot be written; {hint}", data.display()))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!(
            "another edgecamd uses the data folder {}; stop it, or choose another with `data.dir` \
             or EDGECAM__DATA__DIR",
            data.display()
        );
    }
    Ok(Lock { _file: file })
}

/// After a start that failed for the reason `why`: takes back the revision that waits to be confirmed,
/// if there is one. Answers whether it did, so that another start may go better.
pub(crate) fn take_back(data: &Path, why: &str) -> bool {
    let taken_back = Revisions::open(data).and_then(|mut revisions| {
        let Some(pending) = revisions.pending().cloned() else { return Ok(None) };
        revisions.take_back(&format!("the daemon could not start with it: {why}"))?;
        Ok(Some(pending.revision))
    });
    match taken_back {
        Ok(Some(revision)) => {
            tracing::error!(revision, why, "settings are taken back: no start with them");
            true
        }
        Ok(None) => false,
        Err(error) => {
            tracing::error!(error = base::error::chain(&error), "settings cannot be taken back");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use config::revisions::Draft;
    use config::{HostFacts, Layers};
    use serde_json::{Value, json};

    use super::*;

    fn sources(data: &Path, set: &[&str]) -> Sources {
        let host = HostFacts { node_id: "ec-1".into(), data_dir: data.to_owned() };
        let set = set.iter().map(|&text| text.to_owned()).collect();
        Sources::read(&Layers { host, set, ..Layers::default() })
    }

    fn make(data: &Path, settings: Value) {
        let draft = Draft { made_by: "test".into(), note: None, undoes: None, settings };
        Revisions::open(data).unwrap().make(draft, None).unwrap();
    }

    fn bitrate(data: &Path) -> (u64, Option<u32>, usize) {
        let (opened, _lock) = open(sources(data, &[])).unwrap();
        let camera = &opened.loaded.settings.cameras["cam"];
        let troubles = opened.revisions.troubles().len();
        (opened.revisions.number(), camera.encoder.bitrate_kbps, troubles)
    }

    #[test]
    fn a_start_passes_over_what_it_cannot_use_and_comes_up() {
        let data = tempfile::tempdir().unwrap();
        let made = |kbps| json!({ "cameras": { "cam": { "encoder": { "bitrate_kbps": kbps } } } });
        assert_eq!(bitrate(data.path()), (0, Some(2500), 0));
        make(data.path(), made(900));
        assert_eq!(bitrate(data.path()), (1, Some(900), 0));
        make(data.path(), made(1));
        let boar = json!({ "cameras": { "cam": { "detection": { "labels": ["boar"] } } } });
        make(data.path(), boar);
        assert_eq!(bitrate(data.path()), (1, Some(900), 2));
        make(data.path(), json!({ "of_another_firmware": 1 }));
        assert_eq!(bitrate(data.path()), (1, Some(900), 3));
        make(data.path(), made(800));
        assert_eq!(bitrate(data.path()), (5, Some(800), 0));
    }

    #[test]
    fn a_mistake_below_the_api_refuses_the_start_and_leaves_no_trace() {
        let data = tempfile::tempdir().unwrap();
        assert!(open(sources(data.path(), &["cameras.cam.encoder.bitrate_kbps=1"])).is_err());
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_look_writes_nothing_and_sees_what_was_made() {
        let data = tempfile::tempdir().unwrap();
        let seen = || peek(&sources(data.path(), &[])).unwrap().settings.node.name;
        assert_eq!(seen(), None);
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
        make(data.path(), json!({ "node": { "name": "Gate" } }));
        assert_eq!(seen().as_deref(), Some("Gate"));
    }

    #[test]
    fn two_daemons_do_not_share_a_data_folder() {
        let data = tempfile::tempdir().unwrap();
        let _first = open(sources(data.path(), &[])).unwrap();
        let refused = format!("{:#}", open(sources(data.path(), &[])).unwrap_err());
        assert!(refused.contains("another edgecamd"), "{refused}");
    }
}
