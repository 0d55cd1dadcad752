//! How earnings leave: a rail that sends by itself takes an order and says what came of it; the manual one leaves
//! that to a person. The demo's pretends. A rail on a chain comes as one more.

use std::fmt;

use assay_ledger::Nano;
use serde::{Deserialize, Serialize};

/// USDC has six decimals: what is finer cannot be sent.
pub const SMALLEST: Nano = Nano(1_000);

/// An amount and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct PayoutOrder<'a> {
    /// Names it: no order has the name of another.
    pub id: &'a str,
    pub amount: Nano,
    pub address: &'a str,
}

/// What a rail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RailAnswer {
    /// It is not known yet.
    Later,
    /// The money left; what proves it.
    Sent { reference: String },
    /// It cannot be sent, and never was.
    Failed { reason: String },
}

/// A way out for money.
pub trait PayoutRail: fmt::Debug + Send + Sync {
    /// The word in the store and in the API.
    fn name(&self) -> &'static str;

    /// Why money cannot be sent to this address, if so.
    fn refuses(&self, address: &str) -> Option<&'static str>;

    /// What sends by itself; nothing where an admin exports what is to be paid.
    fn sender(&self) -> Option<&dyn Sender>;
}

/// What sends money.
pub trait Sender: fmt::Debug + Send + Sync {
    /// Sends it. No order is given twice, whatever becomes of the answer.
    fn send(&self, order: PayoutOrder<'_>) -> RailAnswer;

    /// What came of an order that was given before, or may have been.
    fn learn(&self, order: PayoutOrder<'_>) -> RailAnswer;
}

/// Which rail a gateway has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RailKind {
    /// An admin exports what is to be paid, pays it, and says so.
    #[default]
    Manual,
    /// Pays nothing and says that it did: for demos.
    Demo,
}

impl RailKind {
    pub fn rail(self) -> &'static dyn PayoutRail {
        match self {
            Self::Manual => &ManualRail,
            Self::Demo => &DemoRail,
        }
    }
}

#[derive(Debug)]
struct ManualRail;

#[derive(Debug)]
struct DemoRail;

impl PayoutRail for ManualRail {
    fn name(&self) -> &'static str {
        "manual"
    }

    fn refuses(&self, address: &str) -> Option<&'static str> {
        not_an_address(address)
    }

    fn sender(&self) -> Option<&dyn Sender> {
        None
    }
}

impl PayoutRail for DemoRail {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn refuses(&self, address: &str) -> Option<&'static str> {
        not_an_address(address)
    }

    fn sender(&self) -> Option<&dyn Sender> {
        Some(self)
    }
}

impl Sender for DemoRail {
    /// An address of zeros cannot be paid, so that a failure can be looked at.
    fn send(&self, order: PayoutOrder<'_>) -> RailAnswer {
        if order.address.trim_start_matches("0x").bytes().all(|byte| byte == b'0') {
            return RailAnswer::Failed { reason: "nobody owns this address".into() };
        }
        RailAnswer::Sent { reference: format!("demo-{}", order.id) }
    }

    /// Whether it was given or not, nothing moved: it may as well be sent now.
    fn learn(&self, order: PayoutOrder<'_>) -> RailAnswer {
        self.send(order)
    }
}

/// An account on an EVM chain, where USDC is.
fn not_an_address(address: &str) -> Option<&'static str> {
    let digits = address.strip_prefix("0x").unwrap_or_default();
    let is_one = digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!is_one).then_some("A payout address is 0x and 40 hex digits.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_addresses_are_taken() {
        let good = format!("0x{}", "aB".repeat(20));
        for rail in [RailKind::Manual.rail(), RailKind::Demo.rail()] {
            assert_eq!(rail.refuses(&good), None);
            for wrong in ["", "0x", &good[..41], &format!("{good}0"), &good.replace("0x", "1x")] {
                assert!(rail.refuses(wrong).is_some(), "{wrong}");
            }
        }
    }

    #[test]
    fn the_demo_pays_all_but_nobody() {
        let send =
            |address: &str| DemoRail.send(PayoutOrder { id: "w1", amount: Nano(1_000), address });
        let reference = "demo-w1".to_owned();
        assert_eq!(send(&format!("0x{}", "ab".repeat(20))), RailAnswer::Sent { reference });
        assert!(matches!(send(&format!("0x{}", "00".repeat(20))), RailAnswer::Failed { .. }));
    }
}
