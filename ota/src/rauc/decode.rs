//! RAUC's dictionaries as values. What is missing is missing, what is odd is left out: another version of
//! RAUC may say more or less.

use std::collections::HashMap;

use jiff::Timestamp;
use zbus::{OwnedVariant, Variant};

use crate::state::{Bundle, SlotName};

/// A slot with a system in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// RAUC's name, such as `rootfs.0`.
    pub name: String,
    /// The boot loader's, such as `A`.
    pub bootname: SlotName,
    /// Whether it runs.
    pub booted: bool,
    /// Whether the boot loader would start it; `None`: it cannot be told.
    pub good: Option<bool>,
    /// Whether what is in it was written whole; `None`: nobody wrote it yet.
    pub whole: Option<bool>,
    /// The version in it.
    pub version: Option<String>,
    /// For which devices.
    pub compatible: Option<String>,
    /// Hash of the manifest that it was written by.
    pub hash: Option<String>,
    /// The installation that wrote it.
    pub transaction: Option<String>,
    /// When that was.
    pub installed_at: Option<Timestamp>,
}

/// A slot that the boot loader knows; `None`: one that belongs to another.
pub(super) fn slot(name: &str, facts: &HashMap<String, OwnedVariant>) -> Option<Slot> {
    let of = |key: &str| facts.get(key).and_then(|value| text(value));
    let bootname = of("bootname").filter(|name| !name.is_empty())?;
    Some(Slot {
        name: name.to_owned(),
        bootname: SlotName(bootname),
        booted: of("state").as_deref() == Some("booted"),
        good: of("boot-status").and_then(|status| match status.as_str() {
            "good" => Some(true),
            "bad" => Some(false),
            _ => None,
        }),
        whole: of("status").map(|status| status == "ok"),
        version: of("bundle.version"),
        compatible: of("bundle.compatible"),
        hash: of("bundle.hash"),
        transaction: of("installed.transaction"),
        installed_at: of("installed.timestamp").and_then(|at| at.parse().ok()),
    })
}

/// What a bundle says of itself.
pub(super) fn bundle(facts: &HashMap<String, OwnedVariant>) -> Result<Bundle, String> {
    let need = |what: &str, found: Option<String>| {
        found.filter(|text| !text.is_empty()).ok_or_else(|| format!("the bundle names no {what}"))
    };
    let update = facts.get("update").map(|value| innermost(value));
    let of = |key: &str| update.and_then(|update| entry(update, key));
    Ok(Bundle {
        version: need("version", of("version"))?,
        compatible: need("compatible", of("compatible"))?,
        hash: facts.get("manifest-hash").and_then(|value| text(value)).unwrap_or_default(),
        ..Bundle::default()
    })
}

/// A text, however often it is wrapped.
pub(super) fn text(value: &Variant<'_>) -> Option<String> {
    match innermost(value) {
        Variant::Str(text) => Some(text.as_str().to_owned()),
        _ => None,
    }
}

fn entry(value: &Variant<'_>, key: &str) -> Option<String> {
    let Variant::Dict(dict) = value else { return None };
    let found = dict.iter().find(|(name, _)| text(name).as_deref() == Some(key));
    found.and_then(|(_, value)| text(value))
}

/// RAUC wraps some of its dictionaries twice.
fn innermost<'a, 'v>(mut value: &'a Variant<'v>) -> &'a Variant<'v> {
    while let Variant::Variant(inner) = value {
        value = inner;
    }
    value
}
