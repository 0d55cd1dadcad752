//! What a node does in one session: the state between what it hears (from the gateway, its engines, the
//! clock, its operator) and what it says. Pure but for starting engines; the caller owns the socket.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use assay_engine::{EngineError, GenerateRequest, ScoreRequest, Scores};
use assay_protocol::{
    FailCode, FromNodeFrame, Hello, JobId, JobOffer, NodeStanding, RefuseCode, Start, ToNode,
    limits::{
        DEAD_MS, HEARTBEAT_MS, SCORED_LOGPROBS_PER_FRAME_MAX, SCORED_POSITIONS_PER_FRAME_MAX,
    },
};
use tokio::sync::mpsc;

use crate::{
    Identity, Slots,
    connection::{Ended, Welcome},
    embedding::Embedding,
    ended::EndedJobs,
    hardware,
    job::{Answer, Signer},
    offer::{Accepted, JOB_MS_MAX, fits},
    worker::{EngineEvent, Said, StopSignal, Task, Work},
};

/// A gateway that gave a job up says so; this long after its deadline it seems to have forgotten.
const OVERDUE_MS: u64 = 5_000;
/// However short a heartbeat the gateway asks for.
const HEARTBEAT_MS_MIN: u64 = 100;
/// Everything that can happen to a session.
#[derive(Debug)]
pub(crate) enum Event {
    Frame(Box<ToNode>),
    /// The socket shows that the gateway lives.
    SignOfLife,
    Engine(EngineEvent),
    Tick,
    /// The operator wants the node to finish its jobs and leave.
    Drain,
}

/// The state of one session.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    identity: &'a Identity,
    slots: &'a Slots,
    welcome: Welcome,
    drain: Duration,
    events: mpsc::Sender<EngineEvent>,
    accepted: HashMap<JobId, Accepted>,
    running: HashMap<JobId, Running>,
    ended: EndedJobs,
    next_ticket: u64,
    heard: Instant,
    heartbeat: Instant,
    /// When a drain is over, whatever still runs.
    drained_at: Option<Instant>,
    out: Vec<FromNodeFrame>,
}

#[derive(Debug)]
struct Running {
    ticket: u64,
    since: Instant,
    deadline: Instant,
    work: Kind,
}

#[derive(Debug)]
enum Kind {
    Generate(Box<Answer>),
    Score,
    Embed(Box<Embedding>),
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        identity: &'a Identity,
        slots: &'a Slots,
        welcome: Welcome,
        drain_ms: u64,
        events: mpsc::Sender<EngineEvent>,
        now: Instant,
    ) -> Self {
        Self {
            identity,
            slots,
            welcome,
            drain: Duration::from_millis(drain_ms.min(JOB_MS_MAX)),
            events,
            accepted: HashMap::new(),
            running: HashMap::new(),
            ended: EndedJobs::default(),
            next_ticket: 0,
            heard: now,
            heartbeat: now + heartbeat_every(welcome),
            drained_at: None,
            out: Vec::new(),
        }
    }

    /// The first frame of a session.
    pub(crate) fn hello(&self, hardware: assay_protocol::Hardware) -> FromNodeFrame {
        FromNodeFrame::Hello(Hello {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            models: self.slots.served(),
            hardware,
        })
    }

    /// Takes in what happened; [`Self::take_out`] then says what to send.
    ///
    /// # Errors
    /// Why the session is over.
    pub(crate) fn handle(&mut self, event: Event, now: Instant) -> Result<(), Ended> {
        match event {
            Event::Frame(frame) => {
                self.heard = now;
                self.frame(*frame, now)?;
            }
            Event::SignOfLife => self.heard = now,
            Event::Engine(event) => self.engine(event, now),
            Event::Tick => {}
            Event::Drain => self.drain(now),
        }
        self.let_go(now);
        self.pump(now);
        self.beat(now);
        self.check_end(now)
    }

    /// The frames to send, in order.
    pub(crate) fn take_out(&mut self) -> Vec<FromNodeFrame> {
        std::mem::take(&mut self.out)
    }

    /// When to come back with a [`Event::Tick`].
    pub(crate) fn due(&self) -> Instant {
        let accepted = self.accepted.values().map(|accepted| accepted.forget_at);
        let running = self.running.values().flat_map(|running| match &running.work {
            Kind::Generate(answer) => [Some(running.deadline), answer.due()],
            Kind::Score | Kind::Embed(_) => [Some(running.deadline), None],
        });
        let silent = self.heard + Duration::from_millis(DEAD_MS);
        let always = [self.heartbeat, silent].into_iter().chain(self.drained_at);
        always.chain(accepted).chain(running.flatten()).min().expect("there is a heartbeat")
    }

    fn frame(&mut self, frame: ToNode, now: Instant) -> Result<(), Ended> {
        match frame {
            ToNode::State(NodeStanding { state, code, reason, .. }) => {
                let (state, code) = (state.as_str(), code.as_str());
                tracing::info!("state {state} ({code}): {}", hardware::name(&reason));
            }
            ToNode::Offer(offer) => self.offered(offer, now)?,
            ToNode::Start(start) => self.start(start, now),
            ToNode::Finish { job, at } => self.finish(job, at)?,
            ToNode::Cancel { job, reason } => self.cancel(job, &word(&reason), now),
            ToNode::Outcome { job, outcome, reason } => self.ended.tell(job, outcome, &reason),
            ToNode::Close { code, reason, retry_after_ms } => {
                return Err(Ended::Closed { code, reason, retry_after_ms });
            }
            ToNode::Challenge { .. } | ToNode::Welcome { .. } => {
                return violation("it began to log in again".into());
            }
        }
        Ok(())
    }

    fn offered(&mut self, offer: JobOffer, now: Instant) -> Result<(), Ended> {
        let job = offer.job;
        if self.accepted.contains_key(&job) || self.running.contains_key(&job) {
            return violation(format!("it offered job {job} twice"));
        }
        let lease = match self.drained_at {
            Some(_) => Err(RefuseCode::Draining),
            None => self.slots.lease(&offer),
        };
        match lease {
            Ok(lease) => {
                self.accepted.insert(job, Accepted::new(offer, lease, now));
                self.out.push(FromNodeFrame::Accept { job });
            }
            Err(code) => {
                tracing::debug!("job {job} refused: {}", word(&code));
                self.out.push(FromNodeFrame::Refuse { job, code });
            }
        }
        Ok(())
    }

    fn start(&mut self, start: Start, now: Instant) {
        let job = match &start {
            Start::Generate(start) => start.job,
            Start::Score(start) => start.job,
            Start::Embed(start) => start.job,
        };
        let Some(accepted) = self.accepted.remove(&job) else {
            tracing::warn!("job {job} was started, but is not (or no longer) accepted");
            return self.fail(job, FailCode::BadStart);
        };
        if let Err(problem) = fits(&accepted.offer, &start) {
            tracing::warn!("job {job} was started otherwise than offered: {problem}");
            return self.fail(job, FailCode::BadStart);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let stop = StopSignal::never();
        let (task, work) = match start {
            Start::Generate(start) => {
                let answer = Answer::new(&accepted.offer, &start, stop.clone());
                let request = GenerateRequest {
                    prompt: start.prompt,
                    prefix: start.prefix,
                    max_tokens: start.max_tokens,
                    sampling: start.sampling,
                    seed: start.seed,
                };
                (Task::Generate(request), Kind::Generate(Box::new(answer)))
            }
            Start::Score(start) => {
                let request = ScoreRequest {
                    prompt: start.prompt,
                    output: start.output,
                    sampling: start.sampling,
                    seed: start.seed,
                };
                (Task::Score(request), Kind::Score)
            }
            Start::Embed(start) => {
                let embedding = Embedding::new(&accepted.offer, &start);
                (Task::Embed(start.inputs), Kind::Embed(Box::new(embedding)))
            }
        };
        let events = self.events.clone();
        let begun = accepted.lease.start(|lease| Work { ticket, task, stop, events, lease });
        if begun.is_none() {
            tracing::error!("job {job} cannot start: its engine is gone");
            return self.fail(job, FailCode::Runtime);
        }
        let deadline = accepted.deadline + Duration::from_millis(OVERDUE_MS);
        self.running.insert(job, Running { ticket, since: now, deadline, work });
    }

    fn finish(&mut self, job: JobId, at: u32) -> Result<(), Ended> {
        match self.running.get_mut(&job).map(|running| &mut running.work) {
            Some(Kind::Generate(answer)) => {
                answer.finish_at(at).or_else(|problem| violation(format!("job {job}: {problem}")))
            }
            Some(Kind::Score | Kind::Embed(_)) => {
                violation(format!("it told job {job}, which writes nothing, where to end"))
            }
            // It crossed with our own end.
            None => Ok(()),
        }
    }

    fn cancel(&mut self, job: JobId, reason: &str, now: Instant) {
        if self.accepted.remove(&job).is_some() {
            tracing::debug!("job {job} called off before its start: {reason}");
        }
        match self.running.get_mut(&job).map(|running| &mut running.work) {
            Some(Kind::Generate(answer)) => answer.cancel(),
            Some(Kind::Score | Kind::Embed(_)) => self.end(job, 0, now),
            None => {}
        }
    }

    fn engine(&mut self, EngineEvent { ticket, said }: EngineEvent, now: Instant) {
        let mut running = self.running.iter_mut();
        let Some((job, running)) = running.find(|(_, running)| running.ticket == ticket) else {
            return;
        };
        let job = *job;
        match (&mut running.work, said) {
            (Kind::Generate(answer), Said::Token(drawn)) => answer.token(drawn, now),
            (Kind::Generate(answer), Said::Answered(Ok(finish))) => answer.ended(finish),
            (Kind::Score, Said::Scored(Ok(scores))) => self.scored(job, &scores, now),
            (Kind::Embed(embedding), Said::Embedded(Ok(components))) => {
                let Welcome { version, epoch, .. } = self.welcome;
                let signer = Signer { identity: self.identity, version, epoch };
                let tokens = embedding.tokens();
                self.out.extend(embedding.frames(signer, &components));
                self.end(job, tokens, now);
            }
            (
                _,
                Said::Answered(Err(error)) | Said::Scored(Err(error)) | Said::Embedded(Err(error)),
            ) => {
                self.engine_failed(job, &error, now);
            }
            (work, said) => unreachable!("{work:?} never says {said:?}"),
        }
    }

    fn scored(&mut self, job: JobId, scores: &Scores, now: Instant) {
        let Scores { positions, logprobs } = scores;
        let piece = match logprobs.is_empty() {
            true => SCORED_POSITIONS_PER_FRAME_MAX,
            false => SCORED_LOGPROBS_PER_FRAME_MAX,
        };
        let count = positions.len().div_ceil(piece).max(1);
        let mut logprobs = logprobs.chunks(piece);
        let mut pieces = positions.chunks(piece);
        self.out.extend((1..=count).map(|number| FromNodeFrame::Scored {
            job,
            positions: pieces.next().unwrap_or_default().to_vec(),
            logprobs: logprobs.next().unwrap_or_default().to_vec(),
            last: number == count,
        }));
        self.end(job, u32::try_from(positions.len()).unwrap_or(u32::MAX), now);
    }

    fn engine_failed(&mut self, job: JobId, error: &EngineError, now: Instant) {
        tracing::warn!("job {job} failed: {error}");
        let code = match error {
            EngineError::Grammar(_) => FailCode::Grammar,
            error if error.is_bad_request() => FailCode::BadStart,
            _ => FailCode::Runtime,
        };
        self.fail(job, code);
        self.end(job, 0, now);
    }

    fn drain(&mut self, now: Instant) {
        if self.drained_at.replace(now + self.drain).is_none() {
            let jobs = self.running.len() + self.accepted.len();
            tracing::info!("draining: {jobs} jobs to finish, no new ones");
            self.out.push(FromNodeFrame::Draining {});
        }
    }

    /// Forgets offers that were never started and jobs that the gateway has forgotten.
    fn let_go(&mut self, now: Instant) {
        self.accepted.retain(|job, accepted| {
            let keep = now < accepted.forget_at;
            if !keep {
                tracing::debug!("job {job} was accepted, but never started");
            }
            keep
        });
        let overdue =
            |(job, running): (&JobId, &Running)| (running.deadline <= now).then_some(*job);
        for job in self.running.iter().filter_map(overdue).collect::<Vec<_>>() {
            tracing::warn!("job {job} is past its deadline: given up");
            self.fail(job, FailCode::Runtime);
            self.end(job, 0, now);
        }
    }

    fn pump(&mut self, now: Instant) {
        let Welcome { version, epoch, .. } = self.welcome;
        let signer = Signer { identity: self.identity, version, epoch };
        let mut completed = Vec::new();
        for (job, running) in &mut self.running {
            if let Kind::Generate(answer) = &mut running.work
                && let Some(whole) = answer.pump(signer, now, &mut self.out)
            {
                completed.push((*job, whole));
            }
        }
        for (job, whole) in completed {
            self.out.push(whole.frame);
            self.end(job, whole.tokens, now);
        }
    }

    fn beat(&mut self, now: Instant) {
        if self.heartbeat <= now {
            let jobs = u32::try_from(self.running.len()).unwrap_or(u32::MAX);
            self.out.push(FromNodeFrame::Heartbeat { jobs });
            self.heartbeat = now + heartbeat_every(self.welcome);
        }
    }

    fn check_end(&self, now: Instant) -> Result<(), Ended> {
        if now >= self.heard + Duration::from_millis(DEAD_MS) {
            return Err(Ended::Lost(format!("the gateway was silent for {DEAD_MS} ms")));
        }
        let idle = self.running.is_empty() && self.accepted.is_empty();
        match self.drained_at {
            Some(at) if idle || at <= now => Err(Ended::Left),
            _ => Ok(()),
        }
    }

    fn fail(&mut self, job: JobId, code: FailCode) {
        self.out.push(FromNodeFrame::Failed { job, code });
    }

    /// A job no longer runs; its outcome is still to come.
    fn end(&mut self, job: JobId, tokens: u32, now: Instant) {
        let Some(running) = self.running.remove(&job) else { return };
        self.ended.push(job, tokens, now - running.since);
    }
}

fn heartbeat_every(welcome: Welcome) -> Duration {
    Duration::from_millis(welcome.heartbeat_ms.clamp(HEARTBEAT_MS_MIN, HEARTBEAT_MS))
}

/// A code as it stands on the wire.
fn word(code: &impl serde::Serialize) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(word)) => word,
        other => format!("{other:?}"),
    }
}

fn violation<T>(what: String) -> Result<T, Ended> {
    Err(Ended::Lost(format!("the gateway broke the protocol: {what}")))
}
