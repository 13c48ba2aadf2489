//! A device that announces itself is found with its address, and gone when it takes that back. On this
//! machine's loopback interface, on a port of the test's own.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail by it and report")]

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use edgecam_discovery::{Announcement, Announcer, Found, Network, browse};

const LONG: Duration = Duration::from_secs(20);

/// This machine alone, on a free port.
fn near() -> Network {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    Network { port, only: Some(Ipv4Addr::LOCALHOST.into()) }
}

fn announcement() -> Announcement {
    Announcement {
        name: "Gate 2.0".to_owned(),
        node: "ec-0a1b2c".to_owned(),
        host: "edgecam-0a1b2c".to_owned(),
        scheme: "https",
        port: 8443,
    }
}

fn look(network: Network) -> Vec<Found> {
    browse(network, LONG, |found| found.node == "ec-0a1b2c").unwrap()
}

#[test]
fn a_device_is_found_by_name_with_its_address_and_no_more_once_it_says_goodbye() {
    let network = near();
    let announcer = Announcer::start(&announcement(), network).unwrap();
    let found = look(network);
    let [one] = &found[..] else { panic!("{found:?}") };
    assert_eq!((one.name.as_str(), one.node.as_str()), ("Gate 2.0", "ec-0a1b2c"));
    assert_eq!(one.url(), "https://edgecam-0a1b2c.local:8443");
    assert_eq!(one.addresses, [Ipv4Addr::LOCALHOST]);

    drop(announcer);
    let deadline = Instant::now() + LONG;
    while !browse(network, Duration::from_secs(1), |_| true).unwrap().is_empty() {
        assert!(Instant::now() < deadline, "it is still announced");
    }
}
