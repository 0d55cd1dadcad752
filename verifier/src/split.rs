//! Where live branches of an answer part, and which of them the model confirms there: one score of one position
//! decides, and the honest branch goes on.

use std::collections::BTreeMap;

use assay_protocol::{PositionScore, TokenId};

use crate::{OwnerId, Rules};

/// The first position at which branches differ that agree on everything before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Output position, from 0.
    pub position: usize,
    /// At least two, by rising token.
    pub claims: Vec<Claim>,
}

/// One of the tokens at a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub token: TokenId,
    /// Indices of the branches that say so, rising; not empty.
    pub branches: Vec<usize>,
}

/// What the model says of each claim, in the order of [`Split::claims`].
#[derive(Clone, Debug, PartialEq)]
pub struct Adjudication {
    pub rulings: Vec<Ruling>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ruling {
    /// The claim is within τ_gap of the sampler's own draw.
    Stands {
        margin: f64,
    },
    Refuted {
        margin: f64,
    },
    /// This claim still needs a score.
    Open,
}

/// Where branches that begin with what is `agreed` differ first. A branch that does not begin with it is none of
/// theirs; one that is shorter may still join either side.
pub fn first_split(branches: &[(OwnerId, &[TokenId])], agreed: &[TokenId]) -> Option<Split> {
    let goes_on = |ids: &[TokenId]| ids.starts_with(agreed) && ids.len() > agreed.len();
    let live = || branches.iter().enumerate().filter(|(_, (_, ids))| goes_on(ids));
    let longest = live().map(|(_, (_, ids))| ids.len()).max()?;
    (agreed.len()..longest).find_map(|position| {
        let mut claims: BTreeMap<TokenId, Vec<usize>> = BTreeMap::new();
        for (branch, (_, ids)) in live() {
            if let Some(token) = ids.get(position) {
                claims.entry(*token).or_default().push(branch);
            }
        }
        let claim = |(token, branches)| Claim { token, branches };
        (claims.len() > 1)
            .then(|| Split { position, claims: claims.into_iter().map(claim).collect() })
    })
}

/// Holds the claims against what scorers found at the split, each score with the token that it was asked for.
///
/// A score also names the sampler's own token, so the claim of that one stands without a score of its own: when two
/// branches part, one score is mostly enough. Of several scores of one claim the kindest counts.
pub fn adjudicate(
    split: &Split,
    scores: &[(TokenId, PositionScore)],
    rules: &Rules,
) -> Adjudication {
    let ruling = |claim: &Claim| {
        let own = scores.iter().filter(|(_, score)| score.own == claim.token).map(|_| 0.0);
        let asked = scores.iter().filter(|(token, _)| *token == claim.token);
        let margin = asked.map(|(_, score)| score.margin).min_by(f64::total_cmp);
        match margin.into_iter().chain(own).min_by(f64::total_cmp) {
            Some(margin) if margin <= rules.tau_gap => Ruling::Stands { margin },
            Some(margin) => Ruling::Refuted { margin },
            None => Ruling::Open,
        }
    };
    Adjudication { rulings: split.claims.iter().map(ruling).collect() }
}

impl Adjudication {
    /// The claim to go on with, by index: of those that stand the one with the smallest margin, then the lowest
    /// token. It may still change while claims are open.
    pub fn best(&self) -> Option<usize> {
        let stands = |ruling: &Ruling| match ruling {
            Ruling::Stands { margin } => Some(*margin),
            Ruling::Refuted { .. } | Ruling::Open => None,
        };
        let standing = self.rulings.iter().enumerate();
        standing
            .filter_map(|(claim, ruling)| Some((claim, stands(ruling)?)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(claim, _)| claim)
    }

    /// The claims that need a score, by index.
    pub fn open(&self) -> impl Iterator<Item = usize> + '_ {
        self.claims(|ruling| ruling == Ruling::Open)
    }

    /// The claims that the model refutes, by index.
    pub fn refuted(&self) -> impl Iterator<Item = usize> + '_ {
        self.claims(|ruling| matches!(ruling, Ruling::Refuted { .. }))
    }

    fn claims(&self, is: impl Fn(Ruling) -> bool) -> impl Iterator<Item = usize> {
        (0..self.rulings.len()).filter(move |claim| is(self.rulings[*claim]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::fixtures::{agreeing_score, rules};

    fn split(branches: &[&[TokenId]], agreed: &[TokenId]) -> Option<Split> {
        let branches: Vec<_> = (0..).map(OwnerId).zip(branches.iter().copied()).collect();
        first_split(&branches, agreed)
    }

    fn claims(claims: &[(TokenId, &[usize])]) -> Vec<Claim> {
        let claim = |(token, branches): &(TokenId, &[usize])| Claim {
            token: *token,
            branches: branches.to_vec(),
        };
        claims.iter().map(claim).collect()
    }

    fn score(own: TokenId, margin: f64) -> PositionScore {
        PositionScore { own, margin, ..agreeing_score(own) }
    }

    #[test]
    fn a_pair_parts_at_the_first_token_that_differs() {
        let found = split(&[&[5, 6, 7], &[5, 6, 8, 9]], &[5]).unwrap();
        assert_eq!(found, Split { position: 2, claims: claims(&[(7, &[0]), (8, &[1])]) });
        assert_eq!(split(&[&[5, 6, 7], &[5, 6]], &[5]), None, "the slower may still agree");
        assert_eq!(split(&[], &[]), None);
    }

    #[test]
    fn who_left_what_is_agreed_takes_no_part() {
        let found = split(&[&[5, 6], &[5, 7], &[9, 9], &[5, 6, 8]], &[5]).unwrap();
        assert_eq!(found.claims, claims(&[(6, &[0, 3]), (7, &[1])]));
        assert_eq!(split(&[&[5, 6], &[9, 9]], &[5]), None);
    }

    #[test]
    fn one_score_decides_between_two() {
        let split = split(&[&[7], &[8]], &[]).unwrap();
        let found = adjudicate(&split, &[(7, score(8, 2.0))], &rules());
        let expected = [Ruling::Refuted { margin: 2.0 }, Ruling::Stands { margin: 0.0 }];
        assert_eq!(found.rulings, expected);
        assert_eq!((found.best(), found.open().count()), (Some(1), 0));
        assert_eq!(found.refuted().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn when_the_model_wants_something_else_the_other_needs_its_own_score() {
        let split = split(&[&[7], &[8]], &[]).unwrap();
        assert_eq!(adjudicate(&split, &[], &rules()).open().collect::<Vec<_>>(), [0, 1]);
        let found = adjudicate(&split, &[(7, score(50, 2.0))], &rules());
        assert_eq!((found.best(), found.open().collect::<Vec<_>>()), (None, vec![1]));
        let scores = [(7, score(50, 2.0)), (8, score(50, 1e-3))];
        let found = adjudicate(&split, &scores, &rules());
        assert_eq!(found.rulings[1], Ruling::Stands { margin: 1e-3 });
        assert_eq!(found.best(), Some(1));
    }

    #[test]
    fn of_several_that_stand_the_nearest_goes_on_and_the_kinder_score_counts() {
        let split = split(&[&[7], &[8]], &[]).unwrap();
        let near_tie = [(7, score(8, 5e-4))];
        assert_eq!(adjudicate(&split, &near_tie, &rules()).best(), Some(1));
        let contradicting = [(7, score(50, 2.0)), (8, score(50, 3.0)), (7, score(7, 0.0))];
        let found = adjudicate(&split, &contradicting, &rules());
        assert_eq!(found.best(), Some(0));
    }

    proptest! {
        #[test]
        fn before_a_split_all_are_one_and_at_it_they_are_not(
            texts in prop::collection::vec(prop::collection::vec(0u32..2, 0..6), 0..5),
            agreed in prop::collection::vec(0u32..2, 0..3),
        ) {
            let texts: Vec<&[TokenId]> = texts.iter().map(Vec::as_slice).collect();
            let live: Vec<_> = texts.iter().filter(|ids| ids.starts_with(&agreed)).collect();
            match split(&texts, &agreed) {
                Some(Split { position, claims }) => {
                    prop_assert!(position >= agreed.len() && claims.len() >= 2);
                    let members: Vec<_> = claims.iter().flat_map(|it| &it.branches).collect();
                    let first = texts[*members[0]];
                    prop_assert!(members.iter().all(|it| texts[**it][..position] == first[..position]));
                    for claim in &claims {
                        prop_assert!(claim.branches.iter().all(|it| texts[*it][position] == claim.token));
                    }
                    let reach = live.iter().filter(|ids| ids.len() > position).count();
                    prop_assert_eq!(members.len(), reach);
                }
                None => {
                    let longest = live.iter().max_by_key(|ids| ids.len());
                    prop_assert!(live.iter().all(|ids| longest.unwrap().starts_with(ids)));
                }
            }
        }
    }
}
