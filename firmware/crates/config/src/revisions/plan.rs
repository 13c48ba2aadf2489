//! What is to be done about the files that there are, and about a confirmation that is waited for
//! (pure).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::time::Duration;

use super::{Moment, Pending};

/// Digits of a revision's number in the name of its file: names sort as numbers do.
const DIGITS: usize = 10;
/// Ends the name of a revision's file.
const EXTENSION: &str = ".json";
/// Begins the name of a schema's folder.
const SCHEMA: &str = "schema-";

/// The name of the file of `revision`.
pub(super) fn file_name(revision: u64) -> String {
    format!("{revision:0DIGITS$}{EXTENSION}")
}

/// The revision whose file is called `name`; `None`: it is no such file.
pub(super) fn revision_of(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_suffix(EXTENSION)?;
    let number = digits.parse().ok().filter(|number| *number > 0)?;
    (file_name(number).as_str() == name).then_some(number)
}

/// The name of the folder of `schema`.
pub(super) fn folder_name(schema: u32) -> String {
    format!("{SCHEMA}{schema}")
}

/// The schema whose folder is called `name`; `None`: it is no such folder.
pub(super) fn schema_of(name: &OsStr) -> Option<u32> {
    name.to_str()?.strip_prefix(SCHEMA)?.parse().ok()
}

/// What becomes of a confirmation that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// There is none.
    Nothing,
    /// It is of a revision that is not the newest: it was never put in force, or is no more.
    Moot,
    /// There is this much time left.
    For(Duration),
    /// It is over, for this reason.
    Over(&'static str),
}

/// What becomes of `pending`, with `newest` the newest revision that can be read (0: none).
pub(super) fn waiting(pending: Option<&Pending>, newest: u64, now: &Moment) -> Waiting {
    let Some(pending) = pending else { return Waiting::Nothing };
    if pending.revision != newest {
        return Waiting::Moot;
    }
    if pending.kernel_boot != now.kernel_boot {
        return Waiting::Over("the device started anew before it was confirmed");
    }
    let deadline = Duration::from_nanos(pending.deadline_ns);
    match deadline.checked_sub(now.since_boot).filter(|left| !left.is_zero()) {
        Some(left) => Waiting::For(left),
        None => Waiting::Over("it was not confirmed in time"),
    }
}

/// Which of the revisions `there` may go, so that at most `most` stay. Those of `needed` stay
/// whatever comes.
pub(super) fn to_prune(there: &BTreeSet<u64>, needed: &[u64], most: usize) -> Vec<u64> {
    let surplus = there.len().saturating_sub(most);
    there.iter().copied().filter(|number| !needed.contains(number)).take(surplus).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ConfirmedBy;
    use super::*;

    fn pending() -> Pending {
        Pending {
            revision: 7,
            back_to: 6,
            kernel_boot: "this".into(),
            deadline_ns: 1_000,
            confirmed_by: ConfirmedBy::Owner,
        }
    }

    fn at(kernel_boot: &str, nanoseconds: u64) -> Moment {
        let since_boot = Duration::from_nanos(nanoseconds);
        Moment { kernel_boot: kernel_boot.into(), since_boot }
    }

    #[test]
    fn a_confirmation_is_over_at_its_deadline_and_with_another_boot() {
        let waiting = |newest, now| waiting(Some(&pending()), newest, &now);
        assert_eq!(waiting(7, at("this", 400)), Waiting::For(Duration::from_nanos(600)));
        assert!(matches!(waiting(7, at("this", 1_000)), Waiting::Over(_)));
        assert!(matches!(waiting(7, at("other", 400)), Waiting::Over(_)));
        assert_eq!(waiting(6, at("other", 2_000)), Waiting::Moot, "it was never put in force");
        assert_eq!(waiting(8, at("this", 400)), Waiting::Moot, "something newer is in force");
        assert_eq!(super::waiting(None, 7, &at("this", 0)), Waiting::Nothing);
    }

    #[test]
    fn only_names_that_we_give_are_ours() {
        assert_eq!(revision_of(OsStr::new("0000000012.json")), Some(12));
        for name in ["12.json", "0000000012.json.new", "pending.json", "0000000000.json", "x"] {
            assert_eq!(revision_of(OsStr::new(name)), None, "{name}");
        }
        assert_eq!(schema_of(OsStr::new("schema-3")), Some(3));
        assert_eq!(schema_of(OsStr::new("schema-")), None);
    }

    proptest! {
        #[test]
        fn a_number_is_read_from_the_name_it_gives(number in 1..u64::MAX) {
            prop_assert_eq!(revision_of(OsStr::new(&file_name(number))), Some(number));
        }

        #[test]
        fn the_oldest_go_and_what_is_needed_stays(
            there in prop::collection::btree_set(1..60u64, 0..40),
            needed in prop::collection::vec(1..60u64, 0..4),
            most in 1..20usize,
        ) {
            let gone = to_prune(&there, &needed, most);
            let left: BTreeSet<_> = there.iter().filter(|n| !gone.contains(n)).copied().collect();
            prop_assert!(there.iter().filter(|n| needed.contains(n)).all(|n| left.contains(n)));
            prop_assert!(left.len() <= most.max(needed.len()) || gone.is_empty());
            let youngest_gone = gone.iter().max();
            let free = left.iter().filter(|n| !needed.contains(n));
            prop_assert!(free.clone().all(|n| youngest_gone.is_none_or(|gone| gone < n)));
        }
    }
}
