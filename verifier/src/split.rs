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
