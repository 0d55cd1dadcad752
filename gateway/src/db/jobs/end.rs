//! Ends a job exactly once: the hold is settled or given back, and every node's part is written.

use super::{JobEnd, JobNodeEnd};
use crate::db::{
    Db, DbError,
    bulk::bulks,
    log, reputation,
    transaction::Tx,
    value::Arg,
    writer::{EndedJob, Request},
};

bulks! { "jobs::end";
    plain END = "update job set state = new.column2, finish = new.column3,
            completion_tokens = new.column4, rounds = new.column5, cost = new.column6,
            fee = new.column7, reserve = new.column8, returned = new.column9, reason = new.column10,
            verdict = new.column11, ended_ms = new.column12, end_digest = new.column13, code = new.column14
        from (values ",
        "(cast($ as text), cast($ as text), cast($ as text), cast($ as bigint), cast($ as bigint),
            cast($ as bigint), cast($ as bigint), cast($ as bigint), cast($ as bigint),
            cast($ as text), cast($ as text), cast($ as bigint), cast($ as text), cast($ as text))",
        ") as new where job.id = new.column1 and job.state = 'running'";
    plain INSERT_NODES = "insert into job_node
            (job, part, round, role, node, outcome, reason, evidence, tokens, pay, elapsed_ms,
                checked_micro) values ",
        "($, $, $, $, $, $, $, $, $, $, $, $)", "";
}

/// Ends a job. The same end told again is fine and changes nothing.
///
/// # Errors
/// `NotFound`; `Conflict` when the job ended otherwise before; `Wrong` when the end contradicts itself;
/// `Rejected` when the charge does not account for the hold.
pub async fn end(db: &Db, end: &JobEnd) -> Result<(), DbError> {
    db.write(Request::End(Box::new(end.clone()))).await?;
    Ok(())
}

/// Writes how these jobs ended, whose holds were just ended.
pub(in crate::db) async fn write_ends(tx: &mut Tx, ended: &[EndedJob<'_>]) -> Result<(), DbError> {
    let rows: Vec<Arg> = ended.iter().flat_map(end_row).collect();
    let changed = tx.execute_all(&END, &rows).await?;
    assert_eq!(changed, ended.len() as u64, "jobs run until their holds end");
    let parts = ended
        .iter()
        .flat_map(|ended| (0_i64..).zip(&ended.end.nodes).map(|part| (ended.end, part)));
    let parts: Vec<Arg> = parts.flat_map(|(end, (at, part))| part_row(end, at, part)).collect();
    tx.execute_all(&INSERT_NODES, &parts).await?;
    log::append_all(tx, ended.iter().filter_map(|ended| ended.end.receipt.as_ref())).await?;
    record_checks(tx, ended).await
}

fn end_row(ended: &EndedJob<'_>) -> [Arg; 14] {
    let JobEnd { id, state, finish, completion_tokens, rounds, reason, verdict, ended_ms, .. } =
        ended.end;
    let charge = &ended.end.charge;
    [
        (*id).into(),
        (*state).into(),
        finish.as_ref().into(),
        (*completion_tokens).into(),
        (*rounds).into(),
        charge.cost.into(),
        charge.fee.into(),
        charge.reserve.into(),
        charge.returned.into(),
        reason.into(),
        verdict.as_ref().into(),
        (*ended_ms).into(),
        ended.digest.into(),
        ended.end.code.map(|code| code.code().to_owned()).into(),
    ]
}

fn part_row(end: &JobEnd, at: i64, part: &JobNodeEnd) -> [Arg; 12] {
    let JobNodeEnd { node, round, role, outcome, reason, evidence, .. } = part;
    [
        end.id.into(),
        at.into(),
        (*round).into(),
        (*role).into(),
        (*node).into(),
        outcome.as_str().into(),
        reason.into(),
        evidence.into(),
        part.tokens.into(),
        part.pay.into(),
        part.elapsed_ms.into(),
        part.checked_micro().into(),
    ]
}

/// What reputations learn: by node, so that no two gateways wait for each other, and in the order of the
/// jobs, because what fades depends on it.
async fn record_checks(tx: &mut Tx, ended: &[EndedJob<'_>]) -> Result<(), DbError> {
    let mut checks = Vec::new();
    for EndedJob { end, model, .. } in ended {
        let learnt = |part: &JobNodeEnd| Some((part.node, part.reputation?));
        checks.extend(
            end.nodes
                .iter()
                .filter_map(learnt)
                .map(|(node, delta)| (node, model, end.id, delta, end.ended_ms)),
        );
    }
    checks.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    for (node, model, job, delta, at_ms) in checks {
        reputation::record(tx, node, model, job, delta, at_ms).await?;
    }
    Ok(())
}
