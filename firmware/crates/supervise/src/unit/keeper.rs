//! A child that runs in a unit of systemd's: the side in the unit.
//!
//! `edgecamd run-child --keep PROGRAM` is what the unit executes, with the connection that started it as
//! its standard input. It runs PROGRAM as it is told, watches it and the line, and ends with either.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use super::wire::{self, FromKeeper, Order, STREAMS, ToKeeper};
use crate::launch::{self, LaunchError};
use crate::spawner::Launcher;
use crate::status::Exit;

/// The launcher's argument that makes it a keeper.
pub(crate) const FLAG: &str = "--keep";

/// Keeps one child, to its end or that of the line.
///
/// # Errors
/// When it is not told what to do.
pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> Result<(), LaunchError> {
    let program = args.next().map(PathBuf::from);
    let program = program.ok_or_else(|| LaunchError::Usage("no program to keep".into()))?;
    let keep = || -> io::Result<()> {
        let line = io::stdin().as_fd().try_clone_to_owned()?;
        let Some((order, streams)) = wire::receive(line.as_fd())? else { return Ok(()) };
        keep(&line, &program, order, streams)
    };
    keep().map_err(LaunchError::Line)
}

fn keep(line: &OwnedFd, program: &Path, order: Order, streams: Vec<OwnedFd>) -> io::Result<()> {
    let started = start(program, order, streams);
    let (mut child, pid) = match started {
        Ok(started) => started,
        Err(error) => {
            let reason = format!("starting {}: {error}", program.display());
            return wire::send(line.as_fd(), &FromKeeper::NotStarted { reason }, &[]);
        }
    };
    let watched = watch(line, pid);
    // Not waited for yet, so its group's id cannot have gone to others.
    let _ = kill_process_group(pid, Signal::KILL);
    let exit = child.wait().map_or(Exit::Unknown, Exit::from);
    watched?;
    // Where the line broke there is nobody to tell.
    let _ = wire::send(line.as_fd(), &FromKeeper::Ended { exit }, &[]);
    Ok(())
}

/// Starts the child, tied to this process.
fn start(program: &Path, order: Order, streams: Vec<OwnedFd>) -> io::Result<(Child, Pid)> {
    let Ok([input, output, errors]) = <[OwnedFd; STREAMS]>::try_from(streams) else {
        return Err(io::Error::other("the order came without the standard streams"));
    };
    let Launcher { program: launcher, args } = Launcher::own();
    let mut command = Command::new(launcher);
    command.args(args).process_group(0);
    command.args(launch::arguments(std::process::id(), &order.limits, program, &order.args));
    command.envs(order.env);
    if let Some(cwd) = order.cwd {
        command.current_dir(cwd);
    }
    command.stdin(Stdio::from(input)).stdout(output).stderr(errors);
    let child = command.spawn()?;
    let pid = Pid::from_child(&child);
    Ok((child, pid))
}

/// Passes signals on until the child has ended or the line is broken.
fn watch(line: &OwnedFd, pid: Pid) -> io::Result<()> {
    let child = pidfd_open(pid, PidfdFlags::empty())?;
    wire::send(line.as_fd(), &FromKeeper::Started { pid: pid.as_raw_pid() }, &[])?;
    loop {
        let mut fds = [PollFd::new(line, PollFlags::IN), PollFd::new(&child, PollFlags::IN)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => continue,
            ready => ready?,
        };
        let (told, ended) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
        if ended {
            return Ok(());
        }
        if told {
            let Some((ToKeeper::Signal { number }, _)) = wire::receive(line.as_fd())? else {
                return Ok(());
            };
            pass_on(number, pid, &child);
        }
    }
}

fn pass_on(number: i32, pid: Pid, child: &OwnedFd) {
    let Some(signal) = Signal::from_named_raw(number) else { return };
    // An error means that it is gone.
    if signal == Signal::KILL {
        let _ = kill_process_group(pid, signal);
    } else {
        let _ = pidfd_send_signal(child, signal);
    }
}
