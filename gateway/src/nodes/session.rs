//! One node's session: a single loop over a closed set of events, from welcome to good-bye.

mod budget;
mod end;
mod standing;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_protocol::{
    CancelReason, CloseCode, FromNode, JobId, NodeState, StandingCode, ToNode, limits,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use super::{
    conduct::{Conduct, Effect, Statement, Violation},
    handle::{Command, JobNews, LostReason, NewsDesk, NodeHandle, NodeNews},
    held::Held,
    login::Login,
    socket::{Incoming, Socket, WriteFailed},
    standing::check_in,
};
use crate::app::App;
use budget::FrameBudget;
use end::End;

/// How often silence, cancels and the frame budget are looked at.
const TICK: Duration = Duration::from_millis(250);
/// Everything that can happen to a session.
enum Event {
    Incoming(Incoming),
    Command(Option<Command>),
    Tick,
    Shutdown,
}

/// Runs a session until it ends, however it ends; its jobs always hear of it.
pub(super) async fn run(app: App, socket: Socket, login: Login) {
    let node = login.identity.node;
    let held = Arc::<Held>::default();
    let (handle, inbox) = NodeHandle::new(node, held.clone());
    app.nodes.enter(login.registration.clone(), login.identity.epoch, handle);
    check_in(&app, node).await;
    let mut session = Session {
        conduct: Conduct::new(login.identity.clone(), held),
        login,
        desks: HashMap::new(),
        cancelled: HashMap::new(),
        last_frame: Instant::now(),
        budget: FrameBudget::new(Instant::now()),
        lost: LostReason::Disconnected,
        app,
    };
    session.serve(socket, inbox).await;
}

struct Session {
    app: App,
    login: Login,
    conduct: Conduct,
    desks: HashMap<JobId, NewsDesk>,
    /// When a job was called off; the node has a second to stop.
    cancelled: HashMap<JobId, Instant>,
    last_frame: Instant,
    budget: FrameBudget,
    lost: LostReason,
}

impl Session {
    async fn serve(&mut self, mut socket: Socket, mut inbox: mpsc::Receiver<Command>) {
        let app = self.app.clone();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            let event = tokio::select! {
                incoming = socket.next() => Event::Incoming(incoming),
                command = inbox.recv() => Event::Command(command),
                _ = ticks.tick() => Event::Tick,
                () = app.quiet() => Event::Shutdown,
            };
            let step = match event {
                Event::Incoming(incoming) => self.incoming(incoming),
                Event::Command(Some(command)) => self.command(command, &mut socket).await,
                Event::Command(None) => Err(End::Gone(LostReason::Replaced)),
                Event::Tick => self.tick(),
                Event::Shutdown => Err(End::close(
                    CloseCode::Shutdown,
                    "the gateway is shutting down",
                    Some(Duration::from_secs(1)),
                    LostReason::Shutdown,
                )),
            };
            if let Err(end) = step {
                break end;
            }
        };
        self.finish(end, socket).await;
    }

    fn incoming(&mut self, incoming: Incoming) -> Result<(), End> {
        let frame = match incoming {
            Incoming::Frame(frame) => frame,
            Incoming::Alive => return self.count_frame(),
            Incoming::Broken(violation) => return Err(End::violation(violation)),
            Incoming::Closed => return Err(End::Gone(LostReason::Disconnected)),
        };
        self.count_frame()?;
        let FromNode { epoch, frame } = frame;
        if epoch < self.login.identity.epoch {
            return Ok(());
        }
        let effect = self.conduct.frame(frame).map_err(End::violation)?;
        if let Some(Statement { job, round, signed }) = self.conduct.take_statement() {
            // Before its owner hears of it: the last of these may end the job.
            self.app.signatures.keep(job, self.login.identity.node, round, signed);
        }
        match effect {
            Effect::Alive => {}
            Effect::Hello(hello) => self.greet(hello),
            Effect::Draining => {
                self.stand(
                    NodeState::Draining,
                    StandingCode::DrainAsked,
                    "its operator asked for no more jobs",
                );
            }
            Effect::Job(job, news) => self.tell(job, news),
        }
        Ok(())
    }

    /// A node that sends more than its jobs can need is cut, before anything is parsed twice.
    fn count_frame(&mut self) -> Result<(), End> {
        self.last_frame = Instant::now();
        match self.budget.takes_one(self.conduct.jobs()) {
            true => Ok(()),
            false => Err(End::violation(Violation::TooManyFrames)),
        }
    }

    async fn command(&mut self, command: Command, socket: &mut Socket) -> Result<(), End> {
        let frame = match command {
            Command::Offer { offer, model, desk } => {
                if !self.conduct.offered(offer.clone(), model) {
                    return Ok(());
                }
                self.desks.insert(offer.job, desk);
                ToNode::Offer(offer)
            }
            Command::Start(start) => {
                if !self.conduct.started(&start) {
                    return Ok(());
                }
                ToNode::Start(start)
            }
            Command::Finish { job, at } => {
                self.conduct.told(job);
                ToNode::Finish { job, at }
            }
            Command::Cancel { job, reason } => {
                if !self.desks.contains_key(&job) {
                    return Ok(());
                }
                self.conduct.told(job);
                self.cancelled.insert(job, Instant::now());
                ToNode::Cancel { job, reason }
            }
            Command::Withdraw { job } => {
                self.forget(job);
                if !self.conduct.forget(job) {
                    return Ok(());
                }
                ToNode::Cancel { job, reason: CancelReason::NotNeeded }
            }
            Command::Outcome { job, outcome, reason } => ToNode::Outcome { job, outcome, reason },
            Command::State(standing) => ToNode::State(standing),
            Command::Close { code, reason } => {
                let lost = match code {
                    CloseCode::Banned => LostReason::Banned,
                    _ => LostReason::Replaced,
                };
                let retry_after = (code == CloseCode::Shutdown)
                    .then_some(Duration::from_millis(limits::RECONNECT_MS_MIN));
                return Err(End::close(code, &reason, retry_after, lost));
            }
        };
        socket.send(&frame).await.map_err(|WriteFailed| End::Gone(LostReason::Disconnected))
    }

    fn tick(&mut self) -> Result<(), End> {
        self.budget.pay(Instant::now(), self.conduct.jobs());
        let silent = self.last_frame.elapsed() > Duration::from_millis(limits::SUSPECT_MS);
        self.app.nodes.set_suspect(self.login.identity.node, silent);
        if self.last_frame.elapsed() > Duration::from_millis(limits::DEAD_MS) {
            return Err(End::close(
                CloseCode::Silent,
                "no frame came for 35 seconds",
                Some(Duration::from_millis(limits::RECONNECT_MS_MIN)),
                LostReason::Silent,
            ));
        }
        let limit = Duration::from_millis(limits::CANCEL_MS_MAX);
        let overdue: Vec<JobId> = self
            .cancelled
            .iter()
            .filter(|(_, since)| since.elapsed() > limit)
            .map(|(job, _)| *job)
            .collect();
        for job in overdue {
            // The owner stops waiting; late frames about the job are dropped.
            self.conduct.forget(job);
            self.tell(job, JobNews::Lost(LostReason::Silent));
        }
        Ok(())
    }

    /// Passes news to the owner of a job; the last news closes the desk.
    fn tell(&mut self, job: JobId, news: JobNews) {
        let last = !matches!(news, JobNews::Accepted | JobNews::Tokens { .. });
        let node = self.login.identity.node;
        if let Some(desk) = self.desks.get(&job)
            && desk.try_send(NodeNews { node, job, news }).is_err()
        {
            // The owner has gone, or cannot keep up: either way this node's part is over.
            self.conduct.forget(job);
            self.forget(job);
        }
        if last {
            self.forget(job);
        }
    }

    fn forget(&mut self, job: JobId) {
        self.desks.remove(&job);
        self.cancelled.remove(&job);
    }

    /// Takes the node out of the registry and tells the owners of its jobs.
    fn leave(&mut self) {
        let node = self.login.identity.node;
        self.app.nodes.leave(node, self.login.identity.epoch);
        for (job, desk) in self.desks.drain() {
            let _ = desk.try_send(NodeNews { node, job, news: JobNews::Lost(self.lost) });
        }
    }

    async fn finish(&mut self, end: End, mut socket: Socket) {
        let node = self.login.identity.node;
        match end {
            End::Close { code, reason, retry_after, lost } => {
                warn!(%node, ?code, reason, "node session closed");
                self.lost = lost;
                let retry_after_ms =
                    retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                if let LostReason::Violation(_) = lost {
                    metrics::counter!("assay_node_violations_total").increment(1);
                }
                // First those who wait for the node, then the node itself.
                self.leave();
                let _ = socket.send(&ToNode::Close { code, reason, retry_after_ms }).await;
            }
            End::Gone(lost) => {
                info!(%node, reason = %lost, "node session ended");
                self.lost = lost;
            }
        }
    }
}

impl Drop for Session {
    /// Runs however the session ended: nobody waits for a node that is gone.
    fn drop(&mut self) {
        self.leave();
    }
}
