//! Requests to addresses that somebody else has named, with limits of time and size.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Proxy};

use crate::guard::{Guard, check_literal};
use crate::{Address, EgressError, Reach, WEB};

/// Bytes that are copied at a time; a stop is noticed in between.
const CHUNK: usize = 64 << 10;

/// How much an answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of its body.
    pub bytes: u64,
    /// Longest time until the other side takes the call, and between two words of it.
    pub connect: Duration,
    /// Longest time until all of it is there.
    pub whole: Duration,
    /// Redirects that are followed, each checked as the first address; 0: none, and one is an error.
    pub redirects: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            connect: Duration::from_secs(10),
            whole: Duration::from_secs(30),
            redirects: 0,
        }
    }
}

/// The way out, as far as `reach` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Egress {
    reach: Reach,
}

impl Egress {
    /// A way out as far as `reach`.
    pub fn new(reach: Reach) -> Self {
        Self { reach }
    }

    /// Reads `text`, an address of the web, and refuses at once what can be refused without asking
    /// anybody. Where a name leads is checked when it is asked.
    ///
    /// # Errors
    /// [`EgressError::Address`] and [`EgressError::Refused`].
    pub fn address(&self, text: &str) -> Result<Address, EgressError> {
        let address = Address::parse(text, WEB)?;
        check_literal(&address, self.reach)?;
        Ok(address)
    }

    /// A client for any kind of request, which reaches what may be reached and nothing else. Give it
    /// addresses as [`Address::as_str`] writes them.
    pub fn agent(&self, limits: Limits) -> Agent {
        // A connection that is kept would be one that nobody checks again.
        self.agent_that_keeps(0, limits)
    }

    /// A client as [`Egress::agent`] for many requests in a row to one address: each connection leads to a
    /// machine that was checked, and is used again for that machine within seconds.
    pub fn agent_for_parts(&self, limits: Limits) -> Agent {
        self.agent_that_keeps(8, limits)
    }

    fn agent_that_keeps(&self, idle: usize, limits: Limits) -> Agent {
        let config = Agent::config_builder()
            .timeout_global(Some(limits.whole))
            .timeout_connect(Some(limits.connect))
            .timeout_resolve(Some(limits.connect))
            // Who has nothing to say for so long will not say it later.
            .timeout_per_read(Some(limits.connect))
            .max_redirects(limits.redirects)
            .max_redirects_will_error(true)
            .max_idle_connections(idle)
            // A proxy resolves names itself: what was checked would not be what is reached.
            .proxy(Proxy::try_from_env().filter(|_| self.reach == Reach::Anywhere))
            .user_agent(concat!("EdgeCam/", env!("CARGO_PKG_VERSION")))
            .tls_config(trust())
            .build();
        Agent::with_parts(config, DefaultConnector::default(), Guard::new(self.reach, WEB))
    }

    /// Fetches `address` into `to`; answers the bytes. `stop` is asked now and then. Blocks.
    ///
    /// # Errors
    /// When it cannot be reached, may not be, does not answer with success, or sends too much. `to` has
    /// what came until then.
    pub fn get(
        &self,
        address: &Address,
        limits: Limits,
        stop: &dyn Fn() -> bool,
        to: &mut dyn Write,
    ) -> Result<u64, EgressError> {
        let host = || address.host().to_owned();
        let answer = self.agent(limits).get(address.as_str()).call();
        let mut answer = answer.map_err(|error| EgressError::of(address.host(), error))?;
        // A redirect that is not followed is an answer to the client.
        if !answer.status().is_success() {
            let status = answer.status().as_u16();
            return Err(EgressError::Status { host: host(), status });
        }
        let mut body = answer.body_mut().as_reader();
        let (mut chunk, mut sum) = (vec![0; CHUNK], 0);
        loop {
            if stop() {
                return Err(EgressError::Stopped);
            }
            let broke = |source: io::Error| EgressError::BrokeOff { host: host(), source };
            let length = body.read(&mut chunk).map_err(broke)?;
            if length == 0 {
                return Ok(sum);
            }
            sum += length as u64;
            if sum > limits.bytes {
                return Err(EgressError::TooLong { host: host(), limit: limits.bytes });
            }
            let keep = |source: io::Error| EgressError::Keep { host: host(), source };
            to.write_all(&chunk[..length]).map_err(keep)?;
        }
    }
}

/// Whom to believe: the certificates of the system, through the one TLS library of the product.
fn trust() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate of the system cannot be read");
    }
    let certs: Vec<_> =
        found.certs.iter().map(|cert| Certificate::from_der(cert).to_owned()).collect();
    TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certs)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}
