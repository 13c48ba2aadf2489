//! Updates of the firmware: where they come from, when they are made, who says that they stay.

use std::net::IpAddr;
use std::time::Duration;

use api::settings::UpdateSettings;

use super::rules;
use crate::check::Check;
use crate::model::{UpdateConfig, updates};

/// Most hosts that need not be public.
const MOST_HOSTS: usize = 32;
/// What a template is tried with.
const COMPATIBLE: &str = "edgecam-debian-arm64";

/// Checks the section `updates`.
pub(super) fn updates(check: &mut Check<'_>, settings: &UpdateSettings) -> UpdateConfig {
    let channel = check.need_or("channel", settings.channel.clone(), "stable".to_owned());
    check.id("channel", &channel);
    let allowed_hosts = hosts(check, settings.allowed_hosts.as_deref().unwrap_or_default());
    if let Some(template) = &settings.index_url
        && let Some(reason) = wrong_template(template, &channel, &allowed_hosts)
    {
        check.wrong("index_url", Some(template), reason);
    }
    let automatic = check.need_or("automatic", settings.automatic, false);
    if automatic && settings.index_url.is_none() {
        let reason = "needs `index_url`, where the device looks for what is newer";
        check.wrong("automatic", Some(&automatic), reason);
    }
    let window = rules::windows_of(check, "window", settings.window.as_deref());
    let minutes = check.number("confirm_within_min", settings.confirm_within_min, 1..=1440);
    UpdateConfig {
        index_url: settings.index_url.clone(),
        channel,
        automatic,
        window,
        confirm: check.need_or("confirm", settings.confirm, Default::default()),
        confirm_within: Duration::from_secs(u64::from(minutes) * 60),
        transfer: check.need_or("transfer", settings.transfer, Default::default()),
        allowed_hosts,
    }
}

/// Why `template` leads to no index; `None`: it may.
fn wrong_template(template: &str, channel: &str, allowed: &[String]) -> Option<&'static str> {
    const FORM: &str = "must be https://host/path, in which {channel} and {compatible} stand for what \
                        they name";
    let Some(url) = updates::filled(template, channel, COMPATIBLE) else { return Some(FORM) };
    let secure = url.scheme() == "https";
    if !(secure || url.scheme() == "http") || url.host_str().is_none_or(str::is_empty) {
        return Some(FORM);
    }
    if template.contains(['{', '}'].as_slice()) && url.path().contains("%7B") {
        return Some("may have no other names in braces than {channel} and {compatible}");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(
            "must not have a password in it: everybody who sees the settings would see it",
        );
    }
    if !secure && !updates::is_among(allowed, &url) {
        return Some("must begin with https://, unless its host is among `allowed_hosts`");
    }
    None
}

fn hosts(check: &mut Check<'_>, hosts: &[String]) -> Vec<String> {
    if hosts.len() > MOST_HOSTS {
        let reason = format!("has {} hosts, but may have {MOST_HOSTS}", hosts.len());
        check.wrong("allowed_hosts", None, reason);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    for (index, host) in hosts.iter().enumerate() {
        let is_name = !host.is_empty() && host.len() <= 253 && host.chars().all(allowed);
        if !is_name && host.parse::<IpAddr>().is_err() {
            let reason = "must be the name or address of a host, such as updates.lan, without port";
            check.below("allowed_hosts").item(index).wrong("", Some(host), reason);
        }
    }
    hosts.iter().map(|host| host.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    fn checked(change: impl FnOnce(&mut UpdateSettings)) -> Result<UpdateConfig, String> {
        let mut settings = UpdateSettings {
            channel: Some("stable".into()),
            automatic: Some(false),
            confirm: Some(api::settings::UpdateConfirm::Automatic),
            confirm_within_min: Some(15),
            transfer: Some(api::settings::UpdateTransfer::Adaptive),
            ..UpdateSettings::default()
        };
        change(&mut settings);
        check::all(|check| Some(updates(check, &settings))).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_template_names_the_index_of_this_channel_and_device() {
        let template = "https://updates.example.org/{channel}/{compatible}.json";
        let config = checked(|s| s.index_url = Some(template.into())).unwrap();
        let url = config.index("edgecam-raspberrypi-arm64").unwrap();
        assert_eq!(
            url.as_str(),
            "https://updates.example.org/stable/edgecam-raspberrypi-arm64.json"
        );
    }

    #[test]
    fn an_index_in_clear_is_only_for_hosts_that_the_owner_allows() {
        let template = "http://[fd00::5]:8000/{channel}.json";
        assert!(checked(|s| s.index_url = Some(template.into())).is_err());
        let config = checked(|s| {
            s.index_url = Some(template.into());
            s.allowed_hosts = Some(vec!["FD00::5".into()]);
        });
        let config = config.unwrap();
        assert!(config.allows(&config.index("x").unwrap()));
    }

    #[test]
    fn what_leads_nowhere_is_refused_with_its_field() {
        for template in ["", "stable.json", "ftp://a/b", "https://a/{chanel}", "https://me:pw@a/b"]
        {
            let error = checked(|s| s.index_url = Some(template.into())).unwrap_err();
            assert!(error.contains("index_url"), "{template}: {error}");
        }
        let error = checked(|s| s.automatic = Some(true)).unwrap_err();
        assert!(error.contains("automatic"), "{error}");
        let error = checked(|s| s.window = Some(vec!["at night".into()])).unwrap_err();
        assert!(error.contains("window"), "{error}");
        let error = checked(|s| s.allowed_hosts = Some(vec!["a/b".into()])).unwrap_err();
        assert!(error.contains("allowed_hosts"), "{error}");
        let error = checked(|s| s.confirm_within_min = Some(0)).unwrap_err();
        assert!(error.contains("confirm_within_min"), "{error}");
    }
}
