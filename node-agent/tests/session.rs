//! A node against a scripted gateway, with the demo model on the real runtime.

#[path = "support/gateway.rs"]
mod gateway;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Duration,
};

use assay_engine::{Engine, EngineConfig, GenerateRequest, Runtime, RuntimeConfig};
use assay_model::ChatMessage;
use assay_node_agent::{
    Agent, AgentError, Slots, config::ModelSection, hardware, shutdown::Shutdown,
};
use assay_protocol::{
    Bytes32, CancelReason, CloseCode, Finish, FromNodeFrame as Said, GenerateStart, JobId, JobKind,
    JobOffer, Outcome, RefuseCode, Sampling, ScoreStart, Start, ToNode, TokenId,
};
use gateway::{Gateway, Listener, Received, identity};
use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

fn demo_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/demo")
}

fn runtime() -> Runtime {
    Runtime::load(&RuntimeConfig::default()).expect("ONNX Runtime")
}

/// The same model beside the node, to know what it must say.
struct Oracle(Engine);

impl Oracle {
    fn open() -> Self {
        Self(Engine::open(&runtime(), &demo_model(), &EngineConfig::default()).unwrap())
    }

    fn prompt(&self, content: &str) -> Vec<TokenId> {
        let message = ChatMessage::new("user", content);
        let text = self.0.text();
        text.encode(&text.render(&[message]).unwrap()).unwrap()
    }

    fn answer(&mut self, start: &GenerateStart) -> (Vec<TokenId>, Finish) {
        let mut output = start.prefix.clone();
        let request = GenerateRequest {
            prompt: start.prompt.clone(),
            prefix: start.prefix.clone(),
            max_tokens: start.max_tokens,
            sampling: start.sampling.clone(),
            seed: start.seed,
        };
        let push = &mut |id, _| {
            output.push(id);
            ControlFlow::Continue(())
        };
        let finish = self.0.generate(&request, push).unwrap();
        (output, finish)
    }

    fn offer(&self, start: &GenerateStart) -> JobOffer {
        let text = self.0.text();
        JobOffer {
            job: start.job,
            round: 1,
            model: text.manifest.id.clone(),
            manifest_hash: text.manifest_hash,
            kind: JobKind::Generate,
            prompt_tokens: u32::try_from(start.prompt.len()).unwrap(),
            max_tokens: start.max_tokens,
            deadline_ms: 60_000,
        }
    }
}

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn start(number: u128, prompt: Vec<TokenId>) -> GenerateStart {
    GenerateStart {
        job: job(number),
        prompt,
        prefix: Vec::new(),
        max_tokens: 300,
        sampling: Sampling { temperature: 0.7, ..Sampling::default() },
        seed: Bytes32([2; 32]),
        salt: Bytes32([3; 32]),
    }
}

/// An answer that the model does not end by itself before about a second.
fn long_start(number: u128, oracle: &Oracle) -> GenerateStart {
    let mut start = start(number, oracle.prompt("Tell me a story."));
    start.max_tokens = 900;
    let ends = &oracle.0.text().manifest.end_tokens;
    start.sampling.logit_bias = ends.iter().map(|id| (*id, -100.0)).collect();
    start
}

/// A gateway, and a node with one slot that is enrolled with it.
async fn node() -> (Listener, Agent, watch::Sender<Shutdown>, watch::Receiver<Shutdown>) {
    let listener = Listener::open().await;
    let section = ModelSection { folder: demo_model(), ..ModelSection::default() };
    let agent = Agent {
        identity: identity(&listener.url()),
        slots: Slots::open(&runtime(), &[section]).expect("slots"),
        hardware: hardware::read(),
        drain_ms: 20_000,
    };
    let (ask, shutdown) = watch::channel(Shutdown::No);
    (listener, agent, ask, shutdown)
}

/// Runs a node until the script is through.
async fn with_node(script: impl AsyncFnOnce(&mut Listener)) {
    let (mut listener, agent, _ask, shutdown) = node().await;
    tokio::select! {
        () = script(&mut listener) => {}
        ended = agent.run(shutdown) => panic!("the node left: {ended:?}"),
    }
}

/// Runs a node until the script is through and the node has left; says how it left.
async fn with_leaving_node(
    script: impl AsyncFnOnce(&mut Listener, &watch::Sender<Shutdown>),
) -> Result<(), AgentError> {
    let (mut listener, agent, ask, shutdown) = node().await;
    let run = timeout(Duration::from_secs(60), agent.run(shutdown));
    let (ended, ()) = tokio::join!(run, script(&mut listener, &ask));
    ended.expect("the node leaves")
}

async fn accepted(gateway: &mut Gateway, offer: JobOffer) {
    let job = offer.job;
    gateway.send(ToNode::Offer(offer)).await;
    assert_eq!(gateway.next().await, Said::Accept { job });
}

async fn refused(gateway: &mut Gateway, offer: JobOffer) -> RefuseCode {
    gateway.send(ToNode::Offer(offer)).await;
    match gateway.next().await {
        Said::Refuse { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_job_runs_from_offer_to_a_signed_end() {
    let mut oracle = Oracle::open();
    let start = start(1, oracle.prompt("Tell me a story."));
    let offer = oracle.offer(&start);
    let expected = oracle.answer(&start);
    with_node(async |listener| {
        let mut gateway = listener.log_in().await;
        let Said::Hello(hello) = gateway.next().await else { panic!("no hello") };
        let [served] = &hello.models[..] else { panic!("{hello:?}") };
        assert_eq!((&served.id, served.manifest_hash), (&offer.model, offer.manifest_hash));
        assert_eq!((served.slots, served.execution_provider.as_str()), (1, "cpu"));
        assert!(served.runtime.starts_with("onnxruntime"), "{served:?}");

        accepted(&mut gateway, offer.clone()).await;
        gateway.send(ToNode::Start(Start::Generate(start.clone()))).await;
        let Received { ids, finish, .. } = gateway.answer(&offer, &start).await;
        assert_eq!((ids, finish), expected);
        let (outcome, reason) = (Outcome::Agreed, "equal to 2 other owners".into());
        gateway.send(ToNode::Outcome { job: start.job, outcome, reason }).await;
        accepted(&mut gateway, offer).await;
    })
    .await;
}

#[tokio::test]
async fn a_node_goes_on_from_an_agreed_prefix() {
    let mut oracle = Oracle::open();
    let mut start = start(1, oracle.prompt("Tell me a story about a fox."));
    let expected = oracle.answer(&start);
    let (agreed, rest) = expected.0.split_at(expected.0.len() / 2);
    start.prefix = agreed.to_vec();
    let offer = JobOffer { round: 2, ..oracle.offer(&start) };
    with_node(async |listener| {
        let mut gateway = listener.greeted().await;
        accepted(&mut gateway, offer.clone()).await;
        gateway.send(ToNode::Start(Start::Generate(start.clone()))).await;
        let received = gateway.answer(&offer, &start).await;
        assert_eq!((&received.ids[..], received.finish), (rest, expected.1));
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_job_ends_signed_at_what_was_sent_and_frees_its_slot() {
    let mut oracle = Oracle::open();
    let start = long_start(1, &oracle);
    let offer = oracle.offer(&start);
    let expected = oracle.answer(&start);
    with_node(async |listener| {
        let mut gateway = listener.greeted().await;
        accepted(&mut gateway, offer.clone()).await;
        gateway.send(ToNode::Start(Start::Generate(start.clone()))).await;
        gateway.first_chunk().await;
        let cancel = ToNode::Cancel { job: start.job, reason: CancelReason::ClientLeft };
        gateway.send(cancel).await;
        let received = gateway.answer(&offer, &start).await;
        assert_eq!(received.finish, Finish::Told);
        assert!(received.ids.len() < expected.0.len(), "it stopped early");
        assert!(expected.0.starts_with(&received.ids));

        // A job that was accepted and called off before its start needs no answer.
        accepted(&mut gateway, offer.clone()).await;
        let cancel = ToNode::Cancel { job: start.job, reason: CancelReason::NotNeeded };
        gateway.send(cancel).await;
        accepted(&mut gateway, offer).await;
    })
    .await;
}

#[tokio::test]
async fn the_gateway_says_where_an_answer_ends_behind_and_ahead_of_what_was_sent() {
    let oracle = Oracle::open();
    let start = long_start(1, &oracle);
    let offer = oracle.offer(&start);
    with_node(async |listener| {
        let mut gateway = listener.greeted().await;
        for at in [1, 200] {
            accepted(&mut gateway, offer.clone()).await;
            gateway.send(ToNode::Start(Start::Generate(start.clone()))).await;
            gateway.first_chunk().await;
            gateway.send(ToNode::Finish { job: start.job, at }).await;
            let received = gateway.answer(&offer, &start).await;
            assert_eq!((received.finish, received.count), (Finish::Told, at));
        }
    })
    .await;
}

#[tokio::test]
async fn offers_that_cannot_be_met_are_refused_with_the_reason() {
    let oracle = Oracle::open();
    let offer = oracle.offer(&start(1, oracle.prompt("Hello!")));
    with_node(async |listener| {
        let mut gateway = listener.greeted().await;
        let unknown = JobOffer { model: "another".into(), ..offer.clone() };
        assert_eq!(refused(&mut gateway, unknown).await, RefuseCode::ModelNotServed);
        let changed = JobOffer { manifest_hash: Bytes32([0; 32]), ..offer.clone() };
        assert_eq!(refused(&mut gateway, changed).await, RefuseCode::ModelNotServed);
        let long = JobOffer { prompt_tokens: 1_000, max_tokens: 25, ..offer.clone() };
        assert_eq!(refused(&mut gateway, long).await, RefuseCode::TooLong);
        let endless = JobOffer { prompt_tokens: u32::MAX, max_tokens: u32::MAX, ..offer.clone() };
        assert_eq!(refused(&mut gateway, endless).await, RefuseCode::TooLong);
        accepted(&mut gateway, offer.clone()).await;
        assert_eq!(
            refused(&mut gateway, JobOffer { job: job(2), ..offer.clone() }).await,
            RefuseCode::Busy
        );
    })
    .await;
}

#[tokio::test]
async fn an_accepted_offer_is_forgotten_when_its_deadline_passes_without_a_start() {
    let oracle = Oracle::open();
    let start = start(1, oracle.prompt("Hello!"));
    let offer = JobOffer { deadline_ms: 50, ..oracle.offer(&start) };
    with_node(async |listener| {
        let mut gateway = listener.greeted().await;
        accepted(&mut gateway, offer.clone()).await;
        // The slot comes back: another job is refused until then, and accepted after.
        let other = JobOffer { job: job(2), ..offer.clone() };
        loop {
            gateway.send(ToNode::Offer(other.clone())).await;
            match gateway.next().await {
                Said::Refuse { code: RefuseCode::Busy, .. } => {}
                Said::Accept { job } if job == other.job => break,
                frame => panic!("{frame:?}"),
            }
        }
        gateway.send(ToNode::Start(Start::Generate(start.clone()))).await;
        assert!(matches!(gateway.next().await, Said::Failed { .. }), "it came too late");
    })
    .await;
}

#[tokio::test]
async fn any_node_scores_and_sees_an_edit() {
    let mut oracle = Oracle::open();
    let written = start(1, oracle.prompt("Hello!"));
    let (mut output, _) = oracle.answer(&written);
    let place = output.len() - 2;
    output[place] = if output[place] == 100 { 101 } else { 100 };
    let offer = JobOffer {
        job: job(2),
        kind: JobKind::Score,
        max_tokens: u32::try_from(output.len()).unwrap(),
        ..oracle.offer(&written)
    };
    with_node(async |listener| {
        let mut gateway = listener.greeted().await;
        accepted(&mut gateway, offer).await;
        let GenerateStart { prompt, sampling, seed, .. } = written;
        let start = ScoreStart { job: job(2), prompt, output, sampling, seed };
        gateway.send(ToNode::Start(Start::Score(start))).await;
        let Said::Scored { positions, last: true, .. } = gateway.next().await else {
            panic!("no scores")
        };
        assert!(positions[..place].iter().all(|position| position.margin <= 1e-3));
        assert!(positions[place].margin > 1e-3);
    })
    .await;
}

#[tokio::test]
async fn a_draining_node_finishes_its_job_takes_no_other_and_leaves() {
    let mut oracle = Oracle::open();
    let start = start(1, oracle.prompt("Tell me a story."));
    let offer = oracle.offer(&start);
    let expected = oracle.answer(&start);
    let ended = with_leaving_node(async |listener, ask| {
        let mut gateway = listener.greeted().await;
        accepted(&mut gateway, offer.clone()).await;
        ask.send(Shutdown::Drain).unwrap();
        assert_eq!(gateway.next().await, Said::Draining {});
        let other = JobOffer { job: job(2), ..offer.clone() };
        assert_eq!(refused(&mut gateway, other).await, RefuseCode::Draining);
        gateway.send(ToNode::Start(Start::Generate(start.clone()))).await;
        let received = gateway.answer(&offer, &start).await;
        assert_eq!((received.ids, received.finish), expected);
        gateway.closed().await;
    })
    .await;
    ended.expect("it left in peace");
}

#[tokio::test]
async fn a_node_in_a_hurry_leaves_its_job_unfinished() {
    let oracle = Oracle::open();
    let start = long_start(1, &oracle);
    let ended = with_leaving_node(async |listener, ask| {
        let mut gateway = listener.greeted().await;
        accepted(&mut gateway, oracle.offer(&start)).await;
        gateway.send(ToNode::Start(Start::Generate(start.clone()))).await;
        gateway.first_chunk().await;
        ask.send(Shutdown::Drain).unwrap();
        ask.send(Shutdown::Now).unwrap();
        gateway.gone_without_an_end().await;
    })
    .await;
    ended.expect("it left in peace");
}

#[tokio::test]
async fn a_gateway_that_breaks_the_protocol_is_left_and_tried_again() {
    with_node(async |listener| {
        let mut gateway = listener.greeted().await;
        gateway.send_text("{\"type\":\"gibberish\"}").await;
        gateway.closed().await;
        listener.greeted().await;
    })
    .await;
}

#[tokio::test]
async fn a_node_signs_for_no_gateway_but_its_own() {
    with_node(async |listener| {
        let mut other = listener.accept().await;
        other.challenge("another-gateway").await;
        other.closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_node_that_is_not_wanted_gives_up_and_says_why() {
    let ended = with_leaving_node(async |listener, _| {
        let mut gateway = listener.greeted().await;
        let (code, reason) = (CloseCode::Banned, "three forged answers".to_owned());
        gateway.send(ToNode::Close { code, reason, retry_after_ms: None }).await;
        gateway.closed().await;
    })
    .await;
    let error = ended.unwrap_err();
    assert!(error.to_string().contains("three forged answers"), "{error}");
}

#[tokio::test]
async fn a_node_comes_back_when_the_gateway_says() {
    with_node(async |listener| {
        let mut gateway = listener.greeted().await;
        let (code, reason) = (CloseCode::Shutdown, "restarting".to_owned());
        gateway.send(ToNode::Close { code, reason, retry_after_ms: Some(10) }).await;
        listener.greeted().await;
    })
    .await;
}
