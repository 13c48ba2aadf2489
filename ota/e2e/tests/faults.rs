//! Faults that a device meets in the field, one at a time: each leaves it running and says what happened.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::Write as _;
use std::time::Duration;

use edgecam_e2e::card::Card;
use edgecam_e2e::device::Device;
use edgecam_e2e::image::Image;
use edgecam_e2e::machine::{Machine, Options};
use edgecam_e2e::owned::Owned;
use edgecam_e2e::server::{HOST, Server};
use edgecam_e2e::wait_for;
use serde_json::json;

const MINUTE: Duration = Duration::from_secs(60);
/// Leaves nothing free on the data partition.
const FILL: &str = "fallocate -l $(( $(stat -f -c %f /data) * $(stat -f -c %S /data) - 8000000 )) /data/filler; \
    dd if=/dev/zero bs=4k status=none >>/data/filler; sync; [ $(stat -f -c %a /data) -lt 64 ]";

#[test]
fn a_torn_slot_state_keeps_the_preference() {
    let Some(image) = Image::of_this_run("a_torn_slot_state_keeps_the_preference") else { return };
    let mut owned = Owned::new(&image).unwrap();
    // The other slot is preferred, and was so at the start before; its system is the same one.
    let copy = "for part in rootfs boot; do dd if=/dev/disk/by-partlabel/$part-a of=/dev/disk/by-partlabel/$part-b bs=4M; done";
    owned.machine.shell(copy, 10 * MINUTE).unwrap();
    owned.machine.ask("fw_setenv BOOT_ORDER 'B A' && sync").unwrap();
    owned = owned.cut_and_start().unwrap();
    owned.machine.booted().unwrap();
    assert!(owned.machine.ask("cat /proc/cmdline").unwrap().contains("rauc.slot=B"));
    owned.card.spoil_slot_state(0).unwrap();
    owned = owned.cut_and_start().unwrap();
    owned.machine.booted().unwrap();
    assert!(owned.machine.ask("cat /proc/cmdline").unwrap().contains("rauc.slot=B"));
    // Both: it starts all the same, with what is true of a new card.
    owned.card.spoil_slot_state(0).unwrap();
    owned.card.spoil_slot_state(1).unwrap();
    owned = owned.cut_and_start().unwrap();
    owned.machine.booted().unwrap();
    owned.device.ready().unwrap();
    assert!(owned.machine.ask("fw_printenv BOOT_ORDER").unwrap().contains("A B"));
}

#[test]
fn a_clock_at_1970_and_no_network_do_not_keep_a_device_from_its_work() {
    let name = "a_clock_at_1970_and_no_network_do_not_keep_a_device_from_its_work";
    let Some(image) = Image::of_this_run(name) else { return };
    let card = Card::flash(&image).unwrap();
    let options = Options {
        clock: Some("1970-01-01T00:00:10".to_owned()),
        offline: true,
        ..Options::default()
    };
    let mut machine = Machine::start(&image, &card, &options).unwrap();
    machine.booted().unwrap();
    Device::at(machine.https).ready().unwrap();
    let year: u32 = machine.ask("date +%Y").unwrap().parse().unwrap();
    assert!(year >= 2024, "no earlier than the image: {year}");
}

#[test]
fn power_cycles_do_not_use_up_the_tries_of_a_system_that_works() {
    let name = "power_cycles_do_not_use_up_the_tries_of_a_system_that_works";
    let Some(image) = Image::of_this_run(name) else { return };
    let mut owned = Owned::new(&image).unwrap();
    for _ in 0..3 {
        owned = owned.cut_and_start().unwrap();
        owned.machine.booted().unwrap();
        owned.device.ready().unwrap();
        let full =
            "for i in $(seq 60); do fw_printenv BOOT_A_LEFT | grep -q 3 && exit 0; sleep 1; done";
        let (status, _) = owned.machine.shell(&format!("({full}; exit 1)"), 4 * MINUTE).unwrap();
        assert_eq!(status, 0, "its tries are given back: {:?}", owned.machine.ask("fw_printenv"));
    }
}

#[test]
fn an_installer_or_a_daemon_that_dies_in_mid_install_leaves_an_update_that_can_be_repeated() {
    let name =
        "an_installer_or_a_daemon_that_dies_in_mid_install_leaves_an_update_that_can_be_repeated";
    let Some(image) = Image::of_this_run(name) else { return };
    let mut owned = Owned::new(&image).unwrap();
    owned.install("next.raucb").unwrap();
    owned.wait_for_phase(&["installing"], 10 * MINUTE).unwrap();
    owned.machine.ask("systemctl kill --signal=KILL rauc.service").unwrap();
    let updates = owned.wait_for_phase(&["staged"], 5 * MINUTE).unwrap();
    assert_eq!(updates["problem"]["code"], "interrupted", "{updates}");
    assert_eq!(updates["version"], "0.1.0");

    // The bundle is there, so it need not be sent again.
    let (status, answer) = owned.device.post("/api/v1/updates/install", &json!({})).unwrap();
    assert_eq!(status, 202, "{answer}");
    owned.wait_for_phase(&["installing"], 10 * MINUTE).unwrap();
    owned.machine.ask("systemctl kill --signal=KILL --kill-whom=main edgecamd.service").unwrap();
    let updates = owned.wait_for_phase(&["staged", "committed"], 20 * MINUTE).unwrap();
    if updates["phase"] == "staged" {
        let (status, answer) = owned.device.post("/api/v1/updates/install", &json!({})).unwrap();
        assert_eq!(status, 202, "{answer}");
        owned.wait_for_phase(&["committed"], 20 * MINUTE).unwrap();
    }
}

#[test]
fn a_full_data_partition_refuses_an_update_in_words_and_the_device_works_on() {
    let name = "a_full_data_partition_refuses_an_update_in_words_and_the_device_works_on";
    let Some(image) = Image::of_this_run(name) else { return };
    let mut owned = Owned::new(&image).unwrap();
    let fill =
        "fallocate -l $(( $(df --output=avail -B1 /data | tail -n 1) - 20000000 )) /data/filler";
    owned.machine.ask(fill).unwrap();
    let (status, answer) =
        owned.device.send("/api/v1/updates/install", &image.file("next.raucb")).unwrap();
    assert_eq!((status, &answer["code"]), (507, &json!("disk_full")), "{answer}");
    owned.machine.ask("rm /data/filler").unwrap();
    owned.machine.ask(FILL).unwrap();
    starts_on_a_full_disk(owned);
}

/// It starts, answers, says what is wrong, and is well as soon as there is room.
fn starts_on_a_full_disk(owned: Owned) -> Owned {
    let mut owned = owned.cut_and_start().unwrap();
    owned.machine.booted().unwrap();
    let answers =
        || matches!(owned.device.get("/api/v1/system/issues"), Ok((200, _))).then_some(());
    if let Err(error) =
        wait_for("device that answers on a full disk", 5 * MINUTE, MINUTE / 60, answers)
    {
        let said = "df -B1 /data; ls -l /data /data/edgecam; journalctl -u edgecamd -o cat -n 60";
        panic!("{error}:\n{}", owned.machine.ask(said).unwrap_or_default());
    }
    let (_, issues) = owned.device.get("/api/v1/system/issues").unwrap();
    assert!(issues.to_string().contains("disk_full"), "{issues}");
    owned.machine.ask("rm /data/filler").unwrap();
    owned.device.ready().unwrap();
    owned
}

#[test]
fn a_data_partition_that_fills_up_in_mid_install_leaves_a_device_that_starts_and_can_be_updated() {
    let name = "a_data_partition_that_fills_up_in_mid_install_leaves_a_device_that_starts_and_can_be_updated";
    let Some(image) = Image::of_this_run(name) else { return };
    let mut owned = Owned::new(&image).unwrap();
    let server = Server::start(&image).unwrap();
    let allowed = json!({"updates": {"allowed_hosts": [HOST]}});
    assert_eq!(owned.device.patch("/api/v1/settings", &allowed).unwrap().0, 200);
    owned.install_from(&server.url("next.raucb"), false).unwrap();
    owned.wait_for_phase(&["installing"], 10 * MINUTE).unwrap();
    owned.machine.ask(FILL).unwrap();
    let ends = ["installed", "failed", "staged", "idle"];
    let updates = owned.wait_for_phase(&ends, 15 * MINUTE).unwrap();
    drop(writeln!(std::io::stderr(), "on a full disk: {updates}"));
    owned = starts_on_a_full_disk(owned);
    // That it failed could not be kept: it may be found out, or tried, once more.
    let ends = ["failed", "idle", "staged", "committed"];
    let updates = owned.wait_for_phase(&ends, 20 * MINUTE).unwrap();
    if updates["phase"] != "committed" {
        owned.install_from(&server.url("next.raucb"), true).unwrap();
        owned.wait_for_phase(&["committed"], 20 * MINUTE).unwrap();
    }
}
