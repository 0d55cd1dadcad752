//! Receipts to test with: nodes that sign as the protocol says, a gateway, and a log of any size.

use assay_protocol::{AnswerChain, Attestation, Bytes32, Finish, JobId, NodeId, Sampling, TokenId};
use ed25519_dalek::SigningKey;
use uuid::Uuid;

use super::{
    Audit, Bundle, Money, Part, Policy, Receipt, Request, Saved, SeedFrom, Signed, State, Verdict,
    bound::request_hash, gateway_name, key_id,
};
use crate::{
    log::{
        Checkpoint, Hash,
        merkle::{Subtree, Subtrees, inclusion_proof, leaf_hash, node_hash, root_of},
    },
    trust::{GatewayKey, Trust},
};

pub(crate) const PROMPT: [TokenId; 5] = [9, 8, 7, 6, 5];
pub(crate) const OUTPUT: [TokenId; 3] = [5, 6, 2];
const TIME_MS: u64 = 1_795_000_000_000;

/// Everything that a client holds, and the gateway's key.
pub(crate) struct Case {
    pub(crate) receipt: Receipt,
    pub(crate) request: Vec<u8>,
    pub(crate) response: Vec<u8>,
    pub(crate) trust: Trust,
    pub(crate) key: SigningKey,
}

/// An answer of `nodes` nodes that all agree, and are paid alike.
pub(crate) fn case(nodes: u8) -> Case {
    let key = SigningKey::from_bytes(&[1; 32]);
    let public = Bytes32(key.verifying_key().to_bytes());
    let job = JobId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
    let salt = Bytes32([3; 32]);
    let request = br#"{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0.7}"#;
    let response = format!(
        r#"{{"id":"{}","object":"chat.completion","created":1,"model":"m",
        "choices":[{{"index":0,"message":{{"role":"assistant","content":"hello"}},"finish_reason":"stop"}}],
        "usage":{{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}}}}"#,
        format_args!("chatcmpl-{job}")
    );
    let saved = Saved::parse(response.as_bytes()).unwrap();
    let start = AnswerChain::start(job, salt, &PROMPT);
    let mut receipt = Receipt {
        gateway: key_id(public),
        job,
        time_ms: TIME_MS,
        state: State::Succeeded,
        policy: Policy::Standard,
        seed_from: SeedFrom::Gateway,
        nonce: None,
        salt,
        request: request_hash(salt, Request::parse(request).unwrap().digest()),
        response: Some(saved.bound("stop", (5, 3)).hash(salt)),
        manifest_hash: Bytes32([4; 32]),
        limits_hash: Some(Bytes32([9; 32])),
        sampling: Sampling { temperature: 0.7, ..Sampling::default() },
        grammar: None,
        seed: Bytes32([5; 32]),
        prompt_tokens: 5,
        max_tokens: 512,
        completion_tokens: 3,
        prompt_link: start.hash(),
        answer_link: start.clone().extended(&OUTPUT).hash(),
        verdict: Some(Verdict {
            rule: if nodes == 1 { "trusted" } else { "agreement" }.into(),
            round: 1,
            nodes_asked: nodes.into(),
            finish: Finish::Stop,
            positions_checked: 3,
            largest_margin_nano: Some(12_345),
            sigma2_nano: Some(678),
        }),
        audit: Audit { epoch: 20_000, commitment: Bytes32([6; 32]), q_ppm: 50_000 },
        money: Money::default(),
        parts: Vec::new(),
    };
    for number in 0..nodes {
        let part = part(&receipt, number);
        receipt.parts.push(part);
    }
    let pays = 1_000_000 * u64::from(nodes);
    let (fee, reserve, returned) = (50_000, 0, 1_234_567);
    let cost = pays + fee + reserve;
    receipt.money = Money { held: cost + returned, cost, fee, reserve, returned };
    let trust = Trust::of(vec![GatewayKey::new(public, 0)]);
    Case { receipt, request: request.to_vec(), response: response.into_bytes(), trust, key }
}

fn part(receipt: &Receipt, number: u8) -> Part {
    let key = SigningKey::from_bytes(&[100 + number; 32]);
    let node = NodeId(Uuid::from_u128(u128::from(number) + 1));
    let mut signed = Signed {
        key: Bytes32(key.verifying_key().to_bytes()),
        version: assay_protocol::VERSION,
        epoch: TIME_MS + u64::from(number),
        from: 0,
        to: 3,
        h_from: receipt.prompt_link,
        h_to: receipt.answer_link,
        logits_hash: Bytes32([number; 32]),
        finish: Some(Finish::Stop),
        signature: assay_protocol::Bytes64([0; 64]),
    };
    let gateway = gateway_name(receipt.gateway);
    let statement = Attestation {
        version: signed.version,
        gateway: &gateway,
        node,
        epoch: signed.epoch,
        job: receipt.job,
        round: 1,
        manifest_hash: receipt.manifest_hash,
        sampling: &receipt.sampling,
        grammar: receipt.grammar,
        seed: receipt.seed,
        from: signed.from,
        to: signed.to,
        h_from: signed.h_from,
        h_to: signed.h_to,
        logits_hash: signed.logits_hash,
        finish: signed.finish,
    };
    signed.signature = statement.sign(&key);
    Part {
        node,
        class: "cpu-fp32".into(),
        round: 1,
        outcome: "agreed".into(),
        pay: 1_000_000,
        signed: Some(signed),
    }
}

impl Case {
    /// The receipt as the gateway hands it out, from a log of this many entries.
    pub(crate) fn bundle(&self, entries: u64) -> Bundle {
        self.bundle_of(&self.receipt, entries)
    }

    /// Another receipt, signed and logged just as well.
    pub(crate) fn bundle_of(&self, receipt: &Receipt, entries: u64) -> Bundle {
        let signed = receipt.sign(&self.key);
        let entry = receipt.entry(signed.hash());
        let index = entries * 2 / 3;
        let log = Sparse { index, leaf: leaf_hash(&entry.encode()) };
        let Ok(root) = root_of(&log, entries);
        let Ok(proof) = inclusion_proof(&log, index, entries);
        let checkpoint = Checkpoint { origin: gateway_name(receipt.gateway), size: entries, root };
        let note = checkpoint.sign(&self.key).note;
        Bundle { receipt: signed, index, note, proof }
    }
}

/// A log whose entries are all the same but one.
struct Sparse {
    index: u64,
    leaf: Hash,
}

impl Subtrees for Sparse {
    type Error = std::convert::Infallible;

    fn hash(&self, Subtree { level, index }: Subtree) -> Result<Hash, Self::Error> {
        if self.index >> level != index {
            let mut hash = leaf_hash(b"another entry");
            (0..level).for_each(|_| hash = node_hash(hash, hash));
            return Ok(hash);
        }
        if level == 0 {
            return Ok(self.leaf);
        }
        let child = |index| self.hash(Subtree { level: level - 1, index });
        Ok(node_hash(child(2 * index)?, child(2 * index + 1)?))
    }
}
