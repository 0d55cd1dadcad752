//! One session of a scripted node, from log-in to its end.

mod work;

use std::{collections::HashMap, sync::Arc, time::Duration};

use assay_protocol::{
    Bytes64, FromNodeFrame, GenerateStart, Hardware, Hello, JobId, JobOffer, NodeState, ScoreStart,
    Start, ToNode, limits,
};
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{interval, sleep},
};

use self::work::{Work, write};
use super::{Identity, Manners, Seen, Told, connection::Connection, writing::Writing};
use crate::{
    Model,
    zoo::{Behaviour, Job, OnOffer, Step},
};

/// Steps that wait for the socket.
const STEPS_QUEUED_MAX: usize = 64;

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The gateway closed it; the wait after which the node may come back, if it may.
    Closed { retry_after: Option<Duration> },
    /// The connection broke, or never was.
    Lost(String),
    /// The node left without a word, as it was meant to.
    Vanished,
}

/// Connects, logs in and does jobs until the session ends.
pub async fn run(
    who: &Identity,
    model: &Arc<Model>,
    manners: &Manners,
    seen: &watch::Sender<Seen>,
) -> End {
    let opened = async {
        let mut connection = Connection::open(who).await?;
        connection.log_in(who).await?;
        Ok::<_, anyhow::Error>(connection)
    };
    match opened.await {
        Ok(connection) => Session::new(who, model, manners, seen, connection).serve().await,
        Err(error) => End::Lost(format!("{error:#}")),
    }
}

struct Session<'a> {
    who: &'a Identity,
    model: &'a Arc<Model>,
    manners: &'a Manners,
    seen: &'a watch::Sender<Seen>,
    connection: Connection,
    accepted: HashMap<JobId, JobOffer>,
    running: HashMap<JobId, Running>,
    last_signature: Option<Bytes64>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<(JobId, Work)>,
    work: mpsc::Receiver<(JobId, Work)>,
}

/// An answer on its way out.
struct Running {
    writing: Writing,
    kind: Behaviour,
    /// For the gateway's self-test: no story counts it.
    canary: bool,
    /// Where the gateway ends it.
    told: Option<u32>,
    writer: AbortHandle,
}

impl<'a> Session<'a> {
    fn new(
        who: &'a Identity,
        model: &'a Arc<Model>,
        manners: &'a Manners,
        seen: &'a watch::Sender<Seen>,
        connection: Connection,
    ) -> Self {
        let (sender, work) = mpsc::channel(STEPS_QUEUED_MAX);
        Self {
            who,
            model,
            manners,
            seen,
            connection,
            accepted: HashMap::new(),
            running: HashMap::new(),
            last_signature: None,
            tasks: JoinSet::new(),
            sender,
            work,
        }
    }

    async fn serve(mut self) -> End {
        let mut heartbeat = interval(Duration::from_millis(limits::HEARTBEAT_MS));
        heartbeat.tick().await;
        loop {
            let done = tokio::select! {
                frame = self.connection.next() => match frame {
                    Some(ToNode::Close { code, reason, retry_after_ms }) => {
                        self.note(|seen| seen.closed = Some((code, reason)));
                        let retry_after = retry_after_ms.map(Duration::from_millis);
                        return End::Closed { retry_after };
                    }
                    Some(frame) => self.hear(frame).await,
                    None => return End::Lost("the connection broke".into()),
                },
                Some((job, work)) = self.work.recv() => match work {
                    Work::Step(Step::Vanish) => return End::Vanished,
                    work => self.do_work(job, work).await,
                },
                _ = heartbeat.tick() => self.connection.send(FromNodeFrame::Heartbeat { jobs: 0 }).await,
            };
            if done.is_err() {
                return self.last_words().await;
            }
        }
    }

    /// Writing failed: what the gateway said before that is still to be read.
    async fn last_words(mut self) -> End {
        while let Some(frame) = self.connection.next().await {
            if let ToNode::Close { code, reason, retry_after_ms } = frame {
                self.note(|seen| seen.closed = Some((code, reason)));
                return End::Closed { retry_after: retry_after_ms.map(Duration::from_millis) };
            }
        }
        End::Lost("the gateway takes nothing more".into())
    }

    async fn hear(&mut self, frame: ToNode) -> anyhow::Result<()> {
        match frame {
            ToNode::Welcome { epoch, .. } => {
                self.connection.epoch = epoch;
                self.connection.send(self.hello()).await?;
            }
            ToNode::State(standing) => self.note(|seen| {
                seen.state = Some(standing.state);
                seen.standings.push(standing);
            }),
            ToNode::Offer(offer) => self.offered(offer).await?,
            ToNode::Start(Start::Generate(start)) => self.generate(start),
            ToNode::Start(Start::Score(start)) => self.score(start),
            // It says that it has no model for this.
            ToNode::Start(Start::Embed(_)) => {}
            ToNode::Finish { job, at } => {
                self.note(|seen| seen.told.push(Told::Finish { at }));
                if !self.manners.behaviour.is_deaf() {
                    self.end_at(job, at).await?;
                }
            }
            ToNode::Cancel { job, reason } => {
                self.note(|seen| seen.told.push(Told::Cancel(reason)));
                if self.manners.behaviour.is_deaf() {
                    return Ok(());
                }
                self.accepted.remove(&job);
                if let Some(sent) = self.running.get(&job).map(|running| running.writing.sent()) {
                    self.end_at(job, sent).await?;
                }
            }
            ToNode::Outcome { outcome, reason, .. } => {
                self.note(|seen| seen.outcomes.push((outcome, reason)));
            }
            ToNode::Challenge { .. } | ToNode::Close { .. } => {}
        }
        Ok(())
    }

    fn hello(&self) -> FromNodeFrame {
        FromNodeFrame::Hello(Hello {
            agent_version: env!("CARGO_PKG_VERSION").into(),
            models: vec![self.manners.behaviour.claims(self.model.served(self.manners.slots))],
            hardware: Hardware { cpu: "scripted".into(), cores: 1, accelerator: None },
        })
    }

    async fn offered(&mut self, offer: JobOffer) -> anyhow::Result<()> {
        let job = offer.job;
        if self.is_tested() {
            self.accepted.insert(job, offer);
            return self.connection.send(FromNodeFrame::Accept { job }).await;
        }
        self.note(|seen| seen.offers += 1);
        let answer = match self.manners.behaviour.on_offer() {
            OnOffer::Ignore => return Ok(()),
            OnOffer::Refuse(code) => FromNodeFrame::Refuse { job, code },
            OnOffer::Accept => FromNodeFrame::Accept { job },
        };
        if matches!(answer, FromNodeFrame::Accept { .. }) {
            self.accepted.insert(job, offer);
        }
        if self.manners.thinks.is_zero() {
            return self.connection.send(answer).await;
        }
        let (sender, thinks) = (self.sender.clone(), self.manners.thinks);
        self.tasks.spawn(async move {
            sleep(thinks).await;
            // A session that is over needs no answer.
            let _ = sender.send((job, Work::Step(Step::Frame(answer)))).await;
        });
        Ok(())
    }

    fn generate(&mut self, start: GenerateStart) {
        let Some(offer) = self.accepted.remove(&start.job) else { return };
        let (id, epoch) = (start.job, self.connection.epoch);
        let prefix_tokens = u32::try_from(start.prefix.len()).expect("a short prefix");
        let writing = Writing::new(offer, start.clone(), epoch);
        let canary = self.is_tested();
        let job = self.job(start);
        let is_itself = !canary && self.manners.behaviour.cheats_in(&job);
        let kind = if is_itself { self.manners.behaviour } else { Behaviour::Honest };
        let manners = self.manners;
        let pace = if canary { manners.test_pace.clone() } else { manners.pace.clone() };
        let writer = self.tasks.spawn(write(kind, pace, job, self.sender.clone()));
        self.running.insert(id, Running { writing, kind, canary, told: None, writer });
        self.note(|seen| match canary {
            true => seen.self_tests += 1,
            false => {
                seen.starts += 1;
                seen.prefix_tokens = prefix_tokens;
            }
        });
    }

    fn job(&self, start: GenerateStart) -> Job {
        let seen = self.seen.borrow();
        Job {
            start,
            model: self.model.clone(),
            nth: seen.starts,
            state: seen.state,
            last_signature: self.last_signature,
            dice: rand::random(),
        }
    }

    fn score(&mut self, start: ScoreStart) {
        self.accepted.remove(&start.job);
        let (model, sender, pace) =
            (self.model.clone(), self.sender.clone(), self.manners.pace.clone());
        self.tasks.spawn(async move {
            let scores = model.score_told(&start).await;
            pace.pass(1).await;
            // A session that is over needs no scores.
            let _ = sender.send((start.job, Work::Scored(scores))).await;
        });
    }

    /// Whether the gateway still tests it: no cheat starts before its jobs pay.
    fn is_tested(&self) -> bool {
        let tested = [Some(NodeState::Testing), Some(NodeState::Quarantined)];
        tested.contains(&self.seen.borrow().state)
    }

    fn note(&self, note: impl FnOnce(&mut Seen)) {
        self.seen.send_modify(note);
    }
}
