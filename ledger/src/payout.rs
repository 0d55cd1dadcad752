//! How a job's money is shared: `pay = floor(min(P/m, cap · P/k))` for each node that passed. A node that wrote a
//! part of the answer only, because another one had begun it, weighs that part.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Nano};

/// The configured rules of pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayRules {
    /// The gateway's fee, parts per million of the cost; at most 1,000,000.
    pub fee_ppm: u32,
    /// The most that one node gets, per mille of an equal share among all asked (1500 = 1.5 · P/k).
    /// Nothing: the nodes that passed share all of the pay.
    pub cap_per_mille: Option<u32>,
}

/// The round that decided a job.
#[derive(Clone, Copy, Debug)]
pub struct Round<'a> {
    /// H: what was held.
    pub held: Nano,
    /// C: the real cost, 0 ≤ C ≤ H.
    pub cost: Nano,
    /// k: the nodes that were asked.
    pub asked: u32,
    /// n: the tokens of the answer.
    pub tokens: u32,
    /// The m nodes that passed, m ≤ k.
    pub passed: &'a [Share],
    /// Whether the model refuted the answer that most nodes gave: what is then left goes back to the
    /// client with its fee, so that nobody profits by wronging a peer.
    pub majority_refuted: bool,
}

/// What one node that passed did for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its operator's.
    pub account: AccountId,
    /// Tokens that it wrote itself and that stood; those it was handed do not count.
    pub tokens: u32,
}

/// Where every nano of a hold goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settlement {
    /// What the client pays in the end: fee + pays + reserve.
    pub cost: Nano,
    /// The gateway's.
    pub fee: Nano,
    /// One for each node that passed: its operator's account and its pay.
    pub pays: Vec<(AccountId, Nano)>,
    /// The verification reserve's.
    pub reserve: Nano,
    /// What goes back to the client: held − cost.
    pub returned: Nano,
}

impl Settlement {
    /// Nothing is paid, all of it goes back.
    pub fn nothing(held: Nano) -> Self {
        Self {
            cost: Nano::ZERO,
            fee: Nano::ZERO,
            pays: Vec::new(),
            reserve: Nano::ZERO,
            returned: held,
        }
    }

    /// Whether this gives a hold back whole.
    pub fn is_nothing(&self) -> bool {
        self.cost == Nano::ZERO && self.pays.iter().all(|(_, pay)| *pay == Nano::ZERO)
    }

    /// Whether no part is negative, the parts make the cost, and cost and return make the hold.
    pub fn accounts_for(&self, held: Nano) -> bool {
        let mut parts = self.pays.iter().map(|(_, pay)| *pay).chain([self.fee, self.reserve]);
        let positive = !self.returned.is_negative() && parts.all(|part| !part.is_negative());
        let parts = self.pays.iter().map(|(_, pay)| *pay).chain([self.fee, self.reserve]);
        positive
            && Nano::checked_sum(parts) == Some(self.cost)
            && self.cost.checked_add(self.returned) == Some(held)
    }
}

/// Shares a round's money: `floor(min(P·t/Σt, cap · P·t/(k·n)))` for a node that wrote t of n tokens, which is
/// `floor(min(P/m, cap · P/k))` when everybody wrote all of them.
///
/// # Panics
/// On a cost outside of 0 ..= held, more passed than asked, a fee above the whole, or if the parts did
/// not make the hold: a bug that must not move money.
pub fn payout(round: &Round<'_>, rules: &PayRules) -> Settlement {
    let Round { held, cost, asked, passed, majority_refuted, .. } = *round;
    assert!(Nano::ZERO <= cost && cost <= held, "cost {cost} must be within the hold {held}");
    assert!(passed.len() <= asked as usize, "{} of {asked} passed", passed.len());
    assert!(rules.fee_ppm <= 1_000_000, "a fee of {} ppm", rules.fee_ppm);
    if passed.is_empty() {
        return Settlement::nothing(held);
    }
    let (weights, whole) = weights(round);
    let all: i128 = weights.iter().sum();
    let fee = i128::from(cost.0) * i128::from(rules.fee_ppm) / 1_000_000;
    let shared = i128::from(cost.0) - fee;
    let limit = 1000 * i128::from(asked) * whole;
    let cap = rules.cap_per_mille.map(i128::from).filter(|cap| cap * all < limit);
    let pay =
        |weight: &i128| cap.map_or(shared * weight / all, |cap| cap * shared * weight / limit);
    let pays: Vec<i128> = weights.iter().map(pay).collect();
    let paid: i128 = pays.iter().sum();
    let left = shared - paid;
    // Without the cap, what is left is only what did not divide.
    let (fee, reserve) = match cap {
        None => (fee + left, 0),
        Some(_) if majority_refuted && shared > 0 => (fee * paid / shared, 0),
        Some(_) if passed.len() == 1 => (fee, 0),
        Some(_) => (fee, left),
    };
    settlement(held, passed, &pays, fee, reserve)
}

/// The tokens that each wrote, and those of a whole answer; alike when there are none to count.
fn weights(round: &Round<'_>) -> (Vec<i128>, i128) {
    let wrote: Vec<i128> = round.passed.iter().map(|share| i128::from(share.tokens)).collect();
    let most = wrote.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return (vec![1; wrote.len()], 1);
    }
    (wrote, most.max(i128::from(round.tokens)))
}

fn settlement(held: Nano, passed: &[Share], pays: &[i128], fee: i128, reserve: i128) -> Settlement {
    let narrow = |wide| Nano::narrow(wide).expect("a part of a hold must fit");
    let cost = narrow(pays.iter().sum::<i128>() + fee + reserve);
    let pays = passed.iter().zip(pays).map(|(share, pay)| (share.account, narrow(*pay)));
    let settlement = Settlement {
        cost,
        fee: narrow(fee),
        pays: pays.collect(),
        reserve: narrow(reserve),
        returned: held.checked_sub(cost).expect("a cost within the hold must fit"),
    };
    assert!(settlement.accounts_for(held), "{settlement:?} must account for {held}");
    settlement
}
