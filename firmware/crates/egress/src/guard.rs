//! Resolves a name and checks every answer, for each connection anew. The client connects to one of the
//! answers that are given to it, so what was checked is what is reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::policy::{Reach, refusal};
use crate::{Address, EgressError};

/// A resolver that answers with machines that may be reached, or not at all.
#[derive(Debug)]
pub(crate) struct Guard<R = DefaultResolver> {
    reach: Reach,
    schemes: &'static [&'static str],
    names: R,
}

impl Guard {
    pub(crate) fn new(reach: Reach, schemes: &'static [&'static str]) -> Self {
        Self { reach, schemes, names: DefaultResolver::default() }
    }
}

impl<R: Resolver> Resolver for Guard<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        if self.reach == Reach::Anywhere {
            return self.names.resolve(uri, config, timeout);
        }
        // A redirect may lead to an address that nobody has looked at yet.
        let address = Address::parse(&uri.to_string(), self.schemes).map_err(other)?;
        check_literal(&address, self.reach).map_err(other)?;
        let found = self.names.resolve(uri, config, timeout)?;
        for one in &found {
            check(address.host(), one.ip(), self.reach).map_err(other)?;
        }
        Ok(found)
    }
}

/// Refuses an address that says by itself that it leads to a machine that may not be reached.
pub(crate) fn check_literal(address: &Address, reach: Reach) -> Result<(), EgressError> {
    // These names are this device by definition (RFC 6761), whatever a resolver makes of them.
    let name = address.host().trim_end_matches('.');
    let here = name == "localhost" || name.ends_with(".localhost");
    let machine = address.literal().or(here.then_some(Ipv4Addr::LOCALHOST.into()));
    machine.map_or(Ok(()), |machine| check(address.host(), machine, reach))
}

fn check(host: &str, address: IpAddr, reach: Reach) -> Result<(), EgressError> {
    let own = || is_own(address).then_some("which is this device itself");
    match refusal(address, reach).or_else(own) {
        Some(why) if reach != Reach::Anywhere => {
            Err(EgressError::Refused { host: host.to_owned(), address, why })
        }
        _ => Ok(()),
    }
}

/// Whether `address` is one of this device, as the kernel's routes say: what it sends there would come
/// from that very address. Sends nothing.
fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    // Where there is no route, nothing can be reached either.
    from.is_ok_and(|from| from.ip() == address)
}

/// The refusal in the words of the client, which hands it on.
fn other(error: EgressError) -> ureq::Error {
    ureq::Error::Other(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    /// Names that lead where a test says.
    #[derive(Debug)]
    struct Names(Vec<SocketAddr>);

    impl Resolver for Names {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut found = self.empty();
            self.0.iter().for_each(|one| found.push(*one));
            Ok(found)
        }
    }

    fn led_to(answers: &[&str], reach: Reach) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let names = answers.iter().map(|one| SocketAddr::new(one.parse().unwrap(), 443)).collect();
        let guard = Guard { reach, schemes: crate::WEB, names: Names(names) };
        let timeout = NextTimeout {
            after: ureq::unversioned::transport::time::Duration::NotHappening,
            reason: ureq::Timeout::Global,
            ..NextTimeout::default()
        };
        guard.resolve(&"https://example.org/x".parse().unwrap(), &Config::default(), timeout)
    }

    #[test]
    fn one_bad_answer_spoils_the_name() {
        assert_eq!(led_to(&["93.184.216.34", "1.1.1.1"], Reach::Public).unwrap().len(), 2);
        for bad in ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "10.0.0.1"] {
            let error = led_to(&["93.184.216.34", bad], Reach::Public).unwrap_err().to_string();
            assert!(error.contains("example.org leads to"), "{error}");
        }
        assert!(led_to(&["10.99.0.1"], Reach::Lan).is_ok());
    }

    /// Leads every name to one server, and tells which were asked for.
    #[derive(Debug)]
    struct Listening(SocketAddr, std::sync::Arc<std::sync::Mutex<Vec<String>>>);

    impl Resolver for Listening {
        fn resolve(
            &self,
            uri: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, ureq::Error> {
            self.1.lock().unwrap().push(uri.host().unwrap().to_owned());
            let mut found = self.empty();
            found.push(self.0);
            Ok(found)
        }
    }

    #[test]
    fn every_hop_of_a_redirect_asks_where_it_leads() {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let moved = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\
                         Location: http://inside.example/\r\n\r\n";
            for answer in [moved, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        let asked = std::sync::Arc::default();
        let names = Listening(at, std::sync::Arc::clone(&asked));
        let connector = ureq::unversioned::transport::DefaultConnector::default();
        let config = ureq::Agent::config_builder().proxy(None).build();
        let agent = ureq::Agent::with_parts(config, connector, names);
        assert_eq!(agent.get("http://outside.example/").call().unwrap().status(), 200);
        assert_eq!(*asked.lock().unwrap(), ["outside.example", "inside.example"]);
    }

    #[test]
    fn the_devices_own_addresses_are_known_for_what_they_are() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        assert!(!is_own("93.184.216.34".parse().unwrap()));
        // The address by which this machine goes out, where it goes out at all.
        let out = UdpSocket::bind("0.0.0.0:0").unwrap();
        if out.connect("93.184.216.34:9").is_ok() {
            let own = out.local_addr().unwrap().ip();
            assert!(is_own(own), "{own}");
            assert!(led_to(&[&own.to_string()], Reach::Lan).is_err());
        }
    }
}
