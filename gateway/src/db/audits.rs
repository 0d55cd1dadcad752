//! Audits: how likely each was, written before it was drawn; what was drawn and found, after.

use assay_protocol::{Bytes32, JobId, NodeId, Outcome};

use super::{
    Db, DbError, EvidenceDelta, KeyId,
    bulk::bulks,
    engine::retried,
    log::{self, NewEntry},
    reputation,
    statement::statements,
    transaction::Tx,
    value::{Arg, Record, Row, args, columns},
};

statements! { "audits";
    plain END = "update audit set drawn = $3, result = $4, ended_ms = $5, evidence = $6
        where job = $1 and round = $2 and (result is null or result = 'queued')";
    plain EVIDENCE = "select audit.evidence from audit join job on job.id = audit.job
        where audit.job = $1 and job.api_key = $2 and audit.evidence is not null
        order by audit.round desc limit 1";
    plain DROP_QUEUED = "update audit set result = 'dropped', ended_ms = $2
        where gateway = $1 and result = 'queued'";
    plain OF_JOB = "select job, round, epoch, answer_hash, q_ppm, inputs, at_ms, drawn, result, ended_ms
        from audit where job = $1 order by round";
    plain PASSED = "update job_node set checked_micro = $4 where job = $1 and round = $2 and node = $3
        and role = 'generate'";
    plain AT_FAULT = "update job_node set late_outcome = $4, late_reason = $5, late_evidence = $6, late_ms = $7
        where job = $1 and round = $2 and node = $3 and role = 'generate'";
    plain REFUTED = "update job_node set refuted_ms = $4 where job = $1 and round = $2 and node = $3
        and role = 'generate'";
}

bulks! { "audits";
    plain INSERT_ALL = "insert into audit (job, round, gateway, epoch, answer_hash, q_ppm, inputs, at_ms) values ",
        "($, $, $, $, $, $, $, $)", " on conflict do nothing";
}

/// What is written before a draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAudit {
    pub job: JobId,
    pub round: u8,
    pub epoch: i64,
    /// The last link of the agreed answer's hash chain, which a salt hides.
    pub answer_hash: Bytes32,
    /// In millionths.
    pub q_ppm: u32,
    /// What the probability rests on, as JSON.
    pub inputs: String,
    pub at_ms: i64,
}

/// An audit as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub job: JobId,
    pub round: u8,
    pub epoch: i64,
    pub answer_hash: Bytes32,
    pub q_ppm: u32,
    pub inputs: String,
    pub at_ms: i64,
    pub drawn: Option<bool>,
    pub result: Option<AuditResult>,
    pub ended_ms: Option<i64>,
}

/// How an audit that was drawn came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuditResult {
    Passed,
    Failed,
    /// Scorers contradict each other: it counts as right, and nobody learns anything.
    Disputed,
    /// Waits for a scorer.
    Queued,
    /// Never done: too many waited, or the gateway stopped.
    Dropped,
}

/// What an audit found of one node's answer after its job had ended.
#[derive(Clone, Debug, PartialEq)]
pub struct LateCheck {
    pub job: JobId,
    pub round: u8,
    pub node: NodeId,
    pub model: String,
    pub learnt: EvidenceDelta,
    /// The model speaks against the answer that the client has.
    pub refuted: bool,
    /// Why the check failed, if it did.
    pub fault: Option<LateFault>,
    pub at_ms: i64,
}

/// What an audit holds against an answer that was paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateFault {
    pub outcome: Outcome,
    /// A sentence for the node's operator.
    pub reason: String,
    /// JSON: what the sentence rests on.
    pub evidence: String,
}

/// Something to keep about an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditWrite {
    /// Before the draw; the first word counts.
    New(NewAudit),
    /// After it: what was drawn, and what came of it, with its entry for the log. Only a result that was queued is
    /// ever replaced.
    End {
        job: JobId,
        round: u8,
        drawn: bool,
        result: Option<AuditResult>,
        at_ms: i64,
        rests_on: Option<RestsOn>,
    },
}

/// What an audit rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestsOn {
    /// Base64.
    pub evidence: String,
    /// What the log says of the audit; none where no log is kept.
    pub entry: Option<NewEntry>,
}

/// Keeps all of these, or none.
pub async fn write(db: &Db, gateway: &str, writes: &[AuditWrite]) -> Result<(), DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        insert_all(&mut tx, gateway, writes.iter().filter_map(AuditWrite::opening)).await?;
        for write in writes {
            if let AuditWrite::End { job, round, drawn, result, at_ms, rests_on } = write {
                let evidence = rests_on.as_ref().map(|rests_on| &rests_on.evidence);
                tx.execute(&END, args![*job, *round, *drawn, *result, *at_ms, evidence]).await?;
            }
        }
        log::append_all(&mut tx, writes.iter().filter_map(AuditWrite::entry)).await?;
        tx.commit().await
    })
    .await
}

/// What waited for a scorer when a gateway stopped is lost.
pub async fn drop_queued(db: &Db, gateway: &str, at_ms: i64) -> Result<(), DbError> {
    db.execute(&DROP_QUEUED, args![gateway, at_ms]).await?;
    Ok(())
}

/// Keeps what decides over these audits; the first word counts.
pub(super) async fn insert_all(
    tx: &mut Tx,
    gateway: &str,
    audits: impl Iterator<Item = &NewAudit>,
) -> Result<(), DbError> {
    let row = |new: &NewAudit| -> [Arg; 8] {
        let NewAudit { job, round, epoch, answer_hash, q_ppm, inputs, at_ms } = new;
        let (epoch, answer_hash, at_ms) = ((*epoch).into(), (*answer_hash).into(), (*at_ms).into());
        let (job, round, q_ppm) = ((*job).into(), (*round).into(), (*q_ppm).into());
        [job, round, gateway.into(), epoch, answer_hash, q_ppm, inputs.into(), at_ms]
    };
    let rows: Vec<Arg> = audits.flat_map(row).collect();
    tx.execute_all(&INSERT_ALL, &rows).await?;
    Ok(())
}

impl AuditWrite {
    fn opening(&self) -> Option<&NewAudit> {
        if let Self::New(new) = self { Some(new) } else { None }
    }

    fn entry(&self) -> Option<&NewEntry> {
        let Self::End { rests_on, .. } = self else { return None };
        rests_on.as_ref()?.entry.as_ref()
    }
}

/// What the last audit of a job rests on that this key asked for, in base64.
pub async fn evidence(db: &Db, job: JobId, key: KeyId) -> Result<Option<String>, DbError> {
    let found: Option<Text> = db.optional(&EVIDENCE, args![job, key]).await?;
    Ok(found.map(|text| text.0))
}

struct Text(String);

impl Record for Text {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("evidence").map(Self)
    }
}

/// The audits of a job's rounds.
pub async fn of_job(db: &Db, job: JobId) -> Result<Vec<AuditRow>, DbError> {
    db.all(&OF_JOB, args![job]).await
}

/// Notes what an audit found late: on the node's part in the job, and for its reputation.
pub async fn record_late(db: &Db, late: &LateCheck) -> Result<(), DbError> {
    let LateCheck { job, round, node, model, learnt, refuted, fault, at_ms } = late;
    retried(async || {
        let mut tx = db.begin().await?;
        if *refuted {
            tx.execute(&REFUTED, args![*job, *round, *node, *at_ms]).await?;
        }
        if let Some(LateFault { outcome, reason, evidence }) = fault {
            let outcome = outcome.as_str();
            let args = args![*job, *round, *node, outcome, reason, evidence, *at_ms];
            tx.execute(&AT_FAULT, args).await?;
        }
        if learnt.pass_micro > 0 {
            tx.execute(&PASSED, args![*job, *round, *node, learnt.pass_micro]).await?;
        }
        reputation::record(&mut tx, *node, model, *job, *learnt, *at_ms).await?;
        tx.commit().await
    })
    .await
}

impl AuditResult {
    const ALL: [Self; 5] =
        [Self::Passed, Self::Failed, Self::Disputed, Self::Queued, Self::Dropped];

    /// The word in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Disputed => "disputed",
            Self::Queued => "queued",
            Self::Dropped => "dropped",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == word)
    }
}
columns!(ints: ; words: AuditResult);

impl Record for AuditRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            job: row.get("job")?,
            round: row.get("round")?,
            epoch: row.get("epoch")?,
            answer_hash: row.get("answer_hash")?,
            q_ppm: row.get("q_ppm")?,
            inputs: row.get("inputs")?,
            at_ms: row.get("at_ms")?,
            drawn: row.maybe("drawn")?,
            result: row.maybe("result")?,
            ended_ms: row.maybe("ended_ms")?,
        })
    }
}
