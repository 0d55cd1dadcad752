//! The client's answer in the making: what was released, what went out, whether it is whole.

use assay_model::{CallFinder, FinishReason, Piece};
use assay_protocol::{Finish, TokenId, ToldToken};

use super::{
    delivery::{Outlet, Summary, Verdict},
    job::Job,
    policy::ReleaseRule,
    release::Release,
};

#[derive(Debug)]
pub(super) struct Answer<'a> {
    outlet: &'a Outlet,
    release: Release,
    /// Tells calls of functions from text, where there may be some.
    calls: Option<CallFinder>,
    /// Released text that waits for the verdict.
    waiting: String,
    rule: ReleaseRule,
    /// What is told of the released ids, where the job asks for it.
    told: Option<Vec<ToldToken>>,
    /// How many of these went out.
    told_sent: usize,
    /// What goes out before the first of the answer's text.
    echo: String,
    done: bool,
}

impl<'a> Answer<'a> {
    pub(super) fn new(job: &Job, outlet: &'a Outlet) -> Self {
        Self {
            outlet,
            release: fresh_release(job),
            calls: job.calls.clone().map(CallFinder::new),
            waiting: String::new(),
            rule: job.policy.release,
            told: job.sampling.top_logprobs.map(|_| Vec::new()),
            told_sent: 0,
            echo: job.echo.clone(),
            done: false,
        }
    }

    /// The ids that are agreed so far, cut where a stop string ended them.
    pub(super) fn ids(&self) -> &[TokenId] {
        self.release.ids()
    }

    pub(super) fn tokens(&self) -> u32 {
        u32::try_from(self.ids().len()).unwrap_or(u32::MAX)
    }

    /// Where a stop string ended the answer: the number of ids that count.
    pub(super) fn stopped_at(&self) -> Option<usize> {
        self.release.is_stopped().then(|| self.ids().len())
    }

    /// Whether the client was told that its answer is whole.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Takes more agreed ids, which go on from those before, and what is told of each.
    pub(super) fn advance(
        &mut self,
        agreed: &[TokenId],
        told: impl IntoIterator<Item = ToldToken>,
    ) {
        let text = self.release.advance(agreed);
        let released = self.ids().len();
        if let Some(all) = &mut self.told {
            all.extend(told);
            all.truncate(released);
        }
        match self.rule {
            ReleaseRule::Agreed if text.is_empty() => {}
            ReleaseRule::Agreed => {
                self.tell();
                self.send(&text);
            }
            ReleaseRule::Verdict => self.waiting.push_str(&text),
        }
    }

    /// What went out to the client: it can only be gone on from.
    pub(super) fn sent(&self) -> &[TokenId] {
        match self.rule {
            ReleaseRule::Agreed => self.ids(),
            ReleaseRule::Verdict => &[],
        }
    }

    /// Forgets what was agreed but never went out: the nodes of the round before did not pass.
    pub(super) fn begin_round(&mut self, job: &Job) {
        if self.sent().is_empty() {
            self.release = fresh_release(job);
            self.waiting.clear();
            self.told = self.told.take().map(|_| Vec::new());
        }
    }

    /// Sends what is told of the tokens whose text goes out now.
    fn tell(&mut self) {
        let Some(all) = &self.told else { return };
        let news = self.release.ids().iter().copied().zip(all.iter().cloned());
        self.outlet.told(news.skip(self.told_sent).collect());
        self.told_sent = all.len();
    }

    /// Takes the answer that the verdict names, and what is told of its tokens. False when it contradicts what went out
    /// already, or nobody vouches for what is to be told.
    pub(super) fn accept(
        &mut self,
        job: &Job,
        ids: &[TokenId],
        told: &[Option<ToldToken>],
    ) -> bool {
        let goes_on = ids.starts_with(self.ids())
            || (self.release.is_stopped() && self.ids().starts_with(ids));
        let from = if goes_on { self.ids().len().min(ids.len()) } else { 0 };
        let told = match self.told {
            None => Vec::new(),
            Some(_) => {
                let told = told.get(from..ids.len()).unwrap_or_default().iter().cloned();
                let told: Vec<ToldToken> = told.flatten().collect();
                if told.len() < ids.len() - from {
                    return false;
                }
                told
            }
        };
        if !goes_on {
            if !self.sent().is_empty() {
                return false;
            }
            self.begin_round(job);
        }
        if self.done && ids.len() != self.ids().len() {
            return false;
        }
        self.advance(ids, told);
        true
    }

    /// Sends what is held back and says that the answer is whole; to the client once only.
    pub(super) fn finish(&mut self, job: &Job, finish: Finish, verdict: Verdict) -> Summary {
        if !self.done {
            let rest = std::mem::take(&mut self.waiting) + &self.release.finish();
            self.tell();
            self.send(&rest);
            let held = self.calls.as_mut().map(CallFinder::finish).unwrap_or_default();
            held.into_iter().for_each(|piece| self.outlet.piece(piece));
        }
        // The stop string that the last token completed comes before the limit.
        let finish = match finish {
            Finish::Length if self.release.is_stopped() => Finish::Told,
            finish => finish,
        };
        let summary = Summary {
            finish: FinishReason::of(finish, self.outlet.has_calls()),
            prompt_tokens: job.prompt_tokens(),
            completion_tokens: self.tokens(),
            verdict,
            ids: self.ids().to_vec(),
        };
        if !std::mem::replace(&mut self.done, true) {
            self.outlet.done(summary.clone());
        }
        summary
    }

    /// Sends text to the client, as the calls and the content that it is, after the echo.
    fn send(&mut self, text: &str) {
        let text = std::mem::take(&mut self.echo) + text;
        match &mut self.calls {
            _ if text.is_empty() => {}
            None => self.outlet.piece(Piece::Text(text)),
            Some(calls) => {
                calls.push(&text).into_iter().for_each(|piece| self.outlet.piece(piece));
            }
        }
    }

    /// Waits until the client has let go; for ever once it was told that the answer is whole.
    pub(super) async fn client_left(&self) {
        if self.done {
            std::future::pending::<()>().await;
        }
        self.outlet.left().await;
    }
}

fn fresh_release(job: &Job) -> Release {
    Release::new(job.model.text.detokenizer(), job.stop.clone())
}
