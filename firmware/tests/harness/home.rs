//! A network of its own, with a neighbour in it: what is guarded against reaching the device itself is
//! tested with a receiver that is another machine, as far as the device can tell.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use super::site::skip;

/// Where the neighbour is.
pub(crate) const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 7);
/// Set inside.
const INSIDE: &str = "EDGECAM_TEST_AT_HOME";
/// What comes for the neighbour comes to this machine; what goes there comes from another address.
const PREPARE: &str = "ip link set lo up && ip route add local 10.99.0.7/32 dev lo src 127.0.0.1 \
                       && exec \"$@\"";

/// Whether the calling test runs in that network. When not, it is run there as a process of its own, or
/// reports itself skipped, and the caller is done.
pub(crate) fn is_here() -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !there(&["true"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        skip("this machine lets nobody make a network of their own (unshare, ip)");
        return false;
    }
    let test = std::thread::current().name().expect("tests are named").to_owned();
    let own = std::env::current_exe().expect("a test is a program");
    let own = own.to_str().expect("a plain path");
    let status = there(&[own, "--exact", &test, "--nocapture"]).env(INSIDE, "1").status();
    assert!(status.expect("it was tried before").success(), "{test} failed there");
    false
}

/// `command` in such a network.
fn there(command: &[&str]) -> Command {
    // A user of one's own is needed only by who is nobody special.
    let kind = if rustix::process::geteuid().is_root() { "-n" } else { "-Urn" };
    let mut unshare = Command::new("unshare");
    unshare.args([kind, "sh", "-c", PREPARE, "sh"]).args(command);
    unshare
}
