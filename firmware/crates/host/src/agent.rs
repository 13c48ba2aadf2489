//! The agent's side: reads one request from its standard input, does it, answers.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use base::durable::{Disk, LocalDisk};

use crate::error::HostError;
use crate::request::{Answer, Plan, Request};
use crate::{render, wire};

/// What begins and ends the names of the files that are ours in folders that others write to as well.
const OURS: (&str, &str) = ("10-edgecam-", ".network");
/// The broker's data.
const BROKER: &str = "/var/lib/edgecam-mosquitto";

/// Where the agent works, and how it runs programs.
pub struct Agent<R> {
    etc: PathBuf,
    broker: PathBuf,
    run: R,
}

/// Serves the connection that is the standard input, once.
///
/// # Errors
/// When nobody asks, or nobody listens to the answer.
pub fn serve() -> io::Result<()> {
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    let request: Request = wire::get(line.as_fd())?;
    let agent = Agent { etc: "/etc".into(), broker: BROKER.into(), run: program };
    let answer = match agent.serve(&request) {
        Ok(()) => Answer::Done,
        Err(error) => Answer::Failed { reason: base::error::chain(&error) },
    };
    wire::put(line.as_fd(), &answer)
}

/// Runs a program of the system's.
fn program(command: &[&str]) -> Result<(), HostError> {
    let failed = |reason: String| HostError::Command { command: command.join(" "), reason };
    let [program, args @ ..] = command else { return Ok(()) };
    // The service manager's root is ours, though the sandbox hides it.
    let output = Command::new(program).args(args).env("SYSTEMD_IGNORE_CHROOT", "1").output();
    let output = output.map_err(|error| failed(format!("cannot be run: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!("failed ({}): {}", output.status, said.trim())))
}

impl<R: Fn(&[&str]) -> Result<(), HostError>> Agent<R> {
    fn serve(&self, request: &Request) -> Result<(), HostError> {
        match request {
            Request::Apply(plan) => self.apply(plan),
            Request::Reboot => (self.run)(&["systemctl", "--no-block", "reboot"]),
            Request::PowerOff => (self.run)(&["systemctl", "--no-block", "poweroff"]),
            Request::Forget => self.forget(),
        }
    }

    fn apply(&self, plan: &Plan) -> Result<(), HostError> {
        self.networks(plan)?;
        self.wireless(plan)?;
        self.clock(plan)
    }

    fn networks(&self, plan: &Plan) -> Result<(), HostError> {
        let folder = self.etc.join("systemd/network");
        let (begin, end) = OURS;
        let wanted = plan.network.interfaces.iter().map(|interface| {
            (format!("{begin}{}{end}", interface.name), render::network(interface))
        });
        let ours = |name: &str| name.starts_with(begin) && name.ends_with(end);
        let changed = settle(&folder, wanted.collect(), 0o644, ours)?;
        if changed.is_empty() {
            return Ok(());
        }
        (self.run)(&["networkctl", "reload"])?;
        for name in changed {
            let interface = name.trim_start_matches(begin).trim_end_matches(end);
            // One that is not plugged in takes it up when it is.
            let _ = (self.run)(&["networkctl", "reconfigure", interface]);
        }
        Ok(())
    }

    fn wireless(&self, plan: &Plan) -> Result<(), HostError> {
        let folder = self.etc.join("wpa_supplicant");
        let (begin, end) = ("wpa_supplicant-", ".conf");
        let country = plan.network.wifi_country.as_deref();
        let wanted = plan.network.interfaces.iter().filter_map(|interface| {
            let text = render::wpa_supplicant(interface.wifi.as_ref()?, country);
            Some((format!("{begin}{}{end}", interface.name), text))
        });
        let ours = |name: &str| name.starts_with(begin) && name.ends_with(end);
        for name in settle(&folder, wanted.collect(), 0o600, ours)? {
            let interface = name.trim_start_matches(begin).trim_end_matches(end);
            let unit = format!("wpa_supplicant@{interface}.service");
            if folder.join(&name).exists() {
                (self.run)(&["systemctl", "enable", &unit])?;
                (self.run)(&["systemctl", "restart", &unit])?;
            } else {
                (self.run)(&["systemctl", "disable", "--now", &unit])?;
            }
        }
        Ok(())
    }

    fn clock(&self, plan: &Plan) -> Result<(), HostError> {
        let folder = self.etc.join("systemd/timesyncd.conf.d");
        const NAME: &str = "10-edgecam.conf";
        let wanted = render::timesyncd(&plan.time).map(|text| (NAME.to_owned(), text));
        let changed = settle(&folder, wanted.into_iter().collect(), 0o644, |name| name == NAME)?;
        if !changed.is_empty() {
            (self.run)(&["systemctl", "try-restart", "systemd-timesyncd.service"])?;
        }
        match &plan.time.zone {
            Some(zone) => (self.run)(&["timedatectl", "set-timezone", zone]),
            None => Ok(()),
        }
    }

    fn forget(&self) -> Result<(), HostError> {
        (self.run)(&["systemctl", "stop", "edgecam-mosquitto@*.service"])?;
        let failed = |source| HostError::Write { path: self.broker.clone(), source };
        let entries = match fs::read_dir(&self.broker) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
            let gone = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            gone.map_err(|source| HostError::Write { path, source })?;
        }
        Ok(())
    }
}

/// Makes the files of `folder` that are `ours` those that are `wanted`; answers the names of those that
/// came, changed or went.
fn settle(
    folder: &Path,
    wanted: BTreeMap<String, String>,
    mode: u32,
    ours: impl Fn(&str) -> bool,
) -> Result<Vec<String>, HostError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| HostError::Write { path, source }
    };
    let names = LocalDisk.list(folder).map_err(failed(folder))?;
    let names = names.into_iter().filter_map(|name| name.into_string().ok());
    let mut changed = Vec::new();
    for gone in names.filter(|name| ours(name) && !wanted.contains_key(name)) {
        let path = folder.join(&gone);
        LocalDisk.remove(&path).map_err(failed(&path))?;
        changed.push(gone);
    }
    for (name, text) in wanted {
        let path = folder.join(&name);
        let there = LocalDisk.read(&path).map_err(failed(&path))?;
        if there.as_deref() != Some(text.as_bytes()) {
            fs::create_dir_all(folder).map_err(failed(folder))?;
            LocalDisk.replace(&path, text.as_bytes(), mode).map_err(failed(&path))?;
            changed.push(name);
        }
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::os::unix::fs::PermissionsExt;

    use config::{InterfaceConfig, NetworkConfig, TimeConfig, WifiConfig};

    use super::*;

    type Ran = RefCell<Vec<String>>;

    fn agent<'a>(
        folder: &Path,
        ran: &'a Ran,
    ) -> Agent<impl Fn(&[&str]) -> Result<(), HostError> + 'a> {
        let run = |command: &[&str]| {
            ran.borrow_mut().push(command.join(" "));
            Ok(())
        };
        Agent { etc: folder.join("etc"), broker: folder.join("broker"), run }
    }

    fn plan(wifi: bool) -> Plan {
        let interface = |name: &str| InterfaceConfig {
            name: name.into(),
            dhcp: true,
            addresses: vec![],
            gateways: vec![],
            dns: vec![],
            wifi: None,
        };
        let password = Some("c4nary-c4nary".into());
        let wifi = wifi.then(|| WifiConfig { ssid: "Home".into(), password, hidden: false });
        let wireless = InterfaceConfig { wifi, ..interface("wlan0") };
        Plan {
            network: NetworkConfig {
                wifi_country: Some("DE".into()),
                interfaces: vec![interface("end0"), wireless],
            },
            time: TimeConfig { zone: None, servers: vec!["a.example".into()] },
        }
    }

    #[test]
    fn a_plan_is_carried_out_once_and_taken_back_whole() {
        let folder = tempfile::tempdir().unwrap();
        let ran = Ran::default();
        let agent = agent(folder.path(), &ran);
        let networks = folder.path().join("etc/systemd/network");
        fs::create_dir_all(&networks).unwrap();
        fs::write(networks.join("80-image.network"), "mine").unwrap();
        agent.apply(&plan(true)).unwrap();
        let wpa = folder.path().join("etc/wpa_supplicant/wpa_supplicant-wlan0.conf");
        assert_eq!(wpa.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let first = ran.take();
        for wanted in [
            "networkctl reload",
            "networkctl reconfigure end0",
            "systemctl restart wpa_supplicant@wlan0.service",
            "systemctl try-restart systemd-timesyncd.service",
        ] {
            assert!(first.contains(&wanted.to_owned()), "{first:?}");
        }
        assert!(
            !format!("{first:?}").contains("c4nary"),
            "a command line is no place for a secret"
        );
        agent.apply(&plan(true)).unwrap();
        assert_eq!(ran.take(), Vec::<String>::new(), "nothing differs: nothing is disturbed");
        agent.apply(&plan(false)).unwrap();
        assert_eq!(ran.take(), ["systemctl disable --now wpa_supplicant@wlan0.service"]);
        agent.apply(&Plan::default()).unwrap();
        assert_eq!(fs::read_dir(&networks).unwrap().count(), 1, "what is not ours stays");
    }

    #[test]
    fn what_the_broker_kept_goes_and_its_folder_stays() {
        let folder = tempfile::tempdir().unwrap();
        let ran = Ran::default();
        let agent = agent(folder.path(), &ran);
        agent.serve(&Request::Forget).unwrap();
        let broker = folder.path().join("broker");
        fs::create_dir_all(broker.join("more")).unwrap();
        fs::write(broker.join("mosquitto.db"), "kept").unwrap();
        agent.serve(&Request::Forget).unwrap();
        assert_eq!(fs::read_dir(&broker).unwrap().count(), 0);
    }

    #[test]
    fn the_machine_is_started_anew_and_switched_off_by_its_service_manager() {
        let folder = tempfile::tempdir().unwrap();
        let ran = Ran::default();
        let agent = agent(folder.path(), &ran);
        agent.serve(&Request::Reboot).unwrap();
        agent.serve(&Request::PowerOff).unwrap();
        assert_eq!(ran.take(), ["systemctl --no-block reboot", "systemctl --no-block poweroff"]);
        let error = program(&["false"]).unwrap_err().to_string();
        assert!(error.starts_with("`false` failed (exit status: 1)"), "{error}");
    }
}
