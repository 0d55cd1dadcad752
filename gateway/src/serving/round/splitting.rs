//! Where nodes that write part: the model is asked about that position at once, and the honest ones go on.
//!
//! One score mostly settles a split: it is asked for the claim that fewer hold to be true, and names the model's own
//! token. Whoever is refuted is called off and judged by that score; a proven node by two, where there are two. Of claims that all pass, the one with the smallest
//! margin is the answer's; the others write on apart from it, have no more say, and are judged and paid at the end.

use assay_protocol::TokenId;
use assay_verifier::{OwnerId, Ruling, Split, adjudicate, first_split};

use super::{super::answer::Answer, Round, agreeing::common};

/// A split, and who is on which side.
#[derive(Debug)]
struct Parting {
    split: Split,
    /// What all of them wrote before it.
    common: Vec<TokenId>,
    /// For each branch of the split, its index in the round; none for what was released already.
    sides: Vec<Option<usize>>,
}

impl Round<'_> {
    /// Settles splits as far as the model has been heard, and asks it about the next.
    pub(super) fn settle_splits(&mut self, answer: &mut Answer<'_>) {
        loop {
            let parting = self.parting(answer);
            let may_settle = self.inquiry.is_some() || self.may_inquire(answer);
            self.split_at = parting.as_ref().filter(|_| may_settle).map(|it| it.split.position);
            let Some(parting) = parting.filter(|_| may_settle && self.inquiry.is_none()) else {
                return;
            };
            let scores: Vec<_> = self
                .found
                .iter()
                .filter(|score| {
                    score.ids.split_last().is_some_and(|(_, ids)| ids == parting.common)
                        && !self.is_overruled(score)
                })
                .filter_map(|score| Some((*score.ids.last()?, *score.positions.last()?)))
                .collect();
            let rulings = adjudicate(&parting.split, &scores, &self.rules);
            let open = rulings.open().min_by_key(|claim| self.weight(&parting, *claim));
            if let Some(claim) = open {
                return self.inquire(parting.claimed(claim));
            }
            let mut refuted = rulings.refuted().map(|claim| parting.claimed(claim));
            if refuted.any(|claimed| self.inquire_again(&claimed, answer)) {
                return;
            }
            self.carry_out(&parting, &rulings.rulings, rulings.best(), answer);
            if self.is_over() {
                return;
            }
        }
    }

    /// The first position where those who write for this answer differ, from each other or from what was released.
    fn parting(&self, answer: &Answer<'_>) -> Option<Parting> {
        let released = answer.ids();
        let mut branches = vec![(OwnerId(i64::MIN), released)];
        let mut sides = vec![None];
        for (index, branch) in self.branches.iter().enumerate().filter(|(_, it)| it.counts()) {
            branches.push((OwnerId(branch.owner.0), &branch.ids[..]));
            sides.push(Some(index));
        }
        let (_, longest) = branches.iter().copied().max_by_key(|(_, ids)| ids.len())?;
        let apart = branches.iter().filter(|(_, ids)| !longest.starts_with(ids));
        let agreed = apart.map(|(_, ids)| common(ids, longest)).min()?;
        let split = first_split(&branches, &longest[..agreed])?;
        let one = split.claims.first()?.branches.first()?;
        let common = branches[*one].1[..split.position].to_vec();
        Some(Parting { split, common, sides })
    }

    /// Those who stand behind a claim: proven ones first of all.
    fn weight(&self, parting: &Parting, claim: usize) -> (usize, usize) {
        let behind = &parting.split.claims[claim].branches;
        let proven = |branch: &&usize| {
            parting.sides[**branch].is_some_and(|index| self.branches[index].trust.proven)
        };
        (behind.iter().filter(proven).count(), behind.len())
    }

    fn carry_out(
        &mut self,
        parting: &Parting,
        rulings: &[Ruling],
        best: Option<usize>,
        answer: &mut Answer<'_>,
    ) {
        // What went out and passes is the answer's, whatever the margins say.
        let is_released = |claim: &usize| {
            let behind = &parting.split.claims[*claim].branches;
            let stands = matches!(rulings[*claim], Ruling::Stands { .. });
            stands && behind.iter().any(|branch| parting.sides[*branch].is_none())
        };
        let main = (0..rulings.len()).find(is_released).or(best);
        for (claim, ruling) in rulings.iter().enumerate() {
            match ruling {
                Ruling::Refuted { .. } => self.refute(&parting.claimed(claim), answer),
                Ruling::Stands { .. } if Some(claim) != main => {
                    for branch in &parting.split.claims[claim].branches {
                        if let Some(index) = parting.sides[*branch] {
                            self.branches[index].apart = true;
                        }
                    }
                }
                Ruling::Stands { .. } | Ruling::Open => {}
            }
        }
        if let Some(claim) = main.filter(|_| !self.is_over()) {
            self.release(&parting.claimed(claim), answer);
        }
    }
}

impl Parting {
    /// The common beginning and the token of a claim.
    fn claimed(&self, claim: usize) -> Vec<TokenId> {
        [&self.common[..], &[self.split.claims[claim].token]].concat()
    }
}
