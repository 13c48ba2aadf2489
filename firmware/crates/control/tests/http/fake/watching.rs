//! Viewers, live topics and the past, in memory.

use std::sync::{Arc, Mutex};

use api::live::{LiveData, LiveNews, LiveTopic, LiveTracks, ViewerKind, ViewerSession};
use api::past::{StoredTrack, TimelineBucket, TimelineCount};
use base::error::ErrorKind;
use edgecam_control::PortError;
use edgecam_control::ports::{
    Answer, Bytes, CountQuery, Live, LiveItem, LiveSource, MediaFile, Past, SettingsPort,
    TrackQuery, TracksFound, Viewer, Viewing, Whep,
};
use futures::stream::{BoxStream, unfold};
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;

use super::Fake;

/// The WebRTC session that there is.
pub(crate) const SESSION: &str = "6c0e7f9e-9d2b-4a51-8d0b-3f6b0c1d2e3f";

/// Where news of a topic and camera come from.
type Source = watch::Sender<Option<Arc<LiveItem>>>;

/// What goes on.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    /// What was asked of the media server.
    pub(crate) asked: Mutex<Vec<String>>,
    /// What is followed, by topic and camera.
    sources: Mutex<Vec<((LiveTopic, String), Source)>>,
    /// Says that cameras came or went.
    pub(crate) turnover: watch::Sender<()>,
    /// The newest question for the past.
    pub(crate) tracks: Mutex<Option<TrackQuery>>,
    pub(crate) counts: Mutex<Option<CountQuery>>,
}

impl Watching {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    /// Tells those who follow the tracks of `camera` the `number`th time; whether anybody does.
    pub(crate) fn news(&self, camera: &str, number: u64) -> bool {
        let topic = LiveTopic::Tracks;
        let sources = self.sources.lock().unwrap();
        let wanted = (topic, camera.to_owned());
        let news = LiveNews {
            topic,
            camera: Some(camera.to_owned()),
            at: "2026-07-01T12:00:00Z".parse().unwrap(),
            dropped: 0,
            data: LiveData::Tracks(LiveTracks::default()),
        };
        let item = Some(Arc::new(LiveItem { number, news }));
        let told = sources.iter().filter(|(of, _)| *of == wanted);
        told.filter(|(_, source)| source.send(item.clone()).is_ok()).count() > 0
    }

    /// How many sources somebody follows.
    pub(crate) fn followed(&self) -> usize {
        let sources = self.sources.lock().unwrap();
        sources.iter().filter(|(_, source)| source.receiver_count() > 0).count()
    }
}

fn viewer(id: &str, camera: &str) -> ViewerSession {
    ViewerSession {
        id: id.into(),
        kind: ViewerKind::Rtsp,
        camera: camera.into(),
        username: Some("guard".into()),
        address: "192.168.1.7".into(),
        user_agent: None,
        since: "2026-07-01T12:00:00Z".parse().unwrap(),
        transport: None,
        bytes_sent: 7,
        packets_sent: None,
        packets_lost: None,
        discarded: None,
    }
}

fn check(session: &str) -> Result<(), PortError> {
    let missing = || PortError::new(ErrorKind::NotFound, "there is no such session");
    (session == SESSION).then_some(()).ok_or_else(missing)
}

impl Viewing for Fake {
    fn begin<'a>(&'a self, camera: &'a str, viewer: Viewer, offer: Bytes) -> Answer<'a, Whep> {
        let (name, from) = (viewer.principal.username, viewer.from);
        self.watching.note(format!("{name} at {from} offers {} bytes to {camera}", offer.len()));
        let links = vec!["<stun:stun.example>; rel=\"ice-server\"".to_owned()];
        let whep = Whep { answer: "v=0".into(), session: SESSION.into(), links };
        async move {
            match offer.starts_with(b"v=0") {
                true => Ok(whep),
                false => Err(PortError::new(ErrorKind::InvalidArgument, "it is no SDP")),
            }
        }
        .boxed()
    }

    fn trickle<'a>(
        &'a self,
        _: &'a str,
        session: &'a str,
        fragment: Bytes,
    ) -> Answer<'a, Option<Bytes>> {
        async move { check(session).map(|()| (!fragment.is_empty()).then_some(fragment)) }.boxed()
    }

    fn end<'a>(&'a self, _: &'a str, session: &'a str) -> Answer<'a, ()> {
        async move { check(session) }.boxed()
    }

    fn file<'a>(
        &'a self,
        camera: &'a str,
        viewer: Viewer,
        name: &'a str,
        session: Option<&'a str>,
    ) -> Answer<'a, MediaFile> {
        let user = viewer.principal.username;
        self.watching.note(format!("{user} reads {name} of {camera} in {session:?}"));
        // As a media server: the rest comes while the beginning is read.
        let parts = futures::stream::iter([Ok("#EXTM3U\n".into()), Ok("#EXT-X-ENDLIST\n".into())]);
        async move { Ok(MediaFile { body: parts.boxed() }) }.boxed()
    }

    fn sessions(&self) -> Answer<'_, Vec<ViewerSession>> {
        async { Ok(vec![viewer("one", "front"), viewer("two", "yard")]) }.boxed()
    }

    fn kick<'a>(&'a self, session: &'a ViewerSession) -> Answer<'a, ()> {
        self.watching.note(format!("{} goes", session.id));
        async { Ok(()) }.boxed()
    }
}

impl Live for Fake {
    fn follow(&self, topic: LiveTopic, wanted: &dyn Fn(&str) -> bool) -> Vec<LiveSource> {
        let mut sources = self.watching.sources.lock().unwrap();
        let cameras = self.in_force().settings.cameras.keys().cloned().collect::<Vec<_>>();
        let follow = |camera: String| {
            let (sender, receiver) = watch::channel(None);
            sources.push(((topic, camera), sender));
            receiver
        };
        cameras.into_iter().filter(|camera| wanted(camera)).map(follow).collect()
    }

    fn turnover(&self) -> BoxStream<'static, ()> {
        let changes = self.watching.turnover.subscribe();
        unfold(changes, async |mut changes| changes.changed().await.ok().map(|()| ((), changes)))
            .boxed()
    }
}

impl Past for Fake {
    fn tracks(&self, query: TrackQuery) -> Answer<'_, TracksFound> {
        *self.watching.tracks.lock().unwrap() = Some(query);
        async { Ok(TracksFound { items: Vec::<StoredTrack>::new(), next: Some(12) }) }.boxed()
    }

    fn counts(&self, query: CountQuery) -> Answer<'_, Vec<TimelineBucket>> {
        let kind = api::event::Kind::Object;
        let count = TimelineCount { camera: Some("front".into()), label: None, kind, events: 3 };
        let bucket = TimelineBucket { from: query.from, counts: vec![count] };
        *self.watching.counts.lock().unwrap() = Some(query);
        async { Ok(vec![bucket]) }.boxed()
    }
}
