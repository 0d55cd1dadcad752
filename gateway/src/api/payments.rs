//! Credit for money: payment pages, what became of them, and unused credit back.

use std::time::Duration;

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ApiError, CreditsRead, CreditsWrite, IdempotencyKey, JsonBody,
    admin::{IdOf, Listing, PageQuery, Params},
};
use crate::{
    app::App,
    auth::Caller,
    db::{
        self,
        refunds::{OpenRefundError, RefundRow, Unused},
        top_ups::{TopUpRow, TopUpState},
    },
    openai::ErrorBody,
    payments::{
        PaymentError,
        checkout::{CheckoutAsk, checkout},
        fulfil::fulfil,
        refund::{RefundAsk, refund},
        webhook::{self, WebhookError},
    },
    reasons::Reason,
};

/// Credit to buy.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct CheckoutRequest {
    /// In US cents; 100 cents of stablecoin are one credit.
    #[schema(minimum = 1)]
    amount_cents: i64,
}

/// A payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TopUp {
    pub id: String,
    pub amount_cents: i64,
    /// `creating`, `open` (can be paid), `paid` (credited), `expired` or `failed`.
    pub state: &'static str,
    /// Why it came to nothing.
    pub reason: String,
    /// Where it is paid; null unless it can be.
    #[schema(required)]
    pub url: Option<String>,
    /// What of it can be given back now, in cents.
    pub refundable_cents: i64,
    pub created_ms: i64,
    #[schema(required)]
    pub paid_ms: Option<i64>,
}

/// Credit to give back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct RefundRequest {
    /// The payment that it came from.
    top_up_id: String,
    /// In US cents.
    #[schema(minimum = 1)]
    amount_cents: i64,
}

/// A refund.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Refund {
    pub id: String,
    pub top_up_id: String,
    pub amount_cents: i64,
    /// `held` (set aside, on its way), `sent`, or `failed` (the credit is back).
    pub state: &'static str,
    /// Why it failed.
    pub reason: String,
    pub created_ms: i64,
    #[schema(required)]
    pub ended_ms: Option<i64>,
}

/// Get a payment page
///
/// Answers with the page where stablecoin is paid. The credit is there as soon as the payment is confirmed.
#[utoipa::path(
    operation_id = "credits_checkout",
    post, path = "/v1/credits/checkout", tag = "credits", security(("api_key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "At most 255 bytes of ASCII; the same key gets the same page.")),
    request_body = CheckoutRequest,
    responses(
        (status = 201, body = TopUp),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The idempotency key was used for another amount, or too many payments are open (`too_many_top_ups`)."),
        (status = 501, body = ErrorBody, description = "This gateway takes no payments (`payments_not_configured`)."),
        (status = 502, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn begin(
    State(app): State<App>,
    CreditsWrite(caller): CreditsWrite,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<CheckoutRequest>,
) -> Result<(StatusCode, Json<TopUp>), ApiError> {
    let ask = CheckoutAsk {
        account: caller.account,
        cents: request.amount_cents,
        client_key: key.or_fresh(),
    };
    let row = checkout(&app, ask).await?;
    Ok((StatusCode::CREATED, Json(view(&app, row).await?)))
}

/// Your payments, the last first
#[utoipa::path(
    operation_id = "credits_top_ups_list",
    get, path = "/v1/credits/top-ups", tag = "credits", security(("api_key" = [])),
    params(PageQuery),
    responses((status = 200, body = Listing<TopUp>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    CreditsRead(caller): CreditsRead,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<TopUp>>, ApiError> {
    let paged = db::top_ups::list(&app.db, caller.account, &query.page()).await?;
    let unused = db::refunds::unused(&app.db, caller.account).await?;
    Ok(Json(Listing::of(paged, |row| TopUp::of(row, &unused))))
}

/// Look a payment up
///
/// Asks the payment provider too, so that credit is there even if its message was lost.
#[utoipa::path(
    operation_id = "credits_top_ups_find",
    get, path = "/v1/credits/top-ups/{id}", tag = "credits", security(("api_key" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = TopUp), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn find(
    State(app): State<App>,
    CreditsRead(caller): CreditsRead,
    IdOf(id): IdOf<Uuid>,
) -> Result<Json<TopUp>, ApiError> {
    let row = own(&app, caller, id).await?;
    if row.state == TopUpState::Open
        && let Some(session) = &row.session
        && let Err(error) = fulfil(&app, session, false).await
    {
        tracing::debug!(%error, "a payment was not asked for now");
    }
    Ok(Json(view(&app, own(&app, caller, id).await?).await?))
}

/// Get unused credit back
///
/// To the payment that it came from. Granted credit is used first and is not given back.
#[utoipa::path(
    operation_id = "credits_refunds_create",
    post, path = "/v1/credits/refunds", tag = "credits", security(("api_key" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "At most 255 bytes of ASCII; the same key is one refund.")),
    request_body = RefundRequest,
    responses(
        (status = 201, body = Refund),
        (status = 400, body = ErrorBody, description = "More than can be given back."),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 501, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn give_back(
    State(app): State<App>,
    CreditsWrite(caller): CreditsWrite,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<RefundRequest>,
) -> Result<(StatusCode, Json<Refund>), ApiError> {
    if request.amount_cents <= 0 {
        return Err(ApiError::bad_field("amount_cents", "'amount_cents' must be more than 0."));
    }
    let ask = RefundAsk {
        account: caller.account,
        top_up: request.top_up_id,
        cents: request.amount_cents,
        client_key: key.or_fresh(),
    };
    Ok((StatusCode::CREATED, Json(refund(&app, ask).await?.into())))
}

/// Your refunds, the last first
#[utoipa::path(
    operation_id = "credits_refunds_list",
    get, path = "/v1/credits/refunds", tag = "credits", security(("api_key" = [])),
    params(PageQuery),
    responses((status = 200, body = Listing<Refund>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
)]
pub async fn refunds(
    State(app): State<App>,
    CreditsRead(caller): CreditsRead,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Refund>>, ApiError> {
    let paged = db::refunds::list(&app.db, caller.account, &query.page()).await?;
    Ok(Json(Listing::of(paged, Refund::from)))
}

/// What the payment provider tells
///
/// Signed by the provider; anything else is refused. Safe to deliver again.
#[utoipa::path(
    operation_id = "payments_webhook",
    post, path = "/payments/v1/webhook", tag = "operations",
    request_body(content = String, description = "The provider's event, as it was signed.", content_type = "application/json"),
    responses(
        (status = 200, description = "Taken."),
        (status = 400, body = ErrorBody, description = "Not signed by the provider, or too old."),
        (status = 413, body = ErrorBody),
        (status = 501, body = ErrorBody, description = "This gateway takes no payments."),
        (status = 502, body = ErrorBody, description = "The provider refuses to tell more of it."),
        (status = 503, body = ErrorBody, description = "Deliver it again."),
    ),
)]
pub async fn notify(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let wait = Duration::from_millis(app.config.limits.body_wait_ms);
    let body = timeout(wait, to_bytes(body, webhook::BODY_BYTES_MAX))
        .await
        .map_err(|_| ApiError::body_timeout())?
        .map_err(|_| ApiError::body_too_large(webhook::BODY_BYTES_MAX))?;
    let signature = headers.get(webhook::SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    webhook::receive(&app, signature.unwrap_or_default(), &body).await?;
    Ok(StatusCode::OK)
}

/// The row, if it is the caller's; another's does not exist for them.
async fn own(app: &App, caller: Caller, id: Uuid) -> Result<TopUpRow, ApiError> {
    let row = db::top_ups::find(&app.db, &id.to_string()).await?;
    row.filter(|row| row.account == caller.account).ok_or_else(|| ApiError::not_found("top-up"))
}

async fn view(app: &App, row: TopUpRow) -> Result<TopUp, ApiError> {
    let unused = db::refunds::unused(&app.db, row.account).await?;
    Ok(TopUp::of(row, &unused))
}

impl TopUp {
    fn of(row: TopUpRow, unused: &Unused) -> Self {
        Self {
            refundable_cents: unused.left_of(&row),
            id: row.id,
            amount_cents: row.cents,
            state: row.state.as_str(),
            reason: row.reason,
            url: row.url.filter(|_| row.state == TopUpState::Open),
            created_ms: row.created_ms,
            paid_ms: row.paid_ms,
        }
    }
}

impl From<RefundRow> for Refund {
    fn from(row: RefundRow) -> Self {
        Self {
            id: row.id,
            top_up_id: row.top_up,
            amount_cents: row.cents,
            state: row.state.as_str(),
            reason: row.reason,
            created_ms: row.created_ms,
            ended_ms: row.ended_ms,
        }
    }
}

impl From<PaymentError> for ApiError {
    fn from(error: PaymentError) -> Self {
        let message = super::error::sentence(&error.to_string());
        match error {
            PaymentError::NotConfigured => {
                Self::not_configured(Reason::PaymentsNotConfigured, message)
            }
            PaymentError::Amount { .. } => Self::bad_field("amount_cents", message),
            PaymentError::OtherContent => Self::conflict(message),
            PaymentError::Unavailable => Self::unavailable(Reason::PaymentUnavailable, 2, message),
            PaymentError::Misconfigured => {
                Self::unavailable(Reason::PaymentsMisconfigured, 60, message)
            }
            PaymentError::Stopped => Self::unavailable(Reason::WithdrawalsStopped, 60, message),
            PaymentError::Refused(_) => Self::refused_upstream(message),
            PaymentError::Refund(error) => match error {
                OpenRefundError::UnknownTopUp => Self::not_found("top-up"),
                OpenRefundError::OtherContent => Self::conflict(message),
                OpenRefundError::NotPaid => {
                    Self::bad_field("top_up_id", message).coded(Reason::NotPaid)
                }
                OpenRefundError::TooMuch { .. } => {
                    Self::bad_field("amount_cents", message).coded(Reason::RefundTooMuch)
                }
                OpenRefundError::Store(error) => error.into(),
            },
            PaymentError::Store(error) => error.into(),
        }
    }
}

impl From<WebhookError> for ApiError {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Payment(error) => error.into(),
            refused => Self::bad_request(super::error::sentence(&refused.to_string())),
        }
    }
}
