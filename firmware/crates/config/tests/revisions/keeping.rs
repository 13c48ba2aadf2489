//! What is kept, for how long, and what a damaged or foreign file does.

use std::fs;
use std::path::{Path, PathBuf};

use base::durable::LocalDisk;
use edgecam_config::revisions::{Draft, KEEP, MAX_BYTES, RevisionError, Revisions, SCHEMA};
use serde_json::{Value, json};

fn open(data: &Path) -> Revisions {
    Revisions::open(data).unwrap()
}

fn draft(settings: Value) -> Draft {
    Draft { made_by: "test".into(), note: Some("why".into()), undoes: None, settings }
}

fn make(revisions: &mut Revisions, bitrate: u32) {
    let settings = json!({ "cameras": { "cam": { "encoder": { "bitrate_kbps": bitrate } } } });
    revisions.make(draft(settings), None).unwrap();
}

fn file(data: &Path, number: u64) -> PathBuf {
    data.join(format!("settings/schema-{SCHEMA}/{number:010}.json"))
}

#[test]
fn without_revisions_nothing_is_in_force_and_nothing_is_written() {
    let data = tempfile::tempdir().unwrap();
    let revisions = open(data.path());
    assert_eq!((revisions.number(), revisions.settings()), (0, json!({})));
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0);
}

#[test]
fn a_revision_is_read_as_it_was_made_and_knows_its_parent() {
    let data = tempfile::tempdir().unwrap();
    let mut revisions = open(data.path());
    make(&mut revisions, 900);
    make(&mut revisions, 800);
    let again = open(data.path());
    assert_eq!(again.in_force(), revisions.in_force());
    let newest = again.in_force().unwrap();
    assert_eq!((newest.revision, newest.parent, newest.note.as_deref()), (2, 1, Some("why")));
    assert_eq!(newest.settings["cameras"]["cam"]["encoder"]["bitrate_kbps"], 800);
    assert_eq!(again.get(1).unwrap().settings["cameras"]["cam"]["encoder"]["bitrate_kbps"], 900);
    assert_eq!(again.get(3), None);
    let numbers = |page: Vec<edgecam_config::revisions::Revision>| -> Vec<u64> {
        page.iter().map(|revision| revision.revision).collect()
    };
    assert_eq!(numbers(again.page(u64::MAX, 10)), [2, 1]);
    assert_eq!(numbers(again.page(2, 10)), [1]);
}

#[test]
fn the_newest_that_can_be_read_is_in_force_and_a_damaged_one_stays_where_it_is() {
    let data = tempfile::tempdir().unwrap();
    let mut revisions = open(data.path());
    [900, 800, 700].into_iter().for_each(|bitrate| make(&mut revisions, bitrate));
    let text = fs::read_to_string(file(data.path(), 3)).unwrap();
    fs::write(file(data.path(), 3), text.replace("700", "701")).unwrap();
    fs::write(file(data.path(), 2), "").unwrap();
    let mut revisions = open(data.path());
    assert_eq!(revisions.number(), 1);
    assert_eq!(revisions.troubles().len(), 2, "{:?}", revisions.troubles());
    make(&mut revisions, 600);
    assert_eq!(revisions.number(), 4, "no number is given twice");
    assert!(file(data.path(), 3).exists());
}

#[test]
fn a_revision_of_no_use_is_passed_over_until_the_next_start() {
    let data = tempfile::tempdir().unwrap();
    let mut revisions = open(data.path());
    [900, 800].into_iter().for_each(|bitrate| make(&mut revisions, bitrate));
    revisions.use_older("unknown setting");
    assert_eq!(revisions.number(), 1);
    revisions.use_older("unknown setting");
    assert_eq!((revisions.number(), revisions.settings()), (0, json!({})));
    assert!(revisions.troubles()[0].contains("revision 2") && file(data.path(), 2).exists());
    assert_eq!(open(data.path()).number(), 2);
}

#[test]
fn what_failed_without_being_waited_for_goes_back_to_its_parent() {
    let data = tempfile::tempdir().unwrap();
    let mut revisions = open(data.path());
    assert!(matches!(revisions.take_back("it failed"), Err(RevisionError::NothingWaits)));
    [900, 800].into_iter().for_each(|bitrate| make(&mut revisions, bitrate));
    revisions.take_back("it failed").unwrap();
    let newest = open(data.path()).in_force().cloned().unwrap();
    assert_eq!(
        (newest.revision, newest.undoes, newest.note.as_deref()),
        (3, Some(2), Some("it failed"))
    );
    assert_eq!(newest.settings, revisions.get(1).unwrap().settings);
}

#[test]
fn the_last_hundred_are_kept() {
    let data = tempfile::tempdir().unwrap();
    let mut revisions = open(data.path());
    let more = 5;
    (0..KEEP + more).for_each(|number| make(&mut revisions, u32::try_from(number).unwrap()));
    let all = revisions.page(u64::MAX, usize::MAX);
    assert_eq!(all.len(), KEEP);
    assert_eq!(all.last().unwrap().revision, u64::try_from(more).unwrap() + 1);
    assert_eq!(open(data.path()).page(u64::MAX, usize::MAX), all);
}

#[test]
fn settings_that_are_too_large_are_refused_and_leave_nothing() {
    let data = tempfile::tempdir().unwrap();
    let mut revisions = open(data.path());
    make(&mut revisions, 900);
    let large = json!({ "node": { "name": "x".repeat(MAX_BYTES) } });
    let refused = revisions.make(draft(large), None);
    assert!(matches!(refused, Err(RevisionError::TooLarge(_))), "{refused:?}");
    assert_eq!((revisions.number(), open(data.path()).number()), (1, 1));
}

#[test]
fn another_schema_begins_with_what_the_one_before_left_and_leaves_that_alone() {
    let data = tempfile::tempdir().unwrap();
    let open = |schema| Revisions::open_on(LocalDisk, data.path(), schema).unwrap();
    let mut old = open(1);
    [900, 800].into_iter().for_each(|bitrate| make(&mut old, bitrate));
    let mut new = open(3);
    assert_eq!(new.settings(), old.settings());
    assert_eq!(new.page(u64::MAX, 10).len(), 1, "where it comes from can be seen");
    make(&mut new, 700);
    assert_eq!((new.number(), new.in_force().unwrap().parent), (3, 2));
    assert_eq!(open(1).settings(), old.settings());
    assert_eq!(open(3).settings(), new.settings());
    assert_eq!(open(2).settings(), old.settings());
}

#[test]
fn nobody_else_may_read_them() {
    use std::os::unix::fs::PermissionsExt;
    let data = tempfile::tempdir().unwrap();
    make(&mut open(data.path()), 900);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&file(data.path(), 1)), 0);
    assert_eq!(mode(&data.path().join("settings")), 0);
}
