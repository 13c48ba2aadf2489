//! The kinds of failure that become HTTP statuses and exit codes.

/// What kind of failure an error is: the same few for every crate, each with one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller's input is wrong; the same input stays wrong.
    InvalidArgument,
    /// The named thing does not exist.
    NotFound,
    /// The thing exists but is not in a state that allows this.
    FailedPrecondition,
    /// Someone else changed the thing in between.
    Aborted,
    /// Something this depends on is not there now; a later try may succeed.
    Unavailable,
    /// It took too long.
    DeadlineExceeded,
    /// Memory, disk or a limit is used up.
    ResourceExhausted,
    /// Who calls is not known.
    Unauthenticated,
    /// Who calls may not do this.
    PermissionDenied,
    /// A fault of the product itself.
    Internal,
}

/// An error that knows its kind.
pub trait Kind: std::error::Error {
    /// The kind of this failure.
    fn kind(&self) -> ErrorKind;
}

/// The error and its causes in one line, outermost first.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("reading settings.toml")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_chain_names_every_cause_once() {
        let error = Outer(std::io::Error::other("disk on fire"));
        assert_eq!(chain(&error), "reading settings.toml: disk on fire");
    }
}
