//! A device that has an owner: where most promises begin.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;

use crate::card::Card;
use crate::device::Device;
use crate::image::Image;
use crate::machine::{Machine, Options};
use crate::wait_for;

/// A machine whose device is claimed and ready.
#[derive(Debug)]
pub struct Owned {
    image: Image,
    /// The machine; it goes before its card, on which its console is.
    pub machine: Machine,
    /// Its card.
    pub card: Card,
    /// The device, asked as its owner.
    pub device: Device,
}

impl Owned {
    /// Flashes a card, starts a machine from it and claims it.
    ///
    /// # Errors
    /// When one of it fails.
    pub fn new(image: &Image) -> anyhow::Result<Self> {
        let card = Card::flash(image)?;
        let mut machine = Machine::start(image, &card, &Options::default())?;
        machine.booted()?;
        let mut device = Device::at(machine.https);
        device.ready()?;
        let code = machine.ask("cat /var/lib/edgecam/card/claim-code")?;
        device.claim(&code)?;
        Ok(Self { image: image.clone(), machine, card, device })
    }

    /// Sends an update and has it installed; its progress is to be waited for.
    ///
    /// # Errors
    /// When the device does not take it.
    pub fn install(&self, bundle: &str) -> anyhow::Result<()> {
        let (status, answer) =
            self.device.send("/api/v1/updates/install", &self.image.file(bundle))?;
        anyhow::ensure!(status == 202, "{bundle}: {status} {answer}");
        Ok(())
    }

    /// Has an update installed that lies at `url`; its progress is to be waited for.
    ///
    /// # Errors
    /// When the device does not take it.
    pub fn install_from(&self, url: &str, reboot: bool) -> anyhow::Result<()> {
        let body = serde_json::json!({"url": url, "reboot": reboot});
        let (status, answer) = self.device.post("/api/v1/updates/install", &body)?;
        anyhow::ensure!(status == 202, "{url}: {status} {answer}");
        Ok(())
    }

    /// Waits until the device is at one of these phases of an update, over any number of starts, and has
    /// a root shell again.
    ///
    /// # Errors
    /// When it is not in time; where it was last is in the words.
    pub fn wait_for_phase(&mut self, phases: &[&str], within: Duration) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        let (starts, begin) = (self.machine.starts(), Instant::now());
        let at = wait_for(&format!("update at {phases:?}"), within, Duration::from_secs(2), || {
            if let Ok((200, updates)) = self.device.get("/api/v1/updates") {
                if last["phase"] != updates["phase"] {
                    let after = begin.elapsed().as_secs();
                    drop(writeln!(std::io::stderr(), "{after:4} s: {}", updates["phase"]));
                }
                last = updates;
            }
            phases.iter().any(|phase| last["phase"] == **phase).then(|| last.clone())
        });
        let at = at.with_context(|| format!("{last}\n{}", self.machine.tail()))?;
        if self.machine.starts() != starts {
            self.machine.booted()?;
        }
        Ok(at)
    }

    /// The number of the newest event; 0 when there is none yet: emulated, an inference may take longer
    /// than an object takes to cross the picture.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn newest_event(&self) -> anyhow::Result<u64> {
        let (status, events) = self.device.get("/api/v1/events?limit=1&order=desc")?;
        anyhow::ensure!(status == 200, "events: {status} {events}");
        Ok(events["items"][0]["seq"].as_u64().unwrap_or_default())
    }

    /// The card as a power cut now would leave it: what the machine has not written is not on it.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn card_if_cut_now(&self) -> anyhow::Result<Card> {
        self.machine.held(|| self.card.copy())?
    }

    /// Cuts the power and switches on again; waits for nothing.
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub fn cut_and_start(self) -> anyhow::Result<Self> {
        let Self { image, card, machine, device } = self;
        machine.cut();
        Self::started(image, card, device)
    }

    /// Cuts the power, puts another card of this device in and switches on again; waits for nothing.
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub fn start_from(self, card: Card) -> anyhow::Result<Self> {
        let Self { image, machine, device, .. } = self;
        machine.cut();
        Self::started(image, card, device)
    }

    fn started(image: Image, card: Card, mut device: Device) -> anyhow::Result<Self> {
        let machine = Machine::start(&image, &card, &Options::default())?;
        device.moved_to(machine.https);
        Ok(Self { image, machine, card, device })
    }
}
