//! The bare axum server that the API is held against: one route, one line, the daemon's runtime.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// What makes this program that server.
pub(crate) const ARGUMENT: &str = "bare";

/// Serves until its standard input ends.
pub(crate) fn run() -> io::Result<()> {
    crate::runtime()?.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        let hello = axum::Router::new().route("/", axum::routing::get(async || "Hello, World!"));
        let left = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
        tokio::select! {
            served = axum::serve(listener, hello) => served,
            _ = left => Ok(()),
        }
    })
}

/// That server in a process of its own.
pub(crate) struct Bare {
    process: Child,
    /// Where it serves.
    pub(crate) address: SocketAddr,
}

impl Bare {
    /// Starts it.
    pub(crate) fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let mut line = String::new();
        if let Some(said) = process.stdout.take() {
            BufReader::new(said).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { process, address })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It has nothing left to do.
        let _ = self.process.wait();
    }
}
