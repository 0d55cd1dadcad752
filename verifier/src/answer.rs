//! An answer as a node gave it, and the check that needs no model (R0).

use assay_protocol::{Finish, NodeId, TokenId, TokenLogprobs, ToldToken};
use serde::{Deserialize, Serialize};

use crate::Rules;

/// Who runs a node. Nodes of one owner never make a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerId(pub i64);

/// A complete answer of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub node: NodeId,
    pub owner: OwnerId,
    /// All output ids, those that were handed over included, end token included.
    pub ids: Vec<TokenId>,
    /// How many of the ids were handed over: the node does not answer for them.
    pub from: u32,
    /// The raw logit of each token that the node wrote itself (`ids[from..]`), as it reported them. Empty only where
    /// no logits are collected; then [`Rules::tau_logit`] is none.
    pub logits: Vec<f32>,
    /// What else it told of each of these, where the job asks for it; otherwise empty.
    pub logprobs: Vec<TokenLogprobs>,
    /// What the node says of the end.
    pub finish: Finish,
    /// What the gateway told it about the end; without it, `finish` cannot be [`Finish::Told`].
    pub told: Told,
}

/// Whether the gateway told a node where to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// It did not.
    #[default]
    No,
    /// After this many output ids: a stop string ended there.
    At(u32),
    /// Wherever it was: the job was cancelled.
    Anywhere,
    /// Where the model contradicted it: it was called off, and is no answer whatever a second scorer says.
    CalledOff,
}

/// What breaks a rule that needs no model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum StructureFault {
    #[error("the answer is empty")]
    Empty,
    #[error("the answer has {count} tokens; {max} were allowed")]
    TooLong { count: usize, max: u32 },
    #[error("the answer has {count} tokens, fewer than the {from} that were handed over")]
    ShorterThanPrefix { count: usize, from: u32 },
    #[error("token {id} at position {position} is not in the vocabulary")]
    OutsideVocabulary { position: usize, id: TokenId },
    #[error("the answer goes on after an end token at position {position}")]
    GoesOnAfterEnd { position: usize },
    #[error("it says that it stopped, but the last token is no end token")]
    StopWithoutEnd,
    #[error("it says that it is as long as allowed, but it has {count} of {max} tokens")]
    LengthTooShort { count: usize, max: u32 },
    #[error("it says that it is as long as allowed, but it ends with an end token")]
    LengthWithEnd,
    #[error("it says that it was told to end, but it was not")]
    NotTold,
    #[error("it was told to end after {at} tokens and has {count}")]
    ToldElsewhere { count: usize, at: u32 },
    #[error("{count} logits came with {tokens} tokens of its own")]
    LogitsDoNotPair { count: usize, tokens: usize },
}

impl Answer {
    /// The tokens that the node answers for.
    pub fn own_ids(&self) -> &[TokenId] {
        self.ids.get(self.from as usize..).unwrap_or_default()
    }

    /// The reported logit of the token at this output position.
    pub(crate) fn logit_at(&self, position: usize) -> Option<f32> {
        self.logits.get(position.checked_sub(self.from as usize)?).copied()
    }

    /// What it told of the token at this output position, where the job asks for it.
    pub fn told_at(&self, position: usize) -> Option<ToldToken> {
        let own = position.checked_sub(self.from as usize)?;
        let (logit, logprobs) = (*self.logits.get(own)?, self.logprobs.get(own)?.clone());
        Some(ToldToken { logit, logprobs })
    }

    /// Whether two nodes said the same, to the last token and for the same reason.
    pub fn is_equal_to(&self, other: &Self) -> bool {
        self.ids == other.ids && self.finish == other.finish
    }

    /// Whether the node was called off before it wrote anything.
    pub(crate) fn is_called_off_empty(&self) -> bool {
        self.finish == Finish::Told
            && matches!(self.told, Told::At(_) | Told::Anywhere)
            && self.ids.len() == self.from as usize
    }
}

/// R0: ids, counts and the reason for the end fit each other and the job.
pub fn check_structure(answer: &Answer, rules: &Rules) -> Result<(), StructureFault> {
    let Answer { ids, from, .. } = answer;
    let (count, max) = (ids.len(), rules.max_tokens);
    if count > max as usize {
        return Err(StructureFault::TooLong { count, max });
    }
    if count < *from as usize {
        return Err(StructureFault::ShorterThanPrefix { count, from: *from });
    }
    if let Some(position) = ids.iter().position(|id| *id >= rules.vocab_size) {
        return Err(StructureFault::OutsideVocabulary { position, id: ids[position] });
    }
    let (count_logits, tokens) = (answer.logits.len(), answer.own_ids().len());
    if count_logits != tokens && (count_logits > 0 || rules.tau_logit.is_some()) {
        return Err(StructureFault::LogitsDoNotPair { count: count_logits, tokens });
    }
    if !answer.logprobs.is_empty() && answer.logprobs.len() != tokens {
        return Err(StructureFault::LogitsDoNotPair { count: answer.logprobs.len(), tokens });
    }
    let first_end = ids.iter().position(|id| rules.is_end(*id));
    match first_end {
        Some(position) if position + 1 < count => Err(StructureFault::GoesOnAfterEnd { position }),
        _ => check_finish(answer, max, first_end.is_some()),
    }
}

fn check_finish(answer: &Answer, max: u32, ends: bool) -> Result<(), StructureFault> {
    let count = answer.ids.len();
    match (answer.finish, answer.told) {
        (Finish::Stop | Finish::Length, _) if count == 0 => Err(StructureFault::Empty),
        (Finish::Stop, _) if !ends => Err(StructureFault::StopWithoutEnd),
        (Finish::Length, _) if ends => Err(StructureFault::LengthWithEnd),
        (Finish::Length, _) if count < max as usize => {
            Err(StructureFault::LengthTooShort { count, max })
        }
        (Finish::Told, Told::No) => Err(StructureFault::NotTold),
        (Finish::Told, Told::At(at)) if count != at as usize => {
            Err(StructureFault::ToldElsewhere { count, at })
        }
        // A node that is told to end may just have written an end token: that is no fault.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixtures::{END, answer, rules};

    fn fault(ids: &[TokenId], finish: Finish, told: Told) -> Option<StructureFault> {
        let answer = Answer { finish, told, ..answer(1, ids) };
        check_structure(&answer, &rules()).err()
    }

    #[test]
    fn an_answer_ends_for_the_reason_it_gives() {
        use StructureFault as F;
        let stop = |ids| fault(ids, Finish::Stop, Told::No);
        let length = |ids| fault(ids, Finish::Length, Told::No);
        assert_eq!(stop(&[5, 6, END]), None);
        assert_eq!(stop(&[5, 6]), Some(F::StopWithoutEnd));
        assert_eq!(stop(&[5, END, 6, END]), Some(F::GoesOnAfterEnd { position: 1 }));
        assert_eq!(stop(&[]), Some(F::Empty));
        assert_eq!(length(&[5; 8]), None);
        assert_eq!(length(&[5; 7]), Some(F::LengthTooShort { count: 7, max: 8 }));
        assert_eq!(length(&[5, 5, 5, 5, 5, 5, 5, END]), Some(F::LengthWithEnd));
        assert_eq!(stop(&[5; 9]), Some(F::TooLong { count: 9, max: 8 }));
        assert_eq!(stop(&[5, 100, END]), Some(F::OutsideVocabulary { position: 1, id: 100 }));
    }

    #[test]
    fn nobody_ends_early_by_claiming_to_have_been_told() {
        let told = |ids, told| fault(ids, Finish::Told, told);
        assert_eq!(told(&[5, 6], Told::No), Some(StructureFault::NotTold));
        assert_eq!(told(&[5, 6], Told::At(2)), None);
        assert_eq!(
            told(&[5], Told::At(2)),
            Some(StructureFault::ToldElsewhere { count: 1, at: 2 })
        );
        assert_eq!(told(&[5], Told::Anywhere), None);
        assert_eq!(told(&[5, END], Told::Anywhere), None);
    }

    #[test]
    fn logits_come_one_for_each_own_token() {
        let check = |from, logits: &[f32], tau_logit| {
            let said = Answer { from, logits: logits.to_vec(), ..answer(1, &[5, 6, END]) };
            check_structure(&said, &Rules { tau_logit, ..rules() })
        };
        let fault = |count, tokens| Err(StructureFault::LogitsDoNotPair { count, tokens });
        assert_eq!(check(1, &[0.5, 0.5], Some(1e-4)), Ok(()));
        assert_eq!(check(3, &[], Some(1e-4)), Ok(()));
        assert_eq!(check(0, &[], None), Ok(()));
        assert_eq!(check(0, &[], Some(1e-4)), fault(0, 3));
        assert_eq!(check(0, &[0.5], None), fault(1, 3));
        assert_eq!(check(1, &[0.5; 3], None), fault(3, 2));
    }

    #[test]
    fn an_answer_holds_the_prefix_it_was_handed() {
        let answer = Answer { from: 4, ..answer(1, &[5, 6, END]) };
        let fault = StructureFault::ShorterThanPrefix { count: 3, from: 4 };
        assert_eq!(check_structure(&answer, &rules()), Err(fault));
    }
}
