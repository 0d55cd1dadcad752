//! Jobs: opened with their hold, ended with their settlement, each in one transaction.

mod end;
mod open;
pub mod own;
mod rows;

use assay_ledger::{AccountId, Digest, Nano, Settlement};
use assay_protocol::{JobId, NodeId, Outcome};
use serde::Serialize;

use super::{DbError, EvidenceDelta, KeyId, LeaseId, bulk::Bulk, log::NewEntry, value::columns};
use crate::reasons::Reason;

pub use end::end;
pub(super) use end::write_ends;
pub use open::{JOBS_AT_ONCE_MAX, OpenJobError, open, open_all};
pub(super) use open::{hold_of, insert_all};
pub use own::LateFinding;
pub(super) use rows::STATEMENTS;
pub use rows::{JobFilter, JobNodeRow, JobRow, find, list};

/// Every statement about many jobs.
pub(super) fn bulks() -> impl Iterator<Item = &'static &'static Bulk> {
    [open::BULKS, end::BULKS].into_iter().flatten()
}

/// A job to open.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub id: JobId,
    /// The gateway that owns it, and gives its hold back if it finds the job open when it starts.
    pub gateway: String,
    pub account: AccountId,
    pub key: KeyId,
    pub model: String,
    /// The policy of the request: its risk.
    pub policy: String,
    pub prompt_tokens: u32,
    pub max_tokens: u32,
    /// H, the highest cost; zero for a free model.
    pub hold: Nano,
    pub created_ms: i64,
    /// The run of the gateway that owns it.
    pub lease: Option<LeaseId>,
    /// The hold ends after this long, whatever its gateway says.
    pub lasts_ms_max: i64,
    /// Holds that its account may have open, this one included.
    pub holds_open_max: u32,
}

/// How a job ended.
#[derive(Clone, Debug)]
pub struct JobEnd {
    pub id: JobId,
    /// Any but `Running`.
    pub state: JobState,
    /// Why the answer ends, in OpenAI's words.
    pub finish: Option<String>,
    pub completion_tokens: u32,
    pub rounds: u8,
    /// Where the hold goes.
    pub charge: Settlement,
    /// One sentence for whoever looks the job up.
    pub reason: String,
    /// Why it failed, for programs.
    pub code: Option<Reason>,
    /// JSON, as the client got it.
    pub verdict: Option<String>,
    pub ended_ms: i64,
    /// Every node's parts; their pay makes the charge's pays.
    pub nodes: Vec<JobNodeEnd>,
    /// Its receipt's entry for the log.
    pub receipt: Option<NewEntry>,
}

/// One node's part in a round of a job.
#[derive(Clone, Debug)]
pub struct JobNodeEnd {
    pub node: NodeId,
    /// From 1.
    pub round: u8,
    /// `generate` or `score`.
    pub role: &'static str,
    pub outcome: Outcome,
    /// Why, in one sentence.
    pub reason: String,
    /// JSON: what was looked at and found.
    pub evidence: String,
    pub tokens: u32,
    pub pay: Nano,
    pub elapsed_ms: i64,
    /// What its reputation with the job's model learns from this.
    pub reputation: Option<EvidenceDelta>,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Running,
    Succeeded,
    /// The client left; what was delivered is charged.
    Cancelled,
    Failed,
}

impl JobNodeEnd {
    /// The weight of the check that it passed, in millionths.
    pub fn checked_micro(&self) -> u32 {
        self.reputation.map_or(0, |learnt| learnt.pass_micro)
    }
}

impl JobState {
    const ALL: [Self; 4] = [Self::Running, Self::Succeeded, Self::Cancelled, Self::Failed];

    /// The word in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}
columns!(ints: ; words: JobState);

impl JobEnd {
    /// Of all it says, so that the same end may be told twice and another one may not.
    pub(super) fn digest(&self) -> Digest {
        let mut bytes = Digest::writer("job-end");
        bytes.text(&self.id.to_string()).text(self.state.as_str());
        bytes.text(self.finish.as_deref().unwrap_or_default());
        bytes.int(self.completion_tokens.into()).int(self.rounds.into());
        bytes.settlement(&self.charge).text(&self.reason);
        bytes.text(self.code.map_or("", Reason::code));
        bytes.text(self.verdict.as_deref().unwrap_or_default()).int(self.ended_ms);
        for part in &self.nodes {
            bytes.text(&part.node.to_string()).int(part.round.into()).text(part.role);
            bytes.text(part.outcome.as_str()).text(&part.reason).text(&part.evidence);
            bytes.int(part.tokens.into()).int(part.pay.0).int(part.elapsed_ms);
            let learnt = part.reputation.unwrap_or_default();
            bytes.int(learnt.pass_micro.into()).int(learnt.fail_micro.into());
            bytes.int(learnt.cusum_micro).int(learnt.proofs.into());
        }
        bytes.finish()
    }

    /// Whether the parts of the nodes are paid what the charge says, account names aside.
    pub(super) fn check(&self) -> Result<(), DbError> {
        let parts = Nano::checked_sum(self.nodes.iter().map(|part| part.pay));
        let pays = Nano::checked_sum(self.charge.pays.iter().map(|(_, pay)| *pay));
        let negative = self.nodes.iter().any(|part| part.pay.is_negative());
        if parts != pays || negative {
            return Err(DbError::Wrong(
                "the pay of a job's nodes is not what its charge says".into(),
            ));
        }
        match self.state {
            JobState::Running => Err(DbError::Wrong("a job cannot end as running".into())),
            JobState::Succeeded | JobState::Cancelled | JobState::Failed => Ok(()),
        }
    }
}
