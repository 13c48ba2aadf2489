//! What is asked of RAUC in several steps. Each of them may be cut off between any two, and is done again:
//! the order is such that every state in between starts a whole system.

use super::{Mark, Rauc, Which};
use crate::error::RaucError;
use crate::state::SlotName;

impl Rauc {
    /// Marks the running slot good, and sees that it is the one that starts next: RAUC says that it did,
    /// the boot loader's state says whether it is so.
    ///
    /// # Errors
    /// When it is not so.
    pub async fn keep(&self, booted: &SlotName) -> Result<(), RaucError> {
        self.mark(Mark::Good, Which::Booted).await?;
        if self.primary().await.is_ok_and(|primary| primary == *booted) {
            return Ok(());
        }
        self.mark(Mark::Active, Which::Booted).await?;
        let primary = self.primary().await?;
        if primary == *booted {
            return Ok(());
        }
        let said = format!("the boot loader would start slot {primary} next, not {booted}");
        Err(RaucError::Refused(said))
    }

    /// Has the other slot start next, and never again by itself the one that runs. Does what it can of it:
    /// a machine that starts anew without it has at least its boot loader's counter.
    ///
    /// # Errors
    /// The first failure.
    pub async fn go_back(&self) -> Result<(), RaucError> {
        let bad = self.mark(Mark::Bad, Which::Booted).await;
        let active = self.mark(Mark::Active, Which::Other).await;
        bad.and(active).map(drop)
    }

    /// Has the running slot start next, and never by itself the other one.
    ///
    /// # Errors
    /// The first failure.
    pub async fn forsake(&self) -> Result<(), RaucError> {
        self.mark(Mark::Active, Which::Booted).await?;
        self.mark(Mark::Bad, Which::Other).await.map(drop)
    }

    /// The running slot is good; where the other one has failed, it is not tried again by itself.
    ///
    /// # Errors
    /// The first failure.
    pub async fn settle(&self, other_failed: bool) -> Result<(), RaucError> {
        self.mark(Mark::Good, Which::Booted).await?;
        if other_failed { self.forsake().await } else { Ok(()) }
    }

    /// Has the other slot start next; answers which starts next then, as the boot loader says.
    ///
    /// # Errors
    /// When RAUC cannot be asked, or cannot do it.
    pub async fn activate_other(&self) -> Result<SlotName, RaucError> {
        self.mark(Mark::Active, Which::Other).await?;
        self.primary().await
    }
}
