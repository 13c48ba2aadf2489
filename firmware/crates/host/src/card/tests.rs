//! A card whose power goes at every call to the disk.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;

use base::durable::Disk;
use tempfile::TempDir;

use super::*;

/// Longer than a sector, so that a wipe can be cut off in the middle of it.
fn file() -> String {
    let comment = "# a line that says what the next one is for, and then some more\n".repeat(20);
    format!("{comment}[wifi]\nssid = \"Home\"\npassword = \"c4nary-c4nary\"\ncountry = \"DE\"\n")
}

/// The machine's own disk until the power goes: then nothing happens any more, and a file that is
/// written over or cut at that moment has a part of it.
struct Failing {
    left: Cell<usize>,
}

impl Failing {
    fn after(calls: usize) -> Self {
        Self { left: Cell::new(calls) }
    }

    fn step(&self) -> io::Result<()> {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        if left == 0 { Err(io::Error::other("no power")) } else { Ok(()) }
    }
}

impl Disk for Failing {
    type File = fs::File;

    fn create(&self, path: &Path, mode: u32) -> io::Result<fs::File> {
        self.step().and_then(|()| LocalDisk.create(path, mode))
    }
    fn write(&self, file: &mut fs::File, bytes: &[u8]) -> io::Result<()> {
        self.step().and_then(|()| LocalDisk.write(file, bytes))
    }
    fn sync(&self, file: &fs::File) -> io::Result<()> {
        self.step().and_then(|()| LocalDisk.sync(file))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step().and_then(|()| LocalDisk.rename(from, to))
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| LocalDisk.unlink(path))
    }
    fn create_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.step().and_then(|()| LocalDisk.create_folder(path, mode))
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step().and_then(|()| LocalDisk.sync_folder(path))
    }
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.step().and_then(|()| LocalDisk.read(path))
    }
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.step().and_then(|()| LocalDisk.list(path))
    }
}

impl Overwrite for Failing {
    fn overwrite(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let done = self.step();
        let part = if done.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        LocalDisk.overwrite(path, part).and(done)
    }
    fn cut(&self, path: &Path, len: u64) -> io::Result<()> {
        self.step().and_then(|()| LocalDisk.cut(path, len))
    }
}

struct Device {
    card: TempDir,
    data: TempDir,
}

impl Device {
    fn with(text: Option<&str>) -> Self {
        let device =
            Self { card: tempfile::tempdir().unwrap(), data: tempfile::tempdir().unwrap() };
        if let Some(text) = text {
            fs::write(device.card.path().join(CHOICES), text).unwrap();
        }
        device
    }

    fn run(&self) -> Done {
        run(self.card.path(), self.data.path()).unwrap()
    }

    /// Runs until the power goes after `calls` calls; `true`: it did not.
    fn run_until(&self, calls: usize) -> bool {
        let disk = Failing::after(calls);
        Card { disk, firmware: self.card.path(), data: self.data.path() }.run().is_ok()
    }

    fn on_card(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.card.path().join(name)).ok()
    }

    fn settings(&self) -> Option<String> {
        fs::read_to_string(self.data.path().join("card/settings.toml")).ok()
    }

    fn secret_is_on_card(&self) -> bool {
        let all = fs::read_dir(self.card.path()).unwrap();
        all.map(|one| fs::read(one.unwrap().path()).unwrap())
            .any(|bytes| bytes.windows(6).any(|part| part == b"c4nary"))
    }
}

#[test]
fn choices_are_taken_over_once_and_wiped() {
    let device = Device::with(Some(&file()));
    assert_eq!(device.run().taken, ["wifi.ssid", "wifi.password", "wifi.country"]);
    let settings = device.data.path().join("card/settings.toml");
    let mode = std::os::unix::fs::PermissionsExt::mode(&settings.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(device.settings().unwrap().contains("c4nary-c4nary"));
    assert!(!device.secret_is_on_card());
    let left = device.on_card(CHOICES).unwrap();
    assert!(left.starts_with("# EdgeCam took") && left.contains("wifi.password"), "{left}");
    assert_eq!(device.run(), Done::default(), "nothing is left to take");
    assert_eq!(device.on_card(CHOICES).unwrap(), left);
}

#[test]
fn what_is_written_below_the_note_is_taken_over_as_well() {
    let device = Device::with(Some(&file()));
    device.run();
    let more = device.on_card(CHOICES).unwrap() + "host_name = \"gate\"\n";
    fs::write(device.card.path().join(CHOICES), more).unwrap();
    assert_eq!(device.run().taken, ["host_name"]);
    let settings = device.settings().unwrap();
    assert!(settings.contains("gate") && settings.contains("c4nary-c4nary"), "{settings}");
}

#[test]
fn a_file_with_a_mistake_is_told_of_and_nothing_of_it_is_applied() {
    let device = Device::with(Some(&file().replace("DE", "Germany")));
    assert_eq!(device.run().taken, Vec::<String>::new());
    let told = device.on_card(ERRORS).unwrap();
    assert!(told.contains("wifi.country") && told.contains("such as DE"), "{told}");
    assert!(!told.contains("c4nary"), "{told}");
    assert_eq!(device.settings(), None);
    fs::write(device.card.path().join(CHOICES), file()).unwrap();
    device.run();
    assert_eq!(device.on_card(ERRORS), None, "what was mended is not complained about");
}

#[test]
fn a_file_with_a_second_ending_is_told_of() {
    let device = Device::with(None);
    fs::write(device.card.path().join(MISNAMED), file()).unwrap();
    device.run();
    assert!(device.on_card(ERRORS).unwrap().contains("rename it"));
}

#[test]
fn a_chosen_code_is_kept_where_access_looks_for_it() {
    let device = Device::with(Some(&format!("claim_hash = \"{}\"\n", "5a".repeat(32))));
    device.run();
    let kept = fs::read_to_string(device.data.path().join(HASH)).unwrap();
    assert_eq!(kept, "5a".repeat(32) + "\n");
    assert!(!device.on_card(CHOICES).unwrap().contains("5a5a"));
}

#[test]
fn the_claim_code_is_on_the_card_until_it_is_used() {
    let device = Device::with(None);
    device.run();
    assert_eq!(device.on_card(CLAIM), None);
    let code = device.data.path().join("card/claim-code");
    fs::write(&code, "K7QDM-3XA9T\n").unwrap();
    device.run();
    assert!(device.on_card(CLAIM).unwrap().starts_with("K7QDM-3XA9T\r\n"));
    fs::remove_file(code).unwrap();
    device.run();
    assert_eq!(device.on_card(CLAIM), None);
}

#[test]
fn no_power_cut_loses_a_choice_or_leaves_a_secret_on_the_card() {
    let mut calls = 0;
    loop {
        let device = Device::with(Some(&file()));
        let whole = device.run_until(calls);
        let safe = device.settings().is_some_and(|text| text.contains("c4nary-c4nary"));
        let there = device.on_card(CHOICES) == Some(file());
        assert!(safe || there, "after {calls} calls the choices are gone");
        // The next boot loses its power as well, wherever it is then.
        for more in 0..calls {
            device.run_until(more);
        }
        device.run();
        assert!(device.settings().unwrap().contains("c4nary-c4nary"), "after {calls} calls");
        assert!(!device.secret_is_on_card(), "after {calls} calls");
        assert_eq!(device.on_card(ERRORS), None, "after {calls} calls");
        assert!(!device.data.path().join("card/wiping").exists());
        if whole {
            break;
        }
        calls += 1;
    }
    assert!(calls > 15, "{calls}: the power never went");
}

#[test]
fn a_file_that_was_written_anew_after_a_power_cut_is_not_wiped_but_read() {
    let mut new_ones = 0;
    for calls in 0.. {
        let device = Device::with(Some(&file()));
        if device.run_until(calls) {
            break;
        }
        let other = "[wifi]\nssid = \"Other\"\npassword = \"n3w-n3w-n3w\"\ncountry = \"DE\"\n";
        fs::write(device.card.path().join(CHOICES), other).unwrap();
        assert_eq!(device.run().taken.len(), 3, "after {calls} calls");
        assert!(device.settings().unwrap().contains("n3w-n3w-n3w"));
        new_ones += 1;
    }
    assert!(new_ones > 15);
}
