//! What the tests start in the place of `edgecamd`: the launcher and the guard, and with `daemon
//! SCRIPT…` a daemon that supervises one shell script each until it is killed; with `daemon-of-unit
//! SOCKET SCRIPT…` one that has them run in a unit.

use edgecam_supervise::{ChildSpec, Launcher, Supervisor, launch};

fn main() -> std::process::ExitCode {
    if let Some(code) = launch::intercept() {
        return code;
    }
    let mut scripts = std::env::args_os().skip(1);
    let in_unit = scripts.next().is_some_and(|role| role == "daemon-of-unit");
    let unit = if in_unit { scripts.next().map(Into::into) } else { None };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(async {
        let supervisor = Supervisor::start(Launcher::own()).expect("a thread can be started");
        let children: Vec<_> = scripts
            .map(|script| ChildSpec::new("script", "sh").args(["-c".into(), script]))
            .map(|spec| supervisor.spawn(ChildSpec { unit: unit.clone(), ..spec }))
            .collect();
        std::future::pending::<()>().await;
        drop(children);
    });
    std::process::ExitCode::SUCCESS
}
