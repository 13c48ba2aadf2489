//! Tests of the jobs.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};

use api::access::Role;
use api::models::DetectorBenchmark;

use super::*;

fn order(lane: Lane) -> Order {
    let by = Beginner { by: "ann".into(), role: Role::Operator };
    Order { kind: JobKind::BenchmarkDetector, camera: None, lane, by }
}

fn result() -> JobResult {
    JobResult::BenchmarkDetector(DetectorBenchmark::default())
}

/// The job `id` once it is as `wanted`.
async fn once(jobs: &Jobs, id: &str, wanted: impl Fn(&Job) -> bool) -> Job {
    let look = async {
        loop {
            match jobs.get(id).filter(&wanted) {
                Some(job) => return job,
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.expect("it comes to that")
}

#[tokio::test]
async fn a_job_tells_how_far_it_is_and_what_came_of_it() {
    let jobs = Jobs::new();
    let mut changes = jobs.subscribe();
    let work = |context: Context| async move {
        context.progress(0.5, "half");
        context.progress(f32::NAN, "still half");
        Ok(result())
    };
    let begun = jobs.begin(order(Lane::Busy), work).unwrap();
    assert_eq!((begun.state, begun.created_by.as_str()), (JobState::Queued, "ann"));
    let done = once(&jobs, &begun.id, |job| job.state.has_ended()).await;
    assert_eq!((done.state, done.progress, done.result), (JobState::Done, 1.0, Some(result())));
    assert!(done.started_at.is_some() && done.ended_at.is_some());
    let mut stages = Vec::new();
    while let Ok(job) = changes.try_recv() {
        stages.push(format!("{} {}", job.stage, job.progress));
    }
    assert_eq!(stages, ["waiting 0", "running 0", "half 0.5", "still half 0.5", "done 1"]);
    assert_eq!(jobs.cancel(&begun.id).await.unwrap().unwrap().state, JobState::Done);
    assert_eq!(jobs.get(&begun.id), None);
}

#[tokio::test]
async fn a_job_that_fails_or_panics_says_so_and_the_next_one_runs() {
    let jobs = Jobs::new();
    let fails = |_: Context| async { Err(PortError::new(ErrorKind::NotFound, "no such thing")) };
    let failed = jobs.begin(order(Lane::Busy), fails).unwrap();
    let panics = |_: Context| async { panic!("a bug that a test made") };
    let panicked = jobs.begin(order(Lane::Busy), panics).unwrap();
    let works = jobs.begin(order(Lane::Busy), |_| async { Ok(result()) }).unwrap();
    let problem = |job: Job| job.problem.map(|problem| (problem.code, problem.detail));
    let failed = once(&jobs, &failed.id, |job| job.state == JobState::Failed).await;
    assert_eq!(problem(failed), Some(("not_found".into(), "no such thing".into())));
    let panicked = once(&jobs, &panicked.id, |job| job.state == JobState::Failed).await;
    assert_eq!(problem(panicked).unwrap().0, "internal");
    once(&jobs, &works.id, |job| job.state == JobState::Done).await;
}

/// Says when it is dropped.
struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Never ends, and says when it is dropped.
fn endless(jobs: &Jobs, lane: Lane) -> (Job, Arc<AtomicBool>) {
    let dropped = Arc::<AtomicBool>::default();
    let held = Held(dropped.clone());
    let work = |_: Context| async move {
        let _held = held;
        pending().await
    };
    (jobs.begin(order(lane), work).unwrap(), dropped)
}

#[tokio::test]
async fn a_job_is_cancelled_while_it_runs_and_while_it_waits() {
    let jobs = Jobs::new();
    let (running, dropped) = endless(&jobs, Lane::Busy);
    let (waiting, never) = endless(&jobs, Lane::Busy);
    let (beside, _) = endless(&jobs, Lane::Idle);
    once(&jobs, &running.id, |job| job.state == JobState::Running).await;
    once(&jobs, &beside.id, |job| job.state == JobState::Running).await;
    assert_eq!(jobs.get(&waiting.id).unwrap().state, JobState::Queued, "one at a time");
    let cancelled = jobs.cancel(&waiting.id).await.unwrap().unwrap();
    assert_eq!((cancelled.state, cancelled.started_at), (JobState::Cancelled, None));
    let cancelled = jobs.cancel(&running.id).await.unwrap().unwrap();
    assert_eq!(cancelled.state, JobState::Cancelled);
    assert_eq!(jobs.get(&running.id), None, "it is forgotten");
    once(&jobs, &beside.id, |_| dropped.load(Ordering::SeqCst)).await;
    assert!(never.load(Ordering::SeqCst));
    assert_eq!(jobs.cancel("none").await.unwrap(), None);
}

#[tokio::test]
async fn the_stop_cancels_all_and_lets_none_begin() {
    let jobs = Jobs::new();
    let all: Vec<_> = (0..4).map(|_| endless(&jobs, Lane::Idle).0).collect();
    let (stopper, shutdown) = base::shutdown::channel();
    let ending = tokio::spawn(jobs.clone().end_with(shutdown));
    stopper.stop();
    ending.await.unwrap();
    for job in all {
        assert_eq!(jobs.get(&job.id).unwrap().state, JobState::Cancelled);
    }
    let late = jobs.begin(order(Lane::Idle), |_| async { Ok(result()) });
    assert_eq!(late.unwrap_err().kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn only_so_many_wait_and_only_so_many_are_kept() {
    let jobs = Jobs::new();
    let (running, _) = endless(&jobs, Lane::Busy);
    once(&jobs, &running.id, |job| job.state == JobState::Running).await;
    for _ in 0..MOST_WAITING {
        endless(&jobs, Lane::Busy);
    }
    let refused = jobs.begin(order(Lane::Busy), |_| async { Ok(result()) }).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::ResourceExhausted);
    for job in jobs.list() {
        jobs.cancel(&job.id).await.unwrap();
    }
    for _ in 0..MOST_KEPT + 5 {
        let job = jobs.begin(order(Lane::Idle), |_| async { Ok(result()) }).unwrap();
        once(&jobs, &job.id, |job| job.state.has_ended()).await;
    }
    assert_eq!(jobs.list().len(), MOST_KEPT);
}
