//! Secrets of one start: made anew each time, known to `edgecamd`, its MediaMTX and its camera
//! processes.
//!
//! Loopback alone does not protect MediaMTX: any web page in a browser on the same machine can send
//! requests there, and a path with a `runOnInit` hook would execute commands.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::CameraId;
use sha2::{Digest, Sha256};

/// The user that the control API is for.
pub(crate) const USER: &str = "edgecam";

/// A random password for MediaMTX's control API and for the way back, its auth hook.
#[derive(Clone, PartialEq, Eq)]
pub struct ControlSecret(String);

impl ControlSecret {
    /// 128 random bits.
    ///
    /// # Errors
    /// When the kernel's random numbers cannot be read.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0u8; 16];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(hex(&bytes)))
    }

    /// Whether `user` and `password` are those of the control API.
    pub fn opens(&self, user: &str, password: &str) -> bool {
        user == USER && is_same(password, &self.0)
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The `Authorization` header that names it.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{USER}:{}", self.0)))
    }

    #[cfg(test)]
    pub(crate) fn fixed(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for ControlSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ControlSecret(…)")
    }
}

/// Of what the passwords are made by which camera processes publish: each publishes as its own camera
/// and no other.
#[derive(Clone)]
pub struct PublishKey(ControlSecret);

impl PublishKey {
    /// A random one.
    ///
    /// # Errors
    /// When the kernel's random numbers cannot be read.
    pub fn random() -> io::Result<Self> {
        ControlSecret::random().map(Self)
    }

    /// The password of `camera`.
    pub(crate) fn password(&self, camera: &CameraId) -> String {
        let mut digest = Sha256::new();
        digest.update(self.0.expose());
        digest.update(camera.as_str());
        // Half of the digest: what is left out cannot be continued to that of a longer id.
        let digest: [u8; 32] = digest.finalize().into();
        hex(&digest[..16])
    }

    /// Whether `password` is that of the camera `user`, which `path` names.
    pub fn opens(&self, path: &str, user: &str, password: &str) -> bool {
        path == user
            && CameraId::new(user).is_some_and(|camera| is_same(password, &self.password(&camera)))
    }
}

impl fmt::Debug for PublishKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublishKey(…)")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares without telling by the time that it takes how much was right.
pub(crate) fn is_same(given: &str, secret: &str) -> bool {
    let pairs = given.bytes().zip(secret.bytes());
    given.len() == secret.len() && pairs.fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_are_not_shown() {
        let (a, b) = (ControlSecret::random().unwrap(), ControlSecret::random().unwrap());
        assert!(a != b && a.expose().len() == 32);
        assert!(!format!("{a:?}").contains(a.expose()));
        assert!(a.opens("edgecam", a.expose()) && !a.opens("edgecam", b.expose()));
        assert!(!a.opens("", a.expose()) && !a.opens("edgecam", ""));
    }

    #[test]
    fn a_camera_publishes_as_itself_only() {
        let (key, other) = (PublishKey::random().unwrap(), PublishKey::random().unwrap());
        let camera = |id: &str| CameraId::new(id).unwrap();
        let password = key.password(&camera("front"));
        assert!(key.opens("front", "front", &password));
        assert!(!key.opens("yard", "front", &password), "not the path of another");
        assert!(!key.opens("yard", "yard", &password), "nor by its name");
        assert!(!key.opens("front", "front", "") && !key.opens("", "", ""));
        assert!(!other.opens("front", "front", &password), "nor at another start");
        assert!(!format!("{key:?}").contains(&password));
    }
}
