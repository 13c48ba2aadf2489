//! Which way a bundle at an address takes: how far one may go for it, and whether all of it comes. Pure.

use api::settings::UpdateTransfer;
use api::updates::UpdateCode as Code;
use config::UpdateConfig;
use egress::{Egress, EgressError, Reach};
use ota::state::Reason;
use url::Url;

/// Whether what is at `url` may be read where it lies: a hash of all of it can only be held against all of
/// it, so where somebody asked for those very bytes, or nothing else says where they come from, they come.
pub(super) fn may_stay(
    config: &UpdateConfig,
    url: &str,
    sha256: &Option<String>,
    from_index: bool,
) -> bool {
    let trusted =
        || Url::parse(url).is_ok_and(|url| url.scheme() == "https" || config.allows(&url));
    config.transfer == UpdateTransfer::Adaptive && (sha256.is_none() || from_index && trusted())
}

/// How far one may go for `url`. In clear only where the hash is known, or the owner allows the host.
///
/// # Errors
/// When it may not be asked at all.
pub(super) fn way_out(
    url: &str,
    allowed: &dyn Fn(&Url) -> bool,
    hash_known: bool,
) -> Result<Egress, Reason> {
    let refused = |detail: String| Reason::new(Code::AddressRefused, detail);
    let parsed = Url::parse(url).map_err(|error| refused(format!("it is no address: {error}")))?;
    let home = allowed(&parsed);
    if parsed.scheme() != "https" && !home && !hash_known {
        let detail = "an address in clear is taken with `sha256` only, or of a host among \
                      `updates.allowed_hosts`";
        return Err(refused(detail.to_owned()));
    }
    let egress = Egress::new(if home { Reach::Lan } else { Reach::Public });
    egress.address(url).map_err(|error| refused(told(&error)))?;
    Ok(egress)
}

/// A refusal to go there with its way out.
pub(super) fn told(error: &EgressError) -> String {
    match error {
        EgressError::Refused { .. } => {
            format!("{error}; name the host in `updates.allowed_hosts` if it is yours")
        }
        other => base::error::chain(other),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn where_somebody_asks_for_certain_bytes_all_of_them_come() {
        let config = |transfer| UpdateConfig {
            index_url: None,
            channel: "stable".into(),
            automatic: false,
            window: None,
            confirm: api::settings::UpdateConfirm::Automatic,
            confirm_within: Duration::from_secs(60),
            transfer,
            allowed_hosts: vec!["updates.lan".into()],
        };
        let adaptive = config(UpdateTransfer::Adaptive);
        let hash = Some("00".repeat(32));
        assert!(may_stay(&adaptive, "https://example.org/b", &None, false));
        assert!(may_stay(&adaptive, "http://updates.lan/b", &None, false));
        assert!(!may_stay(&adaptive, "https://example.org/b", &hash, false));
        // The index says the hash for those who download; its signature says more.
        assert!(may_stay(&adaptive, "https://example.org/b", &hash, true));
        assert!(!may_stay(&adaptive, "http://example.org/b", &hash, true));
        assert!(!may_stay(&config(UpdateTransfer::Whole), "https://example.org/b", &None, false));
    }

    #[test]
    fn an_address_inside_or_in_clear_is_refused_unless_the_owner_allows_it() {
        let nobody = |_: &Url| false;
        for url in ["https://10.0.0.7/b", "https://127.0.0.1/b", "http://example.org/b", "ftp://x/"]
        {
            let refused = way_out(url, &nobody, false).unwrap_err();
            assert_eq!(refused.code, Code::AddressRefused, "{url}");
        }
        way_out("http://example.org/b", &nobody, true).unwrap();
        way_out("https://example.org/b", &nobody, false).unwrap();
        way_out("http://10.0.0.7/b", &|_| true, false).unwrap();
        // The device itself stays out of reach, whatever is allowed.
        assert!(way_out("http://127.0.0.1:9997/b", &|_| true, true).is_err());
    }
}
