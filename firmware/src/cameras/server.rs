//! The socket that camera processes connect to.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::shutdown::Shutdown;
use link::{FromCamera, PROTOCOL, Receiver, Sender, ToCamera};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A process that connects says hello within this time.
const HELLO_WITHIN: Duration = Duration::from_secs(5);

/// A camera process that said hello.
#[derive(Debug)]
pub(super) struct Connection {
    /// Its process id.
    pub(super) pid: u32,
    /// What it says.
    pub(super) receiver: Receiver<FromCamera>,
    /// What it is told.
    pub(super) sender: Sender<ToCamera>,
}

/// Where connections of each camera go; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Doors(Arc<Mutex<BTreeMap<String, mpsc::Sender<Connection>>>>);

impl Doors {
    /// Processes of `camera` go through `door` from now on.
    pub(super) fn open(&self, camera: &str, door: mpsc::Sender<Connection>) {
        self.lock().insert(camera.to_owned(), door);
    }

    /// No process of `camera` is let in any more.
    pub(super) fn close(&self, camera: &str) {
        self.lock().remove(camera);
    }

    fn of(&self, camera: &str) -> Option<mpsc::Sender<Connection>> {
        self.lock().get(camera).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, mpsc::Sender<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The listening socket. Its file is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct LinkServer {
    listener: UnixListener,
    path: PathBuf,
}

impl LinkServer {
    /// Listens in `folder`, which is made for this user alone. A socket that a killed daemon left
    /// is replaced.
    ///
    /// # Errors
    /// When the folder or the socket cannot be made.
    pub(crate) fn bind(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
        let path = folder.join("link.sock");
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Self { listener: UnixListener::bind(&path)?, path })
    }

    /// Where it listens.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until `shutdown`.
    pub(super) fn spawn(
        self,
        doors: Doors,
        mut shutdown: Shutdown,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<()> {
        tasks.spawn(async move {
            let mut greetings = JoinSet::new();
            // Cancel-safe: `accept` and `wait` are, and a joined greeting has nothing to lose.
            loop {
                tokio::select! {
                    accepted = self.listener.accept() => match accepted {
                        Ok((stream, _)) => { greetings.spawn(greet(stream, doors.clone())); }
                        Err(error) => {
                            tracing::warn!(%error, "a camera process could not connect");
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    },
                    Some(_) = greetings.join_next() => {}
                    () = shutdown.wait() => break,
                }
            }
        });
        Ok(())
    }
}

impl Drop for LinkServer {
    fn drop(&mut self) {
        // The next start replaces a file that is left.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Hears who connects, and hands the connection to the camera's task.
async fn greet(stream: UnixStream, doors: Doors) {
    let (mut receiver, sender) = link::split(stream);
    let hello = match tokio::time::timeout(HELLO_WITHIN, receiver.receive()).await {
        Ok(Ok(Some((hello, _)))) => hello,
        Ok(Ok(None)) => return,
        Ok(Err(error)) => {
            tracing::warn!(error = base::error::chain(&error), "a process said no hello");
            return;
        }
        Err(_) => {
            tracing::warn!("a process connected and said nothing");
            return;
        }
    };
    let FromCamera::Hello { protocol, version, camera, pid } = hello else {
        tracing::warn!("a process began with something else than hello");
        return;
    };
    if protocol != PROTOCOL {
        tracing::error!(
            camera,
            version,
            protocol,
            "edgecam-camera is of another build: install both"
        );
        return;
    }
    let Some(door) = doors.of(&camera) else {
        tracing::warn!(camera, pid, "a process of an unknown camera connected");
        return;
    };
    // A closed door means that the camera is being stopped.
    let _ = door.send(Connection { pid, receiver, sender }).await;
}
