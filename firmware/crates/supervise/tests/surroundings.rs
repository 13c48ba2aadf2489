//! What a child is given (environment, limits) and what becomes of its log.
#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod common;

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use common::{lines_of, script, supervisor, until};
use edgecam_supervise::{ChildSpec, LogFormat, RestartPolicy};
use tracing_subscriber::fmt::MakeWriter;

/// Runs a script to its end and returns the lines of its output.
async fn output(mut spec: ChildSpec, lines: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out");
    spec.env.push(("OUT".into(), file.clone().into()));
    spec.restart = RestartPolicy::Never;
    let supervisor = supervisor();
    let child = supervisor.spawn(spec);
    until(&child, |s| s.last_exit.is_some()).await;
    supervisor.shutdown().await;
    lines_of(&file, lines).await
}

#[tokio::test]
async fn a_child_gets_only_the_variables_that_are_meant_for_it() {
    let mut spec = script("env", "env > \"$OUT\"");
    spec.env.push(("EDGECAM_TEST".into(), "yes".into()));
    spec.inherit_env = vec!["CARGO_PKG_*".into(), "CARGO_MANIFEST_DIR".into()];
    let lines = output(spec, 1).await;
    let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
    assert!(has("EDGECAM_TEST=yes") && has("PATH=") && has("CARGO_MANIFEST_DIR="), "{lines:?}");
    assert!(has("CARGO_PKG_NAME=edgecam-supervise"), "{lines:?}");
    // The test runner's own, which nobody allowed.
    assert!(std::env::var_os("CARGO").is_some() && !has("CARGO="), "{lines:?}");
}

#[tokio::test]
async fn limits_are_set_before_the_program_starts() {
    let report = "{ ulimit -n; ulimit -c; nice; cat /proc/self/oom_score_adj; pwd; } > \"$OUT\"";
    let mut spec = script("limits", report);
    spec.limits.open_files = Some(123);
    spec.limits.nice = Some(3);
    spec.limits.oom_score_adj = Some(500);
    spec.cwd = Some("/".into());
    let nice = rustix::process::getpriority_process(None).unwrap() + 3;
    assert_eq!(output(spec, 5).await, ["123", "0", &nice.min(19).to_string(), "500", "/"]);
}

#[tokio::test]
async fn a_child_leads_a_group_of_its_own_and_reads_nothing() {
    let report = "{ ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 /proc/$$/stat; echo $$; \
                  cat; readlink /proc/$$/fd/0; } | tr -d ' ' > \"$OUT\"";
    let lines = output(script("group", report), 3).await;
    assert_eq!(lines[0], lines[1]);
    assert_eq!(lines[2], "/dev/null");
}

/// The log of this test binary.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        tracing_subscriber::fmt()
            .with_writer(log.clone())
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .without_time()
            .init();
        log
    })
}

/// The log lines of a child that runs `text`, without those that we say about it.
async fn logged(name: &str, format: LogFormat, text: &str) -> Vec<String> {
    let log = log();
    let mut spec = script(name, text);
    spec.log.format = format;
    spec.restart = RestartPolicy::Never;
    let supervisor = supervisor();
    let child = supervisor.spawn(spec);
    until(&child, |s| s.last_exit.is_some()).await;
    supervisor.shutdown().await;
    let all = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let field = format!(" child=\"{name}\"");
    let own = all.lines().filter(|line| line.contains(&field) && line.contains(" child: "));
    own.map(|line| line.replace(&field, "").trim().to_owned()).collect()
}

#[tokio::test]
async fn lines_keep_their_level_and_lose_their_secrets() {
    let said = "echo '2026/01/31 12:00:00 ERR [RTSP] listen :8554'
        echo '2026/01/31 12:00:00 DEB opening rtsp://me:secret@cam/1'
        echo 'panic: oh' >&2";
    let mut lines = logged("levels", LogFormat::MediaMtx, said).await;
    // The two streams have no order between them.
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "DEBUG child: opening rtsp://…@cam/1",
            "ERROR child: [RTSP] listen :8554",
            "WARN child: panic: oh",
        ]
    );
}

#[tokio::test]
async fn a_flood_is_cut_off_and_counted() {
    let lines = logged("flood", LogFormat::Plain, "yes | head -n 50000").await;
    let dropped: usize = lines
        .iter()
        .filter_map(|line| line.strip_prefix("WARN child: … ")?.strip_suffix(" lines dropped"))
        .map(|number| number.parse::<usize>().unwrap())
        .sum();
    let passed = lines.iter().filter(|line| *line == "INFO child: y").count();
    assert!(passed >= 100, "{passed}");
    assert_eq!(passed + dropped, 50_000);
}

#[tokio::test]
async fn a_line_without_end_takes_no_memory() {
    let lines = logged(
        "endless",
        LogFormat::Plain,
        "head -c 30000000 /dev/zero | tr '\\0' x; echo; echo end",
    )
    .await;
    let cut = format!("INFO child: {} … (cut)", "x".repeat(2_000));
    assert_eq!(lines, [cut.as_str(), "INFO child: end"]);
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kb: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kb < 25_000, "{peak}");
}
