//! An installation from its beginning to its end, whatever RAUC says or leaves out.
//!
//! It is over when RAUC says so (`Completed`), when RAUC is gone, or when RAUC can be asked other things
//! again although it never said so. What came of it is then read from the slots and the boot loader.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use futures::StreamExt;
use futures::stream::{BoxStream, select};
use tokio::time::{interval, sleep, timeout};
use zbus::message::Type as Kind;
use zbus::{MatchRule, Message, MessageStream, OwnedVariant, Variant};

use super::{INSTALLER, NAME, PATH, PROPERTIES, Rauc, Slot, decode, said};
use crate::error::RaucError;
use crate::machine::Ending;
use crate::state::{Bundle, Reason, SlotName};

/// Told how far an installation is: 0..=100, and at what, in RAUC's words.
pub type Progress<'a> = &'a (dyn Fn(u8, &str) + Send + Sync);

/// Signals that may wait to be read.
const WAITING: NonZeroUsize = NonZeroUsize::new(256).unwrap();
/// Looks in a row that find RAUC at rest although it has not said that it is done.
const AT_REST: u32 = 2;

/// What is heard.
type Signals = BoxStream<'static, zbus::Result<Message>>;

/// How it ended, as far as it was heard.
enum Heard {
    /// RAUC said so: 0 is success.
    Completed(i32),
    /// RAUC is gone.
    Gone,
    /// RAUC is at rest, and said nothing.
    Silent,
}

impl Rauc {
    /// Installs `bundle`, which lies at `place`, a path or an `http:` address, as `transaction`, into the slot `target`; answers how that
    /// ended and which slot starts next.
    pub async fn install(
        &self,
        place: &str,
        bundle: &Bundle,
        (transaction, target): (&str, &SlotName),
        progress: Progress<'_>,
    ) -> (Ending, Option<SlotName>) {
        let begun = self.begin(place, bundle, transaction).await;
        let ending = match begun {
            Ok(signals) => self.to_the_end(signals, (transaction, target), progress).await,
            Err(RaucError::Refused(words)) => Ending::Failed(said::reason(&words)),
            Err(error) => Ending::Interrupted(base::error::chain(&error)),
        };
        (ending, self.primary().await.ok())
    }

    /// Waits for the end of an installation that somebody else began as `transaction`.
    pub async fn attach(
        &self,
        (transaction, target): (&str, &SlotName),
        progress: Progress<'_>,
    ) -> (Ending, Option<SlotName>) {
        let ending = match self.listen().await {
            Ok(signals) => self.to_the_end(signals, (transaction, target), progress).await,
            Err(error) => Ending::Interrupted(base::error::chain(&error)),
        };
        (ending, self.primary().await.ok())
    }

    async fn begin(
        &self,
        place: &str,
        bundle: &Bundle,
        transaction: &str,
    ) -> Result<Signals, RaucError> {
        // Between the look and now nobody else wrote the file; but RAUC before 1.14 takes no hash to hold
        // it against, so the look is repeated.
        let now = self.inspect(place).await?;
        if now.hash != bundle.hash || now.version != bundle.version {
            let words = "the bundle is not the one that was looked at";
            return Err(RaucError::Refused(words.to_owned()));
        }
        // First the ears, then the question: what is quick is over before the answer.
        let signals = self.listen().await?;
        match self.order(place, transaction, Some(&bundle.hash)).await {
            Err(RaucError::Refused(words)) if words.contains("Unsupported key") => {
                self.order(place, transaction, None).await?;
            }
            answer => answer?,
        }
        Ok(signals)
    }

    async fn order(
        &self,
        place: &str,
        transaction: &str,
        hash: Option<&String>,
    ) -> Result<(), RaucError> {
        // Never one of the `ignore-…`: what may be installed is not the caller's to say.
        let mut args: HashMap<&str, Variant<'_>> =
            HashMap::from([("transaction-id", Variant::from(transaction))]);
        if let Some(hash) = hash.filter(|hash| !hash.is_empty()) {
            args.insert("require-manifest-hash", Variant::from(hash.as_str()));
        }
        let args = (place, args);
        self.ask("InstallBundle", &args, "to install a bundle", self.timing.call).await
    }

    /// All that RAUC, and the bus about RAUC, says from now on.
    async fn listen(&self) -> Result<Signals, RaucError> {
        let what = "to be heard";
        let listen = async {
            let name = MatchRule::builder()
                .msg_type(Kind::Signal)
                .sender("org.freedesktop.DBus")
                .member("NameOwnerChanged")
                .arg(0, NAME)
                .build()?;
            let own =
                MatchRule::builder().msg_type(Kind::Signal).sender(NAME).path(PATH).build()?;
            let name = MessageStream::for_match_rule(name, &self.line, Some(WAITING)).await?;
            let own = MessageStream::for_match_rule(own, &self.line, Some(WAITING)).await?;
            Ok(Box::pin(select(own, name)) as Signals)
        };
        let late = RaucError::Late { what, within: self.timing.call };
        let listening = timeout(self.timing.call, listen).await.map_err(|_| late)?;
        listening.map_err(|source| RaucError::Line { what, source: Box::new(source) })
    }

    async fn to_the_end(
        &self,
        signals: Signals,
        (transaction, target): (&str, &SlotName),
        progress: Progress<'_>,
    ) -> Ending {
        let heard = timeout(self.timing.install, self.hear(signals, progress)).await;
        match heard {
            Ok(Heard::Completed(0)) => Ending::Done,
            Ok(Heard::Completed(_)) => Ending::Failed(said::reason(&self.last_error().await)),
            Ok(Heard::Gone) => self.look_what_became(transaction, target, "RAUC stopped").await,
            Ok(Heard::Silent) => {
                self.look_what_became(transaction, target, "RAUC never said how it ended").await
            }
            Err(_) => Ending::Interrupted(format!(
                "RAUC was not done within {} min; a restart of the device ends it",
                self.timing.install.as_secs() / 60
            )),
        }
    }

    async fn hear(&self, mut signals: Signals, progress: Progress<'_>) -> Heard {
        let (mut looks, mut at_rest) = (interval(self.timing.look_every), 0);
        looks.tick().await;
        loop {
            // Cancel-safe: a signal that is not taken here stays in its queue.
            tokio::select! {
                signal = signals.next() => match signal {
                    Some(Ok(signal)) => match self.heed(&signal, progress) {
                        Some(end) => return end,
                        None => at_rest = 0,
                    },
                    Some(Err(_)) => {}
                    None => return Heard::Gone,
                },
                _ = looks.tick() => {
                    let look: Result<String, _> =
                        self.ask_once("GetPrimary", &(), "whether it works", self.timing.call).await;
                    match look {
                        Err(RaucError::Busy | RaucError::Late { .. }) => at_rest = 0,
                        // Whatever else it says: it takes questions, so it is at rest.
                        _ => at_rest += 1,
                    }
                    if at_rest >= AT_REST {
                        return Heard::Silent;
                    }
                }
            }
        }
    }

    /// What a signal says of the end.
    fn heed(&self, signal: &Message, progress: Progress<'_>) -> Option<Heard> {
        let header = signal.header();
        if header.message_type() != Kind::Signal {
            return None;
        }
        let body = signal.body();
        match (header.interface()?.as_str(), header.member()?.as_str()) {
            ("org.freedesktop.DBus", "NameOwnerChanged") => {
                let (name, old, _): (String, String, String) = body.deserialize().ok()?;
                // Gone, or gone and back again: what it was at is over either way.
                (name == NAME && !old.is_empty()).then_some(Heard::Gone)
            }
            (INSTALLER, "Completed") => body.deserialize().ok().map(Heard::Completed),
            (PROPERTIES, "PropertiesChanged") => {
                let (_, changed, _): (String, HashMap<String, OwnedVariant>, Vec<String>) =
                    body.deserialize().ok()?;
                let value = changed.get("Progress")?;
                let (percent, at) = share(value)?;
                progress(percent, &at);
                None
            }
            _ => None,
        }
    }

    /// Why the installation failed, in RAUC's words.
    async fn last_error(&self) -> String {
        let value = self.property("LastError", "why it failed").await.ok();
        let words = value.and_then(|value| decode::text(&value)).filter(|text| !text.is_empty());
        words.unwrap_or_else(|| "RAUC does not say why".to_owned())
    }

    /// The slots, as the RAUC says that is started in the place of one that is gone.
    async fn slots_of_the_next(&self) -> Result<Vec<Slot>, RaucError> {
        let patient = async {
            loop {
                match self.slots().await {
                    Err(RaucError::Absent(_)) => sleep(self.timing.look_every / 10).await,
                    answer => return answer,
                }
            }
        };
        let gone = || Err(RaucError::Absent("it is gone".to_owned()));
        timeout(self.timing.patience, patient).await.unwrap_or_else(|_| gone())
    }

    /// How an installation ended that nobody saw the end of: the slot says which one wrote it, and whether
    /// it is whole.
    async fn look_what_became(
        &self,
        transaction: &str,
        target: &SlotName,
        cut_off: &str,
    ) -> Ending {
        let slots = match self.slots_of_the_next().await {
            Ok(slots) => slots,
            Err(error) => {
                let why = base::error::chain(&error);
                return Ending::Interrupted(format!("{cut_off}, and cannot be asked: {why}"));
            }
        };
        let slot = slots.into_iter().find(|slot| slot.bootname == *target);
        let ours = slot.filter(|slot| slot.transaction.as_deref() == Some(transaction));
        match ours.and_then(|slot| slot.whole) {
            Some(true) => Ending::Done,
            _ => Ending::Interrupted(format!("{cut_off} in the middle of the installation")),
        }
    }
}

/// Percent and words of RAUC's `Progress`.
fn share(value: &Variant<'_>) -> Option<(u8, String)> {
    let Variant::Structure(fields) = value else { return None };
    match fields.fields() {
        [Variant::I32(percent), Variant::Str(at), ..] => {
            let percent = u8::try_from((*percent).clamp(0, 100)).ok()?;
            Some((percent, at.as_str().to_owned()))
        }
        _ => None,
    }
}

/// A failure in RAUC's words.
impl From<RaucError> for Reason {
    fn from(error: RaucError) -> Self {
        match error {
            RaucError::Refused(words) => said::reason(&words),
            other => Reason::new(
                api::updates::UpdateCode::InstallerUnavailable,
                base::error::chain(&other),
            ),
        }
    }
}
