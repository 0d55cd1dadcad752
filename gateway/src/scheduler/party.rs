//! Who stands behind a node or a client, as far as a gateway can see.
//!
//! Two nodes whose parties share anything are never in one set, nor does a client get a node that shares anything
//! with it: then nobody can answer for himself, or agree with himself, by having several accounts.

use std::{
    cmp::Ordering,
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use assay_ledger::AccountId;
use assay_protocol::Bytes32;
use sha2::{Digest, Sha256};

use crate::db::payout_addresses::PayoutAddress;

/// What is known of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// An operator's, which its nodes' pay goes to; a client's, unless it belongs to an operator.
    pub account: AccountId,
    pub payouts: Payouts,
    pub network: Option<Network>,
}

impl Party {
    /// Whether the two may be one and the same.
    pub fn is_related_to(&self, other: &Self) -> bool {
        self.account == other.account
            || self.payouts.share_any(&other.payouts)
            || (self.network.is_some() && self.network == other.network)
    }

    /// Whether it may be one of these.
    pub fn is_related_to_any(&self, others: &[Self]) -> bool {
        others.iter().any(|other| self.is_related_to(other))
    }
}

/// SHA-256 of each address that its operator's withdrawals went to, could have gone to or will go to: whoever once
/// had the same purse has it still, whatever is named now. In order, each once: a placement compares many of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payouts(Arc<[Bytes32]>);

impl Payouts {
    pub fn of(addresses: &[PayoutAddress]) -> Self {
        let tag = |known: &PayoutAddress| Bytes32(Sha256::digest(&known.address).into());
        Self(addresses.iter().map(tag).collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn share_any(&self, others: &Self) -> bool {
        let (mut own, mut others) = (self.0.iter().peekable(), others.0.iter().peekable());
        while let (Some(one), Some(other)) = (own.peek(), others.peek()) {
            match one.cmp(other) {
                Ordering::Less => own.next(),
                Ordering::Equal => return true,
                Ordering::Greater => others.next(),
            };
        }
        false
    }
}

/// The part of an address that is given out to one customer or site: 24 bits of IPv4, 48 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpAddr);

impl Network {
    /// Nothing for an address that many unrelated machines have: loopback, private and shared ones.
    pub fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                let shared = a == 100 && b & 0xc0 == 64;
                let said = !(shared
                    || ip.is_private()
                    || ip.is_loopback()
                    || ip.is_link_local()
                    || ip.is_unspecified());
                said.then(|| Self(IpAddr::from([a, b, c, 0])))
            }
            IpAddr::V6(ip) => {
                let said = !(ip.is_loopback()
                    || ip.is_unspecified()
                    || ip.is_unique_local()
                    || ip.is_unicast_link_local());
                let prefix = u128::from(ip) & (u128::MAX << 80);
                said.then(|| Self(IpAddr::V6(Ipv6Addr::from(prefix))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Option<Network> {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn a_customer_has_one_network() {
        assert_eq!(network("203.0.113.7"), network("203.0.113.200"));
        assert_eq!(network("203.0.113.7"), network("::ffff:203.0.113.9"));
        assert_ne!(network("203.0.113.7"), network("203.0.114.7"));
        assert_eq!(network("2001:db8:1:2::3"), network("2001:db8:1:ffff::4"));
        assert_ne!(network("2001:db8:1::1"), network("2001:db8:2::1"));
    }

    #[test]
    fn addresses_that_many_have_say_nothing() {
        let shared = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "0.0.0.0",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
        ];
        for address in shared {
            assert_eq!(network(address), None, "{address}");
        }
        assert!(network("100.128.0.1").is_some() && network("172.32.0.1").is_some());
    }

    fn payouts(addresses: &[&str]) -> Payouts {
        let known = addresses.iter().enumerate().map(|(number, address)| PayoutAddress {
            address: (*address).to_owned(),
            set_ms: 0,
            usable_ms: 0,
            number: number as i64,
        });
        Payouts::of(&known.collect::<Vec<_>>())
    }

    #[test]
    fn one_shared_address_is_found_among_many() {
        let many = |who: &str| -> Vec<String> {
            (0..1_000).map(|number| format!("{who} {number}")).collect()
        };
        let (ada, bob) = (many("ada"), many("bob"));
        let of = |all: &[String]| payouts(&all.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!of(&ada).share_any(&of(&bob)));
        for shared in [0, 499, 999] {
            let mut bob = bob.clone();
            bob[shared].clone_from(&ada[999 - shared]);
            assert!(of(&ada).share_any(&of(&bob)) && of(&bob).share_any(&of(&ada)));
        }
        assert_eq!(payouts(&["0x01", "0x01"]), payouts(&["0x01"]), "each once");
    }

    #[test]
    fn whoever_shares_anything_is_related() {
        let one = Party {
            account: AccountId(1),
            payouts: payouts(&["0x01", "0x02"]),
            network: network("203.0.113.7"),
        };
        let stranger = Party {
            account: AccountId(2),
            payouts: payouts(&["0x03", "0x04"]),
            network: network("198.51.100.7"),
        };
        assert!(!one.is_related_to(&stranger));
        let related = [
            Party { account: one.account, ..stranger.clone() },
            Party { payouts: payouts(&["0x03", "0x02"]), ..stranger.clone() },
            Party { network: one.network, ..stranger },
        ];
        for other in related {
            assert!(one.is_related_to(&other) && other.is_related_to(&one), "{other:?}");
        }
        let unknown = |account| Party {
            account: AccountId(account),
            payouts: Payouts::default(),
            network: None,
        };
        assert!(!unknown(1).is_related_to(&unknown(2)), "two who say nothing share nothing");
    }
}
