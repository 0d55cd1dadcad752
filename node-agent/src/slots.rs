//! The slots of this node: which models it serves and which engines are idle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use anyhow::{Context, ensure};
use assay_engine::{Machine, Runtime};
use assay_protocol::{JobKind, JobOffer, RefuseCode, ServedModel, limits::MODELS_PER_NODE_MAX};

use crate::{
    config::ModelSection,
    hardware,
    worker::{self, Work},
};

/// All engines of this node. They outlive connections.
#[derive(Debug)]
pub struct Slots {
    models: Vec<ModelSlots>,
}

#[derive(Debug)]
struct ModelSlots {
    served: ServedModel,
    idle: Idle,
}

type Idle = Arc<Mutex<Vec<mpsc::SyncSender<Work>>>>;

/// An engine that is spoken for. Dropping it makes the engine idle again.
#[derive(Debug)]
pub(crate) struct Lease {
    worker: Option<mpsc::SyncSender<Work>>,
    idle: Idle,
}

impl Slots {
    /// Opens every slot of every model, each on its own thread. Blocks until all are ready.
    pub fn open(runtime: &Runtime, models: &[ModelSection]) -> anyhow::Result<Self> {
        ensure!(
            models.len() <= MODELS_PER_NODE_MAX,
            "a node serves at most {MODELS_PER_NODE_MAX} models"
        );
        let models =
            models.iter().map(|model| open_model(runtime, model)).collect::<Result<_, _>>()?;
        Ok(Self { models })
    }

    /// What to announce.
    pub fn served(&self) -> Vec<ServedModel> {
        self.models.iter().map(|model| model.served.clone()).collect()
    }

    /// Speaks for an engine that can do the offered job, or says why there is none.
    pub(crate) fn lease(&self, offer: &JobOffer) -> Result<Lease, RefuseCode> {
        let right = |model: &&ModelSlots| {
            model.served.id == offer.model && model.served.manifest_hash == offer.manifest_hash
        };
        let mut right = self.models.iter().filter(right).peekable();
        let Some(first) = right.peek() else { return Err(RefuseCode::ModelNotServed) };
        let tokens = u64::from(offer.prompt_tokens) + u64::from(offer.max_tokens);
        // Of texts to embed each has the context for itself: the model looks at them one by one.
        if offer.kind != JobKind::Embed && tokens > u64::from(first.served.context_length) {
            return Err(RefuseCode::TooLong);
        }
        right
            .find_map(|model| {
                Some(Lease { worker: lock(&model.idle).pop(), idle: model.idle.clone() })
                    .filter(|lease| lease.worker.is_some())
            })
            .ok_or(RefuseCode::Busy)
    }
}

impl Lease {
    /// Hands work to the engine; `None` when the engine's thread is gone, and then the slot is too.
    pub(crate) fn start(mut self, work: impl FnOnce(Self) -> Work) -> Option<()> {
        let worker = self.worker.take()?;
        self.worker = Some(worker.clone());
        match worker.try_send(work(self)) {
            Ok(()) => Some(()),
            Err(mpsc::TrySendError::Full(work) | mpsc::TrySendError::Disconnected(work)) => {
                let Work { mut lease, .. } = work;
                lease.worker = None;
                None
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            lock(&self.idle).push(worker);
        }
    }
}

fn open_model(runtime: &Runtime, model: &ModelSection) -> anyhow::Result<ModelSlots> {
    ensure!(model.slots > 0, "{}: a model needs at least one slot", model.folder.display());
    let (opened, openings) = mpsc::channel();
    let workers = (0..model.slots)
        .map(|_| {
            let folder = model.folder.clone();
            worker::start(runtime.clone(), folder, model.engine(), describe, opened.clone())
        })
        .collect::<Result<Vec<_>, _>>()
        .context("a thread for an engine")?;
    drop(opened);
    let mut served = None;
    for opening in openings {
        served = Some(opening.with_context(|| format!("model {}", model.folder.display()))?);
    }
    let mut served: ServedModel = served.context("an engine's thread ended early")?;
    served.slots = model.slots;
    tracing::info!(
        "serving {} (slots: {}) on {} with {}",
        served.id,
        served.slots,
        served.execution_provider,
        served.runtime
    );
    Ok(ModelSlots { served, idle: Arc::new(Mutex::new(workers)) })
}

fn describe(machine: &Machine) -> ServedModel {
    let text = machine.text();
    ServedModel {
        id: text.manifest.id.clone(),
        manifest_hash: text.manifest_hash,
        runtime: hardware::name(machine.runtime()),
        execution_provider: machine.execution_provider().to_owned(),
        precision: hardware::name(machine.precision()),
        context_length: text.manifest.context_length,
        slots: 1,
    }
}

/// Nothing is left half done under this lock.
fn lock(idle: &Idle) -> MutexGuard<'_, Vec<mpsc::SyncSender<Work>>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
