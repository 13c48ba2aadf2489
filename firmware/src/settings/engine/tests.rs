//! Changes of settings, with cameras that answer as the test says.

use std::path::Path;
use std::sync::Mutex as StdMutex;

use config::{Entry, HostFacts, Layers};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::cameras::{CameraError, Request};
use crate::models::ModelKeeper;
use crate::units::Units;

/// What a camera was asked: how, and with which `governor.calm_s`.
type Asked = Arc<StdMutex<Vec<(&'static str, f32)>>>;

/// A camera that answers each request to apply as `apply` says, and does everything else.
fn camera(
    mut requests: mpsc::Receiver<Request>,
    apply: impl Fn(f32) -> Option<ErrorKind> + Send + 'static,
) -> Asked {
    let asked = Asked::default();
    let noted = asked.clone();
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            let (how, order, answer) = match request {
                Request::Apply { order, answer } => ("apply", order, answer),
                Request::Rebuild { order, answer, .. } => ("rebuild", order, answer),
                _ => continue,
            };
            let calm_s = order.governor.calm_s.unwrap_or_default();
            noted.lock().unwrap().push((how, calm_s));
            let error = apply(calm_s).filter(|_| how == "apply");
            let error = error.map(|kind| CameraError::new(kind, "as the test says"));
            let _ = answer.send(error.map_or(Ok(()), Err));
        }
    });
    asked
}

fn all_of(asked: &Asked) -> Vec<(&'static str, f32)> {
    asked.lock().unwrap().clone()
}

fn engine(data: &Path, cameras: Cameras) -> Engine {
    let host = HostFacts { node_id: "ec-1".into(), data_dir: data.to_owned() };
    let set = ["cameras.front.source=scene", "cameras.yard.source=scene"];
    let set = set.map(str::to_owned).to_vec();
    let sources = Sources::read(&Layers { host, set, ..Layers::default() });
    let revisions = Revisions::open(data).unwrap();
    let made = revisions.settings();
    let loaded = sources.load(&made).unwrap();
    let hands = Hands::new(&Units::default(), &loaded.config);
    let settings = loaded.settings;
    let library = ModelLibrary::open(data).unwrap();
    let wanted = library.chosen(&settings.detector).unwrap();
    let (_, models, choice) = ModelKeeper::new(&library, &wanted, false).unwrap();
    let orders = OrderMaker::new(library.clone(), choice, data, None);
    let (revision, settings) = (revisions.number(), Arc::new(settings));
    let live = LiveSettings::new(InForce { revision, settings, made: Arc::new(made) });
    let media_server = None;
    let parts =
        Parts { sources, revisions, library, models, orders, cameras, media_server, live, hands };
    Engine::new(parts)
}

fn calm(seconds: f32) -> ChangeRequest {
    ChangeRequest {
        what: What::Patch(json!({ "governor": { "calm_s": seconds } })),
        only_on: None,
        dry_run: false,
        confirm_within: None,
        by: "test".into(),
    }
}

fn two() -> (TempDir, Engine, [mpsc::Receiver<Request>; 2]) {
    let data = tempfile::tempdir().unwrap();
    let (cameras, asked, _) = Cameras::without_tasks(["front", "yard"]);
    let engine = engine(data.path(), cameras);
    (data, engine, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_a_camera_refuses_is_taken_back_everywhere() {
    let (data, engine, [front, yard]) = two();
    let front = camera(front, |_| None);
    let yard = camera(yard, |calm_s| (calm_s == 30.0).then_some(ErrorKind::InvalidArgument));
    let refused = engine.change(calm(30.0)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::FailedPrecondition);
    let reason = "the camera yard: as the test says";
    assert!(refused.detail.contains(reason) && refused.detail.contains("revision 1"), "{refused}");
    for asked in [&front, &yard] {
        assert_eq!(all_of(asked), [("apply", 30.0), ("apply", 60.0)]);
    }
    let (status, in_force) = (engine.status(), engine.in_force());
    assert_eq!((status.revision, status.applying), (2, None));
    let rolled_back = status.rolled_back.unwrap();
    assert_eq!((rolled_back.revision, rolled_back.reason.as_str()), (1, reason));
    assert_eq!((in_force.revision, in_force.settings.governor.calm_s), (2, Some(60.0)));
    let kept = Revisions::open(data.path()).unwrap();
    assert_eq!((kept.number(), kept.settings()), (2, json!({})), "so does the next start");
    assert_eq!(engine.change(calm(40.0)).await.unwrap().revision, 3, "it goes on from there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_that_cannot_take_a_change_over_as_it_runs_starts_again_with_it() {
    let (_data, engine, [front, yard]) = two();
    let front = camera(front, |_| Some(ErrorKind::DeadlineExceeded));
    let yard = camera(yard, |_| None);
    let change = engine.change(calm(30.0)).await.unwrap();
    assert_eq!((change.revision, change.status), (1, ChangeStatus::Applied));
    assert_eq!(all_of(&front), [("apply", 30.0), ("rebuild", 30.0)]);
    assert_eq!(all_of(&yard), [("apply", 30.0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_the_same_time_do_not_lose_each_other() {
    let (_data, engine, [front, yard]) = two();
    let (_front, _yard) = (camera(front, |_| None), camera(yard, |_| None));
    let bitrate = |camera: &str| ChangeRequest {
        what: What::Patch(json!({ "cameras": { camera: { "encoder": { "bitrate_kbps": 900 } } } })),
        ..calm(0.0)
    };
    let (a, b) = tokio::join!(engine.change(bitrate("front")), engine.change(bitrate("yard")));
    assert_eq!(a.unwrap().revision + b.unwrap().revision, 3);
    let settings = engine.in_force().settings;
    for camera in ["front", "yard"] {
        assert_eq!(settings.cameras[camera].encoder.bitrate_kbps, Some(900));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_take_a_start_are_kept_and_nothing_else_changes_meanwhile() {
    let (data, engine, [front, yard]) = two();
    let (front, _yard) = (camera(front, |_| None), camera(yard, |_| None));
    let name =
        ChangeRequest { what: What::Patch(json!({ "node": { "name": "Gate" } })), ..calm(0.0) };
    assert_eq!(engine.change(name).await.unwrap().status, ChangeStatus::Applying);
    engine.wants_restart().await;
    let refused = engine.change(calm(30.0)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unavailable);
    assert_eq!((engine.status().applying, engine.in_force().revision), (Some(1), 0));
    assert_eq!(all_of(&front), []);
    let kept = Revisions::open(data.path()).unwrap();
    assert_eq!(kept.pending().map(|pending| pending.confirmed_by), Some(ConfirmedBy::Start));
    // The daemon of the next start.
    let (cameras, _asked, _) = Cameras::without_tasks(["front", "yard"]);
    let next = super::tests::engine(data.path(), cameras);
    next.has_started().await;
    assert_eq!((next.status().revision, next.status().pending), (1, None));
    assert_eq!(Revisions::open(data.path()).unwrap().pending(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_comes_and_goes_and_the_others_are_not_asked_anything() {
    let data = tempfile::tempdir().unwrap();
    let (cameras, [front, yard], mut came) = Cameras::without_tasks(["front", "yard"]);
    let engine = engine(data.path(), cameras.clone());
    let (front, yard) = (camera(front, |_| None), camera(yard, |_| None));
    let change = |what| ChangeRequest { what, ..calm(0.0) };
    let at = vec!["cameras".to_owned(), "gate".to_owned()];
    let entry = Entry { at: at.clone(), value: json!({ "source": "scene" }) };
    let made = engine.change(change(What::Add(entry.clone()))).await.unwrap();
    assert_eq!((made.revision, made.status), (1, ChangeStatus::Applied));
    let (id, mut asked) = came.recv().await.unwrap();
    assert!(id == "gate" && cameras.get("gate").is_some());
    let twice = engine.change(change(What::Add(entry))).await.unwrap_err();
    assert_eq!(twice.kind, ErrorKind::FailedPrecondition);

    let ended = tokio::spawn(async move {
        match asked.recv().await {
            Some(Request::End { answer }) => answer.send(Ok(())).is_ok(),
            other => panic!("{other:?}"),
        }
    });
    let gone = engine.change(change(What::Remove(at.clone()))).await.unwrap();
    assert_eq!((gone.revision, gone.status), (2, ChangeStatus::Applied));
    assert!(ended.await.unwrap() && cameras.get("gate").is_none());
    let never = engine.change(change(What::Remove(at))).await.unwrap_err();
    assert_eq!(never.kind, ErrorKind::NotFound);
    // The command line of this device names it.
    let stays = vec!["cameras".to_owned(), "yard".to_owned()];
    let stays = engine.change(change(What::Remove(stays))).await.unwrap_err();
    assert!(stays.detail.contains("command line"), "{stays}");
    assert_eq!((all_of(&front), all_of(&yard)), (vec![], vec![]));
}
