//! The largest logits of a row, in one pass over it.

use std::cmp::Ordering;

use assay_protocol::TokenId;

/// How many of the largest logits can be drawn at a temperature above 0; part of the specification.
pub const CANDIDATES_MAX: usize = 256;

/// A token with its logit, which is finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) id: TokenId,
    pub(super) logit: f64,
}

impl Candidate {
    /// Larger logits first, equal ones by rising id.
    fn order(&self, other: &Self) -> Ordering {
        let falling = other.logit.partial_cmp(&self.logit).unwrap_or(Ordering::Equal);
        falling.then(self.id.cmp(&other.id))
    }

    /// Whether this one wins.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Less
    }
}

/// The largest of a row that is not empty, ties to the lowest id. Some logit is above −∞.
pub(super) fn largest_one(row: &[f64]) -> Candidate {
    let mut best = Candidate { id: 0, logit: row[0] };
    for (id, &logit) in (0..).zip(row) {
        if logit > best.logit {
            best = Candidate { id, logit };
        }
    }
    best
}

/// The `count` largest of a row (fewer if it is shorter), in order; none at −∞.
pub(super) fn largest(row: &[f64], count: usize) -> Vec<Candidate> {
    let mut best = Vec::with_capacity(2 * count);
    let mut floor = f64::NEG_INFINITY;
    for (id, &logit) in (0..).zip(row) {
        // Ids rise, so a logit equal to the worst one kept loses the tie.
        if logit > floor {
            best.push(Candidate { id, logit });
            if best.len() == 2 * count {
                best.select_nth_unstable_by(count - 1, Candidate::order);
                best.truncate(count);
                floor = best[count - 1].logit;
            }
        }
    }
    best.sort_unstable_by(Candidate::order);
    best.truncate(count);
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn one_pass_finds_what_sorting_finds(
            row in prop::collection::vec((-20i32..20).prop_map(|x| f64::from(x) / 4.0), 1..200),
            count in 1usize..20,
        ) {
            let mut sorted: Vec<_> =
                (0..).zip(&row).map(|(id, &logit)| Candidate { id, logit }).collect();
            sorted.sort_by(Candidate::order);
            sorted.truncate(count);
            prop_assert_eq!(largest_one(&row), sorted[0]);
            prop_assert_eq!(largest(&row, count), sorted);
        }

        #[test]
        fn zeros_of_both_signs_are_equal(signs in prop::collection::vec(any::<bool>(), 1..50)) {
            let row: Vec<f64> = signs.iter().map(|sign| if *sign { 0.0 } else { -0.0 }).collect();
            prop_assert_eq!(largest_one(&row).id, 0);
            prop_assert_eq!(largest(&row, 1)[0].id, 0);
        }
    }
}
