//! Whose certificate is believed: one that the system's authorities vouch for, or the very one that was
//! seen when the device became known. A device makes its own, which nobody can vouch for.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

/// What is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// What the system's authorities vouch for.
    System,
    /// The certificate with this SHA-256, in lower case hexadecimal.
    Only(String),
    /// Any: the device becomes known now, and the person compares what is shown.
    First,
}

/// Judges a certificate and remembers which it was.
#[derive(Debug)]
pub(crate) struct Judge {
    trust: Trust,
    system: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    shown: Mutex<Option<Shown>>,
}

/// The certificate that a device showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Its SHA-256, in lower case hexadecimal.
    pub(crate) sha256: String,
    /// Whether the system's authorities vouch for it.
    pub(crate) vouched_for: bool,
}

impl Judge {
    pub(crate) fn new(trust: Trust) -> Arc<Self> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        // What cannot be loaded vouches for nobody.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let system =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        Arc::new(Self { trust, system: system.ok(), provider, shown: Mutex::default() })
    }

    /// What the device showed last.
    pub(crate) fn shown(&self) -> Option<Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a certificate is believed.
fn believed(trust: &Trust, shown: &Shown) -> bool {
    match trust {
        Trust::System => shown.vouched_for,
        Trust::Only(known) => shown.sha256.eq_ignore_ascii_case(known),
        Trust::First => true,
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let no_authority = || Error::General("this system knows no authorities".to_owned());
        let vouched = self.system.as_ref().ok_or_else(no_authority).and_then(|system| {
            system.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        });
        let sha256 = Sha256::digest(end_entity).iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = Shown { sha256, vouched_for: vouched.is_ok() };
        let fits = believed(&self.trust, &shown);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        if fits {
            return Ok(ServerCertVerified::assertion());
        }
        vouched.and(Err(Error::General("it is not the certificate that is known".to_owned())))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_known_certificate_or_one_that_is_vouched_for_is_believed() {
        let own = Shown { sha256: "0a1b".to_owned(), vouched_for: false };
        let public = Shown { vouched_for: true, ..own.clone() };
        assert!(!believed(&Trust::System, &own));
        assert!(believed(&Trust::System, &public));
        assert!(believed(&Trust::Only("0A1B".to_owned()), &own));
        assert!(!believed(&Trust::Only("ffff".to_owned()), &public));
        assert!(believed(&Trust::First, &own));
    }
}
