//! What the machine says of itself: interfaces, routers, name servers, clock. Read, never changed; what
//! it does not say is left out.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use config::Cidr;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// Where systemd-timesyncd notes that it has set the clock.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";
/// systemd-timesyncd makes this folder when it starts.
const TIMESYNC: &str = "/run/systemd/timesync";

/// An interface as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it is wireless.
    pub wireless: bool,
    /// Whether it is connected.
    pub connected: bool,
    /// Its hardware address.
    pub mac: Option<String>,
    /// Its speed in Mbit/s.
    pub speed_mbps: Option<u32>,
    /// Its addresses.
    pub addresses: Vec<Cidr>,
}

/// The interfaces but loopback, by name.
pub fn interfaces() -> Vec<Interface> {
    let mut addresses: BTreeMap<String, Vec<Cidr>> = BTreeMap::new();
    // Without netlink there are names, but no addresses.
    for one in getifaddrs().into_iter().flatten() {
        let ip = one.address.as_ref().and_then(ip_of);
        let mask = one.netmask.as_ref().and_then(ip_of);
        let entry = addresses.entry(one.interface_name).or_default();
        if let (Some(ip), Some(mask)) = (ip, mask) {
            entry.push(Cidr { ip, prefix: prefix(mask) });
        }
    }
    addresses.remove("lo");
    addresses.into_iter().map(|(name, addresses)| interface(name, addresses)).collect()
}

fn interface(name: String, addresses: Vec<Cidr>) -> Interface {
    let folder = Path::new("/sys/class/net").join(&name);
    let read = |file: &str| read_to_string(folder.join(file)).ok().map(|t| t.trim().to_owned());
    Interface {
        wireless: folder.join("wireless").exists(),
        connected: read("operstate").as_deref() == Some("up"),
        mac: read("address").filter(|mac| mac.bytes().any(|byte| !b"0:".contains(&byte))),
        speed_mbps: read("speed").and_then(|speed| speed.parse().ok()).filter(|speed| *speed > 0),
        addresses,
        name,
    }
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

fn prefix(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    // At most 128.
    u8::try_from(ones).unwrap_or_default()
}

/// The routers in use.
pub fn gateways() -> Vec<IpAddr> {
    let (v4, v6) = (read_to_string("/proc/net/route"), read_to_string("/proc/net/ipv6_route"));
    let mut all = gateways_v4(&v4.unwrap_or_default());
    all.extend(gateways_v6(&v6.unwrap_or_default()));
    all.sort();
    all.dedup();
    all
}

/// Lines: interface, destination, gateway, …, addresses as the kernel's bytes in hexadecimal.
fn gateways_v4(text: &str) -> Vec<IpAddr> {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (to, by) = (words.next()?, words.next()?);
        let by = u32::from_str_radix(by, 16).ok().filter(|by| *by != 0)?;
        (to == "00000000").then(|| IpAddr::V4(Ipv4Addr::from(by.to_ne_bytes())))
    };
    text.lines().skip(1).filter_map(of_line).collect()
}

/// Lines: destination, its prefix, source, its prefix, gateway, …
fn gateways_v6(text: &str) -> Vec<IpAddr> {
    let of_line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let by = u128::from_str_radix(words.get(4)?, 16).ok().filter(|by| *by != 0)?;
        (words.get(1) == Some(&"00")).then(|| IpAddr::V6(Ipv6Addr::from(by)))
    };
    text.lines().filter_map(of_line).collect()
}

/// The name servers in use; those behind systemd-resolved where it runs.
pub fn name_servers() -> Vec<String> {
    let files = ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"];
    let text = files.iter().find_map(|file| read_to_string(file).ok()).unwrap_or_default();
    name_servers_of(&text)
}

fn name_servers_of(text: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next()? == "nameserver").then(|| words.next().map(str::to_owned))?
    };
    text.lines().filter_map(of_line).collect()
}

/// The machine's name in the network.
pub fn hostname() -> String {
    read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Whether an NTP server has set the clock since the machine started; `None`: nobody here would know.
pub fn is_synchronised() -> Option<bool> {
    Path::new(TIMESYNC).is_dir().then(|| Path::new(SYNCHRONISED).exists())
}

/// Name of the time zone in use; `None`: it has none.
pub fn time_zone() -> Option<String> {
    jiff::tz::TimeZone::system().iana_name().map(str::to_owned)
}

/// Whether this machine knows the time zone `name`.
pub fn knows_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routers_are_those_of_the_default_routes() {
        let v4 = "Iface\tDestination\tGateway\tFlags\nend0\t00000000\t0101A8C0\t0003\n\
                  end0\t0001A8C0\t00000000\t0001\n";
        assert_eq!(gateways_v4(v4), ["192.168.1.1".parse::<IpAddr>().unwrap()]);
        let v6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
                  fe800000000000000000000000000001 00000400 00000001 00000000 00000003 end0\n\
                  fe800000000000000000000000000000 40 00000000000000000000000000000000 00 \
                  00000000000000000000000000000000 00000100 00000001 00000000 00000001 end0\n";
        assert_eq!(gateways_v6(v6), ["fe80::1".parse::<IpAddr>().unwrap()]);
        assert_eq!(gateways_v4("odd\nodd"), Vec::<IpAddr>::new());
    }

    #[test]
    fn name_servers_are_read_off_their_lines() {
        let text = "# nameserver 1.1.1.1\nsearch lan\nnameserver 192.168.1.1\nnameserver fd00::1\n";
        assert_eq!(name_servers_of(text), ["192.168.1.1", "fd00::1"]);
    }

    #[test]
    fn a_mask_is_told_by_its_length() {
        assert_eq!(prefix("255.255.255.0".parse().unwrap()), 24);
        assert_eq!(prefix("ffff:ffff:ffff:ffff::".parse().unwrap()), 64);
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        assert!(interfaces().iter().all(|one| !one.name.is_empty() && one.name != "lo"));
        gateways();
        assert!(!hostname().is_empty());
        assert!(knows_zone("UTC") && !knows_zone("Nowhere/Land"));
    }
}
