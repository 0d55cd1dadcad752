//! The wire is a contract: each frame is compared with its golden file, byte for byte, both ways.
//! `UPDATE_GOLDEN=1 cargo test -p assay-protocol` writes them anew after a wanted change.

use std::{fs, path::Path};

use assay_protocol::*;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

fn job() -> JobId {
    JobId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001))
}

fn node() -> NodeId {
    NodeId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0002))
}

fn sampling() -> Sampling {
    Sampling {
        temperature: 0.8,
        top_p: 0.95,
        logit_bias: vec![(5, -1.5), (17, 100.0)],
        ..Sampling::default()
    }
}

fn to_node() -> Vec<(&'static str, ToNode)> {
    let generate = GenerateStart {
        job: job(),
        prompt: vec![1, 882, 198],
        prefix: vec![40],
        max_tokens: 64,
        sampling: sampling(),
        seed: Bytes32([0xab; 32]),
        salt: Bytes32([0xcd; 32]),
    };
    let grammar = Some("start: \"yes\" | \"no\"\n".to_owned());
    let sampling = Sampling { grammar, ..sampling() };
    let constrained = GenerateStart { sampling, ..generate.clone() };
    let told = GenerateStart {
        sampling: Sampling { top_logprobs: Some(2), ..Sampling::default() },
        ..generate.clone()
    };
    let score = ScoreStart {
        job: job(),
        prompt: vec![1, 882, 198],
        output: vec![40, 716, 2],
        sampling: Sampling::default(),
        seed: Bytes32([0xab; 32]),
    };
    let inputs = vec![vec![1, 882], vec![198]];
    let embed = EmbedStart { job: job(), inputs, salt: Bytes32([0xcd; 32]) };
    let offer = JobOffer {
        job: job(),
        round: 1,
        model: "assay-pip".into(),
        manifest_hash: Bytes32([0x11; 32]),
        kind: JobKind::Generate,
        prompt_tokens: 3,
        max_tokens: 64,
        deadline_ms: 120_000,
    };
    vec![
        (
            "challenge",
            ToNode::Challenge {
                gateway: "gw-1".into(),
                nonce: Bytes32([1; 32]),
                versions: vec![VERSION],
            },
        ),
        ("welcome", ToNode::Welcome { version: 1, epoch: 7, heartbeat_ms: 10_000 }),
        (
            "state",
            ToNode::State(NodeStanding {
                state: NodeState::Quarantined,
                code: StandingCode::FailedChecks,
                reason: "2 of its last answers failed their checks".into(),
                until_ms: Some(1_767_225_600_000),
            }),
        ),
        ("offer", ToNode::Offer(offer)),
        ("start_generate", ToNode::Start(Start::Generate(generate))),
        ("start_constrained", ToNode::Start(Start::Generate(constrained))),
        ("start_generate_logprobs", ToNode::Start(Start::Generate(told))),
        ("start_score", ToNode::Start(Start::Score(score))),
        ("start_embed", ToNode::Start(Start::Embed(embed))),
        ("finish", ToNode::Finish { job: job(), at: 12 }),
        ("cancel", ToNode::Cancel { job: job(), reason: CancelReason::ClientLeft }),
        (
            "outcome",
            ToNode::Outcome {
                job: job(),
                outcome: Outcome::Agreed,
                reason: "equal to 2 other owners".into(),
            },
        ),
        (
            "outcome_failed_whole_answer",
            ToNode::Outcome {
                job: job(),
                outcome: Outcome::FailedWholeAnswer,
                reason: "the tokens together are too far from the model".into(),
            },
        ),
        (
            "outcome_failed_logits",
            ToNode::Outcome {
                job: job(),
                outcome: Outcome::FailedLogits,
                reason: "the reported logits are not the model's".into(),
            },
        ),
        (
            "outcome_failed_logprobs",
            ToNode::Outcome {
                job: job(),
                outcome: Outcome::FailedLogprobs,
                reason: "the log probabilities that it told are not the model's".into(),
            },
        ),
        (
            "outcome_trusted",
            ToNode::Outcome {
                job: job(),
                outcome: Outcome::Trusted,
                reason: "proven, asked alone, and not drawn for a check".into(),
            },
        ),
        (
            "close",
            ToNode::Close {
                code: CloseCode::Shutdown,
                reason: "the gateway is shutting down".into(),
                retry_after_ms: Some(1_000),
            },
        ),
    ]
}

fn from_node() -> Vec<(&'static str, FromNode)> {
    let hello = Hello {
        agent_version: "0.1.0".into(),
        models: vec![ServedModel {
            id: "assay-pip".into(),
            manifest_hash: Bytes32([0x11; 32]),
            runtime: "onnxruntime 1.32.0".into(),
            execution_provider: "cpu".into(),
            precision: "fp32".into(),
            context_length: 1_024,
            slots: 1,
        }],
        hardware: Hardware { cpu: "a processor".into(), cores: 8, accelerator: None },
    };
    let signature = Bytes64([0xee; 64]);
    let position = PositionScore { own: 40, margin: 0.0, logit: 12.5, sum_p2: 0.75 };
    let logprobs = TokenLogprobs { log_sum_exp: 13.25, top: vec![(40, 12.5), (7, 11.0)] };
    let frames = [
        ("login", FromNodeFrame::Login { node: node(), version: 1, signature }),
        ("hello", FromNodeFrame::Hello(hello)),
        ("accept", FromNodeFrame::Accept { job: job() }),
        ("refuse", FromNodeFrame::Refuse { job: job(), code: RefuseCode::Busy }),
        (
            "chunk",
            FromNodeFrame::Chunk {
                job: job(),
                seq: 0,
                ids: vec![40, 716],
                logits: vec![12.5, 0.100_000_024],
                logprobs: Vec::new(),
            },
        ),
        (
            "chunk_logprobs",
            FromNodeFrame::Chunk {
                job: job(),
                seq: 0,
                ids: vec![40],
                logits: vec![12.5],
                logprobs: vec![logprobs.clone()],
            },
        ),
        (
            "scored_logprobs",
            FromNodeFrame::Scored {
                job: job(),
                positions: vec![position],
                logprobs: vec![logprobs],
                last: true,
            },
        ),
        ("signed", FromNodeFrame::Signed { job: job(), to: 64, signature }),
        (
            "complete",
            FromNodeFrame::Complete { job: job(), finish: Finish::Stop, count: 3, signature },
        ),
        (
            "scored",
            FromNodeFrame::Scored {
                job: job(),
                positions: vec![position],
                logprobs: Vec::new(),
                last: true,
            },
        ),
        ("vectors", FromNodeFrame::Vectors { job: job(), seq: 0, components: vec![0.6, -0.8] }),
        ("embedded", FromNodeFrame::Embedded { job: job(), signature }),
        ("failed", FromNodeFrame::Failed { job: job(), code: FailCode::Runtime }),
        ("heartbeat", FromNodeFrame::Heartbeat { jobs: 1 }),
        ("draining", FromNodeFrame::Draining {}),
    ];
    frames.map(|(name, frame)| (name, FromNode { epoch: 7, frame })).into()
}

fn compare<T>(direction: &str, frames: Vec<(&'static str, T)>)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    for (name, frame) in frames {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/golden/{direction}.{name}.json"));
        let written = serde_json::to_string_pretty(&frame).unwrap() + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &written).unwrap();
        }
        let golden = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
        assert_eq!(written, golden, "{direction} {name} changed on the wire");
        assert_eq!(serde_json::from_str::<T>(&golden).unwrap(), frame);
    }
}

#[test]
fn frames_to_a_node_are_as_published() {
    compare("to_node", to_node());
}

#[test]
fn frames_from_a_node_are_as_published() {
    compare("from_node", from_node());
}

#[test]
fn frames_with_a_number_that_is_not_finite_are_refused() {
    let text = r#"{"epoch":1,"frame":{"type":"chunk","job":"01920000-0000-7000-8000-000000000001","seq":0,"ids":[1],"logits":[null]}}"#;
    assert!(serde_json::from_str::<FromNode>(text).is_err());
}

#[test]
fn a_logit_survives_the_wire_bit_for_bit() {
    for bits in (0..u32::MAX).step_by(7_919).filter(|bits| f32::from_bits(*bits).is_finite()) {
        let logit = f32::from_bits(bits);
        let back: f32 = serde_json::from_str(&serde_json::to_string(&logit).unwrap()).unwrap();
        assert_eq!(back.to_bits(), bits);
    }
}
