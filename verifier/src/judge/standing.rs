//! How one answer stands before its scorers: confirmed, failed, and whether a second scorer says the same.
//!
//! A scorer that confirms an answer is believed. One that refutes it is asked about: a second scorer has the last word.
//! If it refutes the answer too, the failure is proven. If it confirms it, the answer passes: the first was of another
//! class, or broken, and the node must not pay for that. It teaches nothing about the node then.

use std::collections::BTreeSet;

use assay_protocol::{NodeId, Outcome};

use crate::{Answer, FaultKind, Finding, SpotCheck};

/// What one scorer found about one sequence of ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    pub scorer: NodeId,
    pub check: SpotCheck,
}

/// How an answer stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing<'a> {
    Unscored,
    Confirmed {
        check: &'a SpotCheck,
        disputed: bool,
    },
    Refuted {
        check: &'a SpotCheck,
        kind: FaultKind,
        proven: bool,
    },
    /// The model contradicts what the node was handed, and nothing that it wrote itself.
    Misled {
        check: &'a SpotCheck,
    },
}

/// The findings that count for this answer: those that confirm it, if any do, otherwise the first.
pub fn deciding<'a>(answer: &Answer, scored: &'a [Scored]) -> Option<&'a Scored> {
    let mut of_answer = scored.iter().filter(|scored| scored.check.is_of(answer));
    let first = of_answer.clone().next()?;
    Some(of_answer.find(|scored| scored.check.confirms(answer)).unwrap_or(first))
}

/// How many scorers looked at these ids.
pub(super) fn scorers(answer: &Answer, scored: &[Scored]) -> usize {
    let of_answer = scored.iter().filter(|scored| scored.check.is_of(answer));
    of_answer.map(|scored| scored.scorer).collect::<BTreeSet<_>>().len()
}

impl<'a> Standing<'a> {
    pub(super) fn of(answer: &Answer, scored: &'a [Scored]) -> Self {
        let Some(Scored { check, .. }) = deciding(answer, scored) else { return Self::Unscored };
        let of_answer = || scored.iter().filter(|scored| scored.check.is_of(answer));
        if check.confirms(answer) {
            let disputed = of_answer().any(|scored| !scored.check.confirms(answer));
            return Self::Confirmed { check, disputed };
        }
        let blames = |scored: &&Scored| scored.check.failure(answer).is_some();
        let blaming: BTreeSet<NodeId> =
            of_answer().filter(blames).map(|scored| scored.scorer).collect();
        match check.failure(answer) {
            Some(kind) => Self::Refuted { check, kind, proven: blaming.len() > 1 },
            None => Self::Misled { check },
        }
    }

    pub(super) fn is_confirmed(self) -> bool {
        matches!(self, Self::Confirmed { .. })
    }

    /// Whether a scorer spoke against it, or against what it goes on from.
    pub(super) fn is_contradicted(self) -> bool {
        matches!(self, Self::Refuted { .. } | Self::Misled { .. })
    }

    pub(super) fn check(self) -> Option<&'a SpotCheck> {
        match self {
            Self::Unscored => None,
            Self::Confirmed { check, .. }
            | Self::Refuted { check, .. }
            | Self::Misled { check } => Some(check),
        }
    }

    pub(super) fn failure(self) -> Option<Outcome> {
        let Self::Refuted { kind, .. } = self else { return None };
        Some(match kind {
            FaultKind::Spot => Outcome::FailedSpotCheck,
            FaultKind::End => Outcome::FailedEndCheck,
            FaultKind::Whole => Outcome::FailedWholeAnswer,
            FaultKind::Logits => Outcome::FailedLogits,
            FaultKind::Logprobs => Outcome::FailedLogprobs,
        })
    }

    /// What the node's record learns.
    pub(super) fn finding(self, answer: &Answer) -> Option<Finding> {
        match self {
            Self::Confirmed { check, disputed: false } => {
                Some(Finding::Passed { weight: check.pass_weight(answer) })
            }
            Self::Refuted { proven, .. } => Some(Finding::Failed { proven }),
            Self::Unscored | Self::Misled { .. } | Self::Confirmed { .. } => None,
        }
    }
}
