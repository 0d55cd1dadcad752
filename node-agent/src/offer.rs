//! An offer that this node agreed to, and whether what is started is what was offered.

use std::time::{Duration, Instant};

use assay_protocol::{JobKind, JobOffer, Start, limits};

use crate::slots::Lease;

/// No job runs longer than this, whatever its offer says.
pub(crate) const JOB_MS_MAX: u64 = 3_600_000;
/// An engine waits for this job's start.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) offer: JobOffer,
    pub(crate) lease: Lease,
    /// When the engine stops waiting.
    pub(crate) forget_at: Instant,
    /// When the gateway gives the job up.
    pub(crate) deadline: Instant,
}

impl Accepted {
    pub(crate) fn new(offer: JobOffer, lease: Lease, now: Instant) -> Self {
        let within = |ms_max| now + Duration::from_millis(offer.deadline_ms.min(ms_max));
        let (forget_at, deadline) = (within(limits::START_WAIT_MS_MAX), within(JOB_MS_MAX));
        Self { offer, lease, forget_at, deadline }
    }
}

/// A start must be the job that was offered; otherwise a sentence says how it differs.
pub(crate) fn fits(offer: &JobOffer, start: &Start) -> Result<(), String> {
    let (kind, prompt, output, output_max) = match start {
        Start::Generate(start) => {
            (JobKind::Generate, start.prompt.len(), start.prefix.len(), start.max_tokens)
        }
        Start::Score(start) => {
            (JobKind::Score, start.prompt.len(), start.output.len(), offer.max_tokens)
        }
        Start::Embed(start) => (JobKind::Embed, start.tokens(), 0, 0),
    };
    let expect = |what: &str, offered: u64, found: u64, right: bool| match right {
        true => Ok(()),
        false => Err(format!("{what}: {offered} offered, {found} started")),
    };
    if kind != offer.kind {
        return Err(format!("{:?} offered, {kind:?} started", offer.kind));
    }
    let (offered, found) = (u64::from(offer.prompt_tokens), prompt as u64);
    expect("prompt tokens", offered, found, offered == found)?;
    let (offered, found) = (u64::from(offer.max_tokens), u64::from(output_max));
    expect("output tokens", offered, found, found <= offered)?;
    let (offered, found) = (u64::from(output_max), output as u64);
    expect("handed-over tokens", offered, found, found <= offered)
}
