//! The loop over a simulated chip: what is connected, what is told, what is driven, and that it all ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::event::{
    EndReason, Event, EventType, Kind, Object, Phase, SCHEMA, Severity, Timing, Zones,
};
use api::gpio::{ChipKind, Gpio, GpioOrder};
use api::settings::{ChipChoice, PinPull};
use base::shutdown::Stopper;
use config::{EventMatch, GpioActionConfig, GpioConfig, GpioPinConfig, GpioReaction, PinRole};
use edgecam_gpio::{
    Chip, GpioError, GpioHandle, GpioTask, Happenings, InputChange, Level, Simulated,
};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use ulid::Ulid;

const LONG: Duration = Duration::from_secs(60);
const BELL: u8 = 17;
const LAMP: u8 = 22;

/// Events that last.
#[derive(Clone, Debug)]
struct Street {
    live: broadcast::Sender<Arc<Event>>,
    lasting: Arc<Mutex<BTreeMap<Ulid, Event>>>,
}

impl Street {
    fn new(room: usize) -> Self {
        Self { live: broadcast::channel(room).0, lasting: Arc::default() }
    }

    fn say(&self, id: u128, phase: Phase) {
        let event = event(Ulid::from(id), phase);
        let mut lasting = self.lasting.lock().unwrap();
        match phase {
            Phase::End => drop(lasting.remove(&event.id)),
            _ => drop(lasting.insert(event.id, event.clone())),
        }
        // Nobody may listen yet.
        let _ = self.live.send(Arc::new(event));
    }
}

impl Happenings for Street {
    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.live.subscribe()
    }

    fn lasting(&self) -> BoxFuture<'_, Option<Vec<Event>>> {
        let lasting = self.lasting.lock().unwrap().values().cloned().collect();
        async move { Some(lasting) }.boxed()
    }
}

fn event(id: Ulid, phase: Phase) -> Event {
    let ts = jiff::Timestamp::UNIX_EPOCH;
    Event {
        schema: SCHEMA.into(),
        id,
        seq: 1,
        boot_id: "b".into(),
        replayed: false,
        phase,
        event_type: EventType::ObjectNew,
        kind: Kind::Object,
        severity: Severity::Detection,
        node: "n".into(),
        camera: Some("front".into()),
        ts,
        start_ts: ts,
        end_ts: (phase == Phase::End).then_some(ts),
        object: Some(Object {
            track_id: id,
            label: "car".into(),
            score: 0.5,
            top_score: 0.5,
            r#box: [0.0; 4],
            stationary: false,
            velocity: [0.0; 2],
            age_ms: 0,
        }),
        zones: Zones::default(),
        line: None,
        governor: None,
        crowding: None,
        input: None,
        end_reason: None,
        model: None,
        timing: Timing::default(),
    }
}

fn bell() -> GpioPinConfig {
    let role = PinRole::Input {
        pull: PinPull::Up,
        debounce: Duration::from_millis(10),
        label: "doorbell".into(),
        camera: None,
    };
    GpioPinConfig { name: "bell".into(), number: BELL, active_low: true, role }
}

fn lamp(initial: bool) -> GpioPinConfig {
    let role = PinRole::Output { initial };
    GpioPinConfig { name: "lamp".into(), number: LAMP, active_low: false, role }
}

fn action(reaction: GpioReaction) -> GpioActionConfig {
    let events = EventMatch { labels: vec!["car".into()], ..EventMatch::default() };
    GpioActionConfig { name: "light".into(), pin: "lamp".into(), events, reaction }
}

fn config(pins: &[GpioPinConfig], actions: &[GpioActionConfig]) -> GpioConfig {
    let (pins, actions) = (pins.to_vec(), actions.to_vec());
    GpioConfig { chip: ChipChoice::Simulated, pins, actions }
}

/// A loop that runs.
struct Running {
    chip: Simulated,
    street: Street,
    config: watch::Sender<Arc<GpioConfig>>,
    told: mpsc::Receiver<InputChange>,
    handle: GpioHandle,
    stopper: Stopper,
    task: JoinHandle<()>,
}

impl Running {
    fn new(config: GpioConfig) -> Self {
        Self::with(config, Street::new(64))
    }

    fn with(config: GpioConfig, street: Street) -> Self {
        let chip = Simulated::default();
        let same = chip.clone();
        let open = move |_| Ok(Box::new(same.clone()) as Box<dyn Chip>);
        let (config, watched) = watch::channel(Arc::new(config));
        let (sender, told) = mpsc::channel(4);
        let (task, handle) = GpioTask::new(Box::new(open), watched, street.clone(), sender);
        let (stopper, shutdown) = base::shutdown::channel();
        let task = tokio::spawn(task.run(shutdown));
        Self { chip, street, config, told, handle, stopper, task }
    }

    /// Waits until the pins are `wanted`.
    async fn until(&self, what: &str, wanted: impl Fn(&Gpio) -> bool) {
        let mut handle = self.handle.clone();
        let seen = async {
            while !wanted(&handle.status()) {
                handle.changed().await;
            }
        };
        let seen = tokio::time::timeout(LONG, seen).await;
        assert!(seen.is_ok(), "{what}: {:?}", self.handle.status());
    }

    async fn until_lamp(&self, what: &str, active: bool) {
        let wanted = |gpio: &Gpio| gpio.pins.iter().any(|p| p.name == "lamp" && p.active == active);
        self.until(what, wanted).await;
        assert_eq!(self.chip.level(LAMP) == Some(Level::High), active, "{what}");
    }

    async fn next(&mut self) -> InputChange {
        tokio::time::timeout(LONG, self.told.recv()).await.unwrap().unwrap()
    }

    async fn press(&mut self, pressed: bool) {
        let level = if pressed { Level::Low } else { Level::High };
        self.until("the bell is there", |gpio| gpio.pins.iter().any(|p| p.name == "bell")).await;
        self.chip.set_input(BELL, level).unwrap();
    }
}

#[tokio::test]
async fn a_pressed_button_is_one_event_from_press_to_release() {
    let mut running = Running::new(config(&[bell()], &[]));
    running.press(true).await;
    let pressed = running.next().await;
    assert_eq!((pressed.input.label.as_str(), pressed.input.active), ("doorbell", true));
    assert_eq!((pressed.at, pressed.ended), (pressed.since, None));
    running.press(false).await;
    let released = running.next().await;
    assert_eq!((released.id, released.since), (pressed.id, pressed.at));
    assert_eq!(released.ended, Some(EndReason::Over));
    assert!(!released.input.active && released.at >= pressed.at);
}

#[tokio::test]
async fn a_button_that_is_pressed_at_the_start_is_told_and_its_event_ends_with_the_pin() {
    let mut running = Running::new(config(&[bell()], &[]));
    running.press(true).await;
    running.next().await;
    running.config.send_replace(Arc::new(config(&[], &[])));
    let gone = running.next().await;
    assert_eq!(gone.ended, Some(EndReason::RuleChanged));
    assert_eq!(running.chip.level(BELL), None, "the pin is free");
}

#[tokio::test]
async fn nothing_is_lost_while_nobody_takes_it() {
    let mut running = Running::new(config(&[bell()], &[]));
    // More than the channel has room for.
    for press in 0..12 {
        let active = press % 2 == 0;
        running.press(active).await;
        running.until("it is told", |gpio| gpio.pins[0].active == active).await;
    }
    for press in 0..12 {
        assert_eq!(running.next().await.input.active, press % 2 == 0);
    }
}

#[tokio::test]
async fn an_output_follows_the_events_that_last() {
    let follow = action(GpioReaction::Follow { longest: LONG });
    let running = Running::new(config(&[lamp(false)], &[follow]));
    running.until_lamp("dark", false).await;
    running.street.say(1, Phase::New);
    running.until_lamp("a car came", true).await;
    assert_eq!(running.handle.status().pins[0].driven_by, ["light"]);
    running.street.say(2, Phase::New);
    running.street.say(1, Phase::End);
    running.street.say(2, Phase::End);
    running.until_lamp("both are gone", false).await;
}

#[tokio::test]
async fn an_end_that_was_missed_does_not_keep_an_output_on() {
    let follow = action(GpioReaction::Follow { longest: LONG });
    let running = Running::with(config(&[lamp(false)], &[follow]), Street::new(1));
    running.street.say(1, Phase::New);
    running.until_lamp("a car came", true).await;
    // Told at once, without a break for the loop to hear them: it has room for one.
    running.street.say(1, Phase::End);
    running.street.say(2, Phase::New);
    running.street.say(2, Phase::End);
    running.until_lamp("both are gone", false).await;
}

#[tokio::test]
async fn a_pulse_ends_by_itself_and_what_follows_has_a_longest_time() {
    for reaction in [
        GpioReaction::Pulse { length: Duration::from_millis(30), phases: vec![Phase::New] },
        GpioReaction::Follow { longest: Duration::from_millis(30) },
    ] {
        let running = Running::new(config(&[lamp(false)], &[action(reaction)]));
        running.until_lamp("dark", false).await;
        running.street.say(1, Phase::New);
        running.until_lamp("a car came", true).await;
        running.until_lamp("it had its time", false).await;
    }
}

#[tokio::test]
async fn the_stop_brings_every_output_back_to_its_initial_state() {
    for initial in [false, true] {
        let running = Running::new(config(&[lamp(initial)], &[]));
        running.until_lamp("as it is by itself", initial).await;
        let order = GpioOrder { active: Some(!initial), pulse_ms: None };
        assert_eq!(running.handle.order("lamp", order).await.unwrap().active, !initial);
        running.stopper.stop();
        running.task.await.unwrap();
        assert_eq!(running.chip.level(LAMP) == Some(Level::High), initial);
    }
}

#[tokio::test]
async fn a_change_of_settings_touches_only_the_pins_that_it_is_about() {
    let running = Running::new(config(&[lamp(false)], &[]));
    running.until_lamp("dark", false).await;
    let on = GpioOrder { active: Some(true), pulse_ms: None };
    running.handle.order("lamp", on).await.unwrap();
    running.config.send_replace(Arc::new(config(&[lamp(false), bell()], &[])));
    running.until("the bell is there", |gpio| gpio.pins.len() == 2).await;
    running.until_lamp("it stays on", true).await;
    running.config.send_replace(Arc::new(config(&[bell()], &[])));
    running.until("the lamp is gone", |gpio| gpio.pins.len() == 1).await;
    assert_eq!(running.chip.level(LAMP), None, "the pin is free");
}

#[tokio::test]
async fn what_cannot_be_had_says_why_and_the_rest_works() {
    let mut twin = lamp(false);
    twin.name = "twin".into();
    let running = Running::new(config(&[lamp(false), twin], &[]));
    running.until_lamp("the first one works", false).await;
    let status = running.handle.status();
    assert_eq!(status.chip, ChipKind::Simulated);
    assert!(status.pins[1].error.as_ref().unwrap().contains("pin 22 is in use"), "{status:?}");
    let on = GpioOrder { active: Some(true), pulse_ms: None };
    let refused = running.handle.order("twin", on).await.unwrap_err();
    assert!(matches!(refused, GpioError::NotOpen { .. }), "{refused}");
    let unknown = running.handle.order("none", on).await.unwrap_err();
    assert_eq!(unknown, GpioError::Unknown("none".into()));
}

#[tokio::test]
async fn without_a_chip_every_pin_says_so() {
    let open = |_| Err(GpioError::NotPermitted { path: "/dev/gpiomem".into() });
    let (_config, watched) = watch::channel(Arc::new(config(&[lamp(false)], &[])));
    let (sender, _told) = mpsc::channel(4);
    let (task, mut handle) = GpioTask::new(Box::new(open), watched, Street::new(4), sender);
    let (_stopper, shutdown) = base::shutdown::channel();
    let _task = tokio::spawn(task.run(shutdown));
    while handle.status().pins.is_empty() {
        handle.changed().await;
    }
    let status = handle.status();
    assert_eq!(status.chip, ChipKind::None);
    assert!(status.error.as_ref().unwrap().contains("group gpio"), "{status:?}");
    assert_eq!(status.error, status.pins[0].error);
}
