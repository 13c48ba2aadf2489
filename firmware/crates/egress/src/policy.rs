//! Which machines may be reached. Pure.
//!
//! The ranges are those of IANA's registries of special-purpose addresses (RFC 6890 and what updates it).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far one may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The internet: for addresses that came over the network and have no business at home.
    Public,
    /// The internet and the network that the device is in: for an owner's own servers.
    Lan,
    /// Anywhere, by way of the proxy that the environment names: for addresses that stand in the firmware
    /// or in files on the device. Never for one that came over the network.
    Anywhere,
}

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Public,
    Lan,
    Never(&'static str),
}

/// Why `address` may not be reached; `None`: it may. Whether it is the device's own is another question.
pub fn refusal(address: IpAddr, reach: Reach) -> Option<&'static str> {
    if reach == Reach::Anywhere {
        return None;
    }
    let place = match address {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => of_v6(address),
    };
    match (place, reach) {
        (Place::Never(why), _) => Some(why),
        (Place::Lan, Reach::Public) => Some("which is in a private network"),
        _ => None,
    }
}

fn of_v4(address: Ipv4Addr) -> Place {
    use Place::Never;
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, ..) => Never("which names no machine"),
        (127, ..) => Never("which is this device itself"),
        (169, 254, _) => Never("which is a link-local address"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => Place::Lan,
        // Carriers' own networks; overlay networks of owners are there too.
        (100, 64..=127, _) => Place::Lan,
        (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _) => Never("which is a reserved address"),
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => Never("which is for documentation only"),
        (224..=239, ..) => Never("which is a multicast address"),
        (240..=255, ..) => Never("which is a reserved or broadcast address"),
        _ => Place::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Place {
    use Place::Never;
    let segments = address.segments();
    let [first, second, ..] = segments;
    let v4_at = |at: usize| {
        let [a, b] = [segments[at], segments[at + 1]].map(u16::to_be_bytes);
        Ipv4Addr::new(a[0], a[1], b[0], b[1])
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Never("which names no machine"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Never("which is this device itself"),
        // Old ways to write an IPv4 address as one of IPv6: nobody needs them in an address.
        [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => {
            Never("which is an IPv4 address in the guise of IPv6")
        }
        // NAT64: what an IPv6-only network makes of an IPv4 name. The machine behind it counts.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => of_v4(v4_at(6)),
        [0x64, 0xff9b, ..] => Never("which is a reserved address"),
        // 6to4 and Teredo: IPv4 in other guises.
        [0x2002, ..] | [0x2001, 0, ..] => Never("which is an IPv4 address in the guise of IPv6"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Never("which is for documentation only"),
        [0x2001, 1..=0x01ff, ..] => Never("which is a reserved address"),
        _ if first & 0xffc0 == 0xfe80 => Never("which is a link-local address"),
        _ if first & 0xff00 == 0xff00 => Never("which is a multicast address"),
        _ if first & 0xfe00 == 0xfc00 => match (first, second) {
            // Where a cloud keeps its metadata.
            (0xfd00, 0x0ec2) => Never("which is a cloud's metadata service"),
            _ => Place::Lan,
        },
        _ if first & 0xe000 == 0x2000 => Place::Public,
        _ => Never("which is a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(address: &str, reach: Reach) -> bool {
        refusal(address.parse().unwrap(), reach).is_none()
    }

    #[test]
    fn the_internet_is_for_everybody_and_home_for_who_is_let() {
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(may(public, Reach::Public) && may(public, Reach::Lan), "{public}");
        }
        for home in ["10.0.0.9", "172.31.255.1", "192.168.1.2", "100.64.0.1", "fd12:3456::1"] {
            assert!(!may(home, Reach::Public) && may(home, Reach::Lan), "{home}");
        }
        assert!(may("127.0.0.1", Reach::Anywhere));
    }

    #[test]
    fn no_edge_of_a_range_is_left_open() {
        let just_outside = ["9.255.255.255", "11.0.0.0", "172.15.0.1", "172.32.0.1", "100.63.0.1"];
        let more = ["100.128.0.1", "169.253.0.1", "192.167.0.1", "223.255.255.255", "126.0.0.1"];
        for public in just_outside.into_iter().chain(more) {
            assert!(may(public, Reach::Public), "{public}");
        }
        for never in ["0.255.255.255", "127.255.255.255", "224.0.0.0", "239.255.255.255"] {
            assert!(!may(never, Reach::Lan), "{never}");
        }
    }
}
