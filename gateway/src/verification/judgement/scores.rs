//! What scorers said of the answers to one round, and whom to ask next.

use std::time::{Duration, Instant};

use assay_protocol::{NodeId, TokenId};
use assay_verifier::{Answer, Scored, deciding, spot_check};
use futures_util::future::join_all;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tracing::{error, warn};

use super::{
    super::scorer::{self, Score},
    Case,
};
use crate::app::App;

/// What scorers said so far.
#[derive(Debug, Default)]
pub(super) struct Scores(pub(super) Vec<Scored>);

impl Scores {
    /// Scores these answers at once. False when one could not be scored in time.
    pub(super) async fn score(&mut self, app: &App, case: &Case<'_>, open: &[&Answer]) -> bool {
        // A scorer that is merely busy is worth all the time of the job: audits must not be starved.
        let wait = Duration::from_millis(app.config.serving.scorer_wait_ms);
        let until = match scorer::is_available(app, case.question) {
            true => case.deadline,
            false => case.deadline.min(Instant::now() + wait),
        };
        let scores =
            open.iter().map(|answer| scorer::score(app, case.question, &answer.ids, until));
        let mut all = true;
        for (answer, score) in open.iter().zip(join_all(scores).await) {
            all &= score.is_some_and(|score| self.add(app, case, answer, score));
        }
        all
    }

    /// Has each of these scored by somebody who has not looked at it yet. False when one was not.
    pub(super) async fn score_again(
        &mut self,
        app: &App,
        case: &Case<'_>,
        open: &[&Answer],
    ) -> bool {
        let mut all = true;
        for answer in open {
            let looked: Vec<NodeId> = self.about(answer).map(|scored| scored.scorer).collect();
            if !scorer::is_another_available(app, case.question, &looked) {
                all = false;
                continue;
            }
            let (question, until) = (case.question, case.deadline);
            let score = scorer::score_by_another(app, question, &answer.ids, until, &looked).await;
            all &= score.is_some_and(|score| self.add(app, case, answer, score));
        }
        all
    }

    /// Scorers that contradict each other: one of them is broken or of another class, and a person must look.
    pub(super) fn tell_disputes(&self, app: &App, answers: &[Answer]) -> bool {
        let mut any = false;
        for answer in answers {
            let confirms = |scored: &&Scored| scored.check.confirms(answer);
            let (confirming, refuting): (Vec<_>, Vec<_>) = self.about(answer).partition(confirms);
            if let (Some(confirming), Some(refuting)) = (confirming.first(), refuting.first()) {
                any = true;
                app.disputes.add_one();
                error!(
                    node = %answer.node, confirmed_by = %confirming.scorer,
                    refuted_by = %refuting.scorer, "scorers contradict each other; nobody is punished"
                );
            }
        }
        any
    }

    /// Adds what was found while the answers were written, as far as it is about the whole of one.
    pub(super) fn add_found(&mut self, app: &App, case: &Case<'_>, answers: &[Answer]) {
        for score in case.found {
            let is_of = |answer: &&Answer| {
                score.ids.starts_with(&answer.ids)
                    && !self.about(answer).any(|it| it.scorer == score.scorer)
            };
            for answer in answers.iter().filter(is_of).cloned().collect::<Vec<_>>() {
                let positions = score.positions[..answer.ids.len()].to_vec();
                self.add(app, case, &answer, Score { positions, ..score.clone() });
            }
        }
    }

    pub(super) fn about(&self, answer: &Answer) -> impl Iterator<Item = &Scored> {
        self.0.iter().filter(|scored| scored.check.is_of(answer))
    }

    fn add(&mut self, app: &App, case: &Case<'_>, answer: &Answer, score: Score) -> bool {
        let draw = draw(app, b"spot checks", case, &answer.ids);
        match spot_check(answer, score.positions, &case.rules, draw) {
            Ok(check) => {
                self.0.push(Scored { scorer: score.scorer, check });
                true
            }
            Err(error) => {
                warn!(scorer = %score.scorer, %error, "scores that say nothing");
                false
            }
        }
    }

    /// The findings that count for an answer.
    pub(super) fn of(&self, answer: &Answer) -> Option<&Scored> {
        deciding(answer, &self.0)
    }
}

/// Secret randomness, fixed by the gateway's secret, the job and what was answered.
fn draw(app: &App, purpose: &[u8], case: &Case<'_>, ids: &[TokenId]) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(app.keys.k_seed()).expect("any key length is good");
    mac.update(b"assay/draw/1\0");
    mac.update(purpose);
    mac.update(case.question.job.0.as_bytes());
    mac.update(&[case.round]);
    ids.iter().for_each(|id| mac.update(&id.to_le_bytes()));
    mac.finalize().into_bytes().into()
}
