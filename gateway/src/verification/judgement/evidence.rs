//! What an audit rests on, for the log and for the client.

use assay_protocol::AnswerChain;
use assay_verifier::{
    Answer,
    log::{
        Evidence,
        entry::AuditResult,
        evidence::{Measured, Scored},
    },
};

use super::scores::Scores;
use crate::{receipts::nano, serving::Question};

impl Scores {
    /// Everything that scorers measured.
    pub(in super::super) fn evidence(
        &self,
        question: Question<'_>,
        round: u8,
        result: AuditResult,
        answers: &[Answer],
        temperature: f64,
    ) -> Evidence {
        let start = AnswerChain::start(question.job, question.salt, question.prompt);
        let scored = self.0.iter().map(|scored| {
            let check = &scored.check;
            let nodes = answers.iter().filter(|answer| check.is_of(answer)).map(|answer| {
                let measures = check.measures(answer);
                Measured {
                    node: answer.node,
                    sigma2_nano: measures.sigma2(temperature).map(nano),
                    logit_difference_nano: measures.logit_difference.map(nano),
                }
            });
            Scored {
                scorer: scored.scorer,
                link: start.clone().extended(check.ids()).hash(),
                margins_nano: check.margins().map(nano).collect(),
                positions: check.positions().to_vec(),
                nodes: nodes.collect(),
            }
        });
        Evidence { job: question.job, round, result, scored: scored.collect() }
    }
}
