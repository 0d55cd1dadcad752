//! Notes, while an answer is streamed, how the job would be settled if the gateway stopped now: the client
//! pays for what it has, the nodes that stand behind it are paid.

use assay_ledger::{PayRules, Round as PaidRound, Share, payout};

use super::{answer::Answer, job::Waits, policy::PAY_CAP_PER_MILLE, round::Round};
use crate::{
    app::App,
    db::{CheckpointPart, CheckpointSettlement},
};

/// Notes it, if more went out than the note says that waits to be written: an answer may pause for long. Answers that go
/// out whole are not noted, nor are those that are kept under a key: until their end nothing was delivered.
pub(super) fn note(app: &App, round: &Round<'_>, answer: &Answer<'_>) {
    let (job, sent) = (round.job, answer.sent());
    let tokens = u32::try_from(sent.len()).unwrap_or(u32::MAX);
    let is_noted = job.streamed && job.waits != Waits::Kept;
    if !is_noted || sent.is_empty() || !app.checkpoints.is_due(job.id, tokens) {
        return;
    }
    let own = |prefix: usize| u32::try_from(sent.len().saturating_sub(prefix)).unwrap_or(u32::MAX);
    let behind: Vec<_> = round
        .branches
        .iter()
        .filter(|branch| branch.is_live() && branch.ids.starts_with(sent))
        .filter(|branch| own(branch.prefix_tokens()) > 0)
        .collect();
    if behind.is_empty() {
        return;
    }
    let share = |prefix: usize, account| Share { account, tokens: own(prefix) };
    let passed: Vec<Share> =
        behind.iter().map(|branch| share(branch.prefix_tokens(), branch.owner)).collect();
    let rules = PayRules {
        fee_ppm: app.config.serving.fee_per_mille * 1_000,
        cap_per_mille: Some(PAY_CAP_PER_MILLE),
    };
    let round_paid = PaidRound {
        held: job.quote.highest(),
        cost: job.quote.cost(tokens),
        asked: round.asked.max(u32::try_from(passed.len()).unwrap_or(u32::MAX)),
        tokens,
        passed: &passed,
        majority_refuted: false,
    };
    let charge = payout(&round_paid, &rules);
    let parts = behind.iter().zip(&charge.pays).map(|(branch, (_, pay))| CheckpointPart {
        node: branch.node(),
        tokens: own(branch.prefix_tokens()),
        pay: *pay,
        elapsed_ms: branch.elapsed_ms(),
    });
    let parts = parts.collect();
    // Who was asked is noted already.
    let (completion_tokens, round, asked) = (tokens, round.number, Vec::new());
    let settlement = CheckpointSettlement { completion_tokens, round, charge, parts, asked };
    app.checkpoints.note(job.id, settlement);
}
