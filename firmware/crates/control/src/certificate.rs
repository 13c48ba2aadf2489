//! The device's certificate: its own, made on the first start, or one that the owner put in its place.
//! Owns the one file with both certificate and key.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use api::access::Certificate;
use base::durable::{Disk, LocalDisk, SECRET};
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Name of the file in the data folder: certificates and key, PEM.
const FILE: &str = "tls.pem";
/// Organisation in certificates that the device made.
const SELF_MADE: &str = "EdgeCam, made by the device itself";
/// How long an own certificate holds: the most that browsers take.
const HOLDS: SignedDuration = SignedDuration::from_hours(825 * 24);
/// An own certificate is made anew when less than this is left.
const RENEW: SignedDuration = SignedDuration::from_hours(60 * 24);
/// No own certificate begins before this: a board without a clock of its own may start in 1970.
const EPOCH: &str = "2026-11-01T00:00:00Z";

/// Why a certificate is not in place.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Certificate or key is not taken.
    #[error("{pointer}: {reason}")]
    Wrong {
        /// JSON pointer into what was sent.
        pointer: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be written.
    #[error("the certificate cannot be kept in {path}")]
    Store {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The certificate in force.
pub struct Certificates {
    path: PathBuf,
    names: Vec<String>,
    current: RwLock<Current>,
}

#[derive(Clone)]
struct Current {
    key: Arc<CertifiedKey>,
    shown: Certificate,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("shown", &self.shown()).finish_non_exhaustive()
    }
}

impl Certificates {
    /// Takes the certificate that lies in `folder`; makes one for `names` (names and addresses) where
    /// there is none that can be used.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn open(folder: &Path, names: Vec<String>) -> Result<Self, CertificateError> {
        let path = folder.join(FILE);
        let current = match std::fs::read_to_string(&path) {
            Ok(pem) => read(&pem, &pem).inspect_err(|error| {
                tracing::warn!(%error, "the certificate is not usable: a new one is made");
            }),
            Err(_) => make(&names, &path),
        };
        let current = current.or_else(|_| make(&names, &path))?;
        let certificates = Self { path, names, current: RwLock::new(current) };
        certificates.renew_if_due()?;
        Ok(certificates)
    }

    /// The certificate in force.
    pub fn shown(&self) -> Certificate {
        self.current.read().unwrap_or_else(PoisonError::into_inner).shown.clone()
    }

    /// SHA-256 of the certificate in force.
    pub fn sha256(&self) -> String {
        self.shown().sha256
    }

    /// Puts a certificate with its key in place, for new connections.
    ///
    /// # Errors
    /// When they are no certificate and key, do not fit each other, do not hold now, or cannot be kept.
    pub fn replace(&self, certificate: &str, key: &str) -> Result<(), CertificateError> {
        let current = read(certificate, key)?;
        let now = base::clock::wall();
        if current.shown.not_after <= now {
            let reason = format!("it ended {}", current.shown.not_after);
            return Err(CertificateError::Wrong { pointer: "/certificate_pem", reason });
        }
        store(&self.path, certificate, key)?;
        self.put(current);
        Ok(())
    }

    /// Makes the device a new key and certificate.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub fn make_own(&self) -> Result<(), CertificateError> {
        self.put(make(&self.names, &self.path)?);
        Ok(())
    }

    /// Makes a new one in time, where the device made the present one.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn renew_if_due(&self) -> Result<(), CertificateError> {
        let shown = self.shown();
        let left = shown.not_after.duration_since(base::clock::wall());
        if shown.self_made && left < RENEW {
            tracing::info!("the device's certificate ends soon: a new one is made");
            self.make_own()?;
        }
        Ok(())
    }

    fn put(&self, current: Current) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).key.clone())
    }
}

fn wrong(pointer: &'static str, reason: impl fmt::Display) -> CertificateError {
    CertificateError::Wrong { pointer, reason: reason.to_string() }
}

/// A certificate chain and its key, which must fit.
fn read(certificate: &str, key: &str) -> Result<Current, CertificateError> {
    const CERTIFICATE: &str = "/certificate_pem";
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let chain = chain.map_err(|error| wrong(CERTIFICATE, format!("it is no PEM: {error}")))?;
    let Some(first) = chain.first() else {
        return Err(wrong(CERTIFICATE, "there is no certificate in it"));
    };
    let shown = shown(first)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|error| wrong("/key_pem", format!("it is no private key in PEM: {error}")))?;
    let key = CertifiedKey::from_der(chain, key, &default_provider())
        .map_err(|error| wrong("/key_pem", format!("it does not fit the certificate: {error}")))?;
    Ok(Current { key: Arc::new(key), shown })
}

/// What is told about a certificate.
fn shown(certificate: &CertificateDer<'_>) -> Result<Certificate, CertificateError> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|error| wrong("/certificate_pem", format!("it is no certificate: {error}")))?;
    let time = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
    let alternatives = parsed.subject_alternative_name().ok().flatten();
    let names = alternatives.iter().flat_map(|names| &names.value.general_names);
    let mut organisations = parsed.subject().iter_organization();
    Ok(Certificate {
        self_made: organisations.any(|name| name.as_str().is_ok_and(|name| name == SELF_MADE)),
        names: names.filter_map(name).collect(),
        issuer: parsed.issuer().to_string(),
        not_before: time(parsed.validity().not_before.timestamp()),
        not_after: time(parsed.validity().not_after.timestamp()),
        sha256: access::secret::digest(certificate),
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from);
            Some(v4.or_else(|_| v6()).ok()?.to_string())
        }
        _ => None,
    }
}

/// A new key and certificate, stored at `path`.
fn make(names: &[String], path: &Path) -> Result<Current, CertificateError> {
    let failed = |error: rcgen::Error| CertificateError::Store {
        path: path.to_owned(),
        source: io::Error::other(error),
    };
    let epoch: Timestamp = EPOCH.parse().unwrap_or_default();
    let from = base::clock::wall().max(epoch);
    let mut params = CertificateParams::default();
    let named = names.iter().filter_map(|name| match name.parse() {
        Ok(address) => Some(SanType::IpAddress(address)),
        Err(_) => Some(SanType::DnsName(name.as_str().try_into().ok()?)),
    });
    params.subject_alt_names = named.collect();
    params.distinguished_name = DistinguishedName::new();
    let common = names.first().map_or("edgecam", String::as_str);
    params.distinguished_name.push(DnType::CommonName, common);
    params.distinguished_name.push(DnType::OrganizationName, SELF_MADE);
    let time = |at: Timestamp| {
        std::time::UNIX_EPOCH
            + std::time::Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0))
    };
    params.not_before = time(from - SignedDuration::from_hours(24)).into();
    params.not_after = time(from + HOLDS).into();
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?.pem();
    let key = key.serialize_pem();
    store(path, &certificate, &key)?;
    read(&certificate, &key)
}

/// Certificate and key in one file, so that they are replaced together.
fn store(path: &Path, certificate: &str, key: &str) -> Result<(), CertificateError> {
    let text = format!("{}\n{}\n", certificate.trim_end(), key.trim_end());
    LocalDisk
        .replace(path, text.as_bytes(), SECRET)
        .map_err(|source| CertificateError::Store { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["ec-0a1b2c.local", "localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_device_makes_itself_a_certificate_for_its_names_and_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let made = Certificates::open(folder.path(), names()).unwrap().shown();
        assert!(made.self_made);
        assert_eq!(made.names, names());
        assert!(made.not_after.duration_since(base::clock::wall()) > RENEW);
        let again = Certificates::open(folder.path(), names()).unwrap().shown();
        assert_eq!(again, made);
        use std::os::unix::fs::PermissionsExt;
        let mode = folder.path().join(FILE).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn another_certificate_is_taken_with_its_key_and_refused_with_any_other() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let certificates = Certificates::open(folder.path(), names()).unwrap();
        let before = certificates.shown();
        Certificates::open(other.path(), vec!["gate.example".into()]).unwrap();
        let pem = std::fs::read_to_string(other.path().join(FILE)).unwrap();
        let own = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        for (certificate, key, part) in [
            (pem.as_str(), own.as_str(), "does not fit"),
            ("", pem.as_str(), "no certificate"),
            (pem.as_str(), "", "no private key"),
        ] {
            let refused = certificates.replace(certificate, key).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
            assert_eq!(certificates.shown(), before);
        }
        certificates.replace(&pem, &pem).unwrap();
        assert_eq!(certificates.shown().names, ["gate.example"]);
        certificates.make_own().unwrap();
        assert_eq!(certificates.shown().names, names());
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "nonsense").unwrap();
        assert!(Certificates::open(folder.path(), names()).unwrap().shown().self_made);
    }
}
