//! A gateway that does what a test tells it. Every wait has a deadline.

use std::time::Duration;

use assay_node_agent::{Identity, identity::public_key};
use assay_protocol::{
    AnswerChain, Attestation, Bytes32, Bytes64, Finish, FromNode, FromNodeFrame, GenerateStart,
    JobOffer, LogitsHash, NodeId, ToNode, TokenId, VERSION,
    identity::{login_statement, verify},
    limits::SIGN_EVERY_TOKENS,
};
use ed25519_dalek::SigningKey;
use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};
use uuid::Uuid;

const DEADLINE: Duration = Duration::from_secs(30);
const GATEWAY: &str = "gw-test";
const EPOCH: u64 = 7;

pub(crate) struct Listener(TcpListener);

pub(crate) struct Gateway {
    socket: WebSocketStream<TcpStream>,
    /// Chunks that were taken in already.
    ids: Vec<TokenId>,
    logits: Vec<f32>,
    chunks: u32,
}

/// A whole answer whose signatures were good.
pub(crate) struct Received {
    pub(crate) ids: Vec<TokenId>,
    pub(crate) count: u32,
    pub(crate) finish: Finish,
}

/// The node that these gateways know.
pub(crate) fn identity(url: &str) -> Identity {
    Identity {
        node: NodeId(Uuid::from_u128(77)),
        gateway_url: url.to_owned(),
        gateway_id: GATEWAY.to_owned(),
        key: SigningKey::from_bytes(&[9; 32]),
    }
}

impl Listener {
    pub(crate) async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    pub(crate) async fn accept(&mut self) -> Gateway {
        let accepted = async { accept_async(self.0.accept().await.unwrap().0).await.unwrap() };
        let socket = timeout(DEADLINE, accepted).await.expect("the node connects");
        Gateway { socket, ids: Vec::new(), logits: Vec::new(), chunks: 0 }
    }

    /// Lets the node in; its hello is still to come.
    pub(crate) async fn log_in(&mut self) -> Gateway {
        let mut gateway = self.accept().await;
        let nonce = gateway.challenge(GATEWAY).await;
        let FromNode { epoch: 0, frame } = gateway.receive().await else { panic!("a session?") };
        let FromNodeFrame::Login { node, version, signature } = frame else {
            panic!("no log-in: {frame:?}")
        };
        let known = identity("");
        assert_eq!((node, version), (known.node, VERSION));
        let signed = login_statement(GATEWAY, nonce, node, version);
        assert!(verify(public_key(&known.key), &signed, signature));
        gateway.send(ToNode::Welcome { version, epoch: EPOCH, heartbeat_ms: 10_000 }).await;
        gateway
    }

    /// Lets the node in and takes its hello.
    pub(crate) async fn greeted(&mut self) -> Gateway {
        let mut gateway = self.log_in().await;
        let hello = gateway.next().await;
        assert!(matches!(hello, FromNodeFrame::Hello(_)), "{hello:?}");
        gateway
    }
}

impl Gateway {
    pub(crate) async fn challenge(&mut self, gateway: &str) -> Bytes32 {
        let (gateway, nonce) = (gateway.to_owned(), Bytes32([5; 32]));
        self.send(ToNode::Challenge { gateway, nonce, versions: vec![VERSION] }).await;
        nonce
    }

    pub(crate) async fn send(&mut self, frame: ToNode) {
        self.send_text(&serde_json::to_string(&frame).unwrap()).await;
    }

    pub(crate) async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next frame that is not a heartbeat.
    pub(crate) async fn next(&mut self) -> FromNodeFrame {
        loop {
            let FromNode { epoch, frame } = self.receive().await;
            assert_eq!(epoch, EPOCH);
            if !matches!(frame, FromNodeFrame::Heartbeat { .. }) {
                return frame;
            }
        }
    }

    /// Waits until the node hangs up, having said nothing more.
    pub(crate) async fn closed(&mut self) {
        while let Some(message) = self.message().await {
            assert!(!matches!(message, Message::Text(_)), "{message:?}");
        }
    }

    /// Waits until the node hangs up in the middle of its job.
    pub(crate) async fn gone_without_an_end(&mut self) {
        while let Some(message) = self.message().await {
            let Message::Text(text) = message else { continue };
            let FromNode { frame, .. } = serde_json::from_str(&text).unwrap();
            assert!(!matches!(frame, FromNodeFrame::Complete { .. }), "{frame:?}");
        }
    }

    /// Waits for tokens of the running job.
    pub(crate) async fn first_chunk(&mut self) {
        let frame = self.next().await;
        assert!(matches!(frame, FromNodeFrame::Chunk { .. }), "{frame:?}");
        self.take_in(frame);
    }

    /// Receives the rest of an answer and checks every signature in it.
    pub(crate) async fn answer(&mut self, offer: &JobOffer, start: &GenerateStart) -> Received {
        let from = u32::try_from(start.prefix.len()).unwrap();
        let mut signatures = Vec::new();
        let (count, finish) = loop {
            match self.next().await {
                FromNodeFrame::Signed { to, signature, .. } => {
                    assert_eq!(to % SIGN_EVERY_TOKENS, 0);
                    signatures.push((to, signature, None));
                }
                FromNodeFrame::Complete { job, finish, count, signature } => {
                    assert_eq!(job, start.job);
                    signatures.push((count, signature, Some(finish)));
                    break (count, finish);
                }
                frame => self.take_in(frame),
            }
        };
        let (ids, logits) = (std::mem::take(&mut self.ids), std::mem::take(&mut self.logits));
        self.chunks = 0;
        for (to, signature, finish) in signatures {
            let own = (to - from) as usize;
            let covered = (&ids[..own], &logits[..own]);
            assert!(covers(signature, offer, start, covered, finish), "signature at {to}");
        }
        Received { ids: ids[..(count - from) as usize].to_vec(), count, finish }
    }

    fn take_in(&mut self, frame: FromNodeFrame) {
        let FromNodeFrame::Chunk { seq, ids, logits, .. } = frame else {
            panic!("no chunk: {frame:?}")
        };
        assert_eq!(seq, self.chunks, "chunks count without gaps");
        assert_eq!(ids.len(), logits.len());
        self.chunks += 1;
        self.ids.extend(ids);
        self.logits.extend(logits);
    }

    async fn receive(&mut self) -> FromNode {
        loop {
            match self.message().await.expect("the node stays") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message, or nothing when the node is gone.
    async fn message(&mut self) -> Option<Message> {
        let message = timeout(DEADLINE, self.socket.next()).await.expect("the node says something");
        message?.ok()
    }
}

fn covers(
    signature: Bytes64,
    offer: &JobOffer,
    start: &GenerateStart,
    (ids, logits): (&[TokenId], &[f32]),
    finish: Option<Finish>,
) -> bool {
    let node = identity("");
    let before = AnswerChain::start(start.job, start.salt, &start.prompt).extended(&start.prefix);
    let after = before.clone().extended(ids);
    let mut logits_hash = LogitsHash::default();
    logits.iter().for_each(|logit| logits_hash.push(*logit));
    Attestation {
        version: VERSION,
        gateway: GATEWAY,
        node: node.node,
        epoch: EPOCH,
        job: start.job,
        round: offer.round,
        manifest_hash: offer.manifest_hash,
        sampling: &start.sampling,
        grammar: start.sampling.grammar_hash(),
        seed: start.seed,
        from: before.len(),
        to: after.len(),
        h_from: before.hash(),
        h_to: after.hash(),
        logits_hash: logits_hash.hash(),
        finish,
    }
    .verify(public_key(&node.key), signature)
}
