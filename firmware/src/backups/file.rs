//! The form of a backup's file: made, checked and opened. Pure but for the random bytes of encryption.

use api::settings::Secret;
use api::system::BackupFile;
use base::error::ErrorKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::revisions::SCHEMA;
use control::PortError;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::seal::{self, Closed};
use super::wrong;

/// What begins the names of all versions of the form.
const KIND: &str = "edgecam.backup/";
/// The form that is written.
const FORMAT: &str = "edgecam.backup/1";

/// What is known about a backup before it is made.
pub(super) struct Head {
    /// Its id.
    pub(super) id: String,
    /// When it is made.
    pub(super) made_at: Timestamp,
    /// The device.
    pub(super) node: String,
    /// The revision of the settings in it.
    pub(super) revision: u64,
    /// Whether users are in it.
    pub(super) users: bool,
    /// What it is for.
    pub(super) note: Option<String>,
}

/// The file of `plain`, encrypted where there is a passphrase.
pub(super) fn make(
    head: Head,
    plain: Vec<u8>,
    passphrase: Option<&Secret>,
) -> Result<BackupFile, PortError> {
    let mut file = BackupFile {
        format: FORMAT.to_owned(),
        id: head.id,
        made_at: head.made_at,
        node: head.node,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema: SCHEMA,
        revision: head.revision,
        users: head.users,
        note: head.note,
        encryption: None,
        sha256: String::new(),
        content: String::new(),
    };
    let bytes = match passphrase {
        None => plain,
        Some(passphrase) => {
            let closed = seal::close(passphrase.reveal(), plain, &about(&file));
            let (how, closed) = closed.map_err(refused)?;
            file.encryption = Some(how);
            closed
        }
    };
    file.content = STANDARD.encode(bytes);
    file.sha256 = digest(&file.content);
    Ok(file)
}

/// What is in `file`, which is checked first.
pub(super) fn open(file: &BackupFile, passphrase: Option<&Secret>) -> Result<Vec<u8>, PortError> {
    if file.format != FORMAT {
        let reason = match file.format.strip_prefix(KIND) {
            Some(_) => "was made by a newer firmware: update this device first",
            None => "is no backup of an EdgeCam",
        };
        return Err(wrong("/backup", reason));
    }
    if file.schema > SCHEMA {
        let reason = "has settings of a newer firmware: update this device first";
        return Err(wrong("/backup", reason));
    }
    if digest(&file.content) != file.sha256.to_lowercase() {
        return Err(wrong("/backup", "is damaged: it does not fit its checksum"));
    }
    let bytes = STANDARD.decode(&file.content);
    let bytes = bytes.map_err(|_| wrong("/backup", "is damaged: its content is no base64"))?;
    match (&file.encryption, passphrase) {
        (None, _) => Ok(bytes),
        (Some(_), None) => Err(wrong("/passphrase", "must be given: the backup is encrypted")),
        (Some(how), Some(passphrase)) => {
            seal::open(passphrase.reveal(), how, bytes, &about(file)).map_err(refused)
        }
    }
}

/// What a reader relies on beside the content.
fn about(file: &BackupFile) -> String {
    let BackupFile { format, id, node, schema, revision, users, .. } = file;
    format!("{format} {id} {node} {schema} {revision} {users}")
}

fn digest(content: &str) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn refused(closed: Closed) -> PortError {
    match closed {
        Closed::Passphrase => {
            wrong("/passphrase", "does not fit, or the file is not as it was made")
        }
        Closed::Method => {
            wrong("/backup", "is encrypted in a way that this firmware does not know")
        }
        Closed::Machine => PortError::new(
            ErrorKind::ResourceExhausted,
            "the machine has no memory or no random bytes for encryption now; try again",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(passphrase: Option<&str>) -> BackupFile {
        let head = Head {
            id: "01JZ8Q0V7X3C9K2M4N5P6R7S8T".into(),
            made_at: Timestamp::UNIX_EPOCH,
            node: "ec-1".into(),
            revision: 7,
            users: true,
            note: None,
        };
        let passphrase = passphrase.map(Secret::from);
        make(head, b"content with c4nary".to_vec(), passphrase.as_ref()).unwrap()
    }

    fn pointer(file: &BackupFile, passphrase: Option<&str>) -> String {
        let error = open(file, passphrase.map(Secret::from).as_ref()).unwrap_err();
        error.errors[0].pointer.clone()
    }

    #[test]
    fn a_file_is_opened_as_it_was_made() {
        let plain = made(None);
        assert_eq!(open(&plain, None).unwrap(), b"content with c4nary");
        let closed = made(Some("a gate in the rain"));
        let key = Secret::from("a gate in the rain");
        assert_eq!(open(&closed, Some(&key)).unwrap(), b"content with c4nary");
        assert_eq!(pointer(&closed, None), "/passphrase");
        assert_eq!(pointer(&closed, Some("another passphrase")), "/passphrase");
        // Who a backup is of cannot be changed behind its back.
        let other = BackupFile { node: "ec-2".into(), ..closed };
        assert_eq!(pointer(&other, Some("a gate in the rain")), "/passphrase");
    }

    #[test]
    fn what_is_damaged_or_newer_is_refused() {
        let good = made(None);
        for bad in [
            BackupFile { content: "AAAA".into(), ..good.clone() },
            BackupFile { sha256: "00".into(), ..good.clone() },
            BackupFile { format: "edgecam.backup/2".into(), ..good.clone() },
            BackupFile { format: "zip".into(), ..good.clone() },
            BackupFile { schema: SCHEMA + 1, ..good.clone() },
            BackupFile { content: "?".into(), sha256: digest("?"), ..good.clone() },
        ] {
            assert_eq!(pointer(&bad, None), "/backup");
        }
    }
}
