//! Are the books clean, and who did what.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Listing, PageQuery, Params};
use crate::{
    api::{Admin, ApiError},
    app::App,
    audit::{self, AuditReport},
    db::{self, admin_log::ActionRow},
    openai::ErrorBody,
};

/// What a replay of all money found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Audit {
    pub clean: bool,
    pub journals: u64,
    pub entries: u64,
    /// Accounts that keep a balance.
    pub accounts: u64,
    pub jobs: u64,
    pub holds_open: u64,
    pub holds_ended: u64,
    /// Journals that the hash chain covers.
    pub sealed: u64,
    /// The chain's signed head.
    #[schema(required)]
    pub head: Option<String>,
    /// Why no money may leave; null while it may.
    #[schema(required)]
    pub withdrawals_stopped: Option<String>,
    /// All credit that was granted, in 1e-9 credit.
    pub granted_nano: i64,
    /// What came in from outside, less what went out, in 1e-9 credit.
    pub paid_in_nano: i64,
    /// What the gateway has earned, in 1e-9 credit.
    pub fees_nano: i64,
    /// The verification reserve, in 1e-9 credit.
    pub reserve_nano: i64,
    /// The first wrong thing; null where the books are clean.
    #[schema(required)]
    pub fault: Option<AuditFault>,
}

/// Something that must not be.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditFault {
    /// The check that found it: a stable code.
    pub check: &'static str,
    /// A sentence that names what is wrong.
    pub message: String,
}

/// Something an admin did.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoggedAction {
    pub id: i64,
    pub at_ms: i64,
    /// Who, and in which session.
    pub actor: String,
    /// In a word: `node.ban`.
    pub action: String,
    /// On what: a node's id, an account's number.
    pub subject: String,
    pub detail: String,
}

/// Audit the books
///
/// Replays every posting of one moment; takes as long as there is history.
#[utoipa::path(
    operation_id = "admin_audit",
    get, path = "/admin/v1/audit", tag = "admin", security(("admin_session" = [])),
    responses((status = 200, body = Audit), (status = 401, body = ErrorBody)),
)]
pub async fn audit(State(app): State<App>, _: Admin) -> Result<Json<Audit>, ApiError> {
    let report = audit::audit(&app.db).await?;
    if let Some(fault) = &report.fault {
        tracing::error!(check = fault.check, message = fault.message, "the books are wrong");
    }
    let withdrawals_stopped = db::ledger_state::withdrawals_stopped(&app.db).await?;
    Ok(Json(Audit { withdrawals_stopped, ..report.into() }))
}

/// What admins did, the last first
#[utoipa::path(
    operation_id = "admin_audit_log",
    get, path = "/admin/v1/log", tag = "admin", security(("admin_session" = [])),
    params(PageQuery),
    responses((status = 200, body = Listing<LoggedAction>), (status = 401, body = ErrorBody)),
)]
pub async fn log(
    State(app): State<App>,
    _: Admin,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<LoggedAction>>, ApiError> {
    let paged = db::admin_log::list(&app.db, &query.page()).await?;
    Ok(Json(Listing::of(paged, LoggedAction::from)))
}

impl From<AuditReport> for Audit {
    fn from(report: AuditReport) -> Self {
        Self {
            clean: report.is_clean(),
            journals: report.journals,
            entries: report.entries,
            accounts: report.accounts,
            jobs: report.jobs,
            holds_open: report.holds_open,
            holds_ended: report.holds_ended,
            sealed: report.sealed,
            head: report.head,
            withdrawals_stopped: None,
            granted_nano: report.granted.0,
            paid_in_nano: report.paid_in.0,
            fees_nano: report.fees.0,
            reserve_nano: report.reserve.0,
            fault: report
                .fault
                .map(|fault| AuditFault { check: fault.check, message: fault.message }),
        }
    }
}

impl From<ActionRow> for LoggedAction {
    fn from(row: ActionRow) -> Self {
        let ActionRow { id, at_ms, actor, action, subject, detail } = row;
        Self { id, at_ms, actor, action, subject, detail }
    }
}
