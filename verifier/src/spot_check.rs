//! The spot checks of one answer: what a scorer found, held against the limits: each position (R1), the whole (R2)
//! and the reported logits (R5).

use std::collections::BTreeSet;

use assay_protocol::{PositionScore, TokenId, TokenLogprobs, ToldToken};
use serde::Serialize;

use crate::{Answer, Measures, Rules, SpotChecks, reputation};

/// A scorer's findings about one sequence of ids. They hold for every answer with these ids.
#[derive(Clone, Debug, PartialEq)]
pub struct SpotCheck {
    ids: Vec<TokenId>,
    scores: Vec<PositionScore>,
    /// The model's own, one for each position, where the job asks for them; otherwise empty.
    logprobs: Vec<TokenLogprobs>,
    positions: Vec<u32>,
    faults: Vec<Fault>,
    rules: Rules,
}

/// A position where the model contradicts the answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Fault {
    /// Output position, from 0.
    pub position: u32,
    pub claimed: TokenId,
    /// What the sampler draws there.
    pub own: TokenId,
    /// In logits.
    pub margin: f64,
    /// [`FaultKind::Spot`] or [`FaultKind::End`].
    pub kind: FaultKind,
}

/// What a contradiction means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Another token.
    Spot,
    /// The answer ends where the sampler goes on, or goes on where the sampler ends.
    End,
    /// No single token, but all of them together are too far from what the model draws (R2).
    Whole,
    /// The tokens may be right, but the logits that were reported with them are not the model's (R5).
    Logits,
    /// The log probabilities that were told are not the model's.
    Logprobs,
}

/// A scorer's list that says nothing about the answer: its own fault, nobody else's.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BadScores {
    #[error("{found} positions instead of {expected}")]
    Count { found: usize, expected: usize },
    #[error("the margin at position {position} is {margin}")]
    Margin { position: usize, margin: f64 },
    #[error("the logit at position {position} is {logit}")]
    Logit { position: usize, logit: f32 },
}

/// Holds the scores of an answer, one for each of its ids, against the rules.
///
/// `draw` is secret until now, so that no node knew which positions the founding rule would look at. Since one
/// pass gives all positions, all of them count (R1); the drawn ones are what a receipt names.
pub fn spot_check(
    answer: &Answer,
    scores: Vec<PositionScore>,
    rules: &Rules,
    draw: [u8; 32],
) -> Result<SpotCheck, BadScores> {
    let (found, expected) = (scores.len(), answer.ids.len());
    if found != expected {
        return Err(BadScores::Count { found, expected });
    }
    let is_margin = |margin: f64| margin.is_finite() && margin >= 0.0;
    if let Some(position) = scores.iter().position(|score| !is_margin(score.margin)) {
        return Err(BadScores::Margin { position, margin: scores[position].margin });
    }
    if let Some(position) = scores.iter().position(|score| !score.logit.is_finite()) {
        return Err(BadScores::Logit { position, logit: scores[position].logit });
    }
    let ids = answer.ids.clone();
    let faults = faults(&ids, &scores, rules);
    let positions = drawn_positions(ids.len(), rules.positions, draw);
    Ok(SpotCheck { ids, scores, logprobs: Vec::new(), positions, faults, rules: rules.clone() })
}

impl SpotCheck {
    /// With the log probabilities that the scorer found: none, or one for each position.
    pub fn with_logprobs(self, logprobs: Vec<TokenLogprobs>) -> Result<Self, BadScores> {
        let (found, expected) = (logprobs.len(), self.scores.len());
        match found == 0 || found == expected {
            true => Ok(Self { logprobs, ..self }),
            false => Err(BadScores::Count { found, expected }),
        }
    }

    /// What the model says of the token at this position, where the scorer was asked for it.
    pub fn told_at(&self, position: usize) -> Option<ToldToken> {
        let (score, logprobs) = (self.scores.get(position)?, self.logprobs.get(position)?.clone());
        Some(ToldToken { logit: score.logit, logprobs })
    }

    fn logprob_difference(&self, answer: &Answer) -> Option<f64> {
        if self.logprobs.is_empty() || answer.logprobs.is_empty() {
            return None;
        }
        let own = answer.from as usize..answer.ids.len();
        let told = own.filter_map(|at| Some(self.told_at(at)?.difference(&answer.told_at(at)?)));
        Some(told.fold(0.0, f64::max))
    }

    /// Whether these findings are about this answer.
    pub fn is_of(&self, answer: &Answer) -> bool {
        self.ids == answer.ids
    }

    /// What was scored.
    pub fn ids(&self) -> &[TokenId] {
        &self.ids
    }

    /// The margin of each position, in logits.
    pub fn margins(&self) -> impl Iterator<Item = f64> {
        self.scores.iter().map(|score| score.margin)
    }

    /// The positions that were drawn, rising, the last one among them.
    pub fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// The first contradiction in what the node wrote itself.
    pub fn first_fault(&self, answer: &Answer) -> Option<Fault> {
        self.faults.iter().copied().find(|fault| fault.position >= answer.from)
    }

    /// What the answer breaks by what the node wrote itself, the worst rule first: R1, R2, R5.
    pub fn failure(&self, answer: &Answer) -> Option<FaultKind> {
        let spot = self.first_fault(answer).map(|fault| fault.kind);
        spot.or_else(|| self.measures(answer).fault(&self.rules))
    }

    /// Whether the model confirms the whole answer, the prefix that the node was handed included.
    pub fn confirms(&self, answer: &Answer) -> bool {
        self.is_clean() && self.failure(answer).is_none()
    }

    /// What is measured of what the node wrote itself.
    pub fn measures(&self, answer: &Answer) -> Measures {
        let logprob_difference = self.logprob_difference(answer);
        Measures { logprob_difference, ..Measures::of(answer, &self.scores) }
    }

    /// How many times its limit the worst measure of what the node wrote itself is.
    pub fn over_limit(&self, answer: &Answer) -> f64 {
        self.measures(answer).over_limit(&self.rules)
    }

    /// Whether the model contradicts what the node was handed. It is not to blame for that.
    pub fn refutes_prefix_of(&self, answer: &Answer) -> bool {
        self.faults.first().is_some_and(|fault| fault.position < answer.from)
    }

    /// Whether the model contradicts one of these ids, with which the answer begins up to there.
    pub fn refutes_start(&self, ids: &[TokenId]) -> bool {
        self.faults.first().is_some_and(|fault| {
            let end = fault.position as usize + 1;
            ids.len() >= end && self.ids.starts_with(&ids[..end])
        })
    }

    /// Whether the model contradicts none of the tokens.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// Over all positions, in logits; 0 for an empty answer.
    pub fn largest_margin(&self) -> f64 {
        self.scores.iter().map(|score| score.margin).fold(0.0, f64::max)
    }

    /// What a pass of this answer teaches about its node, 0 to 1.
    pub fn pass_weight(&self, answer: &Answer) -> f64 {
        reputation::pass_weight(self.scores.get(answer.from as usize..).unwrap_or_default())
    }
}

fn faults(ids: &[TokenId], scores: &[PositionScore], rules: &Rules) -> Vec<Fault> {
    (0..)
        .zip(ids.iter().zip(scores))
        .filter(|(_, (_, score))| score.margin > rules.tau_gap)
        .map(|(position, (&claimed, score))| {
            let ends_apart = rules.is_end(claimed) != rules.is_end(score.own);
            let kind = if ends_apart { FaultKind::End } else { FaultKind::Spot };
            Fault { position, claimed, own: score.own, margin: score.margin, kind }
        })
        .collect()
}

/// Random positions without repetition, and the last one: Floyd's algorithm over the extended output of
/// BLAKE3 keyed with the draw.
fn drawn_positions(len: usize, wanted: SpotChecks, draw: [u8; 32]) -> Vec<u32> {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    let Some(last) = len.checked_sub(1) else { return Vec::new() };
    let count = match wanted {
        SpotChecks::All => len,
        SpotChecks::Random(count) => count.min(len),
    };
    let mut random = blake3::Hasher::new_keyed(&draw);
    let mut random = random.update(b"assay/spot-checks/1").finalize_xof();
    let mut below = |bound: u64| {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        // A bound under 2^32 makes the bias of the remainder less than 2^-32.
        u64::from_le_bytes(bytes) % bound
    };
    let mut positions = BTreeSet::new();
    for top in len - count..len {
        let position = u32::try_from(below(u64::from(top) + 1)).unwrap_or(top);
        if !positions.insert(position) {
            positions.insert(top);
        }
    }
    positions.insert(last);
    positions.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::fixtures::{END, agreeing_score, answer, check, rules};

    #[test]
    fn an_answer_that_the_model_repeats_has_no_fault() {
        let answer = answer(1, &[5, 6, END]);
        let found = check(&answer, &[]);
        assert!(found.is_clean() && found.is_of(&answer));
        assert_eq!(found.first_fault(&answer), None);
        assert_eq!(found.positions().last(), Some(&2));
    }

    #[test]
    fn the_limit_itself_is_still_honest() {
        let answer = answer(1, &[5, 6, END]);
        assert!(check(&answer, &[(1, 9, 1e-3)]).is_clean());
        let fault = check(&answer, &[(1, 9, 1.1e-3)]).first_fault(&answer).unwrap();
        assert_eq!((fault.position, fault.claimed, fault.own), (1, 6, 9));
        assert_eq!(fault.kind, FaultKind::Spot);
    }

    #[test]
    fn truncation_and_padding_are_faults_of_the_end() {
        let truncated = answer(1, &[5, END]);
        let fault = check(&truncated, &[(1, 6, 4.0)]).first_fault(&truncated).unwrap();
        assert_eq!(fault.kind, FaultKind::End);
        let padded = answer(1, &[5, 6, 7, END]);
        let fault = check(&padded, &[(1, END, 4.0)]).first_fault(&padded).unwrap();
        assert_eq!((fault.position, fault.kind), (1, FaultKind::End));
    }

    #[test]
    fn a_node_does_not_answer_for_what_it_was_handed() {
        let whole = answer(1, &[5, 6, END]);
        let continued = Answer { from: 2, ..whole.clone() };
        let found = check(&whole, &[(1, 9, 4.0)]);
        assert!(found.first_fault(&whole).is_some());
        assert!(!found.refutes_prefix_of(&whole));
        assert_eq!(found.first_fault(&continued), None);
        assert!(found.refutes_prefix_of(&continued));
    }

    #[test]
    fn broken_scores_are_the_scorers_fault() {
        let answer = answer(1, &[5, END]);
        let run = |scores| spot_check(&answer, scores, &rules(), [0; 32]);
        assert_eq!(run(vec![]), Err(BadScores::Count { found: 0, expected: 2 }));
        for margin in [f64::NAN, f64::INFINITY, -1.0] {
            let broken = PositionScore { margin, ..agreeing_score(END) };
            let found = run(vec![agreeing_score(5), broken]);
            assert!(matches!(found, Err(BadScores::Margin { position: 1, .. })));
        }
    }

    proptest! {
        #[test]
        fn draws_are_distinct_in_range_and_hold_the_last(
            len in 1usize..200,
            count in 0u32..40,
            draw in any::<[u8; 32]>(),
        ) {
            let drawn = drawn_positions(len, SpotChecks::Random(count), draw);
            let limit = u32::try_from(len).unwrap();
            prop_assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(*drawn.last().unwrap(), limit - 1);
            let expected = count.min(limit) as usize;
            prop_assert!((expected.max(1)..=expected + 1).contains(&drawn.len()));
            let all = drawn_positions(len, SpotChecks::All, draw);
            prop_assert_eq!(all, (0..limit).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_position_is_drawn_about_as_often() {
        let mut hits = [0u32; 10];
        for seed in 0..=255 {
            for position in drawn_positions(10, SpotChecks::Random(3), [seed; 32]) {
                hits[position as usize] += 1;
            }
        }
        // 256 draws of 3 in 10: 76.8 expected, standard deviation 7.3; the last is always there.
        assert!(hits[..9].iter().all(|hits| (45..110).contains(hits)), "{hits:?}");
        assert_eq!(hits[9], 256);
    }
}
