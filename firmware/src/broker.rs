//! Mosquitto as a supervised child, for owners without a broker of their own: found, configured,
//! started. The MQTT session tells whether it is well.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use config::MqttConfig;
use config::model::Broker;
use supervise::{ChildHandle, ChildSpec, Limits, LogFormat, Supervisor};

use crate::units::Units;

/// Where Debian installs it: not on the `PATH` of users other than root.
const DEFAULT_PROGRAM: &str = "/usr/sbin/mosquitto";
/// Its unit.
const UNIT: &str = "mosquitto";
/// What the unit's own user may write to (`StateDirectory=`).
const STORE_OF_UNIT: &str = "/var/lib/edgecam-mosquitto";
/// Time for it to write what it holds to disk.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Starts the broker where the settings want one of our own; `None` where they name another. A
/// mosquitto that is not installed is an error in the child's status, not here: all else works.
///
/// # Errors
/// When its configuration cannot be written.
pub(crate) fn start(
    mqtt: &MqttConfig,
    data_dir: &Path,
    units: &Units,
    supervisor: &Supervisor,
) -> anyhow::Result<Option<ChildHandle>> {
    let Broker::Supervised(listen) = mqtt.broker else { return Ok(None) };
    if !listen.ip().is_loopback() {
        tracing::warn!(
            %listen,
            "anyone who reaches this address may read and write on the MQTT broker; use a broker \
             with accounts, or listen on 127.0.0.1"
        );
    }
    let unit = units.get(UNIT);
    let config = match &unit {
        Some(unit) => configure(listen, unit.folder(), Path::new(STORE_OF_UNIT), None)?,
        None => configure_beside(listen, data_dir)?,
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let spec = child(&locate(&path), &config);
    Ok(Some(supervisor.spawn(ChildSpec { unit: unit.map(|unit| unit.socket()), ..spec })))
}

/// The first mosquitto on `path`, else where Debian has it.
fn locate(path: &OsStr) -> PathBuf {
    let on_path = std::env::split_paths(path).map(|folder| folder.join("mosquitto"));
    on_path.into_iter().find(|file| file.is_file()).unwrap_or_else(|| DEFAULT_PROGRAM.into())
}

fn child(program: &Path, config: &Path) -> ChildSpec {
    let mut spec =
        ChildSpec::new("mosquitto", program).args([OsStr::new("-c"), config.as_os_str()]);
    spec.log.format = LogFormat::Mosquitto;
    spec.stop.grace = STOP_GRACE;
    spec.limits = Limits { oom_score_adj: Some(100), ..Limits::default() };
    spec
}

/// Makes the folders and writes the configuration of a broker beside the daemon; answers its path.
fn configure_beside(listen: SocketAddr, data_dir: &Path) -> anyhow::Result<PathBuf> {
    let data_dir = std::path::absolute(data_dir).context("finding the data directory")?;
    let (run, store) = (data_dir.join("run"), data_dir.join("broker"));
    for folder in [&run, &store] {
        let making = || format!("making the broker's folder {}", folder.display());
        std::fs::create_dir_all(folder).with_context(making)?;
    }
    let user = rustix::process::geteuid().is_root().then_some("root");
    configure(listen, &run, &store, user)
}

fn configure(
    listen: SocketAddr,
    folder: &Path,
    store: &Path,
    user: Option<&str>,
) -> anyhow::Result<PathBuf> {
    let file = folder.join("mosquitto.conf");
    let text = render(listen, store, user)?;
    std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}

/// Mosquitto's configuration. `user` is who it stays when `edgecamd` is root.
fn render(listen: SocketAddr, store: &Path, user: Option<&str>) -> anyhow::Result<String> {
    // One setting per line, values to the line's end: nothing can be quoted.
    let location = match store.to_str() {
        Some(text) if !text.contains(char::is_control) && text.trim() == text => text,
        _ => bail!(
            "the broker cannot keep its data in {store:?}: choose a data.dir with a plain name"
        ),
    };
    let (port, ip) = (listen.port(), listen.ip());
    let mut text = format!(
        "# Written by edgecamd at every start: do not edit.
listener {port} {ip}
allow_anonymous true
set_tcp_nodelay true

# Retained messages, and what subscribers that are away have not got yet, outlive a restart.
persistence true
persistence_location {location}/
autosave_interval 60
persistent_client_expiration 14d

# A slow subscriber, or one that is away, gets every message of QoS 1 all the same: as many as the
# outbox of edgecamd keeps by default, as far as memory allows.
max_inflight_messages 100
max_queued_messages 100000
max_queued_bytes 67108864

log_dest stderr
log_type error
log_type warning
log_type notice
log_type information
"
    );
    if let Some(user) = user {
        // It would become another user, who cannot write to our folder.
        writeln!(text, "\nuser {user}").context("writing to a string")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Child, Command, Stdio};
    use std::time::Instant;

    use super::*;

    const LISTEN: &str = "127.0.0.1:1883";

    #[test]
    fn the_configuration_is_the_one_that_was_reviewed() {
        let text = render(LISTEN.parse().unwrap(), Path::new("/data/my broker"), None).unwrap();
        let settings: Vec<_> =
            text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
        assert_eq!(
            settings,
            [
                "listener 1883 127.0.0.1",
                "allow_anonymous true",
                "set_tcp_nodelay true",
                "persistence true",
                "persistence_location /data/my broker/",
                "autosave_interval 60",
                "persistent_client_expiration 14d",
                "max_inflight_messages 100",
                "max_queued_messages 100000",
                "max_queued_bytes 67108864",
                "log_dest stderr",
                "log_type error",
                "log_type warning",
                "log_type notice",
                "log_type information",
            ]
        );
        let text = render("[::1]:1884".parse().unwrap(), Path::new("/data"), Some("root")).unwrap();
        assert!(
            text.contains("\nlistener 1884 ::1\n") && text.ends_with("\nuser root\n"),
            "{text}"
        );
    }

    #[test]
    fn a_folder_name_cannot_add_settings() {
        for bad in ["/data\nuser root", "/data\r", "/data "] {
            let error = render(LISTEN.parse().unwrap(), Path::new(bad), None).unwrap_err();
            assert!(error.to_string().contains("choose a data.dir"), "{error}");
        }
    }

    #[test]
    fn it_is_found_on_the_path_or_where_debian_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("mosquitto");
        assert_eq!(locate(folder.path().as_os_str()), Path::new(DEFAULT_PROGRAM));
        std::fs::write(&program, "").unwrap();
        assert_eq!(locate(folder.path().as_os_str()), program);
    }

    /// A real mosquitto, killed at the end.
    struct Running(Child);

    impl Running {
        fn start(program: &Path, config: &Path, listen: SocketAddr) -> Self {
            let spec = child(program, config);
            let mut command = Command::new(&spec.program);
            let running = command.args(&spec.args).stderr(Stdio::null()).spawn().unwrap();
            let begun = Instant::now();
            while std::net::TcpStream::connect(listen).is_err() {
                assert!(begun.elapsed() < Duration::from_secs(20), "mosquitto does not listen");
                std::thread::sleep(Duration::from_millis(10));
            }
            Self(running)
        }

        fn stop(&mut self) {
            let pid = rustix::process::Pid::from_child(&self.0);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            assert!(self.0.wait().unwrap().success());
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_real_mosquitto_takes_the_configuration_and_keeps_what_it_holds() {
        const NAME: &str = "a_real_mosquitto_takes_the_configuration_and_keeps_what_it_holds";
        let program = locate(&std::env::var_os("PATH").unwrap_or_default());
        if !program.exists() {
            drop(writeln!(
                std::io::stderr(),
                "skipped: {NAME}: {} is not installed",
                program.display()
            ));
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = configure_beside(listen, folder.path()).unwrap();
        let client = |name: &str, args: &[&str]| {
            let port = listen.port().to_string();
            let mut command = Command::new(name);
            command.args(["-h", "127.0.0.1", "-p", &port, "-t", "edgecam/test", "-q", "1"]);
            let output = command.args(args).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let mut running = Running::start(&program, &config, listen);
        // A subscriber that goes away; more than mosquitto's own limit of 1000 wait for it.
        client("mosquitto_sub", &["-i", "away", "-c", "-E"]);
        let many: String = (0..3_000).map(|n| format!("{n}\n")).collect();
        let mut publish = Command::new("mosquitto_pub");
        let port = listen.port().to_string();
        publish.args(["-p", &port, "-t", "edgecam/test", "-q", "1", "-l"]);
        let mut publish = publish.stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut publish.stdin.take().unwrap(), many.as_bytes()).unwrap();
        assert!(publish.wait().unwrap().success());
        running.stop();
        drop(running);

        let mut running = Running::start(&program, &config, listen);
        let got = client("mosquitto_sub", &["-i", "away", "-c", "-C", "3000", "-W", "20"]);
        assert_eq!(got, many);
        running.stop();
    }
}
