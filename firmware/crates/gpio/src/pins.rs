//! The pins in use: opened on a chip, read and driven, shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::gpio::{ChipKind, GpioOrder, GpioPin};
use api::settings::{ChipChoice, PinDirection};
use config::{GpioConfig, GpioPinConfig, PinRole};
use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

use crate::chip::{Chip, Edges, Input, Level, OpenChip, Output};
use crate::debounce::Debounce;
use crate::drive::Drive;
use crate::error::GpioError;

/// A pin of the settings.
pub(crate) struct Pin {
    pub(crate) config: GpioPinConfig,
    since: Timestamp,
    pub(crate) state: State,
}

/// What there is of it.
pub(crate) enum State {
    /// It could not be had.
    Broken(GpioError),
    /// It is driven.
    Output(Driven),
    /// It is read.
    Input(Watched),
}

/// An output. However it goes, it goes back to its initial state.
pub(crate) struct Driven {
    /// `None` once it is free.
    line: Option<Box<dyn Output>>,
    active_low: bool,
    initial: bool,
    active: bool,
    pub(crate) drive: Drive,
}

/// An input.
pub(crate) struct Watched {
    /// `None` once it is free.
    line: Option<Box<dyn Input>>,
    active_low: bool,
    debounce: Debounce,
    /// The event of its being active.
    pub(crate) event: Option<Lasting>,
}

/// An event that lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lasting {
    pub(crate) id: Ulid,
    pub(crate) since: Timestamp,
}

/// The voltage of a pin that is `active`.
fn level(active: bool, active_low: bool) -> Level {
    if active == active_low { Level::Low } else { Level::High }
}

impl Driven {
    /// Makes the pin what its drive says; whether that is another state.
    fn follow_drive(&mut self) -> bool {
        let wanted = self.drive.active();
        let changed = wanted != self.active;
        if changed {
            self.write(wanted);
        }
        changed
    }

    fn write(&mut self, active: bool) {
        self.active = active;
        if let Some(line) = &mut self.line {
            line.write(level(active, self.active_low));
        }
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.write(self.initial);
    }
}

impl Pin {
    fn open(chip: &mut dyn Chip, edges: &Arc<Edges>, config: GpioPinConfig) -> Self {
        let state = Self::try_open(chip, edges, &config).unwrap_or_else(|error| {
            tracing::error!(pin = config.name, %error, "a pin does not work");
            State::Broken(error)
        });
        Self { config, since: base::clock::wall(), state }
    }

    fn try_open(
        chip: &mut dyn Chip,
        edges: &Arc<Edges>,
        config: &GpioPinConfig,
    ) -> Result<State, GpioError> {
        let GpioPinConfig { number, active_low, .. } = *config;
        match &config.role {
            PinRole::Output { initial } => {
                let line = chip.output(number, level(*initial, active_low))?;
                Ok(State::Output(Driven {
                    line: Some(line),
                    active_low,
                    initial: *initial,
                    active: *initial,
                    drive: Drive::new(*initial),
                }))
            }
            PinRole::Input { pull, debounce, .. } => {
                let edge = edges.of(number);
                let line = chip.input(number, *pull, edge.clone())?;
                // What it is already is told as soon as it has held still.
                edge.tell();
                let debounce = Debounce::new(*debounce, false);
                Ok(State::Input(Watched { line: Some(line), active_low, debounce, event: None }))
            }
        }
    }

    /// Whether it is active.
    pub(crate) fn active(&self) -> bool {
        match &self.state {
            State::Broken(_) => false,
            State::Output(driven) => driven.active,
            State::Input(watched) => watched.debounce.active(),
        }
    }

    /// Makes the pin free, as it was before it was taken; what is left can be told of.
    fn freed(mut self) -> Self {
        match &mut self.state {
            State::Output(driven) => {
                driven.write(driven.initial);
                driven.line.take().into_iter().for_each(Output::free);
            }
            State::Input(watched) => watched.line = None,
            State::Broken(_) => {}
        }
        self
    }

    pub(crate) fn shown(&self) -> GpioPin {
        let (driven_by, error) = match &self.state {
            State::Output(driven) => (driven.drive.driven_by(), None),
            State::Input(_) => (Vec::new(), None),
            State::Broken(error) => (Vec::new(), Some(error.to_string())),
        };
        let direction = match self.config.role {
            PinRole::Output { .. } => PinDirection::Out,
            PinRole::Input { .. } => PinDirection::In,
        };
        GpioPin {
            name: self.config.name.clone(),
            number: self.config.number,
            direction,
            active: self.active(),
            since: self.since,
            driven_by,
            error,
        }
    }

    /// Its level may have changed.
    fn edge(&mut self, now: Instant) {
        if let State::Input(watched) = &mut self.state {
            watched.debounce.edge(now);
        }
    }

    /// Does what time brings; whether its state is another one.
    fn tick(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Broken(_) => false,
            State::Output(driven) => {
                driven.drive.tick(now);
                let changed = driven.follow_drive();
                if changed {
                    self.since = base::clock::wall();
                }
                changed
            }
            State::Input(Watched { line, active_low, debounce, .. }) => {
                let voltage = level(true, *active_low);
                let reads_active = || line.as_ref().is_some_and(|line| line.read() == voltage);
                let Some(at) = debounce.settle(now, reads_active) else { return false };
                let age = now.saturating_duration_since(at);
                self.since =
                    base::clock::wall() - SignedDuration::try_from(age).unwrap_or_default();
                true
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        match &self.state {
            State::Broken(_) => None,
            State::Output(driven) => driven.drive.due(),
            State::Input(watched) => watched.debounce.due(),
        }
    }

    /// Since when it is as it is.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    /// Sets an input of a simulated chip.
    fn put(&self, chip: &mut dyn Chip, active: bool) -> Result<(), GpioError> {
        chip.set_input(self.config.number, level(active, self.config.active_low))
            .map_err(|_| GpioError::IsInput(self.config.name.clone()))
    }
}

/// All pins, and the chip that has them.
pub(crate) struct Pins {
    open_chip: OpenChip,
    chip: Option<Box<dyn Chip>>,
    choice: Option<ChipChoice>,
    error: Option<GpioError>,
    pub(crate) edges: Arc<Edges>,
    pub(crate) all: Vec<Pin>,
}

impl Pins {
    /// None yet, on chips that `open_chip` opens.
    pub(crate) fn new(open_chip: OpenChip) -> Self {
        Self {
            open_chip,
            chip: None,
            choice: None,
            error: None,
            edges: Arc::default(),
            all: Vec::new(),
        }
    }

    /// What the pins are on, and why on nothing.
    pub(crate) fn chip(&self) -> (ChipKind, Option<String>) {
        let kind = self.chip.as_ref().map_or(ChipKind::None, |chip| chip.kind());
        (kind, self.error.as_ref().map(ToString::to_string))
    }

    /// Makes the pins those of `config`. One that stays as it was is not touched; answers with those that
    /// are no more, freed.
    pub(crate) fn configure(&mut self, config: &GpioConfig) -> Vec<Pin> {
        let same_chip = self.choice == Some(config.chip) && self.chip.is_some();
        let works = |pin: &Pin| !matches!(pin.state, State::Broken(_));
        let (stay, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.all)
            .into_iter()
            .partition(|pin| same_chip && works(pin) && config.pins.contains(&pin.config));
        let gone: Vec<_> = gone.into_iter().map(Pin::freed).collect();
        // A device without pins leaves its chip alone.
        if !same_chip || config.pins.is_empty() {
            self.chip = None;
            self.error = None;
            self.choice = Some(config.chip);
        }
        if self.chip.is_none() && !config.pins.is_empty() {
            match (self.open_chip)(config.chip) {
                Ok(chip) => self.chip = Some(chip),
                Err(error) => {
                    tracing::error!(%error, "there are no pins");
                    self.error = Some(error);
                }
            }
        }
        self.all = stay;
        for pin in &config.pins {
            if !self.all.iter().any(|there| there.config == *pin) {
                let opened = self.open(pin.clone());
                self.all.push(opened);
            }
        }
        self.all.sort_by(|a, b| a.config.name.cmp(&b.config.name));
        gone
    }

    fn open(&mut self, config: GpioPinConfig) -> Pin {
        match &mut self.chip {
            Some(chip) => Pin::open(chip.as_mut(), &self.edges, config),
            None => {
                let error = self.error.clone().unwrap_or(GpioError::NoChip);
                Pin { config, since: base::clock::wall(), state: State::Broken(error) }
            }
        }
    }

    /// Takes the edges since the last call, and does what time brings; answers with the places of those
    /// whose state is another one.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<usize> {
        for number in self.edges.take() {
            self.all
                .iter_mut()
                .filter(|pin| pin.config.number == number)
                .for_each(|pin| pin.edge(now));
        }
        let ticked = self.all.iter_mut().enumerate();
        ticked.filter_map(|(place, pin)| pin.tick(now).then_some(place)).collect()
    }

    /// When [`tick`](Self::tick) has something to do although nothing happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.all.iter().filter_map(Pin::due).min()
    }

    /// The outputs by name.
    pub(crate) fn output(&mut self, name: &str) -> Option<&mut Drive> {
        let pin = self.all.iter_mut().find(|pin| pin.config.name == name)?;
        match &mut pin.state {
            State::Output(driven) => Some(&mut driven.drive),
            _ => None,
        }
    }

    /// All outputs.
    pub(crate) fn drives(&mut self) -> impl Iterator<Item = &mut Drive> {
        self.all.iter_mut().filter_map(|pin| match &mut pin.state {
            State::Output(driven) => Some(&mut driven.drive),
            _ => None,
        })
    }

    /// Does what its owner says to the pin `name`.
    pub(crate) fn order(
        &mut self,
        name: &str,
        order: GpioOrder,
        now: Instant,
    ) -> Result<(), GpioError> {
        let pin = self.all.iter_mut().find(|pin| pin.config.name == name);
        let pin = pin.ok_or_else(|| GpioError::Unknown(name.to_owned()))?;
        match (&mut pin.state, &mut self.chip) {
            (State::Broken(error), _) => {
                Err(GpioError::NotOpen { name: name.to_owned(), reason: error.to_string() })
            }
            (State::Output(driven), _) => {
                if let Some(ms) = order.pulse_ms {
                    driven.drive.pulse_once(now, Duration::from_millis(ms.into()));
                } else if let Some(active) = order.active {
                    driven.drive.set(active);
                }
                Ok(())
            }
            (State::Input(_), Some(chip)) => match order.active {
                Some(active) => pin.put(chip.as_mut(), active),
                None => Err(GpioError::NoPulse(name.to_owned())),
            },
            (State::Input(_), None) => Err(GpioError::NoChip),
        }
    }
}
