//! A job in the session: chunks, signatures, told ends.

use assay_protocol::{JobId, JobKind, NodeId, identity};
use ed25519_dalek::SigningKey;

use super::*;
use crate::identity::public_key;

const PREFIX: [TokenId; 2] = [90, 91];

fn node() -> Identity {
    Identity {
        node: NodeId(uuid::Uuid::from_u128(1)),
        gateway_url: "http://gateway".into(),
        gateway_id: "gw".into(),
        key: SigningKey::from_bytes(&[3; 32]),
    }
}

fn start() -> GenerateStart {
    GenerateStart {
        job: JobId(uuid::Uuid::from_u128(2)),
        prompt: vec![5, 6, 7],
        prefix: PREFIX.to_vec(),
        max_tokens: 500,
        sampling: Sampling::default(),
        seed: Bytes32([4; 32]),
        salt: Bytes32([5; 32]),
    }
}

fn answer() -> Answer {
    let offer = JobOffer {
        job: start().job,
        round: 1,
        model: "m".into(),
        manifest_hash: Bytes32([6; 32]),
        kind: JobKind::Generate,
        prompt_tokens: 3,
        max_tokens: 500,
        deadline_ms: 1_000,
    };
    Answer::new(&offer, &start(), StopSignal::never())
}

/// Feeds ids 0, 1, 2 … with their own numbers as logits.
fn write(answer: &mut Answer, tokens: std::ops::Range<u32>, now: Instant) {
    tokens.for_each(|id| answer.token(Drawn { id, logit: id as f32, logprobs: None }, now));
}

/// Pumps with time passing until nothing more is due.
fn drain(answer: &mut Answer, now: &mut Instant) -> (Vec<FromNodeFrame>, Option<Completed>) {
    let node = node();
    let signer = Signer { identity: &node, version: 1, epoch: 9 };
    let mut out = Vec::new();
    loop {
        if let Some(completed) = answer.pump(signer, *now, &mut out) {
            return (out, Some(completed));
        }
        match answer.due() {
            Some(due) => *now = due.max(*now),
            None => return (out, None),
        }
    }
}

fn sizes(frames: &[FromNodeFrame]) -> Vec<usize> {
    let size = |frame: &FromNodeFrame| match frame {
        FromNodeFrame::Chunk { ids, .. } => Some(ids.len()),
        _ => None,
    };
    frames.iter().filter_map(size).collect()
}

/// Whether `signature` covers own tokens `0..own` and this finish.
fn covers(signature: Bytes64, own: u32, finish: Option<Finish>) -> bool {
    let start = start();
    let from = AnswerChain::start(start.job, start.salt, &start.prompt).extended(&PREFIX);
    let to = from.clone().extended(&(0..own).collect::<Vec<_>>());
    let mut logits_hash = LogitsHash::default();
    (0..own).for_each(|id| logits_hash.push(id as f32));
    let node = node();
    let statement = Attestation {
        version: 1,
        gateway: "gw",
        node: node.node,
        epoch: 9,
        job: start.job,
        round: 1,
        manifest_hash: Bytes32([6; 32]),
        sampling: &start.sampling,
        grammar: start.sampling.grammar_hash(),
        seed: start.seed,
        from: 2,
        to: 2 + own,
        h_from: from.hash(),
        h_to: to.hash(),
        logits_hash: logits_hash.hash(),
        finish,
    }
    .statement();
    identity::verify(public_key(&node.key), &statement, signature)
}

fn signed_end(completed: Option<Completed>) -> (Finish, u32, Bytes64) {
    match completed.expect("the answer is whole").frame {
        FromNodeFrame::Complete { finish, count, signature, .. } => (finish, count, signature),
        other => panic!("{other:?}"),
    }
}

#[test]
fn chunks_hold_sixteen_tokens_or_what_came_in_twenty_ms() {
    let mut now = Instant::now();
    let begin = now;
    let mut answer = answer();
    write(&mut answer, 0..19, now);
    let (frames, completed) = drain(&mut answer, &mut now);
    assert_eq!(sizes(&frames), [16, 3]);
    assert_eq!(completed, None);
    assert_eq!(now - begin, Duration::from_millis(CHUNK_WAIT_MS), "the rest waited its time");
}

#[test]
fn an_answer_is_signed_at_every_64th_token_and_at_its_end() {
    let mut now = Instant::now();
    let mut answer = answer();
    write(&mut answer, 0..70, now);
    answer.ended(Finish::Stop);
    let (frames, completed) = drain(&mut answer, &mut now);
    assert_eq!(sizes(&frames), [16, 16, 16, 16, 6]);
    let signed = frames.iter().filter_map(|frame| match frame {
        FromNodeFrame::Signed { to, signature, .. } => Some((*to, *signature)),
        _ => None,
    });
    let signed: Vec<_> = signed.collect();
    assert_eq!(signed.len(), 1);
    assert_eq!(signed[0].0, 64, "the prefix counts");
    assert!(covers(signed[0].1, 62, None));
    let (finish, count, signature) = signed_end(completed);
    assert_eq!((finish, count), (Finish::Stop, 72));
    assert!(covers(signature, 70, Some(Finish::Stop)));
}

#[test]
fn a_fast_model_stays_under_the_frames_that_a_gateway_takes() {
    let begin = Instant::now();
    let mut now = begin;
    let mut answer = answer();
    write(&mut answer, 0..498, now);
    answer.ended(Finish::Length);
    let (frames, _) = drain(&mut answer, &mut now);
    let allowed = (now - begin).as_secs_f64() * f64::from(FRAMES_PER_JOB_PER_SECOND_MAX);
    assert!(frames.len() as f64 <= allowed + 2.0, "{} frames in {:?}", frames.len(), now - begin);
}

#[test]
fn an_end_behind_what_was_sent_is_signed_where_the_gateway_said() {
    let mut now = Instant::now();
    let mut answer = answer();
    write(&mut answer, 0..32, now);
    drain(&mut answer, &mut now);
    answer.finish_at(12).unwrap();
    answer.ended(Finish::Told);
    let (frames, completed) = drain(&mut answer, &mut now);
    assert_eq!(sizes(&frames), [0; 0]);
    let (finish, count, signature) = signed_end(completed);
    assert_eq!((finish, count), (Finish::Told, 12));
    assert!(covers(signature, 10, Some(Finish::Told)));
}

#[test]
fn an_end_ahead_is_reached_first_and_nothing_goes_past_it() {
    let mut now = Instant::now();
    let mut answer = answer();
    write(&mut answer, 0..4, now);
    answer.finish_at(8).unwrap();
    let (frames, completed) = drain(&mut answer, &mut now);
    assert_eq!((sizes(&frames), completed), (vec![4], None));
    write(&mut answer, 4..9, now);
    let (frames, completed) = drain(&mut answer, &mut now);
    assert_eq!(sizes(&frames), [2]);
    let (finish, count, signature) = signed_end(completed);
    assert_eq!((finish, count), (Finish::Told, 8));
    assert!(covers(signature, 6, Some(Finish::Told)));
}

#[test]
fn a_model_that_stops_before_the_told_end_stops() {
    let mut now = Instant::now();
    let mut answer = answer();
    write(&mut answer, 0..4, now);
    answer.finish_at(100).unwrap();
    answer.ended(Finish::Stop);
    let (finish, count, _) = signed_end(drain(&mut answer, &mut now).1);
    assert_eq!((finish, count), (Finish::Stop, 6));
}

#[test]
fn a_cancelled_answer_is_what_was_sent_even_when_the_engine_does_not_stop() {
    let begin = Instant::now();
    let mut now = begin;
    let mut answer = answer();
    write(&mut answer, 0..18, now);
    let node = node();
    let signer = Signer { identity: &node, version: 1, epoch: 9 };
    assert_eq!(answer.pump(signer, now, &mut Vec::new()), None);
    answer.cancel();
    let (frames, completed) = drain(&mut answer, &mut now);
    assert_eq!(sizes(&frames), [0; 0], "two tokens were not sent yet and never are");
    assert_eq!(now - begin, STOP_WAIT);
    let (finish, count, signature) = signed_end(completed);
    assert_eq!((finish, count), (Finish::Told, 18));
    assert!(covers(signature, 16, Some(Finish::Told)));
}

#[test]
fn an_end_before_the_prefix_or_past_the_most_tokens_is_impossible() {
    assert!(answer().finish_at(1).is_err());
    assert!(answer().finish_at(501).is_err());
    assert!(answer().finish_at(2).is_ok());
}
