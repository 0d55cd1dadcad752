//! The table of pay, case by case, and what holds for every case.

use assay_ledger::{AccountId, Nano, PayRules, Round, Settlement, Share, payout};
use proptest::prelude::*;

const RULES: PayRules = PayRules { fee_ppm: 100_000, cap_per_mille: Some(1500) };
const SHARE_ALL: PayRules = PayRules { fee_ppm: 100_000, cap_per_mille: None };
/// Of the 1,000 that a job costs, 100 are the fee and P = 900.
const HELD: Nano = Nano(1500);
const COST: Nano = Nano(1000);

/// Of the answer.
const TOKENS: u32 = 80;

/// Nodes that wrote all of the answer.
fn nodes(count: u32) -> Vec<Share> {
    (0..count).map(|node| share(node, TOKENS)).collect()
}

fn share(node: u32, tokens: u32) -> Share {
    Share { account: AccountId(1001 + i64::from(node)), tokens }
}

fn settle(cost: Nano, passed: u32, asked: u32, refuted: bool, rules: &PayRules) -> Settlement {
    settle_shares(cost, &nodes(passed), asked, refuted, rules)
}

fn settle_shares(
    cost: Nano,
    passed: &[Share],
    asked: u32,
    majority_refuted: bool,
    rules: &PayRules,
) -> Settlement {
    payout(&Round { held: HELD, cost, asked, tokens: TOKENS, passed, majority_refuted }, rules)
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
fn who_steps_in_is_paid_for_what_it_wrote() {
    // Two asked, one left half-way; 900 to share by 80 and 40 tokens.
    let passed = [share(0, 80), share(1, 40)];
    let settlement = settle_shares(COST, &passed, 2, false, &RULES);
    assert_eq!(parts(&settlement), (vec![600, 300], 100, 0, 500));
    // Three asked, two left: the cap is 450 for a whole answer.
    let settlement = settle_shares(COST, &passed, 3, false, &RULES);
    assert_eq!(parts(&settlement), (vec![450, 225], 100, 225, 500));
}

#[test]
fn who_ends_what_one_alone_had_begun_is_paid_for_its_part_and_the_client_gets_the_rest() {
    // 1.5 · 900 · 40/80 = 675.
    let settlement = settle_shares(COST, &[share(0, 40)], 1, false, &RULES);
    assert_eq!(parts(&settlement), (vec![675], 100, 0, 725));
}

#[test]
fn when_nobody_wrote_anything_all_share_alike() {
    let passed = [share(0, 0), share(1, 0)];
    let settlement = settle_shares(COST, &passed, 2, false, &RULES);
    assert_eq!(parts(&settlement), (vec![450; 2], 100, 0, 500));
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
        (asked, wrote) in (1..=9u32).prop_flat_map(|asked| {
            (Just(asked), prop::collection::vec(any::<u32>(), 0..=asked as usize))
        }),
        tokens: u32,
        majority_refuted: bool,
        rules in any_rules(),
    ) {
        let passed: Vec<Share> = (0..).zip(&wrote).map(|(node, tokens)| share(node, *tokens)).collect();
        let round = Round {
            held: Nano(held), cost: Nano(cost), asked, tokens, passed: &passed, majority_refuted,
        };
        let settlement = payout(&round, &rules);
        prop_assert!(settlement.accounts_for(round.held));
        prop_assert!(settlement.cost <= round.cost, "a client never pays more than the real cost");
        prop_assert_eq!(settlement.pays.len(), passed.len());
        let mut by_work: Vec<_> =
            wrote.iter().zip(&settlement.pays).map(|(tokens, (_, pay))| (*tokens, *pay)).collect();
        by_work.sort_unstable();
        for pair in by_work.windows(2) {
            let ((less, pay), (more, higher)) = (pair[0], pair[1]);
            prop_assert!(pay <= higher, "more work is never paid less");
            prop_assert!(less < more || pay == higher, "equal work is paid alike");
        }
    }

    #[test]
    fn nobody_gains_more_than_half_a_share_by_another_failing(
        cost in 0..=1_000_000_000i64,
        (asked, passed) in (1..=9u32).prop_flat_map(|asked| (Just(asked), 1..=asked)),
        majority_refuted: bool,
    ) {
        let (all, some) = (nodes(asked), nodes(passed));
        let round = |passed, majority_refuted| Round {
            held: Nano(cost), cost: Nano(cost), asked, tokens: TOKENS, passed, majority_refuted,
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
            held: Nano(cost + 5), cost: Nano(cost), asked: 3, tokens: TOKENS, passed: &passed,
            majority_refuted: false,
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
