//! A test's own card: a copy of what is flashed, on a card of 4 GiB, and what may happen to it.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::image::Image;

/// Bytes of the card that it is flashed on; a card reader in QEMU wants a power of two.
const SIZE: u64 = 4 << 30;
/// Bytes of a sector.
pub const SECTOR: u64 = 512;
/// Where the partition `firmware` begins: the first one, after the partition table.
const FIRMWARE: &str = "@@1M";
/// Where the partition `boot-a` begins: after `firmware`.
const BOOT_A: &str = "@@65M";
/// Where the partition `env` begins: after 1 MiB of table, `firmware` and both boot partitions.
const STATE: u64 = (1 + 64 + 2 * 96) << 20;

/// A card; it goes with this value.
#[derive(Debug)]
pub struct Card {
    folder: tempfile::TempDir,
    image: Image,
}

impl Card {
    /// Flashes a new card. Its console gives a root shell to the test: the boot script has one word more,
    /// the system is what everybody gets.
    ///
    /// # Errors
    /// When there is no room or no card was built.
    pub fn flash(image: &Image) -> anyhow::Result<Self> {
        let card = Self::copied(image, &image.file("card.img"))?;
        OpenOptions::new().write(true).open(card.path())?.set_len(SIZE)?;
        card.put("boot.scr", &image.file("boot-with-shell.scr"))?;
        Ok(card)
    }

    fn copied(image: &Image, from: &Path) -> anyhow::Result<Self> {
        let card = Self { folder: tempfile::tempdir_in(image.logs())?, image: image.clone() };
        let cp = Command::new("cp")
            .args(["--sparse=always", "--reflink=auto"])
            .arg(from)
            .arg(card.path())
            .status()?;
        anyhow::ensure!(cp.success(), "the card cannot be copied");
        Ok(card)
    }

    /// A card with what is on this one now. Whatever writes to this one is to be held meanwhile.
    ///
    /// # Errors
    /// When there is no room.
    pub fn copy(&self) -> anyhow::Result<Self> {
        Self::copied(&self.image, &self.path())
    }

    /// Flashes a new card for an emulated Raspberry Pi 4: the boot script has the console of that, the device
    /// tree of slot A lacks what QEMU does not have.
    ///
    /// # Errors
    /// When there is no room or no card was built.
    pub fn flash_for_pi(image: &Image) -> anyhow::Result<Self> {
        let card = Self::flash(image)?;
        card.put("boot.scr", &image.file("pi/boot.scr"))?;
        let tree = "dtbs/broadcom/bcm2711-rpi-4-b.dtb";
        card.put_at(BOOT_A, tree, &image.file("pi/tree.dtb"))?;
        Ok(card)
    }

    /// The file that is the card.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("card.img")
    }

    /// Where a test may keep what belongs to this card.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file on the partition `firmware`, as its owner would on a computer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, name: &str, from: &Path) -> anyhow::Result<()> {
        self.put_at(FIRMWARE, name, from)
    }

    fn put_at(&self, partition: &str, name: &str, from: &Path) -> anyhow::Result<()> {
        let (at, to) = (self.partition(partition), format!("::/{name}"));
        let args = ["-o".as_ref(), "-i".as_ref(), at.as_os_str(), from.as_os_str(), to.as_ref()];
        self.image.run("mcopy", args).map(drop)
    }

    /// Reads a file of the partition `firmware`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn get(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let (at, from) = (self.partition(FIRMWARE), format!("::/{name}"));
        self.image.run("mtype", ["-i".as_ref(), at.as_os_str(), from.as_ref()])
    }

    fn partition(&self, at: &str) -> PathBuf {
        let mut name = self.path().into_os_string();
        name.push(at);
        name.into()
    }

    /// Overwrites one copy of the slot state, 0 or 1, with what no writer leaves.
    ///
    /// # Errors
    /// When the card cannot be written.
    pub fn spoil_slot_state(&self, copy: u64) -> anyhow::Result<()> {
        let file = OpenOptions::new().write(true).open(self.path())?;
        let torn = [0xA5; SECTOR as usize];
        file.write_all_at(&torn, STATE + copy * SECTOR).context("the card cannot be written")
    }

    /// The text of the first copy of the slot state.
    ///
    /// # Errors
    /// When the card cannot be read.
    pub fn slot_state(&self) -> anyhow::Result<String> {
        let mut sector = [0; SECTOR as usize];
        File::open(self.path())?.read_exact_at(&mut sector, STATE)?;
        Ok(String::from_utf8_lossy(&sector[4..]).replace('\0', "\n").trim().to_owned())
    }
}
