//! What is wrong with a log, in sentences.

use assay_protocol::JobId;

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    #[error("the secret of epoch {epoch}, which {draws} draws rest on, was never published")]
    SecretWithheld { epoch: u64, draws: u64 },
    #[error("entry {0} cannot be read")]
    Unreadable(u64),
    #[error("entry {0} seals another tree than the one before it")]
    WrongSeal(u64),
    #[error("entry {index} opens epoch {epoch} a second time")]
    EpochTwice { index: u64, epoch: u64 },
    #[error("the seal in entry {index} is of an earlier time than the one before it")]
    TimeBackwards { index: u64 },
    #[error("entry {index} closes epoch {epoch} with a secret that is not the one committed to")]
    WrongSecret { index: u64, epoch: u64 },
    #[error("entry {index} draws with the secret of epoch {epoch}, which was never opened")]
    NoEpoch { index: u64, epoch: u64 },
    #[error("entry {index} draws with the secret of epoch {epoch}, which no seal before it covers")]
    Unsealed { index: u64, epoch: u64 },
    #[error("entry {index} draws with the secret of epoch {epoch}, which was already known")]
    AfterClose { index: u64, epoch: u64 },
    #[error("job {0} has two receipts")]
    AnswerTwice(JobId),
    #[error("entry {index} draws a second time for round {round} of job {job}")]
    DrawnTwice { index: u64, job: JobId, round: u8 },
    #[error("the receipt of job {0} names a chance of an audit that no entry before it draws with")]
    NeverDrawn(JobId),
    #[error("the audit of job {0} was drawn and never done")]
    AuditSkipped(JobId),
    #[error("the audit of job {0} was drawn and dropped, as the gateway says itself")]
    AuditDropped(JobId),
    #[error("entry {index} shortens the sealed journals from {before} to {after}")]
    JournalsShrank { index: u64, before: u64, after: u64 },
    #[error("entry {index} gives another head for the same {journals} journals")]
    JournalsForked { index: u64, journals: u64 },
    #[error("the gateway did not sign the head of the ledger in entry {0}")]
    HeadUnsigned(u64),
    #[error(
        "the evidence of job {job}, round {round}, is not what the log says that the audit rests on"
    )]
    OtherEvidence { job: JobId, round: u8 },
    #[error("the receipt of job {job} is not entry {index} of this log")]
    NotLogged { job: JobId, index: u64 },
    #[error(
        "the receipt of job {job} says that epoch {epoch} committed to another secret than the log says"
    )]
    OtherCommitment { job: JobId, epoch: u64 },
}
