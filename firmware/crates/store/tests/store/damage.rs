//! Bad databases and bad disks: each with a clear error, and nothing lost.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base::error::{ErrorKind, Kind, chain};
use edgecam_store::{EventQuery, Store, StoreError};

use crate::support::{event, open, options, seqs, whole};

const DIR: &str = "EDGECAM_TEST_MOUNT_DIR";

/// Runs an ignored test of this binary in a mount namespace of its own, where it may mount what
/// it likes: the mounts go with it, however it ends. `false`: not possible here.
fn in_own_mounts(test: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--"]).args(arguments).env(DIR, dir.path());
        command
    };
    let mount = ["mount", "-t", "tmpfs", "none", dir.path().to_str().unwrap()];
    if !unshare(&mount).output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED {test}: mounting is not allowed here (needs root)");
        return false;
    }
    let this = std::env::current_exe().unwrap();
    let arguments = [this.to_str().unwrap(), "--exact", test, "--ignored", "--nocapture"];
    let output = unshare(&arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    true
}

fn mount(arguments: &[&str]) -> PathBuf {
    let dir = PathBuf::from(std::env::var(DIR).unwrap());
    let status = Command::new("mount").args(arguments).arg(&dir).status().unwrap();
    assert!(status.success());
    dir
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_room_again() {
    in_own_mounts("damage::full_disk");
}

#[tokio::test]
#[ignore = "started by the test above, in mounts of its own"]
async fn full_disk() {
    let dir = mount(&["-t", "tmpfs", "-o", "size=1m", "none"]);
    let (store, threads) = open(&dir);
    let mut answered = Vec::new();
    let error = loop {
        match store.append_all(vec![whole("front"); 16]).await {
            Ok(stored) => answered.extend(stored.iter().map(|stored| stored.seq)),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{}", chain(&error));
    let words = error.to_string();
    assert!(words.contains(dir.to_str().unwrap()) && words.contains("no space left"), "{words}");
    assert!(answered.len() > 100, "{}", answered.len());
    // What is left of the room is for smaller ones; then nothing goes in any more.
    while let Ok(stored) = store.append(whole("front")).await {
        answered.push(stored.seq);
    }
    let newest = *store.newest().borrow();
    assert_eq!(newest, answered.len() as u64, "a refused append uses up no seq");

    mount(&["-o", "remount,size=16m", "none"]);
    answered.push(store.append(whole("front")).await.unwrap().seq);
    threads.stop().await;
    let (store, threads) = open(&dir);
    let mut kept = Vec::new();
    while kept.len() < answered.len() {
        let after_seq = kept.last().copied();
        let page = store.events(EventQuery { after_seq, ..EventQuery::default() }).await.unwrap();
        assert!(!page.is_empty());
        kept.extend(seqs(&page));
    }
    assert_eq!(kept, answered);
    threads.stop().await;

    let filler = vec![0; 32 << 20];
    let _ = fs::write(dir.join("filler"), filler);
    let error = Store::open(options(&dir.join("deeper"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{}", chain(&error));
}

#[test]
fn a_read_only_data_directory_is_named_with_the_way_out() {
    in_own_mounts("damage::read_only_directory");
}

#[tokio::test]
#[ignore = "started by the test above, in mounts of its own"]
async fn read_only_directory() {
    let dir = mount(&["-t", "tmpfs", "none"]);
    let (store, threads) = open(&dir);
    store.append(whole("front")).await.unwrap();
    threads.stop().await;
    drop(store);
    mount(&["-o", "remount,ro", "none"]);
    let error = Store::open(options(&dir)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    let words = chain(&error);
    for expected in [dir.to_str().unwrap(), "data.dir", "Read-only file system"] {
        assert!(words.contains(expected), "{words}");
    }
}

#[test]
fn a_data_directory_that_is_a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Store::open(options(file.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
}

#[test]
fn a_database_that_is_a_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("events.db")).unwrap();
    let error = Store::open(options(dir.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{}", chain(&error));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (_, threads) = open(dir.path());
    threads.stop().await;
    let path = dir.path().join("events.db");
    // `user_version` stands big-endian at byte 60 of the file's header.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&7_u32.to_be_bytes(), 60).unwrap();
    let before = fs::read(&path).unwrap();
    let error = Store::open(options(dir.path())).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 7, known: 5, .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    assert!(error.to_string().contains("update the firmware"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

fn put_aside(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("events.db.corrupt-")).collect()
}

#[tokio::test]
async fn a_corrupt_page_puts_the_database_aside_and_a_fresh_one_counts_on() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    store.append_all(vec![event("front", api::event::Phase::Update); 200]).await.unwrap();
    threads.stop().await;
    drop(store);
    let path = dir.path().join("events.db");
    let size = fs::metadata(&path).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // The last pages are of the events' table; the counters stand before them.
    file.write_all_at(&vec![0xa5; 64 * 1024], size - 96 * 1024).unwrap();

    let opened = Store::open(options(dir.path())).unwrap();
    let aside = opened.replaced().expect("it was put aside").to_owned();
    assert_eq!(fs::metadata(&aside).unwrap().len(), size, "nothing of it is thrown away");
    let (store, threads) = opened.spawn().unwrap();
    assert_eq!(store.append(whole("front")).await.unwrap().seq, 201);
    threads.stop().await;
    let opened = Store::open(options(dir.path())).unwrap();
    assert_eq!(opened.replaced(), None, "the fresh one is sound");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("events.db"), "not a database ".repeat(1_000)).unwrap();
    let (store, threads) = open(dir.path());
    assert_eq!(put_aside(dir.path()).len(), 1);
    assert_eq!(store.append(whole("front")).await.unwrap().seq, 1);
    threads.stop().await;
}

#[tokio::test]
async fn a_database_that_breaks_at_run_time_is_replaced_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (store, threads) = open(dir.path());
    store.append_all(vec![whole("front"); 50]).await.unwrap();
    // Everything that is on the disk turns to garbage under the running store.
    for name in ["events.db", "events.db-wal"] {
        let path = dir.path().join(name);
        let size = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&vec![0xa5; size], 0).unwrap();
    }
    let mut refused = 0;
    while store.append(whole("front")).await.is_err() {
        refused += 1;
        assert!(refused < 10, "it heals itself");
    }
    let stored = store.append(event("front", api::event::Phase::New)).await.unwrap();
    assert!(stored.seq > 50, "seq {} goes back", stored.seq);
    threads.stop().await;
}
