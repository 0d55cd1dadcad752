//! How often the ban test puts out a node that only fails by chance: its sum as a Markov chain.

use super::{CUSUM_BAN, Consequence, Finding, Record};

/// Of the chain, in the sum's own unit: what a pass of full weight takes.
const STEP: f64 = 0.1;
/// Checks after which the chances move no more.
const CHECKS: usize = 3_000;

/// The chance that the next check bans a node that fails this share of its checks, each by itself, and passes the
/// others with full weight; in the long run, with one failure proven. Each step is [`Record::apply`], rounded against
/// the node.
pub fn false_ban_per_check(failing: f64) -> f64 {
    let moves = [
        (Finding::Failed { proven: true }, failing),
        (Finding::Passed { weight: 1.0 }, 1.0 - failing),
    ];
    let mut chances = vec![0.0; states()];
    chances[0] = 1.0;
    let mut banned = 0.0;
    for _ in 0..CHECKS {
        let mut after = vec![0.0; chances.len()];
        banned = 0.0;
        for (state, chance) in chances.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
            for (finding, share) in moves {
                match next(state, finding).filter(|state| *state < after.len()) {
                    Some(state) => after[state] += chance * share,
                    None => banned += chance * share,
                }
            }
        }
        let left: f64 = after.iter().sum();
        chances = after.into_iter().map(|chance| chance / left).collect();
    }
    banned
}

/// Sums from 0 to where a ban is.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "115")]
fn states() -> usize {
    (CUSUM_BAN / STEP).round() as usize
}

/// The state after a finding; none when that was a ban.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 150")]
fn next(state: usize, finding: Finding) -> Option<usize> {
    let cusum = STEP * f64::from(u32::try_from(state).unwrap_or(u32::MAX));
    let mut record = Record { cusum, proofs: 1, ..Record::default() };
    let banned = record.apply(finding) == Consequence::Ban;
    (!banned).then(|| (record.cusum / STEP - 1e-9).ceil() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_fails_one_check_in_200_meets_a_false_ban_once_in_millions() {
        let checks = 1.0 / false_ban_per_check(0.005);
        assert!((2.5e6..4e6).contains(&checks), "{checks}");
    }

    #[test]
    fn failures_that_are_rare_ban_with_the_fourth_power_of_their_rate() {
        let (rare, rarer) = (false_ban_per_check(1e-4), false_ban_per_check(1e-5));
        assert!((1e-15..1e-13).contains(&rare), "{rare}");
        assert!((0.5..2.0).contains(&(rare / rarer / 1e4)), "{rare} to {rarer}");
    }
}
