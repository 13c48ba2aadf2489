//! Ports that live in memory.

mod event;
mod gpio;
pub(crate) mod hooks;
mod machine;
mod settings;
pub(crate) mod updates;
pub(crate) mod watching;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use access::{Access, Principal};
use api::access::{AuditEntry, NewToken, Role};
use api::capabilities::{CameraCapabilities, CameraLatency, EncoderOption};
use api::event::Event;
use api::resources::{Check, ChildStatus, MqttStatus, Readiness, Stream, System};
use api::status::{CameraPhase, CameraStats, CameraStatus, Quantiles, StageTimes};
use base::error::ErrorKind;
use edgecam_control::ports::{
    Answer, Audit, Cameras, ChangeRequest, EventOrder, EventQuery, Events, InForce, SeqBounds,
    SettingsPort, Streams, SystemView,
};
use edgecam_control::{Certificates, PortError, Ports};
use futures::FutureExt;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::broadcast;

use crate::work::Work;
use event::event;

/// The first user and their password.
pub(crate) const OWNER: &str = "owner";
pub(crate) const PASSWORD: &str = "a quiet street";
/// Announcements that the live channel holds for a reader: few, so that tests see lagging.
pub(crate) const LIVE: usize = 8;

/// How snapshots go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Snapshots {
    #[default]
    Work,
    Unavailable,
    Hang,
    Panic,
}

/// All ports at once.
#[derive(Debug)]
pub(crate) struct Fake {
    folder: TempDir,
    access: Access,
    pub(crate) audit: Mutex<Vec<AuditEntry>>,
    sources: config::Sources,
    in_force: Mutex<InForce>,
    made: Mutex<Vec<ChangeRequest>>,
    events: Mutex<Vec<Event>>,
    live: broadcast::Sender<Arc<Event>>,
    pub(crate) snapshots: Mutex<Snapshots>,
    pub(crate) refuse: Mutex<Option<ErrorKind>>,
    pub(crate) restarted: Mutex<Vec<String>>,
    pub(crate) ready: Mutex<bool>,
    pub(crate) watching: watching::Watching,
    pub(crate) work: Work,
    pub(crate) hooks: hooks::Hooks,
    pub(crate) gpio: gpio::Pins,
    pub(crate) updates: updates::Store,
}

impl Fake {
    /// The built-in defaults with the cameras `front`, whose source has a password, and `yard`.
    pub(crate) fn new() -> Arc<Self> {
        let polygon = "polygon=[[0.1,0.1],[0.9,0.1],[0.5,0.9]]";
        let set = [
            "cameras.front.source=rtsp://me:c4nary@10.0.0.9/stream",
            "cameras.yard.source=scene",
            &format!("cameras.front.zones.door.{polygon}"),
            &format!("cameras.front.privacy_masks.house.{polygon}"),
            "cameras.front.lines.gate.from=[0.1,0.5]",
            "cameras.front.lines.gate.to=[0.9,0.5]",
        ];
        let layers = config::Layers { set: set.map(str::to_owned).to_vec(), ..Default::default() };
        let sources = config::Sources::read(&layers);
        let loaded = sources.load(&json!({})).expect("the defaults are right");
        let in_force =
            InForce { revision: 0, settings: Arc::new(loaded.settings), made: Arc::new(json!({})) };
        let folder = tempfile::tempdir().unwrap();
        let access = Access::open(folder.path(), None).unwrap();
        Arc::new(Self {
            access,
            folder,
            audit: Mutex::default(),
            sources,
            in_force: Mutex::new(in_force),
            made: Mutex::default(),
            events: Mutex::default(),
            live: broadcast::channel(LIVE).0,
            snapshots: Mutex::default(),
            refuse: Mutex::default(),
            restarted: Mutex::default(),
            ready: Mutex::new(true),
            watching: watching::Watching::default(),
            work: Work::default(),
            hooks: hooks::Hooks::default(),
            gpio: gpio::Pins::default(),
            updates: updates::Store::default(),
        })
    }

    pub(crate) fn ports(self: &Arc<Self>) -> Ports {
        Ports {
            cameras: self.clone(),
            events: self.clone(),
            settings: self.clone(),
            system: self.clone(),
            machine: self.clone(),
            backups: self.clone(),
            streams: self.clone(),
            viewing: self.clone(),
            live: self.clone(),
            past: self.clone(),
            models: self.clone(),
            detector: self.clone(),
            trials: self.clone(),
            jobs: self.clone(),
            webhooks: self.clone(),
            mqtt: self.clone(),
            gpio: self.clone(),
            updates: self.clone(),
            access: self.access.clone(),
            audit: self.clone(),
            certificates: None,
        }
    }

    /// The same ports, with a certificate.
    pub(crate) fn ports_with_certificate(self: &Arc<Self>) -> Ports {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificates = Certificates::open(self.folder.path(), names).unwrap();
        Ports { certificates: Some(Arc::new(certificates)), ..self.ports() }
    }

    /// The certificate of those ports, with its key.
    pub(crate) fn certificate_pem(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("tls.pem")).unwrap()
    }

    /// Who may do what.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Makes `owner`, an admin, unless there is one, and a token of theirs.
    pub(crate) async fn owner_token(&self) -> String {
        let home = [192, 168, 1, 7].into();
        let session = match self.access.claim_code() {
            Some(code) => self.access.claim(&code, OWNER, &PASSWORD.into(), home).await,
            None => self.access.login(OWNER, &PASSWORD.into(), home).await,
        };
        let owner = session.unwrap().principal;
        self.token(&owner, Role::Admin, None).await
    }

    /// A token of `maker`.
    pub(crate) async fn token(
        &self,
        maker: &Principal,
        role: Role,
        cameras: Option<&str>,
    ) -> String {
        let cameras = cameras.map(|camera| vec![camera.to_owned()]);
        let new = NewToken { name: "test".into(), role, cameras, expires_at: None };
        self.access.add_token(maker, new).await.unwrap().secret.reveal().to_owned()
    }

    /// Stores and announces one event of `camera` with an object of class `label`.
    pub(crate) fn append(&self, camera: &str, label: &str) -> u64 {
        let mut events = self.events.lock().unwrap();
        let seq = events.last().map_or(1, |event| event.seq + 1);
        let event = event(seq, camera, label);
        events.push(event.clone());
        // Nobody listens: nobody is told.
        let _ = self.live.send(Arc::new(event));
        seq
    }

    /// The same `count` times, with cars at the front.
    pub(crate) fn append_cars(&self, count: u64) {
        for _ in 0..count {
            self.append("front", "car");
        }
    }

    /// Deletes everything below `seq`.
    pub(crate) fn delete_below(&self, seq: u64) {
        self.events.lock().unwrap().retain(|event| event.seq >= seq);
    }

    pub(crate) fn event_id(&self, seq: u64) -> String {
        event(seq, "front", "car").id.to_string()
    }
}

impl Cameras for Fake {
    fn list(&self) -> Vec<CameraStatus> {
        let status = |id: &String| CameraStatus {
            id: id.clone(),
            name: id.clone(),
            phase: CameraPhase::Running,
            pid: Some(7),
            ..CameraStatus::default()
        };
        self.in_force().settings.cameras.keys().map(status).collect()
    }

    fn stats(&self, camera: &str) -> Option<CameraStats> {
        let infer = Quantiles { p50_ms: 13.0, p95_ms: 20.0, max_ms: 50.0 };
        let stats = CameraStats { frames: 250, fps: 25.0, infer, ..CameraStats::default() };
        self.in_force().settings.cameras.contains_key(camera).then_some(stats)
    }

    fn capabilities(&self, camera: &str) -> Option<CameraCapabilities> {
        let encoder = EncoderOption { name: "x264".into(), in_use: true, trouble: None };
        let one = CameraCapabilities { encoders: vec![encoder], ..CameraCapabilities::default() };
        // The other camera has shown nothing yet.
        (camera == "front").then_some(one)
    }

    fn latency(&self, camera: &str) -> Option<CameraLatency> {
        let sensor_to_stored = Quantiles { p50_ms: 40.0, p95_ms: 55.0, max_ms: 96.0 };
        let one = CameraLatency { sensor_to_stored, ..CameraLatency::default() };
        self.in_force().settings.cameras.contains_key(camera).then_some(one)
    }

    fn times(&self, _: &str) -> Vec<StageTimes> {
        let mut counts = vec![0; base::histogram::COUNTS];
        (counts[5], counts[15]) = (2, 1);
        vec![StageTimes { stage: "infer".into(), counts, sum_s: 20.5 }]
    }

    fn restart<'a>(&'a self, camera: &'a str, by: &'a str) -> Answer<'a, ()> {
        async move {
            if let Some(kind) = *self.refuse.lock().unwrap() {
                return Err(PortError::new(kind, "the camera says no"));
            }
            self.restarted.lock().unwrap().push(format!("{camera} by {by}"));
            Ok(())
        }
        .boxed()
    }

    fn snapshot<'a>(&'a self, _: &'a str, quality: u8) -> Answer<'a, Vec<u8>> {
        let how = *self.snapshots.lock().unwrap();
        async move {
            match how {
                Snapshots::Work => Ok(vec![0xff, 0xd8, quality]),
                Snapshots::Unavailable => {
                    Err(PortError::new(ErrorKind::Unavailable, "the camera shows nothing yet"))
                }
                Snapshots::Hang => pending().await,
                Snapshots::Panic => panic!("a bug that a test made"),
            }
        }
        .boxed()
    }
}

impl Events for Fake {
    fn query(&self, query: EventQuery) -> Answer<'_, Vec<Event>> {
        assert!((1..=1001).contains(&query.limit));
        async move {
            // As a store: the answer is not there at once.
            tokio::task::yield_now().await;
            let events = self.events.lock().unwrap();
            let fits = |event: &&Event| query.filter.matches(event);
            let found: Vec<_> = match query.order {
                EventOrder::After(seq) => {
                    let above = events.iter().filter(|event| event.seq > seq);
                    above.filter(fits).take(query.limit).cloned().collect()
                }
                EventOrder::Before(seq) => {
                    let below = events.iter().rev();
                    let below = below.filter(|event| seq.is_none_or(|seq| event.seq < seq));
                    below.filter(fits).take(query.limit).cloned().collect()
                }
            };
            Ok(found)
        }
        .boxed()
    }

    fn newest<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Event>> {
        let events = self.events.lock().unwrap();
        let newest = events.iter().rev().find(|event| event.id.to_string() == id).cloned();
        async move { Ok(newest) }.boxed()
    }

    fn bounds(&self) -> Answer<'_, SeqBounds> {
        let events = self.events.lock().unwrap();
        let newest = events.last().map_or(0, |event| event.seq);
        let oldest = events.first().map_or(newest + 1, |event| event.seq);
        async move { Ok(SeqBounds { oldest, newest }) }.boxed()
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.live.subscribe()
    }
}

impl SystemView for Fake {
    fn system(&self) -> System {
        let child =
            ChildStatus { pid: Some(7), memory_bytes: Some(1024), ..ChildStatus::default() };
        System {
            node: "ec-1".into(),
            name: "Test".into(),
            version: "0.1.0".into(),
            mqtt: MqttStatus {
                enabled: true,
                connected: true,
                outbox_events: 3,
                ..MqttStatus::default()
            },
            children: BTreeMap::from([("mediamtx".to_owned(), child)]),
            ..System::default()
        }
    }

    fn readiness(&self) -> Readiness {
        let ok = *self.ready.lock().unwrap();
        let check = Check { name: "camera front".into(), ok, detail: "as the test says".into() };
        Readiness { ready: ok, checks: vec![check] }
    }
}

impl Streams for Fake {
    fn list<'a>(&'a self, host: &'a str, base: &'a str) -> Answer<'a, Vec<Stream>> {
        let rtsp = Some(format!("rtsp://{host}:8554/front"));
        let whep = Some(format!("{base}/live/front/whep"));
        let stream =
            Stream { camera: "front".into(), ready: true, rtsp, whep, ..Stream::default() };
        async move { Ok(vec![stream]) }.boxed()
    }
}

impl Audit for Fake {
    fn append(&self, entry: AuditEntry) -> Answer<'_, ()> {
        let mut all = self.audit.lock().unwrap();
        let seq = all.len() as u64 + 1;
        all.push(AuditEntry { seq, ..entry });
        async { Ok(()) }.boxed()
    }

    fn newest(&self, before: Option<u64>, limit: usize) -> Answer<'_, Vec<AuditEntry>> {
        let all = self.audit.lock().unwrap();
        let older = all.iter().rev().filter(|entry| before.is_none_or(|seq| entry.seq < seq));
        let page = older.take(limit).cloned().collect();
        async { Ok(page) }.boxed()
    }
}
