//! The verdict over the answers to one job: the algorithm that Assay was founded on, whole.
//!
//! - All answers match: it wins, all are paid.
//! - At least two owners match, more than any other group: theirs wins. Whoever differs is scored first, and so
//!   are they: a refuted majority gets nothing, a minority that the model confirms is paid too.
//! - None match: each is scored. One that passes alone wins and is paid; of several that pass the one with the
//!   smallest largest margin wins and all are paid; if none passes, nobody is paid and nothing wins.
//! - Fewer owners than were asked, one asked, a client who wants it, or equal tokens with unequal logits: scored in any
//!   case.
//! - One proven node was to answer alone: its answer counts unscored, unless an audit was drawn.
//! - A node that was called off because the model contradicted it is judged, but never the answer.
//! - An answer stands or falls with its tokens (R1), but each of those who gave it also with its own logits (R5) and with
//!   what it wrote itself (R2): it is accepted if the model confirms one of them, and only they are paid.
//! - Whoever a scorer refutes is shown to a second one, if there is one (`standing.rs`).

mod case;
#[cfg(test)]
pub(crate) mod fixtures;
mod standing;
#[cfg(test)]
mod tests;

use assay_protocol::{Outcome, TokenId};
use serde::Serialize;

pub use standing::{Scored, deciding};

use crate::{Answer, Finding, Rules};
use case::Case;

/// How the answers came to be, and what can be done to check them.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// How many owners were to answer. With fewer, and with one, every answer is scored.
    pub asked: u32,
    /// Whether the client's policy wants every answer scored; then nothing is accepted without.
    pub score_all: bool,
    /// Whether one proven node was to answer alone: nothing else asks for a score then.
    pub trusted_alone: bool,
    pub scorer: Scorer,
    /// Whether a second scorer can be asked about what a first one refutes. Say [`Scorer::Absent`] once it was asked and
    /// gave no findings. Without one a refuted answer is unpaid, but nothing is proven.
    pub second_scorer: Scorer,
    /// What the client has been sent already: the winner begins with it.
    pub released: &'a [TokenId],
}

/// Whether somebody trusted can run the model over an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scorer {
    Available,
    /// Nobody will: agreed answers count unchecked, unless the policy forbids it; no other unscored one does.
    Absent,
}

/// What to do with a set of answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// Score these answers (by index; each stands for all with the same ids) and judge again.
    NeedsScores(Vec<usize>),
    /// Score these again, each by a scorer that has not looked at it yet, and judge again.
    NeedsSecondScore(Vec<usize>),
    Decided(Verdict),
}

/// A decision. Whoever is paid ([`Outcome::is_paid`]) shares with the others who are; without a winner nobody is.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The answer that the client gets; equal ones stand behind it.
    pub winner: Option<usize>,
    /// For each answer, in order.
    pub outcomes: Vec<Outcome>,
    /// What each node's record learns, in order; nothing where nobody looked, or where scorers contradict each other.
    pub findings: Vec<Option<Finding>>,
    pub rule: Rule,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// At least two owners gave the same answer without a fault of their own, and nobody another one.
    Agreement,
    /// At least two owners gave the same answer without a fault of their own, more than any other.
    Majority,
    /// No two owners of one answer stood; the model itself confirmed the winner.
    SpotChecks,
    /// One proven node was asked, and nobody looked at this answer of its.
    Trusted,
    /// No winner: every answer was refuted.
    NonePassed,
    /// No winner: nobody could check what needed a check.
    Undecided,
    /// No winner: the model, or every answer that passed, contradicts what the client had been sent.
    ReleasedContradicted,
}

/// Decides over these answers, or says which to score first. `scored` may hold the findings about any of them,
/// in any order, from this and earlier calls.
///
/// Answers that break a rule of structure are out at once. An answer of a node that was called off before it
/// wrote anything is [`Outcome::Cancelled`].
pub fn judge(
    answers: &[Answer],
    scored: &[Scored],
    setting: &Setting<'_>,
    rules: &Rules,
) -> Judgement {
    let case = Case::new(answers, scored, setting, rules);
    let unscored = case.unscored_that_need_it(rules);
    if setting.scorer == Scorer::Available && !unscored.is_empty() {
        return Judgement::NeedsScores(unscored);
    }
    let contradicted = case.contradicted_once();
    if setting.second_scorer == Scorer::Available && !contradicted.is_empty() {
        return Judgement::NeedsSecondScore(contradicted);
    }
    Judgement::Decided(case.decide())
}
