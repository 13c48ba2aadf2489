//! Which version may follow which. Pure.
//!
//! Versions are semantic ones (semver.org). What is older than what runs is never installed: an old image
//! has the holes that the new one closed, and its signature is as good as ever.

use std::cmp::Ordering;

use semver::Version;

/// Why a version may not be installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Not a version.
    #[error("\"{text}\" is no version like 1.2.3: {why}")]
    Odd {
        /// What stands there.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Older than what runs.
    #[error(
        "{offered} is older than {running}, which runs: an older system is never installed over a newer \
         one; take one of {running} or newer"
    )]
    Older {
        /// What was offered.
        offered: Version,
        /// What runs.
        running: Version,
    },
    /// What runs already.
    #[error("{0} runs already; say force to install it again")]
    Same(Version),
}

/// Reads a version.
///
/// # Errors
/// [`VersionError::Odd`].
pub fn parse(text: &str) -> Result<Version, VersionError> {
    let odd = |why: semver::Error| VersionError::Odd { text: shown(text), why: why.to_string() };
    Version::parse(text.trim()).map_err(odd)
}

/// Whether `offered` is newer than `running`. Both must be versions.
pub fn is_newer(offered: &str, running: &str) -> bool {
    matches!((parse(offered), parse(running)), (Ok(a), Ok(b)) if order(&a, &b).is_gt())
}

/// Whether `offered` may be installed where `running` runs. With `force`, an equal one may, too. What
/// stands after a `+` tells builds of one version apart, and none of them is older.
///
/// # Errors
/// Why not.
pub fn may_follow(offered: &str, running: &str, force: bool) -> Result<(), VersionError> {
    let (offered, running) = (parse(offered)?, parse(running)?);
    match order(&offered, &running) {
        Ordering::Greater => Ok(()),
        Ordering::Less => Err(VersionError::Older { offered, running }),
        Ordering::Equal if force || offered.build != running.build => Ok(()),
        Ordering::Equal => Err(VersionError::Same(offered)),
    }
}

/// Precedence as semver defines it, which leaves out what stands after a `+`.
fn order(a: &Version, b: &Version) -> Ordering {
    a.cmp_precedence(b)
}

/// A text of somebody else's, short enough to show.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_version_is_never_taken_whatever_is_forced() {
        for (offered, running) in [
            ("1.2.2", "1.2.3"),
            ("0.9.9", "1.0.0"),
            ("1.10.0-rc.1", "1.10.0"),
            ("1.10.0-rc.2", "1.10.0-rc.10"),
            ("1.9.0", "1.10.0"),
            ("1.2.3-dev+9", "1.2.3+1"),
        ] {
            for force in [false, true] {
                let refused = may_follow(offered, running, force).unwrap_err();
                assert!(matches!(refused, VersionError::Older { .. }), "{offered} on {running}");
            }
        }
    }

    #[test]
    fn a_newer_one_is_taken_and_the_same_one_with_force_only() {
        may_follow("1.2.4", "1.2.3", false).unwrap();
        may_follow("1.2.3", "1.2.3-rc.9", false).unwrap();
        may_follow("1.2.3+b", "1.2.3+a", false).unwrap();
        assert!(may_follow("1.2.3", "1.2.3", false).unwrap_err().to_string().contains("force"));
        may_follow("1.2.3", "1.2.3", true).unwrap();
    }

    #[test]
    fn what_is_no_version_is_refused_by_name() {
        for odd in ["", "1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "2024-01-01", "1.2.x"] {
            let refused = may_follow(odd, "1.0.0", true).unwrap_err();
            assert!(matches!(refused, VersionError::Odd { .. }), "{odd}");
        }
        assert!(!is_newer("latest", "1.0.0"));
        assert!(is_newer("1.0.1", "1.0.0") && !is_newer("1.0.0+z", "1.0.0"));
    }
}
