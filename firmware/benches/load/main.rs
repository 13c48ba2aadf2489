//! What the daemon carries, asked by a second process over loopback: requests against those that a bare
//! axum answers in the same run, events from a camera's link to the disk, to the broker and to 500
//! readers of the event stream, and the time of a start. `cargo bench -p edgecamd --bench load`; about
//! two minutes. The camera is this program, which says only what is to be stored ([`feeder`]).

#[path = "../../tests/harness/mod.rs"]
mod harness;

mod bare;
mod client;
mod events;
mod feeder;
mod requests;
mod starts;

use std::io;

use harness::Site;

/// As the daemon has it.
fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("--camera") => return feeder::run(arguments.get(2).map_or("", String::as_str)),
        Some(bare::ARGUMENT) => return bare::run(),
        _ => {}
    }
    let Some(_site) = Site::with(&[]) else { return Ok(()) };
    let runtime = runtime()?;
    requests::measure(&runtime)?;
    events::measure(&runtime)?;
    starts::measure()
}
