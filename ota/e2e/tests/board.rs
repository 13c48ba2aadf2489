//! The card starts on a Raspberry Pi 4 as QEMU has it: the boot loader of the card, its script, its kernel.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use edgecam_e2e::card::Card;
use edgecam_e2e::image::Image;
use edgecam_e2e::machine::{Board, Machine, Options};

#[test]
fn the_card_starts_on_an_emulated_raspberry_pi_4() {
    let Some(image) = Image::of_this_run("the_card_starts_on_an_emulated_raspberry_pi_4") else {
        return;
    };
    let card = Card::flash_for_pi(&image).unwrap();
    let options = Options { board: Board::Pi4, ..Options::default() };
    let mut machine = Machine::start(&image, &card, &options).unwrap();
    machine.booted().unwrap();
    let model = machine.ask("tr -d '\\0' </proc/device-tree/model").unwrap();
    assert!(model.contains("Raspberry Pi 4"), "{model}");
    // The daemon is up and had RAUC give the slot its tries back: all of the start went well.
    let good =
        "for i in $(seq 600); do fw_printenv BOOT_A_LEFT | grep -q 3 && exit 0; sleep 1; done";
    let (status, _) =
        machine.shell(&format!("({good}; exit 1)"), Duration::from_secs(900)).unwrap();
    let about = machine.ask("systemctl --failed; fw_printenv; systemctl status edgecamd").unwrap();
    assert_eq!((status, machine.starts()), (0, 1), "{about}");
}
