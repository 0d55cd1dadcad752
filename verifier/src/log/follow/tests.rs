//! Logs of honest gateways, and of those that lie.

use uuid::Uuid;

use super::*;
use crate::{
    log::{Evidence, draw::PPM, entry::AuditEntry},
    receipt::{Audit, Bundle, Receipt, fixtures},
};

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
fn an_epoch_that_is_opened_in_the_batch_that_draws_with_it_is_seen() {
    let mut follower = Follower::default();
    follower.push(&opened().encode()).unwrap();
    let index = 1;
    let fault = follower.push(&draw(1, PPM).encode());
    assert_eq!(fault, Err(LogFault::Unsealed { index, epoch: 1 }), "it could have tried secrets");
    let seal = Entry::Seal { time_ms: 1, root: follower.head().1 };
    follower.push(&seal.encode()).unwrap();
    follower.push(&draw(2, PPM).encode()).unwrap();
}

#[test]
fn a_seal_whose_time_goes_back_is_seen() {
    let mut follower = Follower::default();
    let mut seal = |time_ms| {
        let root = follower.head().1;
        follower.push(&Entry::Seal { time_ms, root }.encode())
    };
    assert_eq!([seal(5), seal(5)], [Ok(()), Ok(())]);
    assert_eq!(seal(4), Err(LogFault::TimeBackwards { index: 2 }));
}

#[test]
fn a_receipt_is_held_to_the_log_and_its_draw_is_repeated() {
    let case = fixtures::case(1);
    let with = |epoch: u64, commitment: Bytes32, q_ppm: u32| {
        let mut receipt = case.receipt.clone();
        receipt.audit = Audit { epoch, commitment, q_ppm };
        let bundle = case.bundle_of(&receipt, 1);
        (receipt, bundle)
    };
    let told = |follower: &Follower, (receipt, bundle): &(Receipt, Bundle), index| {
        follower.receipt(&Bundle { index, ..bundle.clone() }, receipt)
    };
    let honest = with(1, commitment(SECRET), PPM);
    let draws = |receipt: &Receipt| {
        let (job, link, inputs) = (receipt.job, receipt.answer_link, Bytes32([3; 32]));
        Entry::Draw(DrawEntry { job, round: 1, link, epoch: 1, q_ppm: PPM, inputs })
    };
    let entry = |receipt: &Receipt, bundle: &Bundle| receipt.entry(bundle.receipt.hash());
    let entries = [opened(), draws(&honest.0), entry(&honest.0, &honest.1)];
    let job = honest.0.job;
    let (faults, follower) = follow(&entries);
    assert_eq!(faults, []);
    assert_eq!(told(&follower, &honest, 4), Ok(Told::Undisclosed));
    for elsewhere in [0, 3, 5, 99] {
        let missed = Err(LogFault::NotLogged { job, index: elsewhere });
        assert_eq!(told(&follower, &honest, elsewhere), missed);
    }
    let (_, follower) = follow(&[&entries[..], &[closed()]].concat());
    assert_eq!(told(&follower, &honest, 4), Ok(Told::Drawn(None)));

    // The receipt names what the log does not have: another secret, or a draw that nobody made.
    let other = with(1, Bytes32([9; 32]), PPM);
    let (_, follower) = follow(&[opened(), draws(&other.0), entry(&other.0, &other.1)]);
    assert_eq!(told(&follower, &other, 4), Err(LogFault::OtherCommitment { job, epoch: 1 }));
    let (_, follower) = follow(&[opened(), entry(&honest.0, &honest.1)]);
    assert_eq!(told(&follower, &honest, 2), Err(LogFault::NeverDrawn(job)));
    let none = with(0, Bytes32([0; 32]), 0);
    let (_, follower) = follow(&[entry(&none.0, &none.1)]);
    assert_eq!(told(&follower, &none, 0), Ok(Told::NoDraw));
}

#[test]
fn evidence_is_that_of_the_log() {
    let job = job(1);
    let evidence = Evidence { job, round: 1, result: AuditResult::Passed, scored: Vec::new() };
    let logged = Entry::Audit(AuditEntry {
        job,
        round: 1,
        result: AuditResult::Passed,
        evidence: evidence.hash(),
    });
    let (_, follower) = follow(&[opened(), draw(1, PPM), logged]);
    assert_eq!(follower.evidence(&evidence), Ok(()));
    let other = Err(LogFault::OtherEvidence { job, round: 1 });
    let failed = Evidence { result: AuditResult::Failed, ..evidence.clone() };
    assert_eq!(follower.evidence(&failed), other);
    let (_, follower) = follow(&[opened(), draw(1, PPM), audit(1, AuditResult::Passed)]);
    assert_eq!(follower.evidence(&evidence), other);
    let (_, follower) = follow(&[opened(), draw(1, PPM)]);
    assert_eq!(follower.evidence(&evidence), other);
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
