//! The standard streams of a child, and our ends of them.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use crate::error::SuperviseError;
use crate::spec::ChildSpec;

/// What a process has for standard input and output; its standard error is always a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pipes {
    /// Nothing to hear but what its specification says; what it says is its log.
    Log,
    /// It is talked to.
    Talk,
}

/// Our ends. One that is taken is gone from here.
#[derive(Debug)]
pub(crate) struct Ours {
    /// Where it listens, when it is talked to.
    pub(crate) input: Option<OwnedFd>,
    /// What it says.
    pub(crate) output: Option<OwnedFd>,
    /// What it complains of.
    pub(crate) errors: Option<OwnedFd>,
}

/// The child's ends.
#[derive(Debug)]
pub(crate) struct Its {
    pub(crate) input: OwnedFd,
    pub(crate) output: OwnedFd,
    pub(crate) errors: OwnedFd,
}

/// Opens both.
pub(crate) fn open(spec: &ChildSpec, pipes: Pipes) -> Result<(Ours, Its), SuperviseError> {
    let failed = |source| SuperviseError::Spawn { program: spec.program.clone(), source };
    let (input, its_input) = match (pipes, &spec.input) {
        (Pipes::Talk, _) => {
            let (its, ours) = io::pipe().map_err(failed)?;
            (Some(ours.into()), its.into())
        }
        (Pipes::Log, None) => (None, File::open("/dev/null").map_err(failed)?.into()),
        (Pipes::Log, Some(socket)) => {
            let connected = UnixStream::connect(socket);
            let failed = |source| SuperviseError::Input { socket: socket.clone(), source };
            (None, connected.map_err(failed)?.into())
        }
    };
    let (output, its_output) = io::pipe().map_err(failed)?;
    let (errors, its_errors) = io::pipe().map_err(failed)?;
    let ours = Ours { input, output: Some(output.into()), errors: Some(errors.into()) };
    Ok((ours, Its { input: its_input, output: its_output.into(), errors: its_errors.into() }))
}
