//! A card that was just flashed becomes a device that its owner can claim, and that sees.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use edgecam_e2e::card::Card;
use edgecam_e2e::device::Device;
use edgecam_e2e::image::Image;
use edgecam_e2e::machine::{Machine, Options};
use edgecam_e2e::wait_for;

#[test]
fn a_new_card_starts_grows_can_be_claimed_and_sees() {
    let Some(image) = Image::of_this_run("a_new_card_starts_grows_can_be_claimed_and_sees") else {
        return;
    };
    let card = Card::flash(&image).unwrap();
    let mut machine = Machine::start(&image, &card, &Options::default()).unwrap();
    machine.booted().unwrap();
    let mut device = Device::at(machine.https);
    device.ready().unwrap();

    let shown = || String::from_utf8(card.get("edgecam-claim.txt").ok()?).ok();
    let minute = Duration::from_secs(60);
    let text = wait_for("claim code on the card", minute, Duration::from_secs(1), shown).unwrap();
    let code = machine.ask("cat /var/lib/edgecam/card/claim-code").unwrap();
    assert!(text.contains(&code), "the card shows {text:?}, the code is {code}");
    let console = || machine.console().contains(&format!("with the code {code}")).then_some(());
    wait_for("claim code on the console", minute, Duration::from_secs(1), console).unwrap();
    assert!(machine.console().contains("DEVELOPMENT"), "the keys of development are told");
    device.claim(&code).unwrap();
    let (status, system) = device.get("/api/v1/system").unwrap();
    assert_eq!(status, 200, "{system}");
    let seen = || {
        let (_, events) = device.get("/api/v1/events?limit=1").ok()?;
        events["items"].as_array().is_some_and(|items| !items.is_empty()).then_some(())
    };
    wait_for("event of the drawn street", Duration::from_secs(600), Duration::from_secs(2), seen)
        .unwrap();

    let failed = machine.ask("systemctl --failed --no-legend --no-pager").unwrap();
    assert_eq!(failed, "", "services that failed");
    let (status, said) = machine.shell("touch /usr/x", Duration::from_secs(30)).unwrap();
    assert!(status != 0 && said.contains("Read-only"), "the root can be written: {said}");
    let room = machine.ask("df --output=size -B1 /data | tail -n 1").unwrap();
    assert!(
        room.trim().parse::<u64>().unwrap() > 1 << 30,
        "the data partition has {room} bytes of a card of 3 GiB"
    );
    let blocks = machine.ask("stat -f -c '%b %f %a' /data").unwrap();
    let blocks: Vec<u64> = blocks.split_whitespace().map(|it| it.parse().unwrap()).collect();
    let [all, free, the_owners] = blocks[..] else { panic!("{blocks:?}") };
    assert!(
        (free - the_owners) * 100 < all,
        "more than 1 % of it is kept from its owner: {blocks:?}"
    );
    let watchdog = machine.ask("cat /sys/class/watchdog/watchdog0/state").unwrap();
    assert_eq!(watchdog, "active");
}
