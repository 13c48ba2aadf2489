//! What can go wrong, each with its way out.

use std::io;
use std::path::PathBuf;

use api::problem::Problem;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(
        "no device is known here; `edgecam discover` lists those on the network, `edgecam claim` and `edgecam login` make one known"
    )]
    NoDevice,
    #[error("several devices are known here: {0}; name one with --device")]
    WhichDevice(String),
    #[error(
        "\"{0}\" is neither a known device nor an address; `edgecam devices` lists those that are known"
    )]
    UnknownDevice(String),
    #[error("{0} is not known here; sign in with `edgecam login {0}`")]
    NotSignedIn(String),
    #[error("{url} cannot be reached")]
    Connect { url: String, source: io::Error },
    #[error(
        "{url} shows another certificate ({shown}) than the one that is known; if the owner changed it, \
         sign in anew with `edgecam login`"
    )]
    OtherCertificate { url: String, shown: String },
    #[error("the connection to {url} broke")]
    Broken { url: String, source: hyper::Error },
    #[error("{url} answered {status} with something that is no EdgeCam's: {text}")]
    NotOurs { url: String, status: u16, text: String },
    #[error("{}", crate::show::problem(.0))]
    Refused(Box<Problem>),
    #[error("there is nothing at {pointer} in the answer")]
    NothingThere { pointer: String },
    #[error("\"{0}\" is no assignment; write path=value, such as cameras.front.name=\"Gate\"")]
    NoAssignment(String),
    #[error("{0} is assigned twice, or both it and a part of it")]
    AssignedTwice(String),
    #[error(transparent)]
    Discovery(#[from] discovery::DiscoveryError),
    #[error("the known devices in {path} cannot be {what}")]
    Book { path: PathBuf, what: &'static str, source: io::Error },
    #[error("{path} cannot be {what}")]
    File { path: PathBuf, what: &'static str, source: io::Error },
    #[error("the update came to nothing: {0}")]
    CameToNothing(String),
    #[error("the device has not said for {} min what became of the update; `edgecam update` shows it", .0 / 60)]
    Silent(u64),
    #[error("{path} is no manifest of a model")]
    Manifest { path: PathBuf, source: Box<toml::de::Error> },
    #[error("no folder for the known devices: set HOME or EDGECAM_BOOK")]
    NoHome,
    #[error("what was asked for cannot be read")]
    Input(#[from] io::Error),
}
