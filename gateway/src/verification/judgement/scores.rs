//! What scorers said of answers, and whom to ask next, until there is a verdict.

use std::time::{Duration, Instant};

use assay_protocol::{NodeId, TokenId};
use assay_verifier::{
    Answer, Finding, Judgement as Step, Rule, Rules, Scored, Scorer, Setting, Verdict, deciding,
    judge, spot_check,
};
use futures_util::future::join_all;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tracing::{error, warn};

use super::super::scorer::{self, Score, Until};
use crate::{app::App, db::audits::AuditResult, serving::Question};

/// What scorers are asked about.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Matter<'a> {
    pub(in super::super) question: Question<'a>,
    pub(in super::super) rules: &'a Rules,
    pub(in super::super) round: u8,
    /// When their word comes too late.
    pub(in super::super) deadline: Instant,
    /// Scorers that others contradicted: they are not asked.
    pub(in super::super) overruled: &'a [NodeId],
}

/// What scorers said so far.
#[derive(Debug, Default)]
pub(in super::super) struct Scores(pub(super) Vec<Scored>);

impl Scores {
    /// Asks scorers whatever the verdict needs. An audit that finds none does not hold up what everybody agrees on.
    pub(in super::super) async fn verdict(
        &mut self,
        app: &App,
        matter: &Matter<'_>,
        answers: &[Answer],
        setting: Setting<'_>,
        audited: bool,
    ) -> Verdict {
        let mut now = setting;
        loop {
            now.score_all = setting.score_all || (audited && now.scorer == Scorer::Available);
            let of = |open: Vec<usize>| open.into_iter().map(|index| &answers[index]).collect();
            match judge(answers, &self.0, &now, matter.rules) {
                Step::Decided(verdict) => return verdict,
                Step::NeedsScores(open) => {
                    let open: Vec<&Answer> = of(open);
                    if !self.score(app, matter, &open).await {
                        now.scorer = Scorer::Absent;
                    }
                }
                Step::NeedsSecondScore(open) => {
                    let open: Vec<&Answer> = of(open);
                    if !self.score_again(app, matter, &open).await {
                        now.second_scorer = Scorer::Absent;
                    }
                }
            }
        }
    }

    /// Scores these answers at once. False when one could not be scored in time.
    async fn score(&mut self, app: &App, matter: &Matter<'_>, open: &[&Answer]) -> bool {
        let Matter { question, deadline, overruled, .. } = *matter;
        // A scorer that is merely busy is worth all the time of the job: audits must not be starved.
        let wait = Duration::from_millis(app.config.serving.scorer_wait_ms);
        let found = match scorer::is_another_available(app, question, overruled) {
            true => deadline,
            false => deadline.min(Instant::now() + wait),
        };
        let until = Until { found, heard: deadline };
        let scores =
            open.iter().map(|answer| scorer::score(app, question, &answer.ids, until, overruled));
        let mut all = true;
        for (answer, score) in open.iter().zip(join_all(scores).await) {
            all &= score.is_some_and(|score| self.add(app, matter, answer, score));
        }
        all
    }

    /// Has each of these scored by somebody who has not looked at it yet. False when one was not.
    async fn score_again(&mut self, app: &App, matter: &Matter<'_>, open: &[&Answer]) -> bool {
        let mut all = true;
        for answer in open {
            let looked = self.about(answer).map(|scored| scored.scorer);
            let except: Vec<NodeId> = looked.chain(matter.overruled.iter().copied()).collect();
            if !scorer::is_another_available(app, matter.question, &except) {
                all = false;
                continue;
            }
            let (question, until) = (matter.question, matter.deadline.into());
            let score = scorer::score(app, question, &answer.ids, until, &except).await;
            all &= score.is_some_and(|score| self.add(app, matter, answer, score));
        }
        all
    }

    /// Scorers that contradict each other: one of them is broken or of another class, and a person must look.
    pub(in super::super) fn tell_disputes(
        &self,
        app: &App,
        answers: &[Answer],
    ) -> Vec<Vec<TokenId>> {
        let mut disputed = Vec::new();
        for answer in answers {
            if let Some((confirming, refuting)) = self.disputes(answer) {
                disputed.push(answer.ids.clone());
                app.disputes.add_one();
                error!(
                    node = %answer.node, confirmed_by = %confirming, refuted_by = %refuting,
                    "scorers contradict each other; nobody is punished"
                );
            }
        }
        disputed
    }

    /// What an audit of these answers found; nothing where none was looked at, or nobody could decide.
    pub(in super::super) fn audit_result(
        &self,
        answers: &[Answer],
        verdict: &Verdict,
    ) -> Option<AuditResult> {
        let failed = verdict.findings.iter().any(|it| matches!(it, Some(Finding::Failed { .. })));
        match (verdict.winner, verdict.rule) {
            _ if failed => Some(AuditResult::Failed),
            (None, Rule::ReleasedContradicted) => Some(AuditResult::Failed),
            (Some(winner), _) if self.disputes(&answers[winner]).is_some() => {
                Some(AuditResult::Disputed)
            }
            (Some(winner), _) => self.of(&answers[winner]).map(|_| AuditResult::Passed),
            (None, _) => None,
        }
    }

    /// A scorer that confirms the answer, and one that contradicts it.
    fn disputes(&self, answer: &Answer) -> Option<(NodeId, NodeId)> {
        let confirms = |scored: &&Scored| scored.check.confirms(answer);
        let confirming = self.about(answer).find(confirms)?;
        let refuting = self.about(answer).find(|scored| !confirms(scored))?;
        Some((confirming.scorer, refuting.scorer))
    }

    /// Adds what was found while the answers were written, as far as it is about the whole of one.
    pub(super) fn add_found(
        &mut self,
        app: &App,
        matter: &Matter<'_>,
        found: &[Score],
        answers: &[Answer],
    ) {
        for score in found {
            let is_of = |answer: &&Answer| {
                score.ids.starts_with(&answer.ids)
                    && !self.about(answer).any(|it| it.scorer == score.scorer)
            };
            for answer in answers.iter().filter(is_of).cloned().collect::<Vec<_>>() {
                let positions = score.positions[..answer.ids.len()].to_vec();
                let logprobs = score.logprobs.get(..answer.ids.len()).unwrap_or_default().to_vec();
                self.add(app, matter, &answer, Score { positions, logprobs, ..score.clone() });
            }
        }
    }

    pub(super) fn about(&self, answer: &Answer) -> impl Iterator<Item = &Scored> {
        self.0.iter().filter(|scored| scored.check.is_of(answer))
    }

    fn add(&mut self, app: &App, matter: &Matter<'_>, answer: &Answer, score: Score) -> bool {
        let draw = draw(app, b"spot checks", matter, &answer.ids);
        let check = spot_check(answer, score.positions, matter.rules, draw);
        match check.and_then(|check| check.with_logprobs(score.logprobs)) {
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
    pub(in super::super) fn of(&self, answer: &Answer) -> Option<&Scored> {
        deciding(answer, &self.0)
    }
}

/// Secret randomness, fixed by the gateway's secret, the job and what was answered.
fn draw(app: &App, purpose: &[u8], matter: &Matter<'_>, ids: &[TokenId]) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(app.keys.k_seed()).expect("any key length is good");
    mac.update(b"assay/draw/1\0");
    mac.update(purpose);
    mac.update(matter.question.job.0.as_bytes());
    mac.update(&[matter.round]);
    ids.iter().for_each(|id| mac.update(&id.to_le_bytes()));
    mac.finalize().into_bytes().into()
}
