//! The network and the clock of the machine. What passes here can be written into a line of a file of
//! systemd's or wpa_supplicant's as it is.

use std::net::IpAddr;

use api::settings::{InterfaceSettings, NetworkSettings, TimeSettings, WifiSettings};

use crate::check::Check;
use crate::model::{Cidr, InterfaceConfig, NetworkConfig, TimeConfig, WifiConfig};

/// Most addresses, name servers or NTP servers.
const MOST: usize = 8;
/// The kernel's limit for names of interfaces, in bytes.
const MAX_INTERFACE: usize = 15;

/// Checks the section `network`.
pub(super) fn network(check: &mut Check<'_>, settings: &NetworkSettings) -> NetworkConfig {
    if let Some(country) = &settings.wifi_country
        && !(country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()))
    {
        let reason = "must be two upper case letters (ISO 3166-1), such as DE";
        check.wrong("wifi_country", Some(country), reason);
    }
    let mut interfaces = check.below("interfaces");
    let one = |(name, one): (&String, &InterfaceSettings)| {
        let mut check = interfaces.below(name);
        interface_name(&mut check, name);
        interface(&mut check, name, one)
    };
    let interfaces: Vec<_> = settings.interfaces.iter().map(one).collect();
    let wireless = interfaces.iter().any(|interface| interface.wifi.is_some());
    if wireless && settings.wifi_country.is_none() {
        check.wrong(
            "wifi_country",
            None,
            "must be given where an interface has `wifi`, such as DE",
        );
    }
    NetworkConfig { wifi_country: settings.wifi_country.clone(), interfaces }
}

fn interface_name(check: &mut Check<'_>, name: &str) {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (1..=MAX_INTERFACE).contains(&name.len()) && name.chars().all(allowed);
    if !fits || name == "lo" {
        let reason = format!(
            "`{name}` must be the name of a network interface, such as end0 or wlan0: 1 to \
             {MAX_INTERFACE} lower case letters, digits and `-`"
        );
        check.wrong("", None, reason);
    }
}

fn interface(check: &mut Check<'_>, name: &str, settings: &InterfaceSettings) -> InterfaceConfig {
    let addresses = cidrs(check, "addresses", settings.addresses.as_deref());
    let hint = "an address of a machine, such as 192.168.1.1";
    let gateways = addresses_of(check, "gateways", settings.gateways.as_deref(), hint);
    let dns = addresses_of(check, "dns", settings.dns.as_deref(), hint);
    for v4 in [true, false] {
        let of_family = |ip: &&IpAddr| ip.is_ipv4() == v4;
        if gateways.iter().filter(of_family).count() > 1 {
            check.wrong("gateways", None, "must name at most one router for IPv4 and one for IPv6");
        }
        let reachable = addresses.iter().any(|address| address.ip.is_ipv4() == v4);
        if gateways.iter().any(|ip| ip.is_ipv4() == v4) && !reachable {
            let family = if v4 { "IPv4" } else { "IPv6" };
            let reason =
                format!("names a router of {family}, but `addresses` has none of {family}");
            check.wrong("gateways", None, reason);
        }
    }
    let dhcp = settings.dhcp.unwrap_or(addresses.is_empty());
    if !dhcp && addresses.is_empty() {
        let reason = "leaves the interface without any address: switch it on, or give `addresses`";
        check.wrong("dhcp", settings.dhcp.as_ref().map(|dhcp| dhcp as _), reason);
    }
    let wifi = settings.wifi.as_ref().and_then(|one| wifi(&mut check.below("wifi"), one));
    InterfaceConfig { name: name.to_owned(), dhcp, addresses, gateways, dns, wifi }
}

fn cidrs(check: &mut Check<'_>, field: &str, texts: Option<&[String]>) -> Vec<Cidr> {
    let reason = "must be an address of this machine with the length of its network's prefix, such as \
                  192.168.1.20/24";
    each(check, field, texts, reason, |text| {
        let (ip, prefix) = text.split_once('/')?;
        let (ip, prefix): (IpAddr, u8) = (ip.parse().ok()?, prefix.parse().ok()?);
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let usable = !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast();
        (usable && (1..=most).contains(&prefix)).then_some(Cidr { ip, prefix })
    })
}

fn addresses_of(
    check: &mut Check<'_>,
    field: &str,
    texts: Option<&[String]>,
    what: &str,
) -> Vec<IpAddr> {
    each(check, field, texts, &format!("must be {what}"), |text| {
        let ip: IpAddr = text.parse().ok()?;
        (!ip.is_unspecified() && !ip.is_multicast()).then_some(ip)
    })
}

/// What `read` makes of each entry of a list.
fn each<T>(
    check: &mut Check<'_>,
    field: &str,
    texts: Option<&[String]>,
    reason: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    let texts = texts.unwrap_or_default();
    if texts.len() > MOST {
        check.wrong(field, None, format!("must have at most {MOST} entries"));
    }
    let mut below = check.below(field);
    let one = |(index, text): (usize, &String)| {
        let read = read(text);
        if read.is_none() {
            below.item(index).wrong("", Some(text), reason);
        }
        read
    };
    texts.iter().enumerate().filter_map(one).collect()
}

fn wifi(check: &mut Check<'_>, settings: &WifiSettings) -> Option<WifiConfig> {
    let Some(ssid) = settings.ssid.clone() else {
        check.wrong("ssid", None, "must be given: the name of the wireless network");
        return None;
    };
    if !(1..=32).contains(&ssid.len()) || ssid.chars().any(char::is_control) {
        check.wrong("ssid", Some(&ssid), "must have 1 to 32 bytes, without control characters");
    }
    if let Some(password) = &settings.password {
        let text = password.reveal();
        let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !(8..=63).contains(&text.len()) || !printable {
            check.wrong("password", None, "must have 8 to 63 printable ASCII characters");
        }
    }
    let hidden = settings.hidden.unwrap_or(false);
    Some(WifiConfig { ssid, password: settings.password.clone(), hidden })
}

/// Checks the section `time`.
pub(super) fn time(check: &mut Check<'_>, settings: &TimeSettings) -> TimeConfig {
    if let Some(zone) = &settings.zone {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_+-/".contains(c);
        let odd = zone.split('/').any(str::is_empty);
        if !(1..=64).contains(&zone.len()) || !zone.chars().all(allowed) || odd {
            let reason = "must be the name of a time zone (IANA), such as Europe/Berlin or UTC";
            check.wrong("zone", Some(zone), reason);
        }
    }
    let reason = "must be the name or the address of a host, such as pool.ntp.org";
    let servers = each(check, "servers", settings.servers.as_deref(), reason, |text| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
        let plain = !text.starts_with(['-', '.']) && text.chars().all(allowed);
        let host = !text.contains(':') || text.parse::<IpAddr>().is_ok();
        ((1..=253).contains(&text.len()) && plain && host).then(|| text.to_owned())
    });
    TimeConfig { zone: settings.zone.clone(), servers }
}

#[cfg(test)]
mod tests {
    use crate::check;

    use super::*;

    fn compiled(text: &str) -> Result<NetworkConfig, Vec<String>> {
        let settings: NetworkSettings = toml::from_str(text).unwrap();
        let checked = check::all(|check| Some(network(check, &settings)));
        checked
            .map_err(|errors| errors.field_problems().into_iter().map(|one| one.pointer).collect())
    }

    #[test]
    fn an_interface_has_its_addresses_fixed_or_asks_for_them() {
        let text = "[interfaces.end0]\naddresses = ['192.168.1.20/24', 'fd00::20/64']\n\
                    gateways = ['192.168.1.1']\ndns = ['192.168.1.1']\n[interfaces.end1]";
        let config = compiled(text).unwrap();
        let [fixed, asks] = config.interfaces.as_slice() else { panic!("{config:?}") };
        assert!(!fixed.dhcp && asks.dhcp);
        let addresses: Vec<_> = fixed.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.168.1.20/24", "fd00::20/64"]);
    }

    #[test]
    fn what_would_lock_out_or_break_out_of_its_line_is_refused() {
        for (text, pointer) in [
            ("[interfaces.end0]\ndhcp = false", "/interfaces/end0/dhcp"),
            ("[interfaces.end0]\naddresses = ['192.168.1.20']", "/interfaces/end0/addresses/0"),
            ("[interfaces.end0]\naddresses = ['127.0.0.1/8']", "/interfaces/end0/addresses/0"),
            ("[interfaces.end0]\naddresses = ['10.0.0.1/33']", "/interfaces/end0/addresses/0"),
            ("[interfaces.end0]\ngateways = ['10.0.0.1']", "/interfaces/end0/gateways"),
            ("[interfaces.end0]\ndns = [\"1.1.1.1\\nDHCP=no\"]", "/interfaces/end0/dns/0"),
            ("[interfaces.lo]", "/interfaces/lo"),
            ("[interfaces.\"../x\"]", "/interfaces/..~1x"),
            ("wifi_country = 'de'", "/wifi_country"),
            ("[interfaces.wlan0.wifi]\nssid = 'x'", "/wifi_country"),
            ("wifi_country = 'DE'\n[interfaces.wlan0.wifi]", "/interfaces/wlan0/wifi/ssid"),
            (
                "wifi_country = 'DE'\n[interfaces.wlan0.wifi]\nssid = 'x'\npassword = 'short'",
                "/interfaces/wlan0/wifi/password",
            ),
        ] {
            let wrong = compiled(text).unwrap_err();
            assert!(wrong.contains(&pointer.to_owned()), "{text}: {wrong:?}");
        }
    }

    #[test]
    fn a_zone_and_a_server_are_names_and_nothing_else() {
        let compiled = |zone: &str, server: &str| {
            let settings = TimeSettings {
                zone: Some(zone.to_owned()),
                servers: Some(vec![server.to_owned()]),
            };
            check::all(|check| Some(time(check, &settings))).is_ok()
        };
        assert!(compiled("Europe/Berlin", "pool.ntp.org") && compiled("UTC", "fd00::1"));
        for zone in ["", "../etc/passwd", "/etc/passwd", "Europe//Berlin", "a\nb"] {
            assert!(!compiled(zone, "pool.ntp.org"), "{zone:?}");
        }
        for server in ["", "a b", "a\nNTP=b", "-x", "host:123"] {
            assert!(!compiled("UTC", server), "{server:?}");
        }
    }
}
