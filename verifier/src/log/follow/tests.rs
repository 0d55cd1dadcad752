//! Logs of honest gateways, and of those that lie.

use uuid::Uuid;

use super::*;
use crate::log::{draw::PPM, entry::AuditEntry};

const SECRET: Bytes32 = Bytes32([5; 32]);

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

const LINK: Bytes32 = Bytes32([7; 32]);

fn draw(number: u128, q_ppm: u32) -> Entry {
    let (job, inputs) = (job(number), Bytes32([3; 32]));
    Entry::Draw(DrawEntry { job, round: 1, link: LINK, epoch: 1, q_ppm, inputs })
}

fn answer(number: u128, q_ppm: u32) -> Entry {
    Entry::Answer(AnswerEntry {
        job: job(number),
        receipt: Bytes32([1; 32]),
        link: LINK,
        epoch: 1,
        q_ppm,
    })
}

fn audit(number: u128, result: AuditResult) -> Entry {
    Entry::Audit(AuditEntry { job: job(number), round: 1, result, evidence: Bytes32([0; 32]) })
}

fn opened() -> Entry {
    Entry::EpochOpened { epoch: 1, starts_ms: 0, commitment: commitment(SECRET) }
}

fn closed() -> Entry {
    Entry::EpochClosed { epoch: 1, secret: SECRET }
}

/// Follows these entries with a seal after each; what was wrong, and the follower.
fn follow(entries: &[Entry]) -> (Vec<LogFault>, Follower) {
    let mut follower = Follower::default();
    let mut faults = Vec::new();
    for (time_ms, entry) in (0..).zip(entries) {
        faults.extend(follower.push(&entry.encode()).err());
        let seal = Entry::Seal { time_ms, root: follower.head().1 };
        faults.extend(follower.push(&seal.encode()).err());
    }
    (faults, follower)
}

#[test]
fn an_honest_log_has_no_fault() {
    let done = AuditResult::Passed;
    let entries = [
        opened(),
        draw(1, PPM),
        answer(1, PPM),
        answer(2, 0),
        audit(1, done),
        draw(3, 0),
        closed(),
    ];
    let (faults, follower) = follow(&entries);
    assert_eq!(faults, []);
    assert_eq!(follower.missing(0, 0), Missing::default());
    let Summary { answers, audits, draws, drawn, .. } = follower.summary().clone();
    assert_eq!((answers, audits, draws, drawn), (2, 1, 2, 1));
}

#[test]
fn a_skipped_audit_is_seen_once_the_secret_is_out() {
    let dropped = audit(2, AuditResult::Dropped);
    let entries = [opened(), draw(1, PPM), draw(2, PPM), answer(2, PPM), dropped, closed()];
    let (faults, follower) = follow(&entries[..5]);
    assert_eq!(
        (faults, follower.missing(0, 0)),
        (vec![], Missing { undisclosed: 2, ..Missing::default() })
    );
    let (faults, follower) = follow(&entries);
    assert_eq!(faults, []);
    let skipped = vec![LogFault::AuditSkipped(job(1)), LogFault::AuditDropped(job(2))];
    assert_eq!(follower.missing(0, 0), Missing { skipped, ..Missing::default() });
    assert_eq!(follower.missing(0, 60_000), Missing { open: 2, ..Missing::default() });
}

#[test]
fn a_secret_that_is_never_published_is_seen_once_its_epoch_is_over() {
    let next = Entry::EpochOpened { epoch: 2, starts_ms: 1_000, commitment: Bytes32([9; 32]) };
    let (faults, follower) = follow(&[opened(), next, draw(1, PPM), draw(2, 0)]);
    assert_eq!(faults, []);
    let undisclosed = Missing { undisclosed: 2, ..Missing::default() };
    assert_eq!(follower.missing(1_999, 1_000), undisclosed);
    let skipped = vec![LogFault::SecretWithheld { epoch: 1, draws: 2 }];
    assert_eq!(follower.missing(2_000, 1_000), Missing { skipped, ..undisclosed });
}

#[test]
fn a_secret_that_was_not_committed_to_is_seen() {
    let other = Entry::EpochClosed { epoch: 1, secret: Bytes32([6; 32]) };
    let (faults, _) = follow(&[opened(), draw(1, PPM), other]);
    assert_eq!(faults, [LogFault::WrongSecret { index: 4, epoch: 1 }]);
    let (faults, _) = follow(&[opened(), opened()]);
    assert_eq!(faults, [LogFault::EpochTwice { index: 2, epoch: 1 }]);
}

#[test]
fn a_draw_outside_of_its_epoch_is_seen() {
    let (faults, _) = follow(&[draw(1, PPM)]);
    assert_eq!(faults, [LogFault::NoEpoch { index: 0, epoch: 1 }]);
    let (faults, follower) = follow(&[opened(), closed(), draw(1, PPM)]);
    assert_eq!(faults, [LogFault::AfterClose { index: 4, epoch: 1 }]);
    assert_eq!(follower.missing(0, 0).skipped, [LogFault::AuditSkipped(job(1))]);
}

#[test]
fn one_job_has_one_receipt_and_one_draw_a_round() {
    let (faults, _) = follow(&[opened(), draw(1, PPM), answer(1, PPM), answer(1, 0)]);
    assert_eq!(faults, [LogFault::AnswerTwice(job(1))]);
    let (faults, _) = follow(&[opened(), draw(1, PPM), draw(1, 0)]);
    assert_eq!(faults, [LogFault::DrawnTwice { index: 4, job: job(1), round: 1 }]);
}

#[test]
fn a_chance_that_was_not_logged_before_is_seen() {
    let (faults, _) = follow(&[opened(), answer(1, PPM)]);
    assert_eq!(faults, [LogFault::NeverDrawn(job(1))]);
    let (faults, _) = follow(&[opened(), draw(1, PPM), answer(1, PPM / 2)]);
    assert_eq!(faults, [LogFault::NeverDrawn(job(1))]);
}

#[test]
fn a_seal_over_another_tree_is_seen() {
    let mut follower = Follower::default();
    follower.push(&opened().encode()).unwrap();
    let seal = Entry::Seal { time_ms: 0, root: Bytes32([0; 32]) };
    assert_eq!(follower.push(&seal.encode()), Err(LogFault::WrongSeal(1)));
    assert_eq!(follower.push(b"\x09"), Err(LogFault::Unreadable(2)));
    assert_eq!(follower.head().0, 3);
}

#[test]
fn journals_only_grow_and_their_heads_are_signed() {
    let key = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let head = |journals, chain| {
        let (chain, signature) = (Bytes32([chain; 32]), assay_protocol::Bytes64([0; 64]));
        let mut head = LedgerHead { number: journals, journals, chain, signature };
        head.signature = assay_protocol::identity::sign(&key, &head.message());
        Entry::LedgerHead(head)
    };
    let heads = [head(1, 1), head(2, 2), head(2, 2), head(2, 3), head(1, 1)];
    let (faults, _) = follow(&heads);
    let expected = [
        LogFault::JournalsForked { index: 6, journals: 2 },
        LogFault::JournalsShrank { index: 8, before: 2, after: 1 },
    ];
    assert_eq!(faults, expected);
    let mut follower = Follower::of_gateway(Bytes32(key.verifying_key().to_bytes()));
    follower.push(&heads[0].encode()).unwrap();
    let mut stranger = Follower::of_gateway(Bytes32([3; 32]));
    assert_eq!(stranger.push(&heads[0].encode()), Err(LogFault::HeadUnsigned(0)));
}
