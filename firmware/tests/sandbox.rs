//! The units of the image: as tight as promised, and right in systemd's own eyes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so by name")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Most exposure of each service, in tenths, as `systemd-analyze security` counts it.
const PROMISED: [(&str, u32); 10] = [
    ("edgecamd.service", 15),
    ("edgecam-card.service", 10),
    ("edgecam-console.service", 20),
    ("edgecam-update-guard.service", 20),
    ("edgecam-mediamtx@.service", 15),
    ("edgecam-mosquitto@.service", 15),
    ("edgecam-host@.service", 15),
    ("edgecam-worker@.service", 15),
    ("edgecam-camera@.service", 25),
    ("edgecam-camera-lan@.service", 25),
];

fn rootfs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ota/image/rootfs/usr/lib")
}

fn units() -> Vec<PathBuf> {
    let entries = fs::read_dir(rootfs().join("systemd/system")).unwrap();
    // Folders hold drop-ins of units that are not ours.
    let mut units: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    units.sort();
    units
}

fn text(unit: &str) -> String {
    fs::read_to_string(rootfs().join("systemd/system").join(unit)).unwrap()
}

/// What `systemd-analyze` says; `None`, told by the name of the test, where there is none.
fn analyze(test: &str, args: &[&str], units: &[PathBuf]) -> Option<(bool, String)> {
    let Ok(output) = Command::new("systemd-analyze").args(args).args(units).output() else {
        drop(writeln!(std::io::stderr(), "skipped: {test}: there is no systemd-analyze"));
        return None;
    };
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8(said).unwrap()))
}

#[test]
fn no_service_is_more_exposed_than_promised() {
    let services = units().into_iter().filter(|unit| unit.extension().unwrap() == "service");
    let mut seen = 0;
    for service in services {
        let name = service.file_name().unwrap().to_str().unwrap().to_owned();
        let (_, most) = PROMISED.iter().find(|(known, _)| *known == name).expect("a promise");
        let threshold = format!("--threshold={most}");
        let args = ["security", "--offline=true", "--no-pager", &threshold];
        let test = "no_service_is_more_exposed_than_promised";
        let Some((well, said)) = analyze(test, &args, &[service]) else { return };
        println!("{}", said.trim().lines().last().unwrap_or_default());
        assert!(well, "{name} is more exposed than {most} tenths:\n{said}");
        seen += 1;
    }
    assert_eq!(seen, PROMISED.len());
}

#[test]
fn systemd_finds_no_mistake_in_the_units() {
    let test = "systemd_finds_no_mistake_in_the_units";
    let Some((_, said)) = analyze(test, &["verify", "--man=no"], &units()) else { return };
    // The programs come with the image.
    let mistakes = said.lines().filter(|line| {
        let missing = line.ends_with("is not executable: No such file or directory");
        !missing && line.contains("edgecam")
    });
    assert_eq!(mistakes.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// The values of `key` in a unit.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
}

#[test]
fn the_process_that_decodes_video_has_no_secrets_and_the_network_of_this_machine_only() {
    let camera = text("edgecam-camera@.service");
    assert_eq!(values(&camera, "IPAddressDeny").collect::<Vec<_>>(), ["any"]);
    assert_eq!(values(&camera, "IPAddressAllow").collect::<Vec<_>>(), ["localhost"]);
    let lan = text("edgecam-camera-lan@.service");
    for (unit, text) in [("camera", &camera), ("camera-lan", &lan)] {
        assert_eq!(values(text, "User").collect::<Vec<_>>(), ["edgecam-camera"], "{unit}");
        let hidden = values(text, "TemporaryFileSystem").next().unwrap();
        assert!(hidden.contains("/var/lib:ro") && hidden.contains("/run/edgecam-units:ro"));
        let seen: Vec<_> =
            values(text, "BindReadOnlyPaths").chain(values(text, "BindPaths")).collect();
        assert_eq!(seen, ["/var/lib/edgecam/models", "/var/lib/edgecam/cameras"], "{unit}");
    }
    let differs = |text: &str| -> Vec<String> {
        let skip = |line: &&str| {
            !line.starts_with('#')
                && !line.starts_with("Description=")
                && !line.starts_with("IPAddressAllow=")
        };
        text.lines().filter(skip).map(str::to_owned).collect()
    };
    assert_eq!(differs(&camera), differs(&lan), "the two differ by the network alone");
}

#[test]
fn a_process_that_takes_ever_more_memory_is_ended_before_the_device_is() {
    let kernel = fs::read_to_string(rootfs().join("../../../build/render.py")).unwrap();
    assert!(kernel.contains(" cgroup_enable=memory "), "the Pi's boot loader switches limits off");
    for unit in ["d", "-camera@", "-camera-lan@", "-worker@", "-mediamtx@", "-mosquitto@"] {
        let text = text(&format!("edgecam{unit}.service"));
        let most = values(&text, "MemoryMax").next().unwrap_or_else(|| panic!("edgecam{unit}"));
        let most: u32 = most.strip_suffix('M').unwrap().parse().unwrap();
        assert!(most <= 512, "edgecam{unit}: half of the smallest Pi's");
    }
}

#[test]
fn each_unit_that_the_daemon_starts_has_its_socket_and_its_folder() {
    let (daemon, folders) = (
        text("edgecamd.service"),
        fs::read_to_string(rootfs().join("tmpfiles.d/edgecam.conf")).unwrap(),
    );
    assert!(daemon.contains("\nEnvironment=EDGECAM_UNITS=/run/edgecam-units\n"));
    for unit in ["camera", "camera-lan", "worker", "mediamtx", "mosquitto", "host"] {
        let socket = text(&format!("edgecam-{unit}.socket"));
        let path = format!("/run/edgecam-units/{unit}/start.sock");
        assert_eq!(values(&socket, "ListenSequentialPacket").collect::<Vec<_>>(), [&path]);
        let owner = [values(&socket, "SocketUser"), values(&socket, "SocketMode")];
        let owner: Vec<_> = owner.into_iter().flatten().collect();
        assert_eq!(owner, ["edgecam", "0600"], "nobody else may start {unit}");
        assert!(folders.contains(&format!("\nd /run/edgecam-units/{unit} ")), "{unit}");
        assert!(values(&daemon, "Wants").any(|all| all.contains(&format!("-{unit}.socket"))));
    }
}

#[test]
fn a_card_that_cannot_be_read_neither_stops_the_start_nor_keeps_it_waiting() {
    let (card, daemon) = (text("edgecam-card.service"), text("edgecamd.service"));
    let mount = "run-edgecam\\x2dcard.mount";
    // Before the daemon, but nothing that it needs: it starts whatever came of the card.
    assert!(values(&daemon, "After").any(|all| all.contains("edgecam-card.service")));
    for needs in ["Wants", "Requires", "BindsTo", "Requisite"] {
        assert!(values(&daemon, needs).all(|all| !all.contains("edgecam-card")), "{needs}");
    }
    assert_eq!(values(&card, "Requires").collect::<Vec<_>>(), [mount]);
    let text = text(mount);
    // Ordered before local-fs.target, as mounts are by default, it would hold up the whole start.
    assert!(values(&text, "DefaultDependencies").eq(["no"]));
    assert!(values(&text, "StopWhenUnneeded").eq(["yes"]), "it is mounted while it is read");
    // What is below /dev would be waited for.
    assert!(values(&text, "What").eq(["/run/edgecam-firmware"]), "the initramfs has found it");
    let at = "/var/lib/edgecam/card";
    assert!(daemon.contains(&format!("Environment=EDGECAM_CLAIM_FILE={at}/claim-code\n")));
    assert!(daemon.contains(&format!("--card-settings {at}/settings.toml\n")));
}

#[test]
fn the_watchdog_outlasts_a_start_of_the_daemon_by_itself() {
    let daemon = text("edgecamd.service");
    let seconds = |key| -> u64 { values(&daemon, key).next().unwrap().parse().unwrap() };
    // Cameras 8 s, last events 2 s, the rest 5 s, children 5 s and 5 s more for one that hangs in the
    // kernel; then a start within the 20 s that the other tests give it.
    assert!(seconds("WatchdogSec") >= 2 * (8 + 2 + 5 + 10 + 20));
    assert!(seconds("TimeoutStopSec") > 8 + 2 + 5 + 10 && seconds("TimeoutStartSec") > 25 + 20);
}
