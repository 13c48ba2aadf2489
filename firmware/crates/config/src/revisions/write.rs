//! The ways in which a revision comes into force or goes out of it: made, confirmed, taken back.

use std::io;
use std::time::Duration;

use base::durable::{Disk, SECRET, SECRET_FOLDER};

use super::plan::{self, Waiting};
use super::{
    Confirm, Draft, KEEP, MAX_BYTES, Moment, PENDING, Pending, Revision, RevisionError, Revisions,
    nothing, seal,
};

/// Who takes back what nobody confirmed.
const DEVICE: &str = "device";

/// What came of looking at the confirmation that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing waits.
    Quiet,
    /// It is waited for, this much longer.
    Waits(Duration),
    /// It is over: the settings before are in force again.
    TakenBack,
}

impl<D: Disk> Revisions<D> {
    /// Puts `draft` in force; with `confirm` until it is not confirmed. It is on the disk when this
    /// returns. Whatever else waited to be confirmed does not any more.
    ///
    /// # Errors
    /// When something waits to be confirmed already and this is to be confirmed too, when the settings
    /// are too large, or when they cannot be written. In all cases what was in force still is.
    pub fn make(&mut self, draft: Draft, confirm: Option<Confirm>) -> Result<(), RevisionError> {
        if let (Some(pending), true) = (&self.pending, confirm.is_some()) {
            return Err(RevisionError::Waits(pending.revision));
        }
        let revision = Revision {
            schema: self.schema,
            revision: self.last + 1,
            made_at: base::clock::wall(),
            made_by: draft.made_by,
            note: draft.note,
            parent: self.number(),
            undoes: draft.undoes,
            settings: draft.settings,
        };
        let bytes = seal::sealed(&revision)
            .map_err(|error| self.unwritten(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        if bytes.len() > MAX_BYTES {
            return Err(RevisionError::TooLarge(bytes.len()));
        }
        let pending = confirm.map(|confirm| pending(&revision, confirm));
        // Given even when it fails: a file of that number may be on the disk whatever is done now.
        self.last = revision.revision;
        if let Err(error) = self.write(&revision, &bytes, pending.as_ref()) {
            self.unmake(&revision);
            return Err(self.unwritten(error));
        }
        self.there.insert(revision.revision);
        self.newest = revision.revision;
        self.used = Some(revision);
        match pending {
            Some(pending) => self.pending = Some(pending),
            None => self.forget_pending(),
        }
        self.prune();
        Ok(())
    }

    /// The revision that waits to be confirmed stays in force.
    ///
    /// # Errors
    /// When none waits, or when that cannot be written: then it still waits.
    pub fn confirm(&mut self) -> Result<(), RevisionError> {
        if self.pending.is_none() {
            return Err(RevisionError::NothingWaits);
        }
        self.disk.remove(&self.folder.join(PENDING)).map_err(|error| self.unwritten(error))?;
        self.pending = None;
        Ok(())
    }

    /// Takes the revision that waits to be confirmed back when its time is over at `now`.
    ///
    /// # Errors
    /// When that cannot be written. The settings before are in force here even so, and the next start
    /// tries again.
    pub fn settle(&mut self, now: &Moment) -> Result<Settled, RevisionError> {
        match plan::waiting(self.pending.as_ref(), self.newest, now) {
            Waiting::Nothing => Ok(Settled::Quiet),
            Waiting::Moot => {
                self.forget_pending();
                Ok(Settled::Quiet)
            }
            Waiting::For(left) => Ok(Settled::Waits(left)),
            Waiting::Over(why) => self.take_back(why).map(|()| Settled::TakenBack),
        }
    }

    /// Puts the settings before the one that waits to be confirmed, or before the one in force, in force
    /// again, for the reason `why`.
    ///
    /// # Errors
    /// When there is neither, or as [`Self::settle`].
    pub fn take_back(&mut self, why: &str) -> Result<(), RevisionError> {
        let waits = self.pending.as_ref().map(|pending| (pending.revision, pending.back_to));
        let newest = || self.used.as_ref().map(|used| (used.revision, used.parent));
        let (undoes, back_to) = waits.or_else(newest).ok_or(RevisionError::NothingWaits)?;
        let before = self.before(back_to);
        let settings = before.as_ref().map_or_else(nothing, |before| before.settings.clone());
        let draft = Draft {
            made_by: DEVICE.into(),
            note: Some(why.to_owned()),
            undoes: Some(undoes),
            settings,
        };
        let made = self.make(draft, None);
        if made.is_err() {
            self.used = before;
            self.pending = None;
        }
        made
    }

    /// The revision `back_to`, or the nearest before it that can be read.
    fn before(&mut self, back_to: u64) -> Option<Revision> {
        let before = self.newest_below(back_to.saturating_add(1));
        if before.is_some() || back_to == 0 {
            return before;
        }
        self.of_an_older_schema().unwrap_or_default()
    }

    fn write(
        &self,
        revision: &Revision,
        bytes: &[u8],
        pending: Option<&Pending>,
    ) -> io::Result<()> {
        if let Some(parent) = self.folder.parent() {
            self.disk.make_folder(parent, SECRET_FOLDER)?;
        }
        self.disk.make_folder(&self.folder, SECRET_FOLDER)?;
        if let Some(pending) = pending {
            self.disk.replace(&self.folder.join(PENDING), &seal::sealed(pending)?, SECRET)?;
        }
        let file = self.folder.join(plan::file_name(revision.revision));
        self.disk.replace(&file, bytes, SECRET)
    }

    /// Takes away what a try that failed has left. Where that fails too, the next start may find the
    /// revision: whole, and to be confirmed if it was to be.
    fn unmake(&mut self, revision: &Revision) {
        let file = self.folder.join(plan::file_name(revision.revision));
        let mut undone = self.disk.remove(&file);
        // A revision that waits all along has its own.
        if undone.is_ok() && self.pending.is_none() {
            undone = self.disk.remove(&self.folder.join(PENDING));
        }
        if let Err(error) = undone {
            self.trouble(format!("what is left of a failed change cannot be taken away: {error}"));
        }
    }

    /// Takes the file about a confirmation away that nobody waits for. Left behind it does no harm: it
    /// names a revision that is not the newest, and no number is given twice.
    fn forget_pending(&mut self) {
        if self.pending.take().is_some()
            && let Err(error) = self.disk.remove(&self.folder.join(PENDING))
        {
            self.trouble(format!("{PENDING} cannot be taken away: {error}"));
        }
    }

    /// Old revisions go. What is left behind for a fault of the disk goes with the next.
    fn prune(&mut self) {
        let back_to = self.pending.as_ref().map(|pending| pending.back_to);
        let needed = [self.newest, self.number(), back_to.unwrap_or_default()];
        let gone = plan::to_prune(&self.there, &needed, KEEP);
        for number in gone {
            match self.disk.remove(&self.folder.join(plan::file_name(number))) {
                Ok(()) => drop(self.there.remove(&number)),
                Err(error) => {
                    return self.trouble(format!("an old revision cannot be taken away: {error}"));
                }
            }
        }
    }

    fn unwritten(&self, source: io::Error) -> RevisionError {
        RevisionError::Write { folder: self.folder.clone(), source }
    }
}

fn pending(revision: &Revision, confirm: Confirm) -> Pending {
    let deadline = confirm.from.since_boot.saturating_add(confirm.within);
    Pending {
        revision: revision.revision,
        back_to: revision.parent,
        kernel_boot: confirm.from.kernel_boot,
        deadline_ns: u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX),
        confirmed_by: confirm.by,
    }
}
