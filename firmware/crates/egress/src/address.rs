//! What an address may look like, whatever it leads to. Pure.

use std::net::IpAddr;

use url::{Host, Url};

use crate::EgressError;

/// Schemes of the web.
pub const WEB: &[&str] = &["https", "http"];
/// The longest address, in bytes.
const MAX_LENGTH: usize = 2048;

/// An address whose form was checked. Where it leads is checked with each connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Reads `text`, whose scheme must be one of `schemes`. It names a host and no user, and is written
    /// as everybody reads it: no spaces, control characters or backslashes, which programs take
    /// differently.
    ///
    /// # Errors
    /// [`EgressError::Address`] with the reason; the address is not repeated in it.
    pub fn parse(text: &str, schemes: &[&str]) -> Result<Self, EgressError> {
        let refused = |why: String| Err(EgressError::Address(why));
        if text.len() > MAX_LENGTH {
            return refused(format!("must have at most {MAX_LENGTH} bytes"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return refused("must have no spaces, control characters or backslashes".to_owned());
        }
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) => return refused(format!("is no address: {error}")),
        };
        if !schemes.contains(&url.scheme()) {
            let wanted: Vec<_> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
            return refused(format!("must begin with {}", wanted.join(" or ")));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("must hold no user name or password".to_owned());
        }
        // `http:host` and `http:///host` are read as `http://host` by some and as a path by others.
        let plain = text.split_once("://").is_some_and(|(_, rest)| !rest.starts_with('/'));
        if !plain || url.host_str().is_none_or(str::is_empty) {
            return refused("must name a host".to_owned());
        }
        if url.port() == Some(0) {
            return refused("must name a port above 0, or none".to_owned());
        }
        Ok(Self(url))
    }

    /// The address as it is used: normalised.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Its host, for people.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The machine, where the address names one by number.
    pub fn literal(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_another_way_is_read_as_what_it_is() {
        for (text, machine) in [
            ("http://2130706433/", "127.0.0.1"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://0177.0.0.1/", "127.0.0.1"),
            ("http://①②⑦.⓪.⓪.①/", "127.0.0.1"),
            ("http://[::FFFF:127.0.0.1]/", "::ffff:127.0.0.1"),
        ] {
            let address = Address::parse(text, WEB).unwrap();
            assert_eq!(address.literal(), Some(machine.parse().unwrap()), "{text}");
        }
        assert_eq!(Address::parse("https://example.org/a", WEB).unwrap().literal(), None);
    }
}
