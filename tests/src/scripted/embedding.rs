//! A scripted node that embeds: honestly, but for what a story does to its vectors.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use assay_engine::{Embedder, EngineConfig, Runtime, RuntimeConfig};
use assay_protocol::{
    EmbedStart, FromNodeFrame, Hardware, Hello, JobId, JobOffer, NodeId, Sampling, ServedModel,
    Start, ToNode, TokenId, embedding, limits,
};
use tokio::{
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::interval,
};

use super::{End, Identity, Seen, connection::Connection};
use crate::{admin::Operator, binaries::embedder_model, wait::within};

/// Jobs at once.
const SLOTS: u32 = 8;

/// What it makes of honest vectors before it signs them.
pub type Bend = fn(&mut [f32]);

/// A scripted node in this process. Dropping it breaks its connection.
#[derive(Debug)]
pub struct EmbeddingNode {
    pub id: NodeId,
    pub operator: Operator,
    seen: watch::Receiver<Seen>,
    _session: JoinSet<()>,
}

impl EmbeddingNode {
    /// Connects, and waits until it gets jobs.
    pub async fn connect(who: Identity, operator: Operator, bend: Bend) -> Self {
        let (tell, seen) = watch::channel(Seen::default());
        let (id, mut session) = (who.node, JoinSet::new());
        session.spawn(async move {
            let end = match serve(&who, bend, &tell).await {
                Ok(()) => End::Lost("the gateway left".into()),
                Err(error) => End::Lost(format!("{error:#}")),
            };
            tell.send_modify(|seen| seen.end = Some(end));
        });
        let node = Self { id, operator, seen, _session: session };
        node.wait_for("is told where it stands", |seen| seen.state.is_some()).await;
        node
    }

    /// Waits for what it hears or does.
    pub async fn wait_for(&self, what: &str, condition: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.clone();
        let waited = within(&format!("{} {what}", self.id), seen.wait_for(condition)).await;
        waited.map(|seen| seen.clone()).unwrap_or_else(|_| panic!("{:#?}", self.seen.borrow()))
    }
}

/// The vectors that the shipped embedder makes of these.
pub async fn embed(inputs: Vec<Vec<TokenId>>) -> Vec<f32> {
    let embed = move || locked().embed(&inputs).expect("the embedder embeds");
    spawn_blocking(embed).await.expect("the embedder does not panic")
}

/// The ids of a text, as the shipped embedder's tokenizer has them.
pub fn ids_of(text: &str) -> Vec<TokenId> {
    locked().text().encode_raw(text).expect("a text")
}

fn locked() -> std::sync::MutexGuard<'static, Embedder> {
    shared().lock().unwrap_or_else(PoisonError::into_inner)
}

/// One for a whole test process.
fn shared() -> &'static Arc<Mutex<Embedder>> {
    static SHARED: OnceLock<Arc<Mutex<Embedder>>> = OnceLock::new();
    SHARED.get_or_init(|| {
        let runtime = Runtime::load(&RuntimeConfig::default()).expect("the runtime loads");
        let embedder = Embedder::open(&runtime, &embedder_model(), &EngineConfig::default());
        Arc::new(Mutex::new(embedder.expect("the embedder opens")))
    })
}

async fn serve(who: &Identity, bend: Bend, tell: &watch::Sender<Seen>) -> anyhow::Result<()> {
    let mut connection = Connection::open(who).await?;
    connection.log_in(who).await?;
    let mut accepted: HashMap<JobId, JobOffer> = HashMap::new();
    let mut heartbeat = interval(Duration::from_millis(limits::HEARTBEAT_MS));
    heartbeat.tick().await;
    loop {
        let frame = tokio::select! {
            frame = connection.next() => frame,
            _ = heartbeat.tick() => {
                connection.send(FromNodeFrame::Heartbeat { jobs: 0 }).await?;
                continue;
            }
        };
        match frame {
            None => return Ok(()),
            Some(ToNode::Welcome { epoch, .. }) => {
                connection.epoch = epoch;
                connection.send(hello()).await?;
            }
            Some(ToNode::State(standing)) => {
                tell.send_modify(|seen| seen.state = Some(standing.state));
            }
            Some(ToNode::Offer(offer)) => {
                tell.send_modify(|seen| seen.offers += 1);
                let job = offer.job;
                accepted.insert(job, offer);
                connection.send(FromNodeFrame::Accept { job }).await?;
            }
            Some(ToNode::Start(Start::Embed(start))) => {
                tell.send_modify(|seen| seen.starts += 1);
                let Some(offer) = accepted.remove(&start.job) else { continue };
                let mut components = embed(start.inputs.clone()).await;
                bend(&mut components);
                for frame in frames(who, connection.epoch, &offer, &start, &components) {
                    connection.send(frame).await?;
                }
            }
            Some(ToNode::Outcome { outcome, reason, .. }) => {
                tell.send_modify(|seen| seen.outcomes.push((outcome, reason)));
            }
            Some(_) => {}
        }
    }
}

fn hello() -> FromNodeFrame {
    let embedder = locked();
    let text = embedder.text();
    FromNodeFrame::Hello(Hello {
        agent_version: env!("CARGO_PKG_VERSION").into(),
        models: vec![ServedModel {
            id: text.manifest.id.clone(),
            manifest_hash: text.manifest_hash,
            runtime: embedder.runtime().to_owned(),
            execution_provider: embedder.execution_provider().to_owned(),
            precision: embedder.precision().to_owned(),
            context_length: text.manifest.context_length,
            slots: SLOTS,
        }],
        hardware: Hardware { cpu: "scripted".into(), cores: 1, accelerator: None },
    })
}

fn frames(
    who: &Identity,
    epoch: u64,
    offer: &JobOffer,
    start: &EmbedStart,
    components: &[f32],
) -> Vec<FromNodeFrame> {
    let (job, sampling) = (start.job, Sampling::default());
    let signer = embedding::Embedder { gateway: &who.gateway_id, node: who.node, epoch };
    let statement = embedding::attestation(signer, offer, start, &sampling, components);
    let signature = statement.sign(&who.key);
    let pieces = (0..).zip(components.chunks(limits::COMPONENTS_PER_FRAME_MAX));
    let vectors = pieces.map(|(seq, piece)| {
        let components = piece.to_vec();
        FromNodeFrame::Vectors { job, seq, components }
    });
    vectors.chain([FromNodeFrame::Embedded { job, signature }]).collect()
}
