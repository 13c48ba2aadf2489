//! A machine in QEMU: power on, power cut, its console with a root shell, its ports on this host.

use std::fs;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::card::Card;
use crate::image::Image;
use crate::wait_for;

/// A start until the shell answers, several times what it takes alone.
const BOOT: Duration = Duration::from_secs(400);
/// How often a condition is looked at.
const OFTEN: Duration = Duration::from_millis(200);

/// What is emulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Board {
    /// QEMU's own, with a network and a watchdog.
    #[default]
    Virt,
    /// A Raspberry Pi 4: its card reader, its boot loader, neither network nor watchdog.
    Pi4,
}

/// What a machine is started with beside its card.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The board.
    pub board: Board,
    /// Its clock at power on, as QEMU's `-rtc base=`; the host's when absent.
    pub clock: Option<String>,
    /// Whether it has no network at all.
    pub offline: bool,
}

/// A running machine; dropping it cuts its power.
#[derive(Debug)]
pub struct Machine {
    qemu: Child,
    log: PathBuf,
    socket: PathBuf,
    shell: Option<UnixStream>,
    asked: u32,
    /// Where its HTTPS port is on this host.
    pub https: u16,
}

impl Machine {
    /// Switches a machine on with this card in it.
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub fn start(image: &Image, card: &Card, options: &Options) -> anyhow::Result<Self> {
        let https = free_port()?;
        let log = card.folder().join("serial.log");
        let socket = card.folder().join("serial");
        drop(fs::remove_file(&socket));
        // However this test ends, the machine ends with it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(image.tool("qemu-system-aarch64").get_program());
        command.arg("-L").arg(image.tool_file("usr/share/qemu"));
        command.args(["-display", "none", "-monitor", "none", "-no-user-config"]);
        let chardev = "socket,id=serial,server=on,wait=off,logappend=on";
        let (socket_, log_) = (socket.display(), log.display());
        command.arg("-chardev").arg(format!("{chardev},path={socket_},logfile={log_}"));
        command.args(["-serial", "chardev:serial"]);
        match options.board {
            Board::Virt => virt(&mut command, image, card, options, https),
            Board::Pi4 => pi4(&mut command, image, card),
        }
        let errors = fs::File::create(card.folder().join("qemu.log"))?;
        let qemu = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors).spawn();
        let qemu = qemu.context("QEMU cannot be started")?;
        Ok(Self { qemu, log, socket, shell: None, asked: 0, https })
    }

    /// All that came over the console.
    pub fn console(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\r', "")
    }

    /// Where the console is now: what [`Self::said_since`] counts from.
    pub fn now(&self) -> usize {
        self.console().len()
    }

    /// Waits until the console says `words` after `since`.
    ///
    /// # Errors
    /// When it does not within the time; the end of the console is in the words.
    pub fn said_since(&self, since: usize, words: &str, within: Duration) -> anyhow::Result<()> {
        let said =
            || self.console().get(since..).is_some_and(|new| new.contains(words)).then_some(());
        wait_for(&format!("{words:?} on the console"), within, OFTEN, said)
            .with_context(|| self.tail())
    }

    /// How often it was started, by power or by itself.
    pub fn starts(&self) -> usize {
        self.console().matches("U-Boot 20").count()
    }

    /// The end of the console.
    pub fn tail(&self) -> String {
        let console = self.console();
        let begin = console.char_indices().rev().nth(3000).map_or(0, |(at, _)| at);
        console[begin..].to_owned()
    }

    /// Waits until the root shell of this start answers.
    ///
    /// # Errors
    /// When it does not within the time of a start.
    pub fn booted(&mut self) -> anyhow::Result<()> {
        self.asked += 1;
        let (since, mark) = (self.now(), format!("=READY={}=", self.asked));
        // The mark is put together by the shell, so that the echo of what is typed is not taken for it.
        let hello = format!("stty -echo; PS1=; echo =READY\"={}=\"\n", self.asked);
        let what = "root shell on the console";
        wait_for(what, BOOT, Duration::from_secs(1), || {
            let console = self.console();
            if console.get(since..).is_some_and(|new| new.contains(&mark)) {
                return Some(());
            }
            // Earlier, a key would stop the boot loader, or jam a port that nobody reads yet.
            let prompt = console.rfind("root@");
            if prompt > console.rfind("U-Boot 20") {
                self.type_in(&hello).ok();
            }
            None
        })
        .with_context(|| self.tail())
    }

    fn type_in(&mut self, text: &str) -> anyhow::Result<()> {
        if self.shell.is_none() {
            let socket = UnixStream::connect(&self.socket)?;
            // What it says is in the log; the machine would stand still if nobody took it from the socket.
            let mut said = socket.try_clone()?;
            std::thread::spawn(move || io::copy(&mut said, &mut io::sink()));
            self.shell = Some(socket);
        }
        let socket = self.shell.as_mut().context("no console")?;
        Ok(socket.write_all(text.as_bytes())?)
    }

    /// Runs a command as root on the machine; answers its status and what it said.
    ///
    /// # Errors
    /// When it does not end within the time.
    pub fn shell(&mut self, command: &str, within: Duration) -> anyhow::Result<(i32, String)> {
        self.asked += 1;
        let (since, number) = (self.now(), self.asked);
        self.type_in(&format!(
            "echo =BEG\"IN={number}=\"; {{ {command}\n}} 2>&1 </dev/null; echo =END\"={number}=$?=\"\n"
        ))?;
        let (begin, end) = (format!("=BEGIN={number}=\n"), format!("=END={number}="));
        let answer = || {
            let console = self.console();
            let (_, rest) = console.get(since..)?.split_once(&begin)?;
            let (said, status) = rest.split_once(&end)?;
            Some((status.split_once('=')?.0.parse().ok()?, said.trim().to_owned()))
        };
        wait_for(&format!("end of `{command}`"), within, OFTEN, answer).with_context(|| self.tail())
    }

    /// What a command that succeeds says.
    ///
    /// # Errors
    /// When it fails, or takes longer than a minute.
    pub fn ask(&mut self, command: &str) -> anyhow::Result<String> {
        let (status, said) = self.shell(command, Duration::from_secs(60))?;
        anyhow::ensure!(status == 0, "`{command}` ended with {status}: {said}");
        Ok(said)
    }

    /// Holds the machine still while `work` is done: nothing is written to its card meanwhile.
    ///
    /// # Errors
    /// When it is gone.
    pub fn held<T>(&self, work: impl FnOnce() -> T) -> anyhow::Result<T> {
        let qemu = Pid::from_raw(self.qemu.id().try_into()?);
        kill(qemu, Signal::SIGSTOP)?;
        let done = work();
        kill(qemu, Signal::SIGCONT)?;
        Ok(done)
    }

    /// Cuts the power: what the machine had not written is lost.
    pub fn cut(mut self) {
        self.off();
    }

    fn off(&mut self) {
        drop(self.qemu.kill());
        drop(self.qemu.wait());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.off();
        if std::thread::panicking() {
            let kept = std::env::temp_dir().join("edgecam-e2e-serial.log");
            drop(fs::copy(&self.log, &kept));
            drop(writeln!(std::io::stderr(), "the console is in {}", kept.display()));
        }
    }
}

fn virt(command: &mut Command, image: &Image, card: &Card, options: &Options, https: u16) {
    let loader = image.tool_file("usr/lib/u-boot/qemu_arm64/u-boot.bin");
    command.arg("-bios").arg(loader);
    command.args(["-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024"]);
    command.args(["-device", "virtio-rng-pci"]);
    let drive = format!("if=none,id=card,format=raw,cache=unsafe,file={}", card.path().display());
    command.arg("-drive").arg(drive).args(["-device", "virtio-blk-pci,drive=card"]);
    let cut = if options.offline { ",restrict=on" } else { "" };
    command.arg("-netdev").arg(format!("user,id=net{cut},hostfwd=tcp:127.0.0.1:{https}-:443"));
    command.args(["-device", "virtio-net-pci,netdev=net,romfile="]);
    command.args(["-device", "i6300esb", "-action", "watchdog=reset"]);
    if let Some(clock) = &options.clock {
        command.arg("-rtc").arg(format!("base={clock}"));
    }
}

fn pi4(command: &mut Command, image: &Image, card: &Card) {
    command.args(["-M", "raspi4b", "-serial", "null"]);
    // The Pi's own first boot loader would put both into its memory.
    command.arg("-kernel").arg(image.file("pi/u-boot.bin"));
    command.arg("-dtb").arg(image.file("pi/tree.dtb"));
    let drive = format!("if=sd,format=raw,cache=unsafe,file={}", card.path().display());
    command.arg("-drive").arg(drive);
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
