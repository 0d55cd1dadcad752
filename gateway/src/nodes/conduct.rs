//! What a node may say when: one pure state machine decides every frame of a session.
//!
//! A frame either has an [`Effect`] or is a [`Violation`], which ends the session; nothing of it
//! reaches a client. Frames about jobs that ended a moment ago are late, not wrong, and are dropped.

mod embedding;
mod scoring;
mod violation;
mod writing;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use assay_protocol::{
    Bytes32, Bytes64, EmbedStart, FailCode, FromNodeFrame, GenerateStart, Hello, JobId, JobOffer,
    NodeId, RefuseCode, ScoreStart, ServedModel, Start, limits,
};

use assay_verifier::receipt::Signed;

pub use scoring::Scored;
pub use violation::Violation;

use embedding::Embedding;
use scoring::Scoring;
use writing::Writing;

use super::{handle::JobNews, held::Held};
use crate::catalog::HostedModel;

/// Ended jobs that are remembered, so that a late frame about one is not taken for a lie.
const ENDED_REMEMBERED_MAX: usize = 256;

/// Who the session is with; part of every signature.
#[derive(Clone, Debug)]
pub struct SessionIdentity {
    pub gateway: String,
    pub node: NodeId,
    pub epoch: u64,
    pub public_key: Bytes32,
}

/// What the gateway knows of the model of a job; a node's word counts for nothing here.
#[derive(Clone, Copy, Debug)]
pub struct ModelFacts {
    pub manifest_hash: Bytes32,
    pub vocab_size: u32,
    /// Components of each of its vectors; 0 where it writes.
    pub dimensions: u32,
}

impl ModelFacts {
    /// Of a hosted model.
    pub fn of(model: &HostedModel) -> Self {
        let manifest = &model.text.manifest;
        Self {
            manifest_hash: model.text.manifest_hash,
            vocab_size: manifest.vocab_size,
            dimensions: manifest.embedding.map_or(0, |embedding| embedding.dimensions),
        }
    }
}

/// What a frame means for the rest of the gateway.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// The node is alive; nothing else follows.
    Alive,
    /// The node says what it serves.
    Hello(Hello),
    /// The node wants no more offers.
    Draining,
    /// News for the owner of a job.
    Job(JobId, JobNews),
}

/// The state of one session: what was said, what is owed.
#[derive(Debug)]
pub struct Conduct {
    identity: SessionIdentity,
    greeted: bool,
    jobs: HashMap<JobId, Stage>,
    /// The same jobs, for everybody to see.
    held: Arc<Held>,
    ended: VecDeque<JobId>,
    /// Signed by the last frame, until it is taken.
    statement: Option<Statement>,
}

/// What a node just signed, and the signature holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub job: JobId,
    pub round: u8,
    pub signed: Signed,
}

#[derive(Debug)]
enum Stage {
    Offered { offer: JobOffer, model: ModelFacts },
    Accepted { offer: JobOffer, model: ModelFacts },
    Writing(Box<Writing>),
    Scoring(Scoring),
    Embedding(Box<Embedding>),
}

impl Conduct {
    /// A session right after its log-in.
    pub fn new(identity: SessionIdentity, held: Arc<Held>) -> Self {
        Self {
            identity,
            greeted: false,
            jobs: HashMap::new(),
            held,
            ended: VecDeque::new(),
            statement: None,
        }
    }

    /// What the last frame signed, for the job's receipt.
    pub fn take_statement(&mut self) -> Option<Statement> {
        self.statement.take()
    }

    /// Jobs that this node holds, offers included.
    pub fn jobs(&self) -> u32 {
        u32::try_from(self.jobs.len()).unwrap_or(u32::MAX)
    }

    /// Takes note of an offer that goes out. False when the node already knows the job.
    pub fn offered(&mut self, offer: JobOffer, model: ModelFacts) -> bool {
        if self.jobs.contains_key(&offer.job) {
            return false;
        }
        self.jobs.insert(offer.job, Stage::Offered { offer, model });
        true
    }

    /// Takes note of a start that goes out. False when the node has not accepted the job, or the job
    /// is of another kind.
    pub fn started(&mut self, start: &Start) -> bool {
        let job = start_job(start);
        let Some(Stage::Accepted { offer, model }) = self.jobs.get(&job) else { return false };
        let stage = match start {
            Start::Generate(start) => {
                Stage::Writing(Box::new(Writing::new(offer.round, *model, start)))
            }
            Start::Score(start) => Stage::Scoring(Scoring::new(start, model.vocab_size)),
            Start::Embed(start) => Stage::Embedding(Box::new(Embedding::new(offer, *model, start))),
        };
        self.jobs.insert(job, stage);
        true
    }

    /// Takes note of a `finish` that goes out: from now on the node may end the answer as told.
    pub fn told(&mut self, job: JobId) {
        if let Some(Stage::Writing(writing)) = self.jobs.get_mut(&job) {
            writing.may_be_told();
        }
    }

    /// Forgets a job; frames about it that are still under way are dropped. False when unknown.
    pub fn forget(&mut self, job: JobId) -> bool {
        let known = self.jobs.remove(&job).is_some();
        self.held.end(job);
        if known {
            self.ended.push_back(job);
            if self.ended.len() > ENDED_REMEMBERED_MAX {
                self.ended.pop_front();
            }
        }
        known
    }

    /// Decides one frame of the current session.
    pub fn frame(&mut self, frame: FromNodeFrame) -> Result<Effect, Violation> {
        match frame {
            FromNodeFrame::Login { .. } => Err(Violation::OutOfTurn),
            FromNodeFrame::Hello(hello) => self.hello(hello),
            _ if !self.greeted => Err(Violation::NoHello),
            FromNodeFrame::Heartbeat { .. } => Ok(Effect::Alive),
            FromNodeFrame::Draining {} => Ok(Effect::Draining),
            FromNodeFrame::Accept { job } => self.accept(job),
            FromNodeFrame::Refuse { job, code } => self.refuse(job, code),
            FromNodeFrame::Failed { job, code } => self.failed(job, code),
            FromNodeFrame::Chunk { job, seq, ids, logits, logprobs } => {
                let held = Arc::clone(&self.held);
                self.in_writing(job, |writing, _| {
                    writing.chunk(seq, &ids, &logits, &logprobs)?;
                    held.wrote(job, ids.len());
                    Ok((Some(JobNews::Tokens { ids, logits, logprobs }), None))
                })
            }
            FromNodeFrame::Signed { job, to, signature } => {
                self.in_writing(job, |writing, identity| {
                    let signed = writing.signed(identity, job, to, signature)?;
                    Ok((None, Some(Statement { job, round: writing.round(), signed })))
                })
            }
            FromNodeFrame::Complete { job, finish, count, signature } => {
                let effect = self.in_writing(job, |writing, identity| {
                    let signed = writing.complete(identity, job, finish, count, signature)?;
                    let statement = Statement { job, round: writing.round(), signed };
                    Ok((Some(JobNews::Complete { finish, count }), Some(statement)))
                })?;
                self.forget(job);
                Ok(effect)
            }
            FromNodeFrame::Scored { job, positions, logprobs, last } => {
                self.scored(job, Scored { positions, logprobs }, last)
            }
            FromNodeFrame::Vectors { job, seq, components } => match self.jobs.get_mut(&job) {
                Some(Stage::Embedding(embedding)) => {
                    embedding.take(seq, &components)?;
                    Ok(Effect::Alive)
                }
                Some(_) => Err(Violation::WrongStage),
                None => self.late(job),
            },
            FromNodeFrame::Embedded { job, signature } => self.embedded(job, signature),
        }
    }

    fn hello(&mut self, hello: Hello) -> Result<Effect, Violation> {
        if std::mem::replace(&mut self.greeted, true) {
            return Err(Violation::OutOfTurn);
        }
        let short = |text: &String| text.len() <= limits::NAME_BYTES_MAX;
        let short_names = |model: &ServedModel| {
            let ServedModel { id, runtime, execution_provider, precision, .. } = model;
            [id, runtime, execution_provider, precision].into_iter().all(short)
                && (1..=limits::SLOTS_MAX).contains(&model.slots)
        };
        let fits = hello.models.len() <= limits::MODELS_PER_NODE_MAX
            && hello.models.iter().all(short_names)
            && short(&hello.agent_version)
            && short(&hello.hardware.cpu)
            && hello.hardware.accelerator.as_ref().is_none_or(short);
        if fits { Ok(Effect::Hello(hello)) } else { Err(Violation::HelloTooLarge) }
    }

    fn accept(&mut self, job: JobId) -> Result<Effect, Violation> {
        let Some(stage) = self.jobs.get_mut(&job) else { return self.late(job) };
        let Stage::Offered { offer, model } = stage else { return Err(Violation::WrongStage) };
        *stage = Stage::Accepted { offer: offer.clone(), model: *model };
        Ok(Effect::Job(job, JobNews::Accepted))
    }

    fn refuse(&mut self, job: JobId, code: RefuseCode) -> Result<Effect, Violation> {
        match self.jobs.get(&job) {
            Some(Stage::Offered { .. }) => {
                self.forget(job);
                Ok(Effect::Job(job, JobNews::Refused(code)))
            }
            Some(_) => Err(Violation::WrongStage),
            None => self.late(job),
        }
    }

    fn failed(&mut self, job: JobId, code: FailCode) -> Result<Effect, Violation> {
        match self.jobs.get(&job) {
            Some(Stage::Offered { .. }) => Err(Violation::WrongStage),
            Some(_) => {
                self.forget(job);
                Ok(Effect::Job(job, JobNews::Failed(code)))
            }
            None => self.late(job),
        }
    }

    fn scored(&mut self, job: JobId, scored: Scored, last: bool) -> Result<Effect, Violation> {
        match self.jobs.get_mut(&job) {
            Some(Stage::Scoring(scoring)) => match scoring.take(scored, last)? {
                None => Ok(Effect::Alive),
                Some(whole) => {
                    self.forget(job);
                    Ok(Effect::Job(job, JobNews::Scored(whole)))
                }
            },
            Some(_) => Err(Violation::WrongStage),
            None => self.late(job),
        }
    }

    fn embedded(&mut self, job: JobId, signature: Bytes64) -> Result<Effect, Violation> {
        let embedding = match self.jobs.get_mut(&job) {
            Some(Stage::Embedding(embedding)) => embedding,
            Some(_) => return Err(Violation::WrongStage),
            None => return self.late(job),
        };
        let (components, signed) = embedding.end(&self.identity, signature)?;
        self.statement = Some(Statement { job, round: embedding.round(), signed });
        self.forget(job);
        Ok(Effect::Job(job, JobNews::Embedded(components)))
    }

    fn in_writing(
        &mut self,
        job: JobId,
        act: impl FnOnce(
            &mut Writing,
            &SessionIdentity,
        ) -> Result<(Option<JobNews>, Option<Statement>), Violation>,
    ) -> Result<Effect, Violation> {
        match self.jobs.get_mut(&job) {
            Some(Stage::Writing(writing)) => {
                let (effect, statement) = act(writing, &self.identity)?;
                self.statement = statement.or(self.statement.take());
                Ok(effect.map_or(Effect::Alive, |effect| Effect::Job(job, effect)))
            }
            Some(_) => Err(Violation::WrongStage),
            None => self.late(job),
        }
    }

    fn late(&self, job: JobId) -> Result<Effect, Violation> {
        if self.ended.contains(&job) { Ok(Effect::Alive) } else { Err(Violation::UnknownJob) }
    }
}

/// The job that a start is about.
pub fn start_job(start: &Start) -> JobId {
    match start {
        Start::Generate(GenerateStart { job, .. })
        | Start::Score(ScoreStart { job, .. })
        | Start::Embed(EmbedStart { job, .. }) => *job,
    }
}

#[cfg(test)]
mod tests;
