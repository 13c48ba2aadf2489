//! What the owner puts on the card before the first boot, and what the device shows him there: taken
//! over, checked, wiped. Does not mount: it is given two folders.
//!
//! | file | in | by |
//! |---|---|---|
//! | `edgecam.toml` | the card | the owner: his choices, see [`choices`] |
//! | `edgecam-errors.txt` | the card | us: what is wrong with them |
//! | `edgecam-claim.txt` | the card | us: the code that claims the device, until it is used |
//! | `card/settings.toml` | the data | us: a layer of settings |
//! | `card/wiping` | the data | us, while a file on the card is overwritten: see [`wipe`] |
//! | `claim-hash` | the data | us, for crate `access` |
//! | `card/claim-code` | the data | edgecamd (`EDGECAM_CLAIM_FILE`) |
//!
//! A power cut at any moment loses none of the choices and leaves no secret on the card for longer than
//! until the next run: everything is on the data partition before the card is touched, and a wipe that
//! was cut off is known by its marker and finished.

mod choices;
mod wipe;

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use base::durable::{LocalDisk, SECRET, SECRET_FOLDER};

use crate::error::HostError;
use choices::{Choices, Wrong};
pub use wipe::Overwrite;

/// The owner's choices.
const CHOICES: &str = "edgecam.toml";
/// The same, as some editors name it where endings are hidden.
const MISNAMED: &str = "edgecam.toml.txt";
/// What is wrong with them.
const ERRORS: &str = "edgecam-errors.txt";
/// The code that claims the device, for people.
const CLAIM: &str = "edgecam-claim.txt";
/// Our folder in the data folder.
const FOLDER: &str = "card";
/// The layer of settings.
const SETTINGS: &str = "settings.toml";
/// The code that claims the device, as edgecamd shows it.
const CODE: &str = "claim-code";
/// What `access` knows a code by that the owner chose.
const HASH: &str = "claim-hash";

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The keys that were taken over, such as `wifi.password`.
    pub taken: Vec<String>,
    /// What was wrong with the file, a sentence each; then nothing was taken.
    pub wrong: Vec<String>,
}

/// Takes over what the owner put into the folder `firmware`, and shows him there what he is to know.
/// `data` is the data folder.
///
/// # Errors
/// When a file cannot be read or written. Another run goes on where this one ended.
pub fn run(firmware: &Path, data: &Path) -> Result<Done, HostError> {
    Card { disk: LocalDisk, firmware, data }.run()
}

struct Card<'a, D> {
    disk: D,
    firmware: &'a Path,
    data: &'a Path,
}

impl<D: Overwrite> Card<'_, D> {
    fn run(&self) -> Result<Done, HostError> {
        let folder = self.data.join(FOLDER);
        self.disk.make_folder(&folder, SECRET_FOLDER).map_err(writing(&folder))?;
        // A card that takes no more still has its choices read, and the other way round.
        let done = self.take();
        self.show_code()?;
        done
    }

    fn take(&self) -> Result<Done, HostError> {
        let (choices, marker) = (self.firmware.join(CHOICES), self.marker());
        wipe::finish(&self.disk, &choices, &marker).map_err(writing(&choices))?;
        let bytes = self.disk.read(&choices).map_err(reading(&choices))?;
        let read = match &bytes {
            Some(bytes) => choices::read(bytes, &self.kept()?),
            None => self.misnamed(),
        };
        match read {
            Ok(None) => {
                self.say(&[])?;
                Ok(Done::default())
            }
            Ok(Some(new)) => {
                self.keep(&new)?;
                let old = bytes.unwrap_or_default();
                wipe::wipe(&self.disk, &choices, &marker, &old, note(&new.taken).as_bytes())
                    .map_err(writing(&choices))?;
                self.say(&[])?;
                Ok(Done { taken: new.taken, wrong: Vec::new() })
            }
            Err(wrong) => {
                self.say(&wrong)?;
                let wrong = wrong.iter().map(ToString::to_string).collect();
                Ok(Done { taken: Vec::new(), wrong })
            }
        }
    }

    /// What an earlier file chose, for the sections that this one does not name.
    fn kept(&self) -> Result<String, HostError> {
        let path = self.settings();
        let bytes = self.disk.read(&path).map_err(reading(&path))?;
        Ok(String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default())
    }

    fn misnamed(&self) -> Result<Option<Choices>, Vec<Wrong>> {
        match self.disk.list(self.firmware) {
            Ok(names) if names.iter().any(|name| name == MISNAMED) => Err(vec![Wrong::new(
                MISNAMED,
                format!("is not read: rename it to {CHOICES} (some editors add a second ending)"),
            )]),
            _ => Ok(None),
        }
    }

    fn keep(&self, new: &Choices) -> Result<(), HostError> {
        let keep = |path: PathBuf, text: &str| {
            self.disk.replace(&path, text.as_bytes(), SECRET).map_err(writing(&path))
        };
        if let Some(hash) = &new.claim_hash {
            keep(self.data.join(HASH), &format!("{hash}\n"))?;
        }
        keep(self.settings(), &new.settings)
    }

    /// Tells what is wrong where the owner looks, or takes away what was told before.
    fn say(&self, wrong: &[Wrong]) -> Result<(), HostError> {
        let path = self.firmware.join(ERRORS);
        self.mirror(&path, (!wrong.is_empty()).then(|| report(wrong)))
    }

    fn show_code(&self) -> Result<(), HostError> {
        let code = self.data.join(FOLDER).join(CODE);
        let code = self.disk.read(&code).map_err(reading(&code))?;
        let code = code.and_then(|bytes| String::from_utf8(bytes).ok());
        let text = code.map(|code| {
            format!(
                "{}\r\n\r\nThis code claims this device, once: open its page, or the EdgeCam app, and \
                 enter it.\r\nThis file goes when it was used.\r\n",
                code.trim()
            )
        });
        self.mirror(&self.firmware.join(CLAIM), text)
    }

    /// Makes the file `path` of the card one with `text`, or none, and leaves a card alone that is so.
    fn mirror(&self, path: &Path, text: Option<String>) -> Result<(), HostError> {
        let there = self.disk.read(path).map_err(reading(path))?;
        if there.as_deref() == text.as_ref().map(String::as_bytes) {
            return Ok(());
        }
        let done = match text {
            Some(text) => self.disk.replace(path, text.as_bytes(), SECRET),
            None => self.disk.remove(path),
        };
        done.map_err(writing(path))
    }

    fn settings(&self) -> PathBuf {
        self.data.join(FOLDER).join(SETTINGS)
    }

    fn marker(&self) -> PathBuf {
        self.data.join(FOLDER).join("wiping")
    }
}

/// What stands in the owner's file once it is taken over. Nothing of it is a setting.
fn note(taken: &[String]) -> String {
    format!(
        "# EdgeCam took these over and wiped them here:\r\n#   {}\r\n# What is written below is taken \
         over at the next start, section by section.\r\n",
        taken.join(", ")
    )
}

/// Lines end as every editor shows them.
fn report(wrong: &[Wrong]) -> String {
    let count = match wrong.len() {
        1 => "one mistake".to_owned(),
        many => format!("{many} mistakes"),
    };
    let mut text = format!("{CHOICES}: {count}. Nothing of it was taken over.\r\n\r\n");
    for one in wrong {
        // Writing to a string does not fail.
        let _ = write!(text, "{one}\r\n");
    }
    text + "\r\nCorrect the file and start the device again.\r\n"
}

fn reading(path: &Path) -> impl FnOnce(io::Error) -> HostError {
    let path = path.to_owned();
    move |source| HostError::Read { path, source }
}

fn writing(path: &Path) -> impl FnOnce(io::Error) -> HostError {
    let path = path.to_owned();
    move |source| HostError::Write { path, source }
}

#[cfg(test)]
mod tests;
