//! What the API needs of updates of the firmware.

use api::jobs::Job;
use api::system::Begun;
use api::updates::{InstallUpdate, NewUpload, UpdateCode, UpdateUpload, Updates as Status};
use base::error::ErrorKind;
use tokio::sync::watch;

use super::{Answer, Beginner, Bytes};

/// Updates of the firmware. Refusals are made with [`super::PortError::update`]; where this machine
/// cannot be updated, every one of them but the looks is `UpdatesNotSupported`.
pub trait Updates: Send + Sync + 'static {
    /// Where the device is; `settings` are for the caller to fill in. Must be quick.
    fn status(&self) -> Status;

    /// The same as it changes: with each step of the state, and with progress at most once a second.
    fn watch(&self) -> watch::Receiver<Status>;

    /// Looks at the index of releases; answers in time for a request. `NoIndex`, `AddressRefused`,
    /// `FetchFailed`.
    fn check(&self) -> Answer<'_, Status>;

    /// Begins an upload, of which there is one at a time: one that was begun before and stands still
    /// makes way, and so does what is staged. `UpdateRunning`, `TooLargeForSlot`, `DiskFull`. Input is
    /// checked by the caller.
    fn begin_upload<'a>(&'a self, new: NewUpload, by: &'a str) -> Answer<'a, UpdateUpload>;

    /// The upload `id`; `None`: there is none, or not any more.
    fn upload(&self, id: &str) -> Option<UpdateUpload>;

    /// Goes on with the upload `id` at `offset`. `NotFound`: there is none. `WrongOffset`: it is not
    /// there where it broke off. `UpdateRunning`: another request is at it.
    fn receive<'a>(&'a self, id: &'a str, offset: u64) -> Answer<'a, Box<dyn UpdateReceiver>>;

    /// Gives the upload `id` up; answers with how far it was. `None`: there is none.
    fn discard_upload<'a>(&'a self, id: &'a str) -> Answer<'a, Option<UpdateUpload>>;

    /// Begins to install, for `by`. What can be told at once is refused at once, all else is told by the
    /// job. With a `url` what is staged makes way, and an upload that nobody is at. Input is checked by the caller.
    fn install(&self, what: InstallUpdate, by: Beginner) -> Answer<'_, Job>;

    /// The new system stays. `NothingToCommit`.
    fn commit<'a>(&'a self, by: &'a str) -> Answer<'a, Status>;

    /// Back to the other system: the machine starts anew. `NoWayBack`, `UpdateRunning`.
    fn rollback<'a>(&'a self, by: &'a str) -> Answer<'a, Begun>;

    /// Gives up what is staged, or being received. `NothingStaged`, `UpdateRunning`.
    fn discard<'a>(&'a self, by: &'a str) -> Answer<'a, Status>;
}

/// A part of an upload under way. Dropped at any time, what was taken is kept, for the upload to go on.
pub trait UpdateReceiver: Send {
    /// The next bytes. `TooLargeForSlot`: more than were announced. `DiskFull`.
    fn take(&mut self, bytes: Bytes) -> Answer<'_, ()>;

    /// The request ends here. Answers with how far the upload is, safe on the disk; with its last byte the
    /// bundle is looked into and staged, or refused, and then the upload is gone.
    fn finish(self: Box<Self>) -> Answer<'static, UpdateUpload>;
}

/// What kind of failure a refusal about an update is.
pub(super) fn kind_of(code: UpdateCode) -> ErrorKind {
    use UpdateCode as C;
    match code {
        C::UpdatesNotSupported
        | C::UpdateRunning
        | C::NothingStaged
        | C::NothingToCommit
        | C::NoWayBack
        | C::WrongOffset
        | C::NoIndex
        | C::NotConfirmed
        | C::AskedBack
        | C::Cancelled => ErrorKind::FailedPrecondition,
        C::AddressRefused
        | C::NoBundle
        | C::Damaged
        | C::WrongSignature
        | C::CertificateExpired
        | C::WrongCompatible
        | C::OlderVersion
        | C::SameVersion
        | C::TooLargeForSlot => ErrorKind::InvalidArgument,
        C::DiskFull => ErrorKind::ResourceExhausted,
        C::FetchFailed | C::InstallerUnavailable | C::Interrupted => ErrorKind::Unavailable,
        C::InstallFailed | C::DidNotStart | C::TrialFailed => ErrorKind::Internal,
    }
}
