//! What the owner put on the card before the first start is taken over, its secrets are wiped from it, and
//! events go to the broker that it names. A file with a mistake changes nothing and is answered beside it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use edgecam_e2e::card::Card;
use edgecam_e2e::device::Device;
use edgecam_e2e::image::Image;
use edgecam_e2e::machine::{Machine, Options};
use edgecam_e2e::wait_for;

/// How QEMU's own network calls this host.
const HOST: &str = "10.0.2.2";

/// A program that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_owners_choices_hold_from_the_first_start_and_events_reach_his_broker() {
    let name = "the_owners_choices_hold_from_the_first_start_and_events_reach_his_broker";
    let Some(image) = Image::of_this_run(name) else { return };
    let card = Card::flash(&image).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = card.folder().join("broker.conf");
    fs::write(&config, format!("listener {port} 127.0.0.1\nallow_anonymous true\n")).unwrap();
    let mut broker = Command::new("mosquitto");
    let broker = broker.arg("-c").arg(&config).stderr(Stdio::null()).spawn().unwrap();
    let _broker = Ended(broker);
    let (minute, often) = (Duration::from_secs(60), Duration::from_millis(100));
    wait_for("broker", minute, often, || TcpStream::connect(("127.0.0.1", port)).ok()).unwrap();
    let secret = "correct-horse-battery";
    let choices = format!(
        "host_name = \"gate\"\n[mqtt]\nhost = \"{HOST}\"\nport = {port}\nusername = \"gate\"\npassword = \"{secret}\"\n"
    );
    let file = card.folder().join("edgecam.toml");
    fs::write(&file, choices).unwrap();
    card.put("edgecam.toml", &file).unwrap();

    let mut listener = Command::new("mosquitto_sub");
    listener.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-t", "edgecam/+/+/events", "-v"]);
    let mut listener = Ended(listener.stdout(Stdio::piped()).spawn().unwrap());
    let told = BufReader::new(listener.0.stdout.take().unwrap());
    let (tell, heard) = mpsc::channel();
    std::thread::spawn(move || {
        told.lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
    });
    let machine = Machine::start(&image, &card, &Options::default()).unwrap();
    Device::at(machine.https).ready().unwrap();
    let first = heard.recv_timeout(15 * minute).unwrap();
    assert!(first.contains("\"seq\""), "an event: {first}");

    let wiped = || card.get("edgecam.toml").ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let left = wait_for("file on the card", minute, often, wiped);
    assert!(!left.unwrap().contains(secret));
    machine.cut();
    let bytes = fs::read(card.path()).unwrap();
    let first_partition = &bytes[1 << 20..65 << 20];
    let found = first_partition.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(!found, "the password is nowhere on the partition");
}

#[test]
fn a_file_with_mistakes_changes_nothing_and_is_answered_beside_it() {
    let name = "a_file_with_mistakes_changes_nothing_and_is_answered_beside_it";
    let Some(image) = Image::of_this_run(name) else { return };
    let card = Card::flash(&image).unwrap();
    let file = card.folder().join("edgecam.toml");
    fs::write(&file, "host_nmae = \"gate\"\n[mqtt]\nport = 70000\n").unwrap();
    card.put("edgecam.toml", &file).unwrap();
    let machine = Machine::start(&image, &card, &Options::default()).unwrap();
    Device::at(machine.https).ready().unwrap();
    let answer = String::from_utf8(card.get("edgecam-errors.txt").unwrap()).unwrap();
    assert!(answer.contains("host_nmae") && answer.contains("port"), "{answer}");
}
