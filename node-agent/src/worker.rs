//! A worker: one thread that owns one model and runs one job at a time.

use std::{
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use assay_engine::{
    Drawn, Engine, EngineConfig, EngineError, GenerateRequest, Machine, Runtime, ScoreRequest,
    Scores,
};
use assay_protocol::{Finish, TokenId};
use tokio::sync::mpsc::Sender;

use crate::slots::Lease;

/// Tokens that wait for the session before the engine pauses.
pub(crate) const EVENTS_MAX: usize = 256;

/// One job for an engine.
#[derive(Debug)]
pub(crate) struct Work {
    /// Tells this run from any other, also of the same job.
    pub(crate) ticket: u64,
    pub(crate) task: Task,
    pub(crate) stop: StopSignal,
    pub(crate) events: Sender<EngineEvent>,
    /// Gives the slot back when the work is done.
    pub(crate) lease: Lease,
}

#[derive(Debug)]
pub(crate) enum Task {
    Generate(GenerateRequest),
    Score(ScoreRequest),
    Embed(Vec<Vec<TokenId>>),
}

/// What an engine says about the run with this ticket.
#[derive(Debug)]
pub(crate) struct EngineEvent {
    pub(crate) ticket: u64,
    pub(crate) said: Said,
}

#[derive(Debug)]
pub(crate) enum Said {
    Token(Drawn),
    Answered(Result<Finish, EngineError>),
    Scored(Result<Scores, EngineError>),
    Embedded(Result<Vec<f32>, EngineError>),
}

/// How many output tokens, the prefix included, are still wanted. Only ever falls.
#[derive(Clone, Debug)]
pub(crate) struct StopSignal(Arc<AtomicU32>);

impl StopSignal {
    pub(crate) fn never() -> Self {
        Self(Arc::new(AtomicU32::new(u32::MAX)))
    }

    pub(crate) fn stop_at(&self, tokens: u32) {
        self.0.fetch_min(tokens, Ordering::Relaxed);
    }

    fn wants(&self, tokens: u32) -> bool {
        tokens < self.0.load(Ordering::Relaxed)
    }
}

/// Starts a thread that opens an engine, hands what `describe` says about it (or why it does not
/// open) to `opened`, and then works until nobody can send work any more.
pub(crate) fn start<T: Send + 'static>(
    runtime: Runtime,
    folder: PathBuf,
    config: EngineConfig,
    describe: fn(&Machine) -> T,
    opened: mpsc::Sender<Result<T, EngineError>>,
) -> std::io::Result<mpsc::SyncSender<Work>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().name("engine".into()).spawn(move || {
        let mut machine = match Machine::open(&runtime, &folder, &config) {
            Ok(machine) => machine,
            Err(error) => return drop(opened.send(Err(error))),
        };
        let _ = opened.send(Ok(describe(&machine)));
        drop(opened);
        for work in receiver {
            do_work(&mut machine, work);
        }
    })?;
    Ok(sender)
}

/// The slot is free again before the session hears that the work is done.
fn do_work(machine: &mut Machine, Work { ticket, task, stop, events, lease }: Work) {
    let last = match task {
        Task::Generate(request) => {
            let write = |engine| generate(engine, &request, ticket, &stop, &events);
            Said::Answered(guarded(|| write(machine.writer()?)))
        }
        Task::Score(request) => Said::Scored(guarded(|| machine.writer()?.score_told(&request))),
        Task::Embed(inputs) => Said::Embedded(guarded(|| machine.embedder()?.embed(&inputs))),
    };
    drop(lease);
    // A session that is gone needs no answer.
    let _ = events.blocking_send(EngineEvent { ticket, said: last });
}

fn generate(
    engine: &mut Engine,
    request: &GenerateRequest,
    ticket: u64,
    stop: &StopSignal,
    events: &Sender<EngineEvent>,
) -> Result<Finish, EngineError> {
    let mut tokens = u32::try_from(request.prefix.len()).unwrap_or(u32::MAX);
    engine.generate_told(request, &mut |drawn| {
        if !stop.wants(tokens) {
            return ControlFlow::Break(());
        }
        tokens += 1;
        let sent = events.blocking_send(EngineEvent { ticket, said: Said::Token(drawn) });
        match sent.is_ok() && stop.wants(tokens) {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })
}

/// A panic in the engine ends its job, not the node.
fn guarded<T>(run: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err(EngineError::Runtime("the engine panicked".into())))
}
