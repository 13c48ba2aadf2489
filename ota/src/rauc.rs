//! RAUC over D-Bus (`de.pengutronix.rauc`), and what it is not to be believed.
//!
//! | module | owns |
//! |---|---|
//! | `decode` | its dictionaries as values |
//! | `install` | an installation from its beginning to its end, whatever RAUC says or leaves out |
//! | `duty` | what is asked of it in several steps: keep, go back, forsake, settle |
//! | [`said`] | its sentences as codes (pure) |
//!
//! Read in RAUC's source (1.13): every method is refused with "already processing a different method"
//! while another one runs, so what is shown meanwhile is what was seen last; `Completed` comes while it
//! is still busy; `Operation` says "idle" after a second request was refused, whatever goes on. Every call
//! has a deadline: nobody waits for ever for a program that hangs.

mod decode;
mod duty;
mod install;
pub mod said;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};
use zbus::{Connection, Message, OwnedVariant, Type};

use crate::error::RaucError;
use crate::state::{Bundle, SlotName};

pub use decode::Slot;
pub use install::Progress;

const NAME: &str = "de.pengutronix.rauc";
const PATH: &str = "/";
const INSTALLER: &str = "de.pengutronix.rauc.Installer";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A question; it may have to be started first, and to run the boot loader's tools.
    pub call: Duration,
    /// A look at a bundle, whose signature it checks.
    pub inspect: Duration,
    /// A whole installation.
    pub install: Duration,
    /// How long another one's work is waited for.
    pub patience: Duration,
    /// Time between two looks whether it is still at work.
    pub look_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(30),
            inspect: Duration::from_secs(120),
            install: Duration::from_secs(3600),
            patience: Duration::from_secs(60),
            look_every: Duration::from_secs(10),
        }
    }
}

/// Which bus.
#[derive(Clone, Debug)]
pub enum Bus {
    /// The system's.
    System,
    /// The one at this address.
    Address(String),
}

/// What a slot is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its tries are full again.
    Good,
    /// It is not started.
    Bad,
    /// It starts next.
    Active,
}

/// Which slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that runs.
    Booted,
    /// The other one.
    Other,
}

/// RAUC; clones share the line to it.
#[derive(Clone, Debug)]
pub struct Rauc {
    line: Connection,
    timing: Timing,
    /// The slots as they were seen last.
    seen: Arc<Mutex<Vec<Slot>>>,
}

impl Rauc {
    /// A line to RAUC on `bus`. RAUC itself is started by the first question.
    ///
    /// # Errors
    /// When there is no such bus.
    pub async fn connect(bus: &Bus, timing: Timing) -> Result<Self, RaucError> {
        let builder = match bus {
            Bus::System => zbus::connection::Builder::system(),
            Bus::Address(address) => zbus::connection::Builder::address(address.as_str()),
        };
        let built = timeout(timing.call, builder.build()).await;
        let late = RaucError::Late { what: "for a line", within: timing.call };
        let line = built.map_err(|_| late)?.map_err(RaucError::NoBus)?;
        Ok(Self { line, timing, seen: Arc::default() })
    }

    /// Whether the line still holds.
    pub fn is_up(&self) -> bool {
        !self.line.is_closed()
    }

    /// The slot that runs.
    ///
    /// # Errors
    /// When RAUC cannot be asked, or does not know.
    pub async fn booted(&self) -> Result<SlotName, RaucError> {
        let what = "which slot runs";
        let value: OwnedVariant = self.property("BootSlot", what).await?;
        let name = decode::text(&value).filter(|name| !name.is_empty());
        let why = || RaucError::Odd { what, why: "it names none".to_owned() };
        name.map(SlotName).ok_or_else(why)
    }

    /// The slots that systems are in, by the boot loader's names.
    ///
    /// # Errors
    /// When RAUC cannot be asked; see [`Rauc::seen`].
    pub async fn slots(&self) -> Result<Vec<Slot>, RaucError> {
        let what = "how its slots are";
        let answer: Vec<(String, HashMap<String, OwnedVariant>)> =
            self.ask("GetSlotStatus", &(), what, self.timing.call).await?;
        let slots: Vec<_> =
            answer.iter().filter_map(|(name, facts)| decode::slot(name, facts)).collect();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&slots);
        Ok(slots)
    }

    /// The slots as they were when they could last be asked for: RAUC does not say while it works.
    pub fn seen(&self) -> Vec<Slot> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The slot that starts next, as the boot loader says.
    ///
    /// # Errors
    /// When RAUC cannot be asked, or the boot loader's state cannot be read.
    pub async fn primary(&self) -> Result<SlotName, RaucError> {
        let what = "which slot starts next";
        let name: String = self.ask("GetPrimary", &(), what, self.timing.call).await?;
        if self.seen().is_empty() {
            self.slots().await?;
        }
        let slot = self.seen().into_iter().find(|slot| slot.name == name);
        let why = || RaucError::Odd { what, why: format!("there is no slot {name}") };
        slot.map(|slot| slot.bootname).ok_or_else(why)
    }

    /// What the bundle at `place`, a path or an `http:` address, says of itself; its signature is checked.
    /// `sha256` and `size` are not RAUC's to say.
    ///
    /// # Errors
    /// When RAUC cannot be asked, or refuses it.
    pub async fn inspect(&self, place: &str) -> Result<Bundle, RaucError> {
        let what = "what a bundle is";
        let args = (place, HashMap::<String, OwnedVariant>::new());
        let facts: HashMap<String, OwnedVariant> =
            self.ask("InspectBundle", &args, what, self.timing.inspect).await?;
        decode::bundle(&facts).map_err(|why| RaucError::Odd { what, why })
    }

    /// Marks a slot; answers what RAUC says it did.
    ///
    /// # Errors
    /// When RAUC cannot be asked, or cannot do it.
    pub async fn mark(&self, mark: Mark, which: Which) -> Result<String, RaucError> {
        let state = match mark {
            Mark::Good => "good",
            Mark::Bad => "bad",
            Mark::Active => "active",
        };
        let slot = match which {
            Which::Booted => "booted",
            Which::Other => "other",
        };
        let what = "to mark a slot";
        let (_, said): (String, String) =
            self.ask("Mark", &(state, slot), what, self.timing.call).await?;
        tracing::info!(state, slot, said, "a slot is marked");
        Ok(said)
    }

    /// A property, as RAUC says it now.
    async fn property(
        &self,
        name: &'static str,
        what: &'static str,
    ) -> Result<OwnedVariant, RaucError> {
        let args = (INSTALLER, name);
        let call = self.line.call_method(Some(NAME), PATH, Some(PROPERTIES), "Get", &args);
        body(&within(self.timing.call, what, call).await?, what)
    }

    /// Asks, and asks again while RAUC is at something else, as long as patience lasts.
    async fn ask<B, A>(
        &self,
        method: &'static str,
        args: &B,
        what: &'static str,
        deadline: Duration,
    ) -> Result<A, RaucError>
    where
        B: Serialize + Type,
        A: DeserializeOwned + Type,
    {
        let patient = async {
            loop {
                match self.ask_once(method, args, what, deadline).await {
                    Err(RaucError::Busy) => sleep(self.timing.look_every / 10).await,
                    answer => return answer,
                }
            }
        };
        timeout(self.timing.patience + deadline, patient).await.unwrap_or(Err(RaucError::Busy))
    }

    async fn ask_once<B, A>(
        &self,
        method: &'static str,
        args: &B,
        what: &'static str,
        deadline: Duration,
    ) -> Result<A, RaucError>
    where
        B: Serialize + Type,
        A: DeserializeOwned + Type,
    {
        let call = self.line.call_method(Some(NAME), PATH, Some(INSTALLER), method, args);
        body(&within(deadline, what, call).await?, what)
    }
}

fn body<A: DeserializeOwned + Type>(answer: &Message, what: &'static str) -> Result<A, RaucError> {
    let read = answer.body().deserialize::<A>();
    read.map_err(|error| RaucError::Odd { what, why: error.to_string() })
}

async fn within(
    deadline: Duration,
    what: &'static str,
    call: impl Future<Output = zbus::Result<Message>>,
) -> Result<Message, RaucError> {
    let answered = timeout(deadline, call).await;
    let late = RaucError::Late { what, within: deadline };
    answered.map_err(|_| late)?.map_err(|error| refusal(what, error))
}

/// What a failed call means. RAUC's own refusals have no name of their own, only words.
fn refusal(what: &'static str, error: zbus::Error) -> RaucError {
    match error {
        zbus::Error::MethodError(_, Some(said), _)
            if said.to_ascii_lowercase().contains("already processing a different method") =>
        {
            RaucError::Busy
        }
        zbus::Error::MethodError(_, Some(said), _) => RaucError::Refused(said.trim().to_owned()),
        zbus::Error::FDO(error) => match *error {
            zbus::fdo::Error::ServiceUnknown(said)
            | zbus::fdo::Error::NameHasNoOwner(said)
            | zbus::fdo::Error::AccessDenied(said)
            | zbus::fdo::Error::SpawnServiceNotFound(said)
            | zbus::fdo::Error::SpawnFailed(said)
            | zbus::fdo::Error::SpawnChildExited(said) => RaucError::Absent(said),
            other => RaucError::Line { what, source: Box::new(zbus::Error::FDO(Box::new(other))) },
        },
        source => RaucError::Line { what, source: Box::new(source) },
    }
}
