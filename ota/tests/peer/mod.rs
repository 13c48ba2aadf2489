//! A private message bus, and on it a peer with RAUC's name that answers as RAUC 1.13 does, traps included.
//! What it is to do is scripted by the test.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::StreamExt;
use tokio::task::JoinHandle;
use zbus::message::{Header, Type as Kind};
use zbus::{Connection, Message, MessageStream, Variant};

const NAME: &str = "de.pengutronix.rauc";
const INSTALLER: &str = "de.pengutronix.rauc.Installer";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// How RAUC's refusals look on the bus: GLib's errors have no names of their own.
const REFUSAL: &str = "org.gtk.GDBus.UnmappedGError.Quark._g_2dio_2derror_2dquark.Code34";

/// A message bus of the test's own.
pub(crate) struct PrivateBus {
    daemon: Child,
    pub(crate) address: String,
    _folder: tempfile::TempDir,
}

impl PrivateBus {
    /// `None`: this machine has no `dbus-daemon`.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>system</type><listen>unix:path={}/bus</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\
             <allow send_type=\"method_call\"/><allow send_type=\"signal\"/>\
             <allow send_requested_reply=\"true\"/><allow receive_type=\"*\"/></policy></busconfig>",
            folder.path().display()
        );
        let text = text.replace(
            "<allow receive_type=\"*\"/>",
            "<allow receive_type=\"method_call\"/><allow receive_type=\"method_return\"/>\
             <allow receive_type=\"error\"/><allow receive_type=\"signal\"/>",
        );
        std::fs::write(&config, text).unwrap();
        let started = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address"])
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut daemon) = started else {
            eprintln!("skipped: this machine has no dbus-daemon");
            return None;
        };
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(!address.trim().is_empty(), "dbus-daemon says no address");
        Some(Self { daemon, address: address.trim().to_owned(), _folder: folder })
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// What an installation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Install {
    /// It goes well.
    Succeeds,
    /// It fails before the other slot is touched, for this reason.
    FailsFirst(String),
    /// The new slot is the next one already when the post-install handler fails.
    FailsLast,
    /// It goes well, and nobody is told.
    SaysNothing,
    /// RAUC dies in the middle.
    Dies,
    /// RAUC dies after the last write.
    DiesLast,
    /// It never ends.
    Hangs,
}

/// What the peer is and does.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) install: Install,
    /// Whether `require-manifest-hash` is known: from 1.14 on.
    pub(crate) takes_hash: bool,
    pub(crate) busy: bool,
    /// The slot that runs.
    pub(crate) booted: String,
    pub(crate) primary: String,
    /// Whether the boot loader's state can be read.
    pub(crate) env_readable: bool,
    pub(crate) good: HashMap<String, bool>,
    pub(crate) version: String,
    pub(crate) compatible: String,
    pub(crate) hash: String,
    /// Methods that are never answered.
    pub(crate) deaf: Vec<&'static str>,
    /// `Mark` says yes and does nothing.
    pub(crate) marks_lie: bool,
    /// What was asked, in order.
    pub(crate) calls: Vec<String>,
    /// By whom the other slot was written, and whether it is whole.
    pub(crate) written: Option<(String, bool)>,
    pub(crate) last_error: String,
}

impl Default for World {
    fn default() -> Self {
        Self {
            install: Install::Succeeds,
            takes_hash: false,
            busy: false,
            booted: "A".into(),
            primary: "A".into(),
            env_readable: true,
            good: [("A".to_owned(), true), ("B".to_owned(), true)].into(),
            version: "2.0.0".into(),
            compatible: "edgecam-debian-arm64".into(),
            hash: "cafe".into(),
            deaf: Vec::new(),
            marks_lie: false,
            calls: Vec::new(),
            written: None,
            last_error: String::new(),
        }
    }
}

impl World {
    fn other(&self) -> String {
        if self.booted == "A" { "B".into() } else { "A".into() }
    }
}

/// The peer.
pub(crate) struct Peer {
    pub(crate) world: Arc<Mutex<World>>,
    line: Connection,
    task: JoinHandle<()>,
}

impl Peer {
    pub(crate) async fn start(bus: &PrivateBus, world: World) -> Self {
        Self::with(bus, Arc::new(Mutex::new(world))).await
    }

    /// The same after it died: another process with the same memory, as that is on disk.
    pub(crate) async fn again(bus: &PrivateBus, world: &Arc<Mutex<World>>) -> Self {
        world.lock().unwrap().busy = false;
        Self::with(bus, world.clone()).await
    }

    async fn with(bus: &PrivateBus, world: Arc<Mutex<World>>) -> Self {
        let builder = zbus::connection::Builder::address(bus.address.as_str());
        let line = builder.build().await.unwrap();
        let calls = MessageStream::from(&line);
        let task = tokio::spawn(serve(line.clone(), calls, world.clone()));
        line.request_name(NAME).await.unwrap();
        Self { world, line, task }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// As a process that is killed.
    pub(crate) async fn die(self) {
        self.task.abort();
        self.line.close().await.unwrap();
    }
}

async fn serve(line: Connection, mut calls: MessageStream, world: Arc<Mutex<World>>) {
    while let Some(Ok(call)) = calls.next().await {
        let header = call.header();
        if header.message_type() != Kind::MethodCall {
            continue;
        }
        let (Some(interface), Some(member)) = (header.interface(), header.member()) else {
            continue;
        };
        let (interface, member) = (interface.as_str().to_owned(), member.as_str().to_owned());
        world.lock().unwrap().calls.push(member.clone());
        if world.lock().unwrap().deaf.iter().any(|deaf| *deaf == member) {
            continue;
        }
        if interface == PROPERTIES {
            property(&line, &header, &call, &world).await;
        } else if interface == INSTALLER {
            method(&line, &header, &call, &member, &world).await;
        }
    }
}

async fn refuse(line: &Connection, header: &Header<'_>, words: &str) {
    line.reply_error(header, REFUSAL, &words).await.unwrap();
}

async fn property(line: &Connection, header: &Header<'_>, call: &Message, world: &Mutex<World>) {
    let (_, name): (String, String) = call.body().deserialize().unwrap();
    let world = world.lock().unwrap().clone();
    let value = match name.as_str() {
        "BootSlot" => world.booted,
        "LastError" => world.last_error,
        // It lies: see `Operation` in RAUC's source.
        "Operation" => "idle".to_owned(),
        _ => String::new(),
    };
    line.reply(header, &Variant::from(value)).await.unwrap();
}

async fn method(
    line: &Connection,
    header: &Header<'_>,
    call: &Message,
    member: &str,
    world: &Arc<Mutex<World>>,
) {
    let now = world.lock().unwrap().clone();
    if now.busy {
        return refuse(line, header, "already processing a different method").await;
    }
    match member {
        "GetSlotStatus" => line.reply(header, &slots(&now)).await.unwrap(),
        "GetPrimary" if !now.env_readable => {
            refuse(line, header, "Failed getting primary slot: Unable to obtain BOOT_ORDER").await;
        }
        "GetPrimary" => {
            let name = format!("rootfs.{}", u8::from(now.primary == "B"));
            line.reply(header, &name).await.unwrap();
        }
        "InspectBundle" => inspect(line, header, &now).await,
        "Mark" => mark(line, header, call, world).await,
        "InstallBundle" => {
            let (_, args): (String, HashMap<String, zbus::OwnedVariant>) =
                call.body().deserialize().unwrap();
            if args.contains_key("require-manifest-hash") && !now.takes_hash {
                return refuse(line, header, "Unsupported key: require-manifest-hash").await;
            }
            assert!(args.keys().all(|key| !key.starts_with("ignore")), "{args:?}");
            let transaction = match &*args["transaction-id"] {
                Variant::Str(text) => text.as_str().to_owned(),
                other => panic!("{other:?}"),
            };
            world.lock().unwrap().busy = true;
            line.reply(header, &()).await.unwrap();
            tokio::spawn(install(line.clone(), world.clone(), transaction));
        }
        other => panic!("nobody asks for {other}"),
    }
}

fn slots(world: &World) -> Vec<(String, HashMap<&'static str, Variant<'static>>)> {
    let slot = |name: &str, bootname: &str| {
        let mut facts: HashMap<&'static str, Variant<'static>> = HashMap::from([
            ("class", Variant::from("rootfs".to_owned())),
            ("bootname", Variant::from(bootname.to_owned())),
            (
                "state",
                Variant::from(
                    if world.booted == bootname { "booted" } else { "inactive" }.to_owned(),
                ),
            ),
            (
                "boot-status",
                Variant::from(if world.good[bootname] { "good" } else { "bad" }.to_owned()),
            ),
        ]);
        if bootname != world.booted
            && let Some((transaction, whole)) = &world.written
        {
            let status = if *whole { "ok" } else { "pending" }.to_owned();
            facts.insert("status", Variant::from(status));
            facts.insert("installed.transaction", Variant::from(transaction.clone()));
            facts.insert("bundle.version", Variant::from(world.version.clone()));
            facts.insert("installed.timestamp", Variant::from("2026-01-01T00:00:00Z".to_owned()));
        }
        (name.to_owned(), facts)
    };
    let child = HashMap::from([("class", Variant::from("boot".to_owned()))]);
    vec![slot("rootfs.0", "A"), ("boot.0".to_owned(), child), slot("rootfs.1", "B")]
}

async fn inspect(line: &Connection, header: &Header<'_>, world: &World) {
    let update: HashMap<String, Variant<'_>> = HashMap::from([
        ("compatible".to_owned(), Variant::from(world.compatible.clone())),
        ("version".to_owned(), Variant::from(world.version.clone())),
    ]);
    // As RAUC does it: a dictionary in a variant in a variant.
    let update = Variant::Variant(Box::new(Variant::from(update)));
    let facts: HashMap<String, Variant<'_>> = HashMap::from([
        ("manifest-hash".to_owned(), Variant::from(world.hash.clone())),
        ("update".to_owned(), update),
    ]);
    line.reply(header, &facts).await.unwrap();
}

async fn mark(line: &Connection, header: &Header<'_>, call: &Message, world: &Mutex<World>) {
    let (state, which): (String, String) = call.body().deserialize().unwrap();
    let said = {
        let mut world = world.lock().unwrap();
        let last = world.calls.last_mut().unwrap();
        *last = format!("Mark {state} {which}");
        let slot = if which == "booted" { world.booted.clone() } else { world.other() };
        if !world.marks_lie {
            match state.as_str() {
                "good" => drop(world.good.insert(slot.clone(), true)),
                "bad" => {
                    world.good.insert(slot.clone(), false);
                    if world.primary == slot {
                        world.primary = if slot == "A" { "B".into() } else { "A".into() };
                    }
                }
                _ => {
                    world.good.insert(slot.clone(), true);
                    world.primary = slot.clone();
                }
            }
        }
        format!("marked slot {slot} as {state}")
    };
    line.reply(header, &(which, said)).await.unwrap();
}

async fn install(line: Connection, world: Arc<Mutex<World>>, transaction: String) {
    let plan = world.lock().unwrap().install.clone();
    for percent in [20, 60] {
        progress(&line, percent).await;
    }
    if let Install::FailsFirst(why) = &plan {
        world.lock().unwrap().last_error.clone_from(why);
        return completed(&line, &world, 1).await;
    }
    {
        let mut world = world.lock().unwrap();
        world.written = Some((transaction.clone(), false));
        let other = world.other();
        world.good.insert(other, false);
    }
    match plan {
        Install::Dies => return line.close().await.unwrap(),
        Install::Hangs => return,
        _ => {}
    }
    {
        let mut world = world.lock().unwrap();
        let other = world.other();
        world.written = Some((transaction, true));
        world.good.insert(other.clone(), true);
        world.primary = other;
    }
    match plan {
        Install::DiesLast => line.close().await.unwrap(),
        Install::SaysNothing => world.lock().unwrap().busy = false,
        Install::FailsLast => {
            world.lock().unwrap().last_error = "Post-install handler error: exited with 3".into();
            completed(&line, &world, 1).await;
        }
        _ => {
            progress(&line, 100).await;
            completed(&line, &world, 0).await;
        }
    }
}

async fn progress(line: &Connection, percent: i32) {
    let value = Variant::from((percent, "Copying image".to_owned(), 2));
    let changed: HashMap<&str, Variant<'_>> = HashMap::from([("Progress", value)]);
    let body = (INSTALLER, changed, Vec::<String>::new());
    line.emit_signal(None::<&str>, "/", PROPERTIES, "PropertiesChanged", &body).await.unwrap();
}

/// `Completed` comes while RAUC is still busy.
async fn completed(line: &Connection, world: &Mutex<World>, result: i32) {
    line.emit_signal(None::<&str>, "/", INSTALLER, "Completed", &result).await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    world.lock().unwrap().busy = false;
}
