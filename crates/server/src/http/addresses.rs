//! Counts what each address has at one time, so that one client does not take what is there for all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;

/// The leading bits of an address of version 6 that name one site: whoever has one such address has all of them.
const SITE_BITS: u32 = 64;

/// What addresses have at present.
#[derive(Clone, Default)]
pub struct Shares {
    present: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of those that an address has, until it is dropped.
pub struct Share {
    present: Arc<Mutex<HashMap<IpAddr, usize>>>,
    site: IpAddr,
}

impl Shares {
    /// One more for the address; nothing, if it has `most` of them.
    pub fn take(&self, address: IpAddr, most: usize) -> Option<Share> {
        let site = site_of(address);
        let mut present = self.present.lock();
        let count = present.entry(site).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Share { present: Arc::clone(&self.present), site })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut present = self.present.lock();
        if let Some(count) = present.get_mut(&self.site) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                present.remove(&self.site);
            }
        }
    }
}

/// What is counted as one: an address of version 4, also one that is written in version 6; of version 6 the site.
pub fn site_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let site = address.to_bits() >> (128 - SITE_BITS) << (128 - SITE_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(site))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_has_so_many_at_one_time_and_nothing_is_kept_of_it() {
        let shares = Shares::default();
        let take = |text: &str| shares.take(text.parse().unwrap(), 2);
        let held = [take("192.0.2.1").unwrap(), take("::ffff:192.0.2.1").unwrap()];
        assert!(take("192.0.2.1").is_none());
        let other = take("192.0.2.2").unwrap();
        drop(held);
        let again = take("192.0.2.1").unwrap();
        drop((again, other));
        let of_a_site = [take("2001:db8::1").unwrap(), take("2001:db8::2").unwrap()];
        assert!(take("2001:db8::3").is_none());
        assert!(take("2001:db8:0:1::3").is_some());
        drop(of_a_site);
        assert!(shares.present.lock().is_empty());
    }
}
