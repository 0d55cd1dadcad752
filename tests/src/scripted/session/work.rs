//! What a session's tasks have ready, and how it goes out: scores, tokens, ends.

use assay_engine::Scores;
use assay_protocol::{Finish, FromNodeFrame, JobId, TokenLogprobs, limits};
use tokio::sync::mpsc;

use super::{Running, Session};
use crate::{
    Pace,
    zoo::{Behaviour, Job, Step},
};

/// What a task has ready to be sent.
pub(super) enum Work {
    Step(Step),
    /// Tokens with what the node tells of them.
    Tokens {
        ids: Vec<u32>,
        logits: Vec<f32>,
        logprobs: Vec<TokenLogprobs>,
    },
    Scored(Scores),
}

impl Session<'_> {
    pub(super) async fn do_work(&mut self, job: JobId, work: Work) -> anyhow::Result<()> {
        match work {
            Work::Scored(Scores { positions, logprobs }) => {
                self.note(|seen| seen.scored += 1);
                let piece = match logprobs.is_empty() {
                    true => limits::SCORED_POSITIONS_PER_FRAME_MAX,
                    false => limits::SCORED_LOGPROBS_PER_FRAME_MAX,
                };
                let count = positions.len().div_ceil(piece);
                let mut told = logprobs.chunks(piece);
                for (index, positions) in positions.chunks(piece).enumerate() {
                    let logprobs = told.next().unwrap_or_default().to_vec();
                    let (positions, last) = (positions.to_vec(), index + 1 == count);
                    let frame = FromNodeFrame::Scored { job, positions, logprobs, last };
                    self.connection.send(frame).await?;
                }
                Ok(())
            }
            Work::Tokens { ids, logits, logprobs } => {
                self.tokens(job, &ids, &logits, &logprobs).await
            }
            Work::Step(Step::Tokens { ids, logits }) => self.tokens(job, &ids, &logits, &[]).await,
            Work::Step(Step::Complete(finish)) => {
                let Some(running) = self.running.remove(&job) else { return Ok(()) };
                let count = running.told.unwrap_or_else(|| running.writing.sent());
                self.complete(&running, finish, count).await
            }
            Work::Step(Step::Frame(frame)) => self.connection.send(frame).await,
            Work::Step(Step::Text(text)) => self.connection.send_text(text).await,
            Work::Step(Step::Vanish) => Ok(()),
        }
    }

    async fn tokens(
        &mut self,
        job: JobId,
        ids: &[u32],
        logits: &[f32],
        logprobs: &[TokenLogprobs],
    ) -> anyhow::Result<()> {
        let Some(running) = self.running.get_mut(&job) else { return Ok(()) };
        let room = running.told.map_or(usize::MAX, |at| (at - running.writing.sent()) as usize);
        let taken = ids.len().min(room);
        let (canary, skips) = (running.canary, running.kind.skips_signatures());
        let logprobs = logprobs.get(..taken).unwrap_or_default();
        for frame in running.writing.chunk(self.who, &ids[..taken], &logits[..taken], logprobs) {
            if !(skips && matches!(frame, FromNodeFrame::Signed { .. })) {
                self.connection.send(frame).await?;
            }
        }
        if !canary {
            let taken = u32::try_from(taken).expect("a chunk");
            self.seen.send_modify(|seen| seen.tokens_sent += taken);
        }
        match self.running.get(&job).and_then(|running| running.told) {
            Some(at) => self.end_at(job, at).await,
            None => Ok(()),
        }
    }

    /// The gateway wants `at` output tokens and no more.
    pub(super) async fn end_at(&mut self, job: JobId, at: u32) -> anyhow::Result<()> {
        let Some(running) = self.running.get_mut(&job) else { return Ok(()) };
        if running.writing.sent() < at {
            running.told = Some(at);
            return Ok(());
        }
        running.writer.abort();
        let Some(running) = self.running.remove(&job) else { return Ok(()) };
        self.complete(&running, Finish::Told, at).await
    }

    async fn complete(
        &mut self,
        running: &Running,
        finish: Finish,
        count: u32,
    ) -> anyhow::Result<()> {
        let end = running.writing.complete(self.who, finish, count);
        if let FromNodeFrame::Complete { signature, .. } = &end {
            self.last_signature = Some(*signature);
        }
        self.connection.send(end).await?;
        if !running.canary {
            self.note(|seen| seen.completed += 1);
        }
        Ok(())
    }
}

/// Works an answer out and hands its steps over, tokens at the node's pace.
pub(super) async fn write(
    kind: Behaviour,
    pace: Pace,
    job: Job,
    sender: mpsc::Sender<(JobId, Work)>,
) {
    let id = job.start.job;
    let answer = kind.answer(&job).await;
    for step in kind.sends(answer, &job) {
        let Step::Tokens { ids, logits } = step else {
            if sender.send((id, Work::Step(step))).await.is_err() {
                return;
            }
            continue;
        };
        let told = match job.start.sampling.top_logprobs {
            None => Vec::new(),
            Some(_) => kind.tells(job.model.told(&job.start, &ids).await),
        };
        let mut sent = 0;
        while sent < ids.len() {
            let end = sent + pace.pass(ids.len() - sent).await;
            let (ids, logits) = (ids[sent..end].to_vec(), logits[sent..end].to_vec());
            let logprobs = told.get(sent..end).unwrap_or_default().to_vec();
            if sender.send((id, Work::Tokens { ids, logits, logprobs })).await.is_err() {
                return;
            }
            sent = end;
        }
    }
}
