//! `GET /v1/credits` and below: what an account has, where it went, and what each key spent by day.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiError, CreditsRead,
    admin::{Listing, Params},
};
use crate::{
    app::App,
    db::{
        self, Page,
        history::{KeyDayRow, MovementRow},
    },
    openai::ErrorBody,
};

const NEXT: HeaderName = HeaderName::from_static("x-assay-next");
const DAY_MS: i64 = 86_400_000;

/// What the key's account has, in 1e-9 credit.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Credits {
    /// What can be spent.
    pub available_nano: i64,
    /// What is set aside for requests that run.
    pub held_nano: i64,
}

/// A movement of the account's money.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Movement {
    /// The journal that it is part of.
    pub journal: i64,
    pub at_ms: i64,
    /// `grant`, `top_up`, `hold`, `settle`, `void`, `send_out`, or `forfeit` (money back for an answer that was refuted later).
    pub kind: &'static str,
    /// What moved: `available` or `held` credit.
    pub bucket: &'static str,
    pub amount_nano: i64,
    /// What it was for: `hold:JOB`, `end:JOB`, `grant:…`, `forfeit:…`.
    pub key: String,
    pub note: String,
}

/// What a key did on a day (UTC).
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct KeyDay {
    pub key_id: i64,
    /// When the day began.
    pub day_ms: i64,
    pub requests: i64,
    pub spent_nano: i64,
    /// Set aside for requests of that day that still run.
    pub held_nano: i64,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
}

/// Which movements, and how they are written.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MovementQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Rows wanted, 1 to 200; 200 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `json`, or `csv`: then `next` is in the header `x-assay-next`.
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Json,
    Csv,
}

/// What the account has
#[utoipa::path(
    operation_id = "credits_find",
    get, path = "/v1/credits", tag = "credits", security(("api_key" = [])),
    responses((status = 200, body = Credits), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
)]
pub async fn find(
    State(app): State<App>,
    CreditsRead(caller): CreditsRead,
) -> Result<Json<Credits>, ApiError> {
    let balance = db::accounts::balance(&app.db, caller.account).await?;
    let (available_nano, held_nano) = (balance.available.0, balance.held.0);
    Ok(Json(Credits { available_nano, held_nano }))
}

/// Every movement of the account's money, the last first
#[utoipa::path(
    operation_id = "credits_entries",
    get, path = "/v1/credits/entries", tag = "credits", security(("api_key" = [])),
    params(MovementQuery),
    responses(
        (status = 200, content((Listing<Movement> = "application/json"), (String = "text/csv"))),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    ),
)]
pub async fn entries(
    State(app): State<App>,
    CreditsRead(caller): CreditsRead,
    Params(query): Params<MovementQuery>,
) -> Result<Response, ApiError> {
    let MovementQuery { after, limit, format } = query;
    let page = Page { after, limit: limit.unwrap_or(0) };
    let paged = db::history::entries(&app.db, caller.account, &page).await?;
    let listing = Listing::of(paged, Movement::from);
    Ok(match format.unwrap_or_default() {
        Format::Json => Json(listing).into_response(),
        Format::Csv => csv(&listing),
    })
}

/// What each key spent by day, the last first
#[utoipa::path(
    operation_id = "credits_usage",
    get, path = "/v1/credits/usage", tag = "credits", security(("api_key" = [])),
    params(super::admin::PageQuery),
    responses(
        (status = 200, body = Listing<KeyDay>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    ),
)]
pub async fn usage(
    State(app): State<App>,
    CreditsRead(caller): CreditsRead,
    Params(query): Params<super::admin::PageQuery>,
) -> Result<Json<Listing<KeyDay>>, ApiError> {
    let paged = db::history::key_days(&app.db, caller.account, &query.page()).await?;
    Ok(Json(Listing::of(paged, KeyDay::from)))
}

fn csv(listing: &Listing<Movement>) -> Response {
    let mut text = "journal,at_ms,kind,bucket,amount_nano,key,note\n".to_owned();
    for Movement { journal, at_ms, kind, bucket, amount_nano, key, note } in &listing.data {
        let (key, note) = (quoted(key), quoted(note));
        text += &format!("{journal},{at_ms},{kind},{bucket},{amount_nano},{key},{note}\n");
    }
    let mut response = ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response();
    if let Some(next) = listing.next.as_ref().and_then(|next| HeaderValue::try_from(next).ok()) {
        response.headers_mut().insert(NEXT, next);
    }
    response
}

/// A field that may hold anything. What a spreadsheet would take for a formula is made text.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, field.replace('"', "\"\""))
}

impl From<MovementRow> for Movement {
    fn from(row: MovementRow) -> Self {
        Self {
            journal: row.journal,
            at_ms: row.at_ms,
            kind: row.kind.as_str(),
            bucket: row.bucket.as_str(),
            amount_nano: row.amount.0,
            key: row.key,
            note: row.note,
        }
    }
}

impl From<KeyDayRow> for KeyDay {
    fn from(row: KeyDayRow) -> Self {
        Self {
            key_id: row.key.0,
            day_ms: row.day.saturating_mul(DAY_MS),
            requests: row.jobs,
            spent_nano: row.spent.0,
            held_nano: row.held.0,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn fields_cannot_leave_their_quotes_or_become_formulas() {
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
