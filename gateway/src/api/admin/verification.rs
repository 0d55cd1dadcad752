//! How verification is doing: what a person should look at.

use assay_protocol::JobId;
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::IdOf;
use crate::{
    api::{Admin, ApiError},
    app::App,
    clock,
    db::{
        self,
        audits::{AuditResult, AuditRow},
    },
    openai::ErrorBody,
};

/// Alarms, and what waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Verification {
    /// Classes in which independent owners fail together: nobody of them is put out, every answer is
    /// checked. Calibrate the model again.
    pub brakes: Vec<EngagedBrake>,
    /// How often scorers contradicted each other since the gateway started: one of them is broken, or of
    /// another class.
    pub scorer_disputes: u64,
    /// Audits that were drawn and wait for a scorer.
    pub audits_waiting: usize,
    /// Audits that were dropped since the gateway started, because too many waited.
    pub audits_dropped: u64,
    pub log: LogState,
}

/// The log of receipts.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct LogState {
    /// Sealed entries.
    pub entries: u64,
    /// How long the oldest entry has been waiting for its seal.
    pub seal_lag_ms: u64,
}

/// A common-mode brake that is engaged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EngagedBrake {
    pub model: String,
    pub class: String,
    pub since_ms: i64,
}

/// See what needs a look
#[utoipa::path(
    operation_id = "admin_verification",
    get, path = "/admin/v1/verification", tag = "admin", security(("admin_session" = [])),
    responses((status = 200, body = Verification), (status = 401, body = ErrorBody)),
)]
pub async fn look(State(app): State<App>, _: Admin) -> Result<Json<Verification>, ApiError> {
    let brakes = app.brakes.engaged(clock::now_ms()).into_iter().map(|engaged| EngagedBrake {
        model: engaged.class.model,
        class: engaged.class.class,
        since_ms: engaged.since_ms,
    });
    Ok(Json(Verification {
        brakes: brakes.collect(),
        scorer_disputes: app.disputes.count(),
        audits_waiting: app.audit_queue.len(),
        audits_dropped: app.audit_queue.dropped(),
        log: LogState {
            entries: app.log.head().size(),
            seal_lag_ms: u64::try_from(app.log.seal_lag().as_millis()).unwrap_or(u64::MAX),
        },
    }))
}

/// One round's audit: what it rested on, before it was drawn; what was drawn and found, after.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Audit {
    pub round: u8,
    /// Whose secret draws it: see `GET /v1/verification/epochs`.
    pub epoch: i64,
    /// The last link of the agreed answer's salted hash chain.
    pub answer_hash: String,
    /// How likely it was, in millionths.
    pub q_ppm: u32,
    /// What that rests on.
    #[schema(value_type = Object)]
    pub inputs: serde_json::Value,
    pub at_ms: i64,
    /// Null until it is known.
    #[schema(required)]
    pub drawn: Option<bool>,
    /// `passed`, `failed`, `queued` or `dropped`; null when there was nothing to find.
    #[schema(required)]
    pub result: Option<&'static str>,
    #[schema(required)]
    pub ended_ms: Option<i64>,
}

/// All audits of one job.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Audits {
    pub data: Vec<Audit>,
}

/// See a job's audits
#[utoipa::path(
    operation_id = "admin_jobs_audits",
    get, path = "/admin/v1/jobs/{id}/audits", tag = "admin", security(("admin_session" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = Audits), (status = 401, body = ErrorBody)),
)]
pub async fn of_job(
    State(app): State<App>,
    _: Admin,
    IdOf(id): IdOf<Uuid>,
) -> Result<Json<Audits>, ApiError> {
    let rows = db::audits::of_job(&app.db, JobId(id)).await?;
    Ok(Json(Audits { data: rows.into_iter().map(view).collect() }))
}

fn view(row: AuditRow) -> Audit {
    Audit {
        round: row.round,
        epoch: row.epoch,
        answer_hash: row.answer_hash.to_string(),
        q_ppm: row.q_ppm,
        inputs: serde_json::from_str(&row.inputs).unwrap_or_default(),
        at_ms: row.at_ms,
        drawn: row.drawn,
        result: row.result.map(AuditResult::as_str),
        ended_ms: row.ended_ms,
    }
}
