//! Where RAUC finds the bundle of an order: on the disk, or through this device where it lies.

use std::path::PathBuf;

use api::updates::UpdateCode as Code;
use ota::machine::Ending;
use ota::state::{Order, Reason, Source};
use tokio::task::spawn_blocking;

use super::engine::Updater;
use super::fetch;
use super::remote::{Miss, PATIENCE, Parts};
use super::stream::Stream;
use super::way::way_out;

/// Where a bundle is, as long as this is held.
pub(super) enum Place {
    Disk(PathBuf),
    Elsewhere(Stream),
}

impl Place {
    /// What RAUC is told.
    pub(super) fn location(&self) -> String {
        match self {
            Self::Disk(path) => path.to_string_lossy().into_owned(),
            Self::Elsewhere(stream) => stream.location().to_owned(),
        }
    }

    /// SHA-256 in hex, empty where it is not all here, and length in bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) async fn facts(&self) -> Result<(String, u64), Reason> {
        match self {
            Self::Disk(path) => fetch::hash_of(path.clone()).await,
            Self::Elsewhere(stream) => Ok((String::new(), stream.size())),
        }
    }

    /// Why a part of it did not come, when one did not.
    pub(super) fn unreached(&self) -> Option<Reason> {
        match self {
            Self::Disk(_) => None,
            Self::Elsewhere(stream) => stream.trouble().map(|miss| {
                let (Miss::ForGood(why) | Miss::ForNow(why)) = miss;
                Reason::new(Code::FetchFailed, why)
            }),
        }
    }

    /// How an installation from here ended: RAUC knows of blocks that it could not read, the place knows
    /// why, and whether it may be repeated.
    pub(super) fn ending(&self, heard: Ending) -> Ending {
        let Self::Elsewhere(stream) = self else { return heard };
        match (heard, stream.trouble()) {
            (Ending::Failed(_), Some(Miss::ForNow(why))) => Ending::Interrupted(why),
            (Ending::Failed(_), Some(Miss::ForGood(why))) => {
                Ending::Failed(Reason::new(Code::FetchFailed, why))
            }
            (heard, _) => heard,
        }
    }
}

impl Updater {
    /// Where the bundle of `order` is.
    ///
    /// # Errors
    /// When it may not be asked for any more, or cannot be offered.
    pub(super) async fn place_of(&self, order: &Order) -> Result<Place, Reason> {
        let Source::Url { url, sha256, remote: Some(there), .. } = &order.source else {
            return Ok(Place::Disk(self.0.folder.bundle()));
        };
        let config = self.config();
        let allowed = |url: &url::Url| config.as_ref().is_some_and(|config| config.allows(url));
        let egress = way_out(url, &allowed, sha256.is_some())?;
        let (url, there) = (url.clone(), there.clone());
        let parts = spawn_blocking(move || Parts::new(egress, &url, there, PATIENCE)).await;
        let parts = parts.map_err(|error| Reason::new(Code::FetchFailed, error.to_string()))?;
        Stream::open(parts, self.0.transferred.clone()).await.map(Place::Elsewhere)
    }
}
