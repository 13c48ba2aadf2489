//! The thread `ec-spawn`, which starts every child process.
//!
//! A child is killed by the kernel when the *thread* that started it ends (`PR_SET_PDEATHSIG`), so
//! all are started from this one, which lives as long as anything of the supervisor does.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::sync::oneshot;

use crate::error::SuperviseError;
use crate::guard::Guard;
use crate::launch;
use crate::spec::{ChildSpec, INHERITED_ENV};
use crate::streams::{self, Ours, Pipes};
use crate::unit;

/// The command that becomes a child: it ties its life to ours, sets its limits and executes the
/// child's program ([`launch::run`]).
#[derive(Clone, Debug)]
pub struct Launcher {
    /// Its program.
    pub program: PathBuf,
    /// What comes before the launcher's own arguments.
    pub args: Vec<OsString>,
}

impl Launcher {
    /// The running program itself, with the hidden subcommand [`launch::SUBCOMMAND`].
    pub fn own() -> Self {
        // This link stays right when an update replaces the file.
        Self { program: "/proc/self/exe".into(), args: vec![launch::SUBCOMMAND.into()] }
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // A group of its own: a Ctrl-C at the terminal is for edgecamd to act on.
        command.args(&self.args).env_clear().process_group(0);
        command
    }
}

/// A process that was just started.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) hold: Hold,
    pub(crate) pid: Pid,
    /// Readable once it has ended: its pidfd, or the line to its unit.
    pub(crate) watched: OwnedFd,
    /// Our ends of its standard streams.
    pub(crate) ends: Ours,
}

/// Whose a process is.
#[derive(Debug)]
pub(crate) enum Hold {
    /// Ours.
    Own(Child),
    /// Its unit's.
    Unit,
}

enum Request {
    Spawn {
        spec: Box<ChildSpec>,
        pipes: Pipes,
        reply: oneshot::Sender<Result<Spawned, SuperviseError>>,
    },
    Gone(Pid),
    End,
}

/// The front of the thread `ec-spawn`.
#[derive(Clone, Debug)]
pub(crate) struct Spawner {
    requests: mpsc::Sender<Request>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Spawner {
    pub(crate) fn start(launcher: Launcher) -> Result<Self, SuperviseError> {
        let (requests, queue) = mpsc::channel();
        let thread = base::thread::spawn("ec-spawn", move || run(&queue, &launcher))
            .map_err(SuperviseError::Thread)?;
        Ok(Self { requests, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// Starts a process.
    pub(crate) async fn spawn(
        &self,
        spec: &ChildSpec,
        pipes: Pipes,
    ) -> Result<Spawned, SuperviseError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Spawn { spec: Box::new(spec.clone()), pipes, reply };
        self.requests.send(request).map_err(|_| SuperviseError::Ended)?;
        answer.await.map_err(|_| SuperviseError::Ended)?
    }

    /// Tells that a process and its group are gone.
    pub(crate) fn gone(&self, pid: Pid) {
        // When the thread has ended there is nobody left who would need to know.
        let _ = self.requests.send(Request::Gone(pid));
    }

    /// Ends the thread and joins it. Children that still live are killed by the kernel.
    pub(crate) async fn end(&self) {
        let _ = self.requests.send(Request::End);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The join only waits for a request that is being served: milliseconds.
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the thread that starts processes has panicked");
            }
        }
    }
}

fn run(queue: &mpsc::Receiver<Request>, launcher: &Launcher) {
    let mut guard = Guard::new(launcher.clone());
    while let Ok(request) = queue.recv() {
        match request {
            Request::Spawn { spec, pipes, reply } => {
                let spawned = spawn(launcher, &spec, pipes);
                if let Ok(Spawned { hold: Hold::Own(_), pid, .. }) = &spawned {
                    guard.add(*pid);
                }
                if let Err(Ok(abandoned)) = reply.send(spawned) {
                    discard(abandoned);
                }
            }
            Request::Gone(pid) => guard.remove(pid),
            Request::End => break,
        }
    }
    guard.end();
}

/// A process that nobody waits for any more. One in a unit ends with its line.
fn discard(spawned: Spawned) {
    if let Hold::Own(mut child) = spawned.hold {
        let _ = rustix::process::kill_process_group(spawned.pid, rustix::process::Signal::KILL);
        let _ = child.wait();
    }
}

fn spawn(launcher: &Launcher, spec: &ChildSpec, pipes: Pipes) -> Result<Spawned, SuperviseError> {
    match &spec.unit {
        Some(socket) => spawn_in_unit(socket, spec, pipes),
        None => spawn_beside(launcher, spec, pipes),
    }
}

fn spawn_in_unit(socket: &Path, spec: &ChildSpec, pipes: Pipes) -> Result<Spawned, SuperviseError> {
    let (ends, its) = streams::open(spec, pipes)?;
    let env = inherited(spec).chain(spec.env.iter().cloned()).collect();
    let (pid, watched) = unit::start(socket, spec, env, &its)?;
    Ok(Spawned { hold: Hold::Unit, pid, watched, ends })
}

fn spawn_beside(
    launcher: &Launcher,
    spec: &ChildSpec,
    pipes: Pipes,
) -> Result<Spawned, SuperviseError> {
    let program = find_program(&spec.program)?;
    if let Some(cwd) = spec.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
        return Err(SuperviseError::CwdMissing { cwd: cwd.clone() });
    }
    let mut command = launcher.command();
    command.args(launch::arguments(std::process::id(), &spec.limits, &program, &spec.args));
    command.envs(inherited(spec)).envs(spec.env.iter().cloned());
    if let Some(cwd) = &spec.cwd {
        command.current_dir(cwd);
    }
    let (ends, its) = streams::open(spec, pipes)?;
    command.stdin(its.input).stdout(its.output).stderr(its.errors);
    let mut child = command.spawn().map_err(|source| SuperviseError::Spawn { program, source })?;
    // With it go our copies of the child's ends.
    drop(command);
    match watch(&child) {
        Ok((pid, watched)) => Ok(Spawned { hold: Hold::Own(child), pid, watched, ends }),
        Err(source) => {
            let pid = child.id();
            let _ = child.kill();
            let _ = child.wait();
            Err(SuperviseError::Watch { pid, source })
        }
    }
}

fn watch(child: &Child) -> io::Result<(Pid, OwnedFd)> {
    // The process is ours and not waited for yet, so its id cannot have gone to another one.
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the process has no valid id"))?;
    Ok((pid, pidfd_open(pid, PidfdFlags::NONBLOCK)?))
}

/// The program's whole path, checked before a process is spent on it, so that a missing one is
/// told in plain words.
fn find_program(program: &Path) -> Result<PathBuf, SuperviseError> {
    let missing = || SuperviseError::ProgramMissing { program: program.to_owned() };
    if program.components().count() > 1 {
        let found = program.metadata().map_err(|_| missing())?;
        if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
            return Err(SuperviseError::ProgramNotExecutable { program: program.to_owned() });
        }
        return Ok(program.to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join(program));
    candidates.find(is_program).ok_or_else(missing)
}

fn inherited(spec: &ChildSpec) -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        let Some(name) = name.to_str() else { return false };
        INHERITED_ENV.contains(&name)
            || spec.inherit_env.iter().any(|allowed| match allowed.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == allowed,
            })
    })
}
