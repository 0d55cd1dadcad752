//! The waits and bounds of one job.

use serde::{Deserialize, Serialize};

/// `[serving]` of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServingSettings {
    /// Jobs that may run at once; one more is answered 503.
    pub jobs_running_max: usize,
    /// Jobs that one account may have running, over all gateways; one more is answered 429.
    pub account_jobs_max: u32,
    /// Choices that one request may ask for, over all its prompts; 1 to 128.
    pub choices_max: u32,
    /// Of these, how many are worked on at once.
    pub choices_at_once: usize,
    /// From the hold to the verdict; a job that takes longer is released, not charged.
    pub job_deadline_ms: u64,
    /// How long a job waits for its turn and for busy nodes.
    pub place_wait_ms: u64,
    /// A node that accepted must send its first token within this …
    pub first_token_ms: u64,
    /// … and each next piece within this.
    pub stall_ms: u64,
    /// How long an answer that all its nodes left waits for somebody who goes on.
    pub failover_wait_ms: u64,
    /// Once two complete answers agree, the others get this long, or half of the time that the
    /// answer took if that is more.
    pub straggler_ms: u64,
    /// How long a job waits for a scorer that it cannot be decided without.
    pub scorer_wait_ms: u64,
    /// How long one scoring pass may take.
    pub score_ms: u64,
    /// Sets of nodes that are asked before the job is given up.
    pub rounds_max: u8,
    /// Output tokens for a request that names no limit; the context length still bounds it.
    pub max_tokens_default: u32,
    /// The gateway's share of what an answer costs.
    pub fee_per_mille: u32,
}

impl Default for ServingSettings {
    fn default() -> Self {
        Self {
            jobs_running_max: 256,
            account_jobs_max: 256,
            choices_max: 128,
            choices_at_once: 4,
            job_deadline_ms: 120_000,
            place_wait_ms: 15_000,
            first_token_ms: 20_000,
            stall_ms: 10_000,
            failover_wait_ms: 5_000,
            straggler_ms: 1_000,
            scorer_wait_ms: 5_000,
            score_ms: 30_000,
            rounds_max: 3,
            max_tokens_default: 2_048,
            fee_per_mille: 50,
        }
    }
}
