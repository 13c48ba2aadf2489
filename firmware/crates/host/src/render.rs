//! The files of systemd-networkd, systemd-timesyncd and wpa_supplicant as text. Pure: what is written
//! into a line was checked to fit one (`config::compile`), and is checked again here where a line break
//! would add a setting.

use std::fmt::Write as _;

use config::{InterfaceConfig, TimeConfig, WifiConfig};

const HEADER: &str = "# Written by EdgeCam: do not edit, change its settings.\n";

/// The `.network` file of an interface.
pub fn network(interface: &InterfaceConfig) -> String {
    let mut text = format!("{HEADER}[Match]\nName={}\n\n[Network]\n", interface.name);
    let dhcp = if interface.dhcp { "yes" } else { "no" };
    // Routers announce addresses of IPv6; a machine that has its own takes none.
    put(&mut text, "DHCP", dhcp);
    put(&mut text, "IPv6AcceptRA", dhcp);
    put(&mut text, "MulticastDNS", "yes");
    interface.addresses.iter().for_each(|one| put(&mut text, "Address", one));
    interface.gateways.iter().for_each(|one| put(&mut text, "Gateway", one));
    interface.dns.iter().for_each(|one| put(&mut text, "DNS", one));
    if interface.dhcp && !interface.dns.is_empty() {
        text.push_str(
            "\n[DHCPv4]\nUseDNS=no\n\n[DHCPv6]\nUseDNS=no\n\n[IPv6AcceptRA]\nUseDNS=no\n",
        );
    }
    text
}

/// The configuration of wpa_supplicant for an interface.
pub fn wpa_supplicant(wifi: &WifiConfig, country: Option<&str>) -> String {
    let mut text = format!("{HEADER}ctrl_interface=DIR=/run/wpa_supplicant\n");
    if let Some(country) = country {
        put(&mut text, "country", country);
    }
    text.push_str("network={\n");
    // In hexadecimal a name needs no quotes that it could break out of.
    put(&mut text, "\tssid", hex(wifi.ssid.as_bytes()));
    put(&mut text, "\tscan_ssid", u8::from(wifi.hidden));
    match &wifi.password {
        None => put(&mut text, "\tkey_mgmt", "NONE"),
        Some(password) => {
            put(&mut text, "\tkey_mgmt", "WPA-PSK SAE");
            put(&mut text, "\tieee80211w", 1);
            // Between the first quote and the last everything counts: a quote inside is none.
            put(&mut text, "\tpsk", format!("\"{}\"", password.reveal()));
        }
    }
    text.push_str("}\n");
    text
}

/// The drop-in of systemd-timesyncd; `None`: the machine's own servers.
pub fn timesyncd(time: &TimeConfig) -> Option<String> {
    if time.servers.is_empty() {
        return None;
    }
    let mut text = format!("{HEADER}[Time]\n");
    put(&mut text, "NTP", time.servers.join(" "));
    Some(text)
}

/// A line `key=value`; nothing where the value would not stay in its line.
fn put(text: &mut String, key: &str, value: impl std::fmt::Display) {
    let value = value.to_string();
    if !value.contains(char::is_control) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{key}={value}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use config::Cidr;

    use super::*;

    fn interface() -> InterfaceConfig {
        let ip = |text: &str| text.parse().unwrap();
        InterfaceConfig {
            name: "end0".into(),
            dhcp: false,
            addresses: vec![Cidr { ip: ip("192.168.1.20"), prefix: 24 }],
            gateways: vec![ip("192.168.1.1")],
            dns: vec![ip("9.9.9.9")],
            wifi: None,
        }
    }

    #[test]
    fn a_fixed_address_is_written_as_networkd_reads_it() {
        let text = network(&interface());
        assert_eq!(
            text.strip_prefix(HEADER).unwrap(),
            "[Match]\nName=end0\n\n[Network]\nDHCP=no\nIPv6AcceptRA=no\nMulticastDNS=yes\n\
             Address=192.168.1.20/24\nGateway=192.168.1.1\nDNS=9.9.9.9\n"
        );
    }

    #[test]
    fn own_name_servers_take_the_place_of_those_that_dhcp_names() {
        let text = network(&InterfaceConfig { dhcp: true, addresses: vec![], ..interface() });
        assert!(text.contains("DHCP=yes\n") && text.contains("[DHCPv4]\nUseDNS=no\n"), "{text}");
        let text = network(&InterfaceConfig { dhcp: true, dns: vec![], ..interface() });
        assert!(!text.contains("UseDNS"), "{text}");
    }

    #[test]
    fn no_name_and_no_password_adds_a_setting() {
        let wifi = WifiConfig {
            ssid: "a\"\n}\nnetwork={".into(),
            password: Some("pass\"word\nkey_mgmt=NONE".into()),
            hidden: true,
        };
        let text = wpa_supplicant(&wifi, Some("DE"));
        let keys: Vec<_> =
            text.lines().map(|line| line.split('=').next().unwrap().trim()).collect();
        let skip = &keys[1..];
        assert_eq!(
            skip,
            [
                "ctrl_interface",
                "country",
                "network",
                "ssid",
                "scan_ssid",
                "key_mgmt",
                "ieee80211w",
                "}"
            ],
            "what does not fit its line is left out"
        );
        assert!(text.contains("\tssid=61220a7d0a6e6574776f726b3d7b\n"), "{text}");
        let plain = WifiConfig { password: Some("it's \"quoted\"".into()), ..wifi };
        assert!(wpa_supplicant(&plain, None).contains("\tpsk=\"it's \"quoted\"\"\n"));
    }

    #[test]
    fn without_servers_the_machine_keeps_its_own() {
        assert_eq!(timesyncd(&TimeConfig::default()), None);
        let servers = vec!["a.example".to_owned(), "fd00::1".to_owned()];
        let text = timesyncd(&TimeConfig { servers, zone: None }).unwrap();
        assert!(text.ends_with("[Time]\nNTP=a.example fd00::1\n"), "{text}");
    }
}
