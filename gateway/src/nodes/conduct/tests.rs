//! Every rule of a session, broken once.

use assay_protocol::{
    AnswerChain, Attestation, Bytes64, Finish, Hardware, JobKind, LogitsHash, PositionScore,
    Sampling, TokenId, TokenLogprobs, VERSION,
};
use ed25519_dalek::SigningKey;
use uuid::Uuid;

use super::*;

const MODEL: ModelFacts =
    ModelFacts { manifest_hash: Bytes32([3; 32]), vocab_size: 100, dimensions: 2 };

/// A session with a node that signs truly.
struct Script {
    conduct: Conduct,
    key: SigningKey,
    identity: SessionIdentity,
    start: GenerateStart,
}

impl Script {
    /// After the hello, with one generate job accepted and started from `prefix`.
    fn writing(prefix: &[TokenId]) -> Self {
        Self::sampling(prefix, Sampling::default())
    }

    fn sampling(prefix: &[TokenId], sampling: Sampling) -> Self {
        let key = SigningKey::from_bytes(&[9; 32]);
        let identity = SessionIdentity {
            gateway: "gw".into(),
            node: NodeId(Uuid::from_u128(1)),
            epoch: 4,
            public_key: Bytes32(key.verifying_key().to_bytes()),
        };
        let start = GenerateStart {
            job: JobId(Uuid::from_u128(2)),
            prompt: vec![1, 2, 3],
            prefix: prefix.to_vec(),
            max_tokens: 80,
            sampling,
            seed: Bytes32([1; 32]),
            salt: Bytes32([2; 32]),
        };
        let mut conduct = Conduct::new(identity.clone(), Arc::default());
        conduct.frame(hello()).unwrap();
        assert!(conduct.offered(offer(start.job, JobKind::Generate), MODEL));
        let accepted = conduct.frame(FromNodeFrame::Accept { job: start.job });
        assert_eq!(accepted, Ok(Effect::Job(start.job, JobNews::Accepted)));
        assert!(conduct.started(&Start::Generate(start.clone())));
        Self { conduct, key, identity, start }
    }

    fn chunk(&mut self, seq: u32, ids: &[TokenId]) -> Result<Effect, Violation> {
        let logits = ids.iter().map(|id| *id as f32).collect();
        self.conduct.frame(FromNodeFrame::Chunk {
            job: self.start.job,
            seq,
            ids: ids.to_vec(),
            logits,
            logprobs: Vec::new(),
        })
    }

    /// What an honest node signs after these own tokens.
    fn signature(&self, own: &[TokenId], finish: Option<Finish>) -> Bytes64 {
        let from = AnswerChain::start(self.start.job, self.start.salt, &self.start.prompt)
            .extended(&self.start.prefix);
        let to = from.clone().extended(own);
        let mut logits_hash = LogitsHash::default();
        own.iter().for_each(|id| logits_hash.push(*id as f32));
        Attestation {
            version: VERSION,
            gateway: &self.identity.gateway,
            node: self.identity.node,
            epoch: self.identity.epoch,
            job: self.start.job,
            round: 1,
            manifest_hash: MODEL.manifest_hash,
            sampling: &self.start.sampling,
            grammar: self.start.sampling.grammar_hash(),
            seed: self.start.seed,
            from: from.len(),
            to: to.len(),
            h_from: from.hash(),
            h_to: to.hash(),
            logits_hash: logits_hash.hash(),
            finish,
        }
        .sign(&self.key)
    }

    fn complete(
        &mut self,
        finish: Finish,
        count: u32,
        signature: Bytes64,
    ) -> Result<Effect, Violation> {
        let job = self.start.job;
        self.conduct.frame(FromNodeFrame::Complete { job, finish, count, signature })
    }
}

fn hello() -> FromNodeFrame {
    FromNodeFrame::Hello(Hello {
        agent_version: "1".into(),
        models: vec![],
        hardware: Hardware::default(),
    })
}

fn offer(job: JobId, kind: JobKind) -> JobOffer {
    JobOffer {
        job,
        round: 1,
        model: "m".into(),
        manifest_hash: MODEL.manifest_hash,
        kind,
        prompt_tokens: 3,
        max_tokens: 80,
        deadline_ms: 1_000,
    }
}

#[test]
fn an_honest_answer_goes_through_however_it_is_cut() {
    let mut script = Script::writing(&[7, 8]);
    script.chunk(0, &[10, 11, 12]).unwrap();
    script.chunk(1, &[13]).unwrap();
    let signature = script.signature(&[10, 11, 12, 13], Some(Finish::Stop));
    let effect = script.complete(Finish::Stop, 6, signature).unwrap();
    let expected = JobNews::Complete { finish: Finish::Stop, count: 6 };
    assert_eq!(effect, Effect::Job(script.start.job, expected));
    assert_eq!(script.conduct.jobs(), 0);
    assert_eq!(script.chunk(2, &[1]), Ok(Effect::Alive), "late frames are dropped");
}

#[test]
fn a_checkpoint_is_checked_at_each_multiple_of_64() {
    let mut script = Script::writing(&[]);
    let ids: Vec<TokenId> = (0..70).collect();
    for (seq, ids) in (0..).zip(ids.chunks(16)) {
        script.chunk(seq, ids).unwrap();
    }
    let job = script.start.job;
    let good = script.signature(&ids[..64], None);
    let bad = script.signature(&ids[..63], None);
    let at = |to, signature| FromNodeFrame::Signed { job, to, signature };
    assert_eq!(script.conduct.frame(at(63, good)), Err(Violation::WrongCount));
    assert_eq!(script.conduct.frame(at(64, good)), Ok(Effect::Alive));
    assert_eq!(script.conduct.frame(at(64, good)), Err(Violation::WrongCount), "once only");
    let mut script = Script::writing(&[]);
    for (seq, ids) in (0..).zip(ids.chunks(16)) {
        script.chunk(seq, ids).unwrap();
    }
    assert_eq!(script.conduct.frame(at(64, bad)), Err(Violation::BadSignature));
}

#[test]
fn a_told_end_needs_the_telling_and_signs_what_counts() {
    let mut script = Script::writing(&[]);
    script.chunk(0, &[10, 11, 12, 13]).unwrap();
    let signature = script.signature(&[10, 11], Some(Finish::Told));
    assert_eq!(script.complete(Finish::Told, 2, signature), Err(Violation::NotTold));
    script.conduct.told(script.start.job);
    let effect = script.complete(Finish::Told, 2, signature).unwrap();
    let expected = JobNews::Complete { finish: Finish::Told, count: 2 };
    assert_eq!(effect, Effect::Job(script.start.job, expected));
}

#[test]
fn chunks_are_counted_bounded_and_in_range() {
    let broken: [(u32, &[TokenId], Violation); 5] = [
        (1, &[1], Violation::BadSequence),
        (0, &[], Violation::WrongChunk),
        (0, &[1; 17], Violation::WrongChunk),
        (0, &[100], Violation::IdOutOfRange),
        (0, &[u32::MAX], Violation::IdOutOfRange),
    ];
    for (seq, ids, violation) in broken {
        assert_eq!(Script::writing(&[]).chunk(seq, ids), Err(violation));
    }
    let mut script = Script::writing(&[5; 75]);
    assert_eq!(script.chunk(0, &[1; 6]), Err(Violation::TooManyTokens), "the prefix counts");
    script.chunk(0, &[1; 5]).unwrap();
    assert_eq!(script.chunk(1, &[1]), Err(Violation::TooManyTokens));
}

#[test]
fn ids_and_logits_pair_up_and_are_numbers() {
    let script = Script::writing(&[]);
    let job = script.start.job;
    let chunk = |logits: Vec<f32>| FromNodeFrame::Chunk {
        job,
        seq: 0,
        ids: vec![1, 2],
        logits,
        logprobs: Vec::new(),
    };
    let send = |logits| Script::writing(&[]).conduct.frame(chunk(logits));
    assert_eq!(send(vec![1.0]), Err(Violation::WrongChunk));
    assert_eq!(send(vec![1.0, f32::NAN]), Err(Violation::NotFinite));
    assert_eq!(send(vec![1.0, f32::INFINITY]), Err(Violation::NotFinite));
}

#[test]
fn a_false_count_or_signature_ends_the_session() {
    let with = |count, finish, own: &[TokenId]| {
        let mut script = Script::writing(&[]);
        script.chunk(0, &[10, 11]).unwrap();
        let signature = script.signature(own, Some(Finish::Stop));
        script.complete(finish, count, signature)
    };
    assert_eq!(with(3, Finish::Stop, &[10, 11]), Err(Violation::WrongCount));
    assert_eq!(with(1, Finish::Stop, &[10]), Err(Violation::WrongCount));
    assert_eq!(with(2, Finish::Stop, &[10, 12]), Err(Violation::BadSignature));
    assert_eq!(with(2, Finish::Length, &[10, 11]), Err(Violation::BadSignature));
    assert!(with(2, Finish::Stop, &[10, 11]).is_ok());
}

#[test]
fn frames_out_of_turn_end_the_session() {
    let mut fresh = Conduct::new(Script::writing(&[]).identity, Arc::default());
    let stranger = JobId(Uuid::from_u128(77));
    let accept = FromNodeFrame::Accept { job: stranger };
    assert_eq!(fresh.frame(accept.clone()), Err(Violation::NoHello));
    fresh.frame(hello()).unwrap();
    assert_eq!(fresh.frame(hello()), Err(Violation::OutOfTurn));
    assert_eq!(fresh.frame(accept.clone()), Err(Violation::UnknownJob));
    assert!(fresh.offered(offer(stranger, JobKind::Generate), MODEL));
    fresh.frame(accept.clone()).unwrap();
    assert_eq!(fresh.frame(accept), Err(Violation::WrongStage));
    let chunk = FromNodeFrame::Chunk {
        job: stranger,
        seq: 0,
        ids: vec![1],
        logits: vec![1.0],
        logprobs: Vec::new(),
    };
    assert_eq!(fresh.frame(chunk), Err(Violation::WrongStage), "not started yet");
}

#[test]
fn a_score_has_one_entry_for_each_position() {
    let job = JobId(Uuid::from_u128(5));
    let position = PositionScore { own: 1, margin: 0.0, logit: 1.0, sum_p2: 0.5 };
    let scored = |counts: &[(usize, bool)]| {
        let mut conduct = Conduct::new(Script::writing(&[]).identity, Arc::default());
        conduct.frame(hello()).unwrap();
        conduct.offered(offer(job, JobKind::Score), MODEL);
        conduct.frame(FromNodeFrame::Accept { job }).unwrap();
        let start = ScoreStart {
            job,
            prompt: vec![1],
            output: vec![2; 5],
            sampling: Sampling::default(),
            seed: Bytes32([0; 32]),
        };
        assert!(conduct.started(&Start::Score(start)));
        let frame = |(count, last): &(usize, bool)| {
            let positions = vec![position; *count];
            conduct.frame(FromNodeFrame::Scored {
                job,
                positions,
                logprobs: Vec::new(),
                last: *last,
            })
        };
        counts.iter().map(frame).last().unwrap()
    };
    let whole = Ok(Effect::Job(
        job,
        JobNews::Scored(Scored { positions: vec![position; 5], logprobs: Vec::new() }),
    ));
    assert_eq!(scored(&[(5, true)]), whole);
    assert_eq!(scored(&[(2, false), (3, true)]), whole);
    for wrong in [&[(4, true)][..], &[(6, true)], &[(5, false)], &[(300, false)]] {
        assert_eq!(scored(wrong), Err(Violation::WrongPositions));
    }
}

#[test]
fn log_probabilities_come_when_they_are_asked_for_and_can_be() {
    let told =
        |log_sum_exp, top: &[(TokenId, f32)]| TokenLogprobs { log_sum_exp, top: top.to_vec() };
    let sent = |asked: Option<u8>, logprobs: Vec<TokenLogprobs>| {
        let sampling = Sampling { top_logprobs: asked, ..Sampling::default() };
        let mut script = Script::sampling(&[], sampling);
        let job = script.start.job;
        script.conduct.frame(FromNodeFrame::Chunk {
            job,
            seq: 0,
            ids: vec![5],
            logits: vec![1.0],
            logprobs,
        })
    };
    let wrong = Err(Violation::WrongLogprobs);
    assert!(sent(None, vec![]).is_ok());
    assert_eq!(sent(None, vec![told(2.0, &[])]), wrong);
    assert!(sent(Some(0), vec![told(2.0, &[])]).is_ok());
    assert_eq!(sent(Some(0), vec![]), wrong);
    assert!(sent(Some(1), vec![told(2.0, &[(7, 1.5)])]).is_ok());
    assert_eq!(sent(Some(1), vec![told(2.0, &[(100, 1.5)])]), wrong, "outside the vocabulary");
    assert_eq!(sent(Some(1), vec![told(0.5, &[(7, 0.0)])]), wrong, "more than certain");
}
