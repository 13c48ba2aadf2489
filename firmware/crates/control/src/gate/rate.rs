//! How often an address may ask, so that one client cannot take the whole device. Loopback asks as
//! often as it likes: who is on the device already has it.

use std::net::IpAddr;
use std::num::NonZeroU32;

use axum::http::{HeaderMap, HeaderValue};
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::problem::{Failure, Fault};

/// Addresses that are remembered before those that have been quiet are forgotten.
const MANY: usize = 1024;

type Limiter =
    RateLimiter<IpAddr, HashMapStateStore<IpAddr>, MonotonicClock, StateInformationMiddleware>;

/// Requests by address.
#[derive(Debug)]
pub(crate) struct Rate {
    limiter: Limiter,
    burst: u32,
}

/// What is left to an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget(Option<(u32, u32)>);

impl Rate {
    /// `per_second` requests in the long run, up to `burst` at once.
    pub(crate) fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let state = HashMapStateStore::default();
        let limiter = Limiter::new(quota, state, MonotonicClock);
        Self { limiter, burst: burst.get() }
    }

    /// Counts a request of `address`; answers what is left to it.
    pub(crate) fn take(&self, address: IpAddr) -> Result<Budget, Failure> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return Ok(Budget(None));
        }
        if self.limiter.len() > MANY {
            self.limiter.retain_recent();
        }
        match self.limiter.check_key(&address) {
            Ok(state) => Ok(Budget(Some((self.burst, state.remaining_burst_capacity())))),
            Err(not_until) => {
                let wait = not_until.wait_time_from(MonotonicClock.now());
                let detail = format!("{address} asks too often; at most {} at once", self.burst);
                Err(Failure::new(Fault::TooMany, detail).retry_after(wait))
            }
        }
    }
}

impl Budget {
    /// Tells it in the headers of an answer.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        if let Some((limit, remaining)) = self.0 {
            headers.insert("ratelimit-limit", HeaderValue::from(limit));
            headers.insert("ratelimit-remaining", HeaderValue::from(remaining));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_asks_too_often_waits_and_others_do_not() {
        let number = |n| NonZeroU32::new(n).unwrap();
        let rate = Rate::new(number(1), number(3));
        let (one, other) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        for left in [2, 1, 0] {
            assert_eq!(rate.take(one).unwrap().0, Some((3, left)));
        }
        assert!(rate.take(one).is_err());
        assert!(rate.take(other).is_ok());
        (0..100).for_each(|_| assert!(rate.take([127, 0, 0, 1].into()).is_ok()));
    }
}
