//! The loop: edges of inputs become changes, events and orders drive outputs, time ends what drives them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use api::event::{EndReason, Event, InputState};
use api::gpio::Gpio;
use base::shutdown::Shutdown;
use config::{GpioConfig, PinRole};
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc, watch};
use ulid::Ulid;

use crate::chip::OpenChip;
use crate::error::GpioError;
use crate::handle::{GpioHandle, Request};
use crate::matching::{Meaning, meaning};
use crate::pins::{Lasting, Pin, Pins, State};

/// Orders that may wait.
const REQUESTS: usize = 16;
/// Changes of inputs that may wait to be taken; beyond it the oldest are lost and it is said.
const WAITING: usize = 1024;

/// An input changed.
#[derive(Clone, Debug, PartialEq)]
pub struct InputChange {
    /// The event of its being active: the same for its begin and its end.
    pub id: Ulid,
    /// What it is now.
    pub input: InputState,
    /// The camera that it belongs to.
    pub camera: Option<String>,
    /// When it changed.
    pub at: Timestamp,
    /// When it became active.
    pub since: Timestamp,
    /// Why it is no longer active; `None`: it is.
    pub ended: Option<EndReason>,
}

/// The events that drive outputs.
pub trait Happenings: Send + Sync + 'static {
    /// Every event from now on.
    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>>;

    /// The newest announcement of each that lasts; `None`: that cannot be had now.
    fn lasting(&self) -> BoxFuture<'_, Option<Vec<Event>>>;
}

/// The loop, to be run.
pub struct GpioTask<H> {
    config: watch::Receiver<Arc<GpioConfig>>,
    happenings: H,
    told: mpsc::Sender<InputChange>,
    requests: mpsc::Receiver<Request>,
    shown: watch::Sender<Arc<Gpio>>,
    pins: Pins,
    waiting: VecDeque<InputChange>,
}

impl<H: Happenings> GpioTask<H> {
    /// A loop over the pins of `config`, and its front. Changes of inputs go to `told`.
    pub fn new(
        open_chip: OpenChip,
        config: watch::Receiver<Arc<GpioConfig>>,
        happenings: H,
        told: mpsc::Sender<InputChange>,
    ) -> (Self, GpioHandle) {
        let (sender, requests) = mpsc::channel(REQUESTS);
        let (shown, seen) = watch::channel(Arc::default());
        let pins = Pins::new(open_chip);
        let waiting = VecDeque::new();
        let task = Self { config, happenings, told, requests, shown, pins, waiting };
        (task, GpioHandle { requests: sender, shown: seen })
    }

    /// Runs until the stop; then every output is in its initial state.
    pub async fn run(mut self, mut shutdown: Shutdown) {
        let edges = self.pins.edges.clone();
        let told = self.told.clone();
        let mut events = self.happenings.subscribe();
        self.configure().await;
        loop {
            self.tick();
            let due = self.pins.due();
            // Cancel-safe: every arm only waits; what it brings is dealt with in its body.
            tokio::select! {
                () = shutdown.wait() => return,
                () = edges.wait() => {}
                () = sleep_or_never(due) => {}
                changed = self.config.changed() => match changed {
                    Ok(()) => self.configure().await,
                    Err(_) => return,
                },
                event = events.recv() => match event {
                    Ok(event) => self.event(&event),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.look_again().await,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                Some(request) = self.requests.recv() => self.request(request),
                Ok(room) = told.reserve(), if !self.waiting.is_empty() => {
                    drop(room);
                    self.give_on();
                }
            }
        }
    }

    /// Gives on what waits, as far as there is room.
    fn give_on(&mut self) {
        while !self.waiting.is_empty()
            && let Ok(room) = self.told.try_reserve()
        {
            if let Some(change) = self.waiting.pop_front() {
                room.send(change);
            }
        }
    }

    /// Takes the newest settings over.
    async fn configure(&mut self) {
        let config = self.config.borrow_and_update().clone();
        let gone = self.pins.configure(&config);
        for pin in &gone {
            self.end_of(pin);
        }
        let actions: BTreeSet<_> =
            config.actions.iter().map(|action| action.name.as_str()).collect();
        self.pins.drives().for_each(|drive| drive.keep_actions(&actions));
        self.look_again().await;
    }

    /// Drives what follows events by those that last, having missed some.
    async fn look_again(&mut self) {
        if self.config.borrow().actions.is_empty() {
            return;
        }
        let Some(lasting) = self.happenings.lasting().await else { return };
        let ids: BTreeSet<_> = lasting.iter().map(|event| event.id).collect();
        self.pins.drives().for_each(|drive| drive.keep_only(&ids));
        let config = self.config.borrow().clone();
        for event in &lasting {
            for action in &config.actions {
                let drive = self.pins.output(&action.pin);
                match (meaning(action, event), drive) {
                    (Meaning::Hold(longest), Some(drive)) => {
                        drive.hold(&action.name, event.id, Instant::now(), longest);
                    }
                    (Meaning::Release, Some(drive)) => drive.release(&action.name, event.id),
                    // The moment of a pulse has gone.
                    (Meaning::Pulse(_) | Meaning::None, _) | (_, None) => {}
                }
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let config = self.config.borrow().clone();
        let now = Instant::now();
        for action in &config.actions {
            let Some(drive) = self.pins.output(&action.pin) else { continue };
            match meaning(action, event) {
                Meaning::None => {}
                Meaning::Pulse(length) => drive.pulse(&action.name, now, length),
                Meaning::Hold(longest) => drive.hold(&action.name, event.id, now, longest),
                Meaning::Release => drive.release(&action.name, event.id),
            }
        }
    }

    fn request(&mut self, Request { pin, order, answer }: Request) {
        let done = self.pins.order(&pin, order, Instant::now());
        self.tick();
        let shown = done.and_then(|()| {
            let found = self.pins.all.iter().find(|one| one.config.name == pin);
            found.map(Pin::shown).ok_or(GpioError::Unknown(pin))
        });
        // Whoever asked may have gone.
        let _ = answer.send(shown);
    }

    /// Does what time brings, and shows it.
    fn tick(&mut self) {
        for place in self.pins.tick(Instant::now()) {
            if let Some(change) = changed(&mut self.pins.all[place]) {
                self.tell(change);
            }
        }
        let (chip, error) = self.pins.chip();
        let shown = Gpio { chip, error, pins: self.pins.all.iter().map(Pin::shown).collect() };
        self.shown.send_if_modified(|before| {
            let new = **before != shown;
            if new {
                *before = Arc::new(shown);
            }
            new
        });
    }

    /// A pin is no more: what it began is over.
    fn end_of(&mut self, pin: &Pin) {
        let State::Input(watched) = &pin.state else { return };
        if let Some(lasting) = watched.event {
            let at = base::clock::wall();
            self.tell(change(pin, lasting, at, Some(EndReason::RuleChanged)));
        }
    }

    fn tell(&mut self, change: InputChange) {
        if self.waiting.len() >= WAITING {
            let lost = self.waiting.pop_front();
            tracing::error!(?lost, "inputs change faster than that can be stored");
        }
        self.waiting.push_back(change);
    }
}

/// What there is to tell of a pin whose state is another one: nothing of outputs.
fn changed(pin: &mut Pin) -> Option<InputChange> {
    let (active, since) = (pin.active(), pin.since());
    let State::Input(watched) = &mut pin.state else { return None };
    if active {
        let lasting = Lasting { id: Ulid::generate(), since };
        watched.event = Some(lasting);
        Some(change(pin, lasting, since, None))
    } else {
        let lasting = watched.event.take()?;
        Some(change(pin, lasting, since, Some(EndReason::Over)))
    }
}

fn change(pin: &Pin, lasting: Lasting, at: Timestamp, ended: Option<EndReason>) -> InputChange {
    let (label, camera) = match &pin.config.role {
        PinRole::Input { label, camera, .. } => (label.clone(), camera.clone()),
        PinRole::Output { .. } => (String::new(), None),
    };
    let input = InputState {
        pin: pin.config.name.clone(),
        number: pin.config.number,
        label,
        active: ended.is_none(),
    };
    InputChange { id: lasting.id, input, camera, at, since: lasting.since, ended }
}

async fn sleep_or_never(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}
