//! Answers and scores to test with: a model of 100 tokens whose scorer knows one true answer.

use assay_protocol::{Finish, NodeId, PositionScore, TokenId};
use proptest::prelude::*;
use uuid::Uuid;

use crate::{Answer, OwnerId, Rules, SpotCheck, SpotChecks, Told, spot_check};

/// The end token.
pub(crate) const END: TokenId = 2;

pub(crate) fn rules() -> Rules {
    Rules {
        tau_gap: crate::rules::TAU_GAP,
        tau_logit: None,
        sigma2_max: None,
        flips_max_per_mille: None,
        temperature: 1.0,
        positions: SpotChecks::Random(4),
        max_tokens: 8,
        vocab_size: 100,
        end_tokens: vec![END],
    }
}

/// An answer of the only node of an owner. It says that it stopped.
pub(crate) fn answer(owner: i64, ids: &[TokenId]) -> Answer {
    Answer {
        node: NodeId(Uuid::from_u128(owner.unsigned_abs().into())),
        owner: OwnerId(owner),
        ids: ids.to_vec(),
        from: 0,
        logits: vec![],
        logprobs: vec![],
        finish: Finish::Stop,
        told: Told::No,
    }
}

pub(crate) fn agreeing_score(id: TokenId) -> PositionScore {
    PositionScore { own: id, margin: 0.0, logit: 1.0, sum_p2: 0.5 }
}

/// Findings that agree with the answer but at these positions: (position, own token, margin).
pub(crate) fn check(answer: &Answer, contradictions: &[(usize, TokenId, f64)]) -> SpotCheck {
    let mut scores: Vec<_> = answer.ids.iter().copied().map(agreeing_score).collect();
    for (position, own, margin) in contradictions.iter().copied() {
        scores[position] = PositionScore { own, margin, ..scores[position] };
    }
    spot_check(answer, scores, &rules(), [0; 32]).unwrap()
}

/// Some answers of up to four owners, few enough texts that they often match, one in a few broken.
pub(crate) fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let text = prop::sample::select(vec![
        vec![5, END],
        vec![5, 6, END],
        vec![5, 7, END],
        vec![8, END],
        vec![9, 9],
    ]);
    prop::collection::vec((0i64..4, text), 0..6).prop_map(|said| {
        (0u128..)
            .zip(said)
            .map(|(node, (owner, ids))| Answer {
                node: NodeId(Uuid::from_u128(node)),
                ..answer(owner, &ids)
            })
            .collect()
    })
}
