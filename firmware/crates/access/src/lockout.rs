//! Who has to wait after wrong passwords. Pure: time comes from outside.
//!
//! Wrong tries are counted by address, by name, and by both together: the first stops one machine that
//! tries many names, the last stops it on one name early, and the one by name stops many machines; it
//! bears most, so that a stranger cannot easily lock an owner out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Tries are forgotten after this time without a wrong one.
const FORGIVEN: Duration = Duration::from_secs(30 * 60);
/// The first wait; each further wrong try doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Most keys that are remembered; beyond it the oldest are forgotten.
const MOST: usize = 4096;

/// Wrong tries until now.
#[derive(Debug, Default)]
pub struct Lockout(HashMap<Key, Failures>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Name(String),
    Both(IpAddr, String),
}

impl Key {
    /// Wrong tries without any wait.
    fn free(&self) -> u32 {
        match self {
            Self::Both(..) => 5,
            Self::Address(_) => 10,
            Self::Name(_) => 40,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

fn keys(from: IpAddr, name: &str) -> [Key; 3] {
    let from = block(from);
    [Key::Address(from), Key::Name(name.to_owned()), Key::Both(from, name.to_owned())]
}

/// The network that one machine has at will: its /64 of IPv6, its address of IPv4.
fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

impl Lockout {
    /// How long `name` has to wait at `from` before the next try; `None`: not at all.
    pub fn wait(&self, from: IpAddr, name: &str, now: Instant) -> Option<Duration> {
        let waits = keys(from, name).into_iter().filter_map(|key| {
            let failures = self.0.get(&key)?;
            let over = failures.count.checked_sub(key.free())?;
            let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(over)).min(LONGEST_WAIT);
            wait.checked_sub(now.saturating_duration_since(failures.last))
        });
        waits.max().filter(|wait| !wait.is_zero())
    }

    /// A try of `name` at `from` was wrong.
    pub fn failed(&mut self, from: IpAddr, name: &str, now: Instant) {
        self.0.retain(|_, failures| now.saturating_duration_since(failures.last) < FORGIVEN);
        for key in keys(from, name) {
            if self.0.len() >= MOST
                && !self.0.contains_key(&key)
                && let Some(oldest) = self.0.iter().min_by_key(|(_, failures)| failures.last)
            {
                let oldest = oldest.0.clone();
                self.0.remove(&oldest);
            }
            let failures = self.0.entry(key).or_insert(Failures { count: 0, last: now });
            *failures = Failures { count: failures.count.saturating_add(1), last: now };
        }
    }

    /// A try of `name` at `from` was right: it need not wait there any more.
    pub fn succeeded(&mut self, from: IpAddr, name: &str) {
        for key in keys(from, name) {
            if !matches!(key, Key::Address(_)) {
                self.0.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 7));

    fn address(n: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + n).into())
    }

    #[test]
    fn five_wrong_tries_are_free_and_each_further_one_doubles_the_wait_up_to_a_quarter_of_an_hour()
    {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..14 {
            lockout.failed(HOME, "owner", now);
            waits.push(lockout.wait(HOME, "owner", now).unwrap_or_default().as_secs());
        }
        assert_eq!(waits, [0, 0, 0, 0, 5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        let later = now + Duration::from_secs(899);
        assert_eq!(lockout.wait(HOME, "owner", later), Some(Duration::from_secs(1)));
        assert_eq!(lockout.wait(HOME, "owner", later + Duration::from_secs(1)), None);
    }

    #[test]
    fn an_owner_at_home_is_not_locked_out_by_a_stranger_elsewhere() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        for _ in 0..20 {
            lockout.failed(address(1), "owner", now);
        }
        assert!(lockout.wait(address(1), "owner", now).is_some());
        assert_eq!(lockout.wait(HOME, "owner", now), None);
    }

    #[test]
    fn many_machines_on_one_name_and_one_machine_on_many_names_have_to_wait() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        (0..40).for_each(|n| lockout.failed(address(n), "owner", now));
        assert!(lockout.wait(HOME, "owner", now).is_some());
        (0..10).for_each(|n| lockout.failed(HOME, &format!("user{n}"), now));
        assert!(lockout.wait(HOME, "someone", now).is_some());
    }

    #[test]
    fn addresses_of_one_network_are_one_machine() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        for n in 0..10 {
            let from = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n);
            lockout.failed(from.into(), &format!("user{n}"), now);
        }
        let other = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 9, 9, 9, 9);
        assert!(lockout.wait(other.into(), "someone", now).is_some());
    }

    #[test]
    fn a_right_password_ends_the_wait_and_half_an_hour_does() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        (0..8).for_each(|_| lockout.failed(HOME, "owner", now));
        lockout.succeeded(HOME, "owner");
        assert_eq!(lockout.wait(HOME, "owner", now), None);
        (0..4).for_each(|_| lockout.failed(HOME, "owner", now));
        lockout.failed(HOME, "owner", now + FORGIVEN);
        assert_eq!(lockout.wait(HOME, "owner", now + FORGIVEN), None);
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        (0..2000).for_each(|n| lockout.failed(address(n), &format!("user{n}"), now));
        assert!(lockout.0.len() <= MOST);
    }
}
