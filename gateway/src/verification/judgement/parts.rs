//! What became of each node in a round: judged, left out, or never decided about.

use assay_ledger::AccountId;
use assay_protocol::{Finish, NodeId, Outcome, TokenId};
use assay_verifier::{Answer, OwnerId, Told};

use super::{
    super::{evidence::PartEvidence, explanation::explain, reputation::Check},
    Case,
    scores::Scores,
};
use crate::{
    nodes::NodeHandle,
    serving::{Branch, Stage},
};

/// One node's part in one round, for its pay, its reputation and its operator.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) node: NodeId,
    pub(crate) handle: NodeHandle,
    pub(crate) owner: AccountId,
    pub(crate) round: u8,
    pub(crate) outcome: Outcome,
    /// A sentence for the operator.
    pub(crate) reason: String,
    /// JSON: what the sentence rests on.
    pub(crate) evidence: String,
    /// Tokens that it sent.
    pub(crate) tokens: u32,
    /// Those of them that were judged: its share of the pay, if it is paid.
    pub(crate) tokens_judged: u32,
    pub(crate) elapsed_ms: i64,
    /// What it means for the node's reputation, if the answer was checked.
    pub(crate) check: Option<Check>,
}

/// The parts of a round that came to no verdict: nobody is paid, and only those who left are to blame.
pub(crate) fn undecided(round: u8, branches: &[Branch]) -> Vec<Part> {
    let part = |branch: &Branch| match branch.stage {
        Stage::Lost(..) => left_out(round, branch),
        _ if branch.is_live() => {
            let reason = "the job ended before its answer could be judged";
            Some(part(round, branch, Outcome::Cancelled, reason.into()))
        }
        _ => None,
    };
    branches.iter().filter_map(part).collect()
}

/// The part of a node whose answer was judged.
pub(super) fn judged_part(
    case: &Case<'_>,
    branch: &Branch,
    answer: &Answer,
    outcome: Outcome,
    answers: &[Answer],
    scores: &Scores,
) -> Part {
    let scored = scores.of(answer);
    let explanation = explain(outcome, answer, answers, &case.rules, scored);
    Part {
        evidence: timed(branch, explanation.evidence),
        tokens_judged: u32::try_from(answer.ids.len()).unwrap_or(u32::MAX) - answer.from,
        ..part(case.round, branch, outcome, explanation.reason)
    }
}

/// A node that gave no whole answer; none for one that never got the work.
pub(in super::super) fn left_out(round: u8, branch: &Branch) -> Option<Part> {
    match &branch.stage {
        Stage::Lost(outcome, reason) => Some(part(round, branch, *outcome, reason.clone())),
        Stage::Complete(_) => {
            let reason = "called off before it had written all that counts";
            Some(part(round, branch, Outcome::Cancelled, reason.into()))
        }
        Stage::Offered | Stage::Accepted | Stage::Writing | Stage::Refuted { .. } => None,
    }
}

/// A part of which nothing is known but how it came out.
pub(in super::super) fn part(round: u8, branch: &Branch, outcome: Outcome, reason: String) -> Part {
    Part {
        node: branch.node(),
        handle: branch.handle.clone(),
        owner: branch.owner,
        round,
        outcome,
        reason,
        evidence: timed(branch, PartEvidence::default()),
        tokens: branch.own_tokens(),
        tokens_judged: 0,
        elapsed_ms: branch.elapsed_ms(),
        check: None,
    }
}

/// The evidence with its timing, as it is stored.
pub(in super::super) fn timed(branch: &Branch, evidence: PartEvidence) -> String {
    let elapsed_ms = Some(branch.elapsed_ms().unsigned_abs());
    PartEvidence { first_token_ms: branch.first_token_ms(), elapsed_ms, ..evidence }.json()
}

impl Branch {
    /// The answer as the verifier judges it; nothing while it is not whole.
    pub(super) fn answer(&self, cut: Option<usize>) -> Option<Answer> {
        if let Stage::Refuted { .. } = self.stage {
            return Some(self.answer_of(&self.ids, Finish::Told, Told::CalledOff));
        }
        let (ids, finish) = self.whole(cut)?;
        if finish == Finish::Told && cut.is_some_and(|at| ids.len() < at) {
            return None;
        }
        let told = match (cut, finish) {
            (Some(at), Finish::Told) if ids.len() == at => {
                Told::At(u32::try_from(at).unwrap_or(u32::MAX))
            }
            (_, Finish::Told) => Told::Anywhere,
            _ => Told::No,
        };
        Some(self.answer_of(ids, finish, told))
    }

    fn answer_of(&self, ids: &[TokenId], finish: Finish, told: Told) -> Answer {
        let handed = self.prefix_tokens().min(ids.len());
        Answer {
            node: self.node(),
            owner: OwnerId(self.owner.0),
            ids: ids.to_vec(),
            logits: self.own_logits(ids.len()).to_vec(),
            logprobs: self.own_logprobs(ids.len()).to_vec(),
            from: u32::try_from(handed).unwrap_or(u32::MAX),
            finish,
            told,
        }
    }
}
