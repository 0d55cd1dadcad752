//! The table of pay, case by case, and what holds for every case.

use assay_ledger::{AccountId, Nano, PayRules, Round, Settlement, payout};
use proptest::prelude::*;

const RULES: PayRules = PayRules { fee_ppm: 100_000, cap_per_mille: Some(1500) };
const SHARE_ALL: PayRules = PayRules { fee_ppm: 100_000, cap_per_mille: None };
/// Of the 1,000 that a job costs, 100 are the fee and P = 900.
const HELD: Nano = Nano(1500);
const COST: Nano = Nano(1000);

fn nodes(count: u32) -> Vec<AccountId> {
    (0..count).map(|node| AccountId(1001 + i64::from(node))).collect()
}

fn settle(cost: Nano, passed: u32, asked: u32, refuted: bool, rules: &PayRules) -> Settlement {
    let passed = nodes(passed);
    payout(&Round { held: HELD, cost, asked, passed: &passed, majority_refuted: refuted }, rules)
}

/// Pay of each, fee, reserve, returned.
fn parts(settlement: &Settlement) -> (Vec<i64>, i64, i64, i64) {
    let pays = settlement.pays.iter().map(|(_, pay)| pay.0).collect();
    (pays, settlement.fee.0, settlement.reserve.0, settlement.returned.0)
}

#[test]
fn all_match_and_share_alike() {
    assert_eq!(parts(&settle(COST, 3, 3, false, &RULES)), (vec![300; 3], 100, 0, 500));
}

#[test]
fn what_does_not_divide_goes_to_the_fee() {
    // P = 1001 − 100 = 901.
    assert_eq!(parts(&settle(Nano(1001), 3, 3, false, &RULES)), (vec![300; 3], 101, 0, 499));
    assert_eq!(parts(&settle(Nano(1001), 2, 3, false, &RULES)), (vec![450; 2], 101, 0, 499));
}

#[test]
fn a_majority_of_three_shares_all_of_the_pay() {
    assert_eq!(parts(&settle(COST, 2, 3, false, &RULES)), (vec![450; 2], 100, 0, 500));
}

#[test]
fn three_of_five_leave_a_tenth_to_the_reserve() {
    assert_eq!(parts(&settle(COST, 3, 5, false, &RULES)), (vec![270; 3], 100, 90, 500));
}

#[test]
fn one_alone_gets_half_and_the_client_the_other_half() {
    assert_eq!(parts(&settle(COST, 1, 3, false, &RULES)), (vec![450], 100, 0, 950));
}

#[test]
fn one_asked_that_passes_gets_all() {
    assert_eq!(parts(&settle(COST, 1, 1, false, &RULES)), (vec![900], 100, 0, 500));
}

#[test]
fn nobody_passed_and_all_goes_back() {
    let settlement = settle(COST, 0, 3, false, &RULES);
    assert_eq!(parts(&settlement), (vec![], 0, 0, 1500));
    assert!(settlement.is_nothing());
}

#[test]
fn what_a_refuted_majority_loses_goes_back_with_its_fee() {
    assert_eq!(parts(&settle(COST, 1, 3, true, &RULES)), (vec![450], 50, 0, 1000));
    assert_eq!(parts(&settle(COST, 2, 5, true, &RULES)), (vec![270; 2], 60, 0, 900));
}

#[test]
fn without_a_cap_those_who_passed_share_all() {
    assert_eq!(parts(&settle(COST, 1, 3, false, &SHARE_ALL)), (vec![900], 100, 0, 500));
    assert_eq!(parts(&settle(COST, 3, 5, false, &SHARE_ALL)), (vec![300; 3], 100, 0, 500));
}

#[test]
#[should_panic(expected = "must be within the hold")]
fn a_cost_above_the_hold_moves_no_money() {
    settle(Nano(1501), 3, 3, false, &RULES);
}

#[test]
#[should_panic(expected = "4 of 3 passed")]
fn more_than_asked_cannot_pass() {
    settle(COST, 4, 3, false, &RULES);
}

fn any_rules() -> impl Strategy<Value = PayRules> {
    (0..=1_000_000u32, proptest::option::of(1..=u32::MAX))
        .prop_map(|(fee_ppm, cap_per_mille)| PayRules { fee_ppm, cap_per_mille })
}

proptest! {
    #[test]
    fn every_nano_is_accounted_for(
        (held, cost) in (0..=i64::MAX).prop_flat_map(|held| (Just(held), 0..=held)),
        (asked, passed) in (1..=9u32).prop_flat_map(|asked| (Just(asked), 0..=asked)),
        majority_refuted: bool,
        rules in any_rules(),
    ) {
        let passed = nodes(passed);
        let round = Round {
            held: Nano(held), cost: Nano(cost), asked, passed: &passed, majority_refuted,
        };
        let settlement = payout(&round, &rules);
        prop_assert!(settlement.accounts_for(round.held));
        prop_assert!(settlement.cost <= round.cost, "a client never pays more than the real cost");
        prop_assert_eq!(settlement.pays.len(), passed.len());
        let first = settlement.pays.first().map(|(_, pay)| *pay);
        prop_assert!(settlement.pays.iter().all(|(_, pay)| Some(*pay) == first), "all alike");
    }

    #[test]
    fn nobody_gains_more_than_half_a_share_by_another_failing(
        cost in 0..=1_000_000_000i64,
        (asked, passed) in (1..=9u32).prop_flat_map(|asked| (Just(asked), 1..=asked)),
        majority_refuted: bool,
    ) {
        let (all, some) = (nodes(asked), nodes(passed));
        let round = |passed, majority_refuted| Round {
            held: Nano(cost), cost: Nano(cost), asked, passed, majority_refuted,
        };
        let share = payout(&round(&all, false), &RULES).pays[0].1.0;
        let pay = payout(&round(&some, majority_refuted), &RULES).pays[0].1.0;
        prop_assert!(share <= pay);
        prop_assert!(pay <= share * 3 / 2 + 2);
    }

    #[test]
    fn a_settlement_that_was_touched_no_longer_accounts_for_its_hold(
        cost in 1..=1_000_000_000i64, part in 0..5usize, by in 1..1000i64,
    ) {
        let passed = nodes(3);
        let round = Round {
            held: Nano(cost + 5), cost: Nano(cost), asked: 3, passed: &passed, majority_refuted: false,
        };
        let mut touched = payout(&round, &RULES);
        let amount = match part {
            0 => &mut touched.cost,
            1 => &mut touched.fee,
            2 => &mut touched.reserve,
            3 => &mut touched.returned,
            _ => &mut touched.pays[1].1,
        };
        amount.0 += by;
        prop_assert!(!touched.accounts_for(round.held));
    }
}
