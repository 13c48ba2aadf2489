//! The launcher: what a new process of ours does before it becomes the child's program.
//!
//! `edgecamd run-child --parent PID [limits] -- program args…` ties its life to its parent's
//! (`PR_SET_PDEATHSIG`), sets its limits and executes the program in its place. Doing so in a
//! process of its own needs no unsafe code, which the same between fork and exec would.
//! `edgecamd run-child --guard` and `--keep` are its other roles: [`crate::guard`] and the keeper of a
//! child in a unit ([`crate::unit`]).
//!
//! The kernel forgets the tie when the program is setuid or has file capabilities: give such
//! rights to the unit that runs `edgecamd`, not to a child's file.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::guard;
use crate::spec::Limits;
use crate::unit::keeper;

/// The hidden subcommand of a program that supervises children.
pub const SUBCOMMAND: &str = "run-child";

/// The launcher's own exit code when the program could not be executed.
pub const EXIT_NOT_LAUNCHED: u8 = 125;

/// Why the program was not executed.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The command line is not one that the supervisor writes.
    #[error("`{SUBCOMMAND}` is for edgecamd's own use: {0}")]
    Usage(String),
    /// The life of this process could not be tied to its parent's.
    #[error("tying the process to its parent")]
    Tie(#[source] rustix::io::Errno),
    /// The parent is gone already.
    #[error("the parent process {0} is gone")]
    Orphan(i32),
    /// A limit could not be set.
    #[error("setting {what}")]
    Limit {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The line to the one who started the unit broke before its child ran.
    #[error("talking to edgecamd")]
    Line(#[source] std::io::Error),
    /// The program could not be executed.
    #[error("executing {}", program.display())]
    Exec {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What `main` does first: `Some` when this process was started as a launcher or guard and is
/// done (only when it failed, for a launcher), `None` when it is the program proper.
pub fn intercept() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    (args.next()? == SUBCOMMAND).then(|| run(args))
}

/// Runs the launcher with the arguments after the subcommand. Returns only when it failed, which
/// is told on standard error, or when it was the guard, at its end.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    if args.first().is_some_and(|first| first == guard::FLAG) {
        guard::run();
        return ExitCode::SUCCESS;
    }
    if args.first().is_some_and(|first| first == keeper::FLAG) {
        return match keeper::run(args.into_iter().skip(1)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&error),
        };
    }
    complain(&exec(args))
}

fn complain(error: &LaunchError) -> ExitCode {
    let text = base::error::chain(error);
    // Standard error is the log that the supervisor reads; when it is closed nobody listens.
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::from(EXIT_NOT_LAUNCHED)
}

/// Becomes the program that `args` tell (those after the subcommand); returns only on failure.
pub fn exec(args: impl IntoIterator<Item = OsString>) -> LaunchError {
    match prepare(args) {
        Ok((program, mut command)) => LaunchError::Exec { program, source: command.exec() },
        Err(error) => error,
    }
}

fn prepare(args: impl IntoIterator<Item = OsString>) -> Result<(PathBuf, Command), LaunchError> {
    let order = Order::parse(args)?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(LaunchError::Tie)?;
    // The parent may have died before the tie was made; then nothing would tell us.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(order.parent) {
        return Err(LaunchError::Orphan(order.parent));
    }
    set_limits(&order.limits)?;
    let mut command = Command::new(&order.program);
    command.args(&order.args);
    Ok((order.program, command))
}

fn set_limits(limits: &Limits) -> Result<(), LaunchError> {
    let failed = |what| move |source| LaunchError::Limit { what, source };
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(|e| failed("the core dump limit")(e.into()))?;
    if let Some(files) = limits.open_files {
        let what = "the limit of open files";
        // Only root may raise the hard limit: what is there is used.
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|e| failed(what)(e.into()))?;
        setrlimit(Resource::RLIMIT_NOFILE, files.min(hard), hard)
            .map_err(|e| failed(what)(e.into()))?;
    }
    if let Some(score) = limits.oom_score_adj {
        std::fs::write("/proc/self/oom_score_adj", score.to_string())
            .map_err(failed("the out-of-memory score"))?;
    }
    if let Some(nice) = limits.nice {
        rustix::process::nice(nice).map_err(|e| failed("the niceness")(e.into()))?;
    }
    Ok(())
}

/// What the launcher is told.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    parent: i32,
    limits: Limits,
    program: PathBuf,
    args: Vec<OsString>,
}

impl Order {
    fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, LaunchError> {
        let mut args = args.into_iter();
        let mut parent = None;
        let mut limits = Limits::default();
        loop {
            let flag = args.next().ok_or_else(|| LaunchError::Usage("no `--`".into()))?;
            match flag.to_str() {
                Some("--") => break,
                Some("--parent") => parent = Some(number(&flag, &mut args)?),
                Some("--open-files") => limits.open_files = Some(number(&flag, &mut args)?),
                Some("--oom-score-adj") => {
                    limits.oom_score_adj = Some(number(&flag, &mut args)?);
                }
                Some("--nice") => limits.nice = Some(number(&flag, &mut args)?),
                _ => return Err(LaunchError::Usage(format!("unknown {}", flag.display()))),
            }
        }
        let parent = parent.ok_or_else(|| LaunchError::Usage("no --parent".into()))?;
        let program = args.next().ok_or_else(|| LaunchError::Usage("no program".into()))?;
        Ok(Self { parent, limits, program: program.into(), args: args.collect() })
    }
}

fn number<T: std::str::FromStr>(
    flag: &OsStr,
    args: &mut impl Iterator<Item = OsString>,
) -> Result<T, LaunchError> {
    let parsed = args.next().and_then(|value| value.to_str().and_then(|text| text.parse().ok()));
    parsed.ok_or_else(|| LaunchError::Usage(format!("{} wants a number", flag.display())))
}

/// The launcher's arguments for a child of `parent`.
pub(crate) fn arguments(
    parent: u32,
    limits: &Limits,
    program: &Path,
    args: &[OsString],
) -> Vec<OsString> {
    let mut all: Vec<OsString> = vec!["--parent".into(), parent.to_string().into()];
    let mut flag = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.extend([name.into(), value.into()]);
        }
    };
    flag("--open-files", limits.open_files.map(|n| n.to_string()));
    flag("--oom-score-adj", limits.oom_score_adj.map(|n| n.to_string()));
    flag("--nice", limits.nice.map(|n| n.to_string()));
    all.extend(["--".into(), program.into()]);
    all.extend_from_slice(args);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_was_written_is_read_back_the_same() {
        let limits = Limits { open_files: Some(4096), oom_score_adj: Some(-5), nice: Some(5) };
        let args = vec![OsString::from("--parent"), "--".into(), "x y".into()];
        let written = arguments(77, &limits, Path::new("/bin/sleep"), &args);
        let read = Order::parse(written).unwrap();
        assert_eq!(read, Order { parent: 77, limits, program: "/bin/sleep".into(), args });
    }

    #[test]
    fn what_the_supervisor_does_not_write_is_refused() {
        for bad in [
            &["--parent", "x", "--", "p"][..],
            &["--", "p"],
            &["--parent", "1", "--"],
            &["--parent", "1", "p"],
            &[],
        ] {
            let args = bad.iter().map(OsString::from);
            assert!(matches!(Order::parse(args), Err(LaunchError::Usage(_))), "{bad:?}");
        }
    }
}
