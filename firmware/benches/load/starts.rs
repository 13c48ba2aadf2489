//! From the start of the process to what it tells systemd when it is ready.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::harness::Setup;
use crate::harness::measure::quantile;

const STARTS: usize = 20;
const LONG: Duration = Duration::from_secs(20);

/// Measures and prints.
pub(crate) fn measure() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("notify");
    let notified = UnixDatagram::bind(&socket)?;
    notified.set_read_timeout(Some(LONG))?;
    let data = folder.path().join("data");
    let mut times = Vec::new();
    for _ in 0..=STARTS {
        let setup = Setup::new().data(&data).env("NOTIFY_SOCKET", &socket);
        let begun = Instant::now();
        let mut edgecam = setup.spawn();
        wait_for_ready(&notified)?;
        times.push(begun.elapsed());
        edgecam.stop();
    }
    // The first of a new device makes keys and certificate.
    let first = times.remove(0);
    writeln!(
        io::stdout(),
        "bench start to ready p50 {:.0} ms p95 {:.0} ms ({STARTS} starts; the first of a new device \
         {:.0} ms)",
        quantile(&times, 0.5).as_secs_f64() * 1000.0,
        quantile(&times, 0.95).as_secs_f64() * 1000.0,
        first.as_secs_f64() * 1000.0
    )
}

fn wait_for_ready(notified: &UnixDatagram) -> io::Result<()> {
    let mut message = [0; 4096];
    loop {
        let length = notified.recv(&mut message)?;
        if String::from_utf8_lossy(&message[..length]).lines().any(|line| line == "READY=1") {
            return Ok(());
        }
    }
}
