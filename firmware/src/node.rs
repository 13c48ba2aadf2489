//! Who this device is: an id that stays the same, and facts about the machine.

use std::path::Path;

use sha2::{Digest, Sha256};

/// Where systemd and dbus keep the machine's id.
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// The id used where the settings give none: `ec-` and six hexadecimal digits made from the
/// machine's id (hashed, since that id is not to be shown), or from the host's name without one.
pub(crate) fn default_id() -> String {
    let seed = MACHINE_ID
        .iter()
        .find_map(|path| read_line(Path::new(path)))
        .or_else(|| read_line(Path::new("/proc/sys/kernel/hostname")))
        .unwrap_or_default();
    let digest = Sha256::digest(format!("edgecam-node:{seed}"));
    format!("ec-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

/// The host name, without `.local`, under which the device with the id `id` is found on the local
/// network: `edgecam-` and what tells it from others, or the id that its owner gave it.
pub(crate) fn host(id: &str) -> String {
    let name = id.strip_prefix("ec-").map(|own| format!("edgecam-{own}"));
    let name = name.unwrap_or_else(|| id.to_owned()).to_ascii_lowercase();
    let label: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    label.trim_matches('-').to_owned()
}

/// What the board calls itself, such as `Raspberry Pi 5 Model B Rev 1.0`.
pub(crate) fn model() -> String {
    read_line(Path::new("/proc/device-tree/model"))
        .or_else(|| read_line(Path::new("/sys/class/dmi/id/product_name")))
        .unwrap_or_else(|| "unknown board".to_owned())
}

fn read_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.trim_matches(['\0', '\n', ' ']).to_owned();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_name_is_one_of_dns() {
        assert_eq!(host("ec-0a1b2c"), "edgecam-0a1b2c");
        assert_eq!(host("Gate_2"), "gate-2");
    }

    #[test]
    fn the_default_id_is_stable_and_fits_a_topic() {
        let id = default_id();
        assert_eq!(id, default_id());
        assert_eq!(id.len(), 9);
        assert!(id.starts_with("ec-") && id[3..].chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    }
}
