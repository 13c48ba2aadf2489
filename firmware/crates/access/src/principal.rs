//! Who was recognised, and what they may do. Pure.

use api::access::{Grant, Me, Role, Via};
use jiff::Timestamp;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Name of the user.
    pub username: String,
    /// What they may do here and now.
    pub grant: Grant,
    /// How they showed who they are.
    pub via: Via,
    /// When this way in ends.
    pub expires_at: Option<Timestamp>,
    /// Digest of the secret that was shown; for a password, of its hash: it changes with it.
    pub digest: String,
}

impl Principal {
    /// Whether `camera` is one that they see.
    pub fn sees(&self, camera: &str) -> bool {
        sees(&self.grant, camera)
    }

    /// Whether they see all cameras, those to come included.
    pub fn sees_all(&self) -> bool {
        self.grant.cameras.is_none()
    }

    /// Whether they may do what takes `role`, to `camera` or, with `None`, to the device. Who is
    /// limited to cameras looks at the device, and changes nothing but these cameras.
    pub fn may(&self, role: Role, camera: Option<&str>) -> bool {
        let within = match camera {
            Some(camera) => self.sees(camera),
            None => self.sees_all() || role == Role::Viewer,
        };
        within && self.grant.role >= role
    }

    /// What is told about them.
    pub fn me(&self) -> Me {
        Me {
            username: self.username.clone(),
            grant: self.grant.clone(),
            via: self.via,
            expires_at: self.expires_at,
        }
    }
}

/// Whether `grant` is for `camera` too.
pub fn sees(grant: &Grant, camera: &str) -> bool {
    grant.cameras.as_ref().is_none_or(|cameras| cameras.iter().any(|one| one == camera))
}

/// What both grants allow.
pub fn both(one: &Grant, other: &Grant) -> Grant {
    let cameras = match (&one.cameras, &other.cameras) {
        (None, cameras) | (cameras, None) => cameras.clone(),
        (Some(these), Some(_)) => {
            Some(these.iter().filter(|camera| sees(other, camera)).cloned().collect())
        }
    };
    Grant { role: one.role.min(other.role), cameras }
}

/// Whether `one` allows nothing that `other` does not.
pub fn within(one: &Grant, other: &Grant) -> bool {
    one.role <= other.role
        && match (&one.cameras, &other.cameras) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(cameras), Some(_)) => cameras.iter().all(|camera| sees(other, camera)),
        }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grants() -> impl Strategy<Value = Grant> {
        let role = prop_oneof![Just(Role::Viewer), Just(Role::Operator), Just(Role::Admin)];
        let cameras = proptest::collection::btree_set("[a-d]", 0..4);
        (role, proptest::option::of(cameras)).prop_map(|(role, cameras)| Grant {
            role,
            cameras: cameras.map(|cameras| cameras.into_iter().collect()),
        })
    }

    proptest! {
        #[test]
        fn what_both_grants_allow_is_within_each(one in grants(), other in grants()) {
            let both = both(&one, &other);
            prop_assert!(within(&both, &one) && within(&both, &other));
            prop_assert!(within(&one, &one));
            for camera in ["a", "b", "c", "d"] {
                prop_assert_eq!(sees(&both, camera), sees(&one, camera) && sees(&other, camera));
            }
        }
    }

    #[test]
    fn who_is_limited_to_cameras_looks_at_the_device_and_changes_only_them() {
        let principal = Principal {
            username: "guard".into(),
            grant: Grant { role: Role::Admin, cameras: Some(vec!["front".into()]) },
            via: Via::Token,
            expires_at: None,
            digest: String::new(),
        };
        assert!(principal.may(Role::Operator, Some("front")));
        assert!(!principal.may(Role::Viewer, Some("back")));
        assert!(principal.may(Role::Viewer, None) && !principal.may(Role::Operator, None));
    }
}
