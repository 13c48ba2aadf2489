//! The secret of the control API: made anew at every start, known to `edgecamd` and its MediaMTX.
//!
//! Loopback alone does not protect that API: any web page in a browser on the same machine can send
//! requests there, and a path with a `runOnInit` hook would execute commands.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};

/// The user that the control API is for.
pub(crate) const USER: &str = "edgecam";

/// A random password for MediaMTX's control API.
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
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_are_not_shown() {
        let (a, b) = (ControlSecret::random().unwrap(), ControlSecret::random().unwrap());
        assert!(a != b && a.expose().len() == 32);
        assert!(!format!("{a:?}").contains(a.expose()));
    }
}
