//! The calls: bearer key, version header, form bodies, idempotency keys and errors as Stripe has them.

use std::collections::HashMap;

use axum::{
    Form, Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Books, RefundStatus, SECRET_KEY, Session, Shared, StripeRefund, Trouble, now_s};

/// A form's or a query's fields, as `a[b]` and their texts.
type Fields = HashMap<String, String>;
/// A status and a body.
type Answer = (u16, Value);

pub(crate) fn router(shared: Shared) -> Router {
    Router::new()
        .route("/v1/checkout/sessions", post(create_session).get(list_sessions))
        .route("/v1/checkout/sessions/{id}", get(find_session))
        .route("/v1/refunds", post(create_refund).get(list_refunds))
        .route("/v1/refunds/{id}", get(find_refund))
        .route("/v1/payment_intents/{id}", get(find_payment))
        .with_state(shared)
}

async fn create_session(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    once_per_key(&shared, &headers, fields, session).await
}

async fn create_refund(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    once_per_key(&shared, &headers, fields, refund).await
}

async fn find_session(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    answer(&shared, &headers, |books| match books.sessions.get(&id) {
        Some(session) => (200, session.json()),
        None => missing("checkout.session", &id),
    })
    .await
}

async fn find_refund(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    answer(&shared, &headers, |books| match books.refunds.get(&id) {
        Some(refund) => (200, refund.json()),
        None => missing("refund", &id),
    })
    .await
}

async fn find_payment(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    answer(&shared, &headers, |books| {
        match books.sessions.values().find(|session| session.payment_intent == id) {
            Some(session) => (200, session.payment()),
            None => missing("payment_intent", &id),
        }
    })
    .await
}

async fn list_sessions(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<Fields>,
) -> Response {
    answer(&shared, &headers, |books| list(books, &query)).await
}

async fn list_refunds(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Query(query): Query<Fields>,
) -> Response {
    answer(&shared, &headers, |books| {
        let payment = query.get("payment_intent");
        let of_payment = |refund: &&StripeRefund| {
            payment.is_none_or(|payment| refund.payment_intent == *payment)
                && is_of(&query, refund.created)
        };
        let refunds = books.refunds.values().rev().filter(of_payment);
        let refunds = refunds.map(|refund| (refund.id.as_str(), refund));
        page("/v1/refunds", &query, refunds, StripeRefund::json)
    })
    .await
}

fn list(books: &Books, query: &Fields) -> Answer {
    let sessions = books.sessions.values().rev().filter(|session| is_of(query, session.created));
    let sessions = sessions.map(|session| (session.id.as_str(), session));
    page("/v1/checkout/sessions", query, sessions, Session::json)
}

/// Whether something was made in the time that a list is of.
fn is_of(query: &Fields, created: u64) -> bool {
    let bound = |name: &str| query.get(name).and_then(|s| s.parse::<u64>().ok());
    bound("created[gte]").is_none_or(|since| created >= since)
        && bound("created[lte]").is_none_or(|until| created <= until)
}

/// A page of objects with their ids, the last first, as Stripe lists.
fn page<'a, T>(
    url: &str,
    query: &Fields,
    objects: impl Iterator<Item = (&'a str, T)>,
    json: impl Fn(T) -> Value,
) -> Answer {
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10);
    let after = query.get("starting_after");
    let mut found: Vec<Value> = objects
        .filter(|(id, _)| after.is_none_or(|after| *id < after.as_str()))
        .take(limit + 1)
        .map(|(_, object)| json(object))
        .collect();
    let has_more = found.len() > limit;
    found.truncate(limit);
    (200, json!({ "object": "list", "data": found, "has_more": has_more, "url": url }))
}

fn session(books: &mut Books, fields: &Fields) -> Answer {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let price = |name: &str| field(&format!("line_items[0][price_data]{name}")).to_owned();
    for (name, wanted) in [("mode", "payment"), ("payment_method_types[0]", "crypto")] {
        if field(name) != wanted {
            return invalid(name, "This fake takes stablecoin payments only.");
        }
    }
    if price("[currency]") != "usd" || field("line_items[0][quantity]") != "1" {
        return invalid("line_items", "Stablecoin payments are in US dollars.");
    }
    let amount: i64 = price("[unit_amount]").parse().unwrap_or_default();
    if !(50..=1_000_000).contains(&amount) {
        return invalid("line_items", "The amount must be between 50 cents and 10,000 dollars.");
    }
    let id = books.id("cs");
    let session = Session {
        url: format!("{}pay/{id}", books.url),
        payment_intent: books.id("pi"),
        client_reference_id: field("client_reference_id").to_owned(),
        product: price("[product_data][name]"),
        success_url: field("success_url").to_owned(),
        cancel_url: field("cancel_url").to_owned(),
        amount,
        status: "open",
        paid: false,
        failed: false,
        created: now_s(),
        refunded: 0,
        id: id.clone(),
    };
    let object = session.json();
    books.sessions.insert(id, session);
    (200, object)
}

pub(super) fn refund(books: &mut Books, fields: &Fields) -> Answer {
    let payment = fields.get("payment_intent").cloned().unwrap_or_default();
    let amount: i64 = fields.get("amount").and_then(|amount| amount.parse().ok()).unwrap_or(0);
    let (id, wait) = (books.id("re"), books.refunds_wait);
    let paid = books.sessions.values_mut().find(|s| s.paid && s.payment_intent == payment);
    let Some(session) = paid else { return missing("payment_intent", &payment) };
    if amount < 1 || amount > session.amount - session.refunded {
        return invalid("amount", "Refund amount is greater than unrefunded amount on charge.");
    }
    session.refunded += amount;
    let metadata = fields.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
        Some((name.to_owned(), Value::from(value.as_str())))
    });
    let refund = StripeRefund {
        id: id.clone(),
        amount,
        payment_intent: payment,
        status: if wait { RefundStatus::Pending } else { RefundStatus::Succeeded },
        metadata: Value::Object(metadata.collect()),
        created: now_s(),
    };
    let object = refund.json();
    books.refunds.insert(id, refund);
    (200, object)
}

/// A key, and the request that comes under it in words.
type Once = (String, String);

/// Does it once under a key: the same answer for the same request, whatever it was, and an error for another one.
async fn once_per_key(
    shared: &Shared,
    headers: &HeaderMap,
    fields: Fields,
    make: fn(&mut Books, &Fields) -> Answer,
) -> Response {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let once = key.map(|key| (key.to_owned(), words(&fields)));
    respond(shared, headers, once, |books| make(books, &fields)).await
}

async fn answer(
    shared: &Shared,
    headers: &HeaderMap,
    look: impl FnOnce(&mut Books) -> Answer,
) -> Response {
    respond(shared, headers, None, look).await
}

/// Checks who asks, meets the next trouble, and does it.
async fn respond(
    shared: &Shared,
    headers: &HeaderMap,
    once: Option<Once>,
    work: impl FnOnce(&mut Books) -> Answer,
) -> Response {
    if let Some(refused) = refused(shared, headers) {
        return reply(refused);
    }
    // What was answered under a key is answered again, a failure of its own as well.
    if let Some(before) = answered(&shared.lock(), once.as_ref()) {
        return reply(before);
    }
    let trouble = shared.lock().troubles.pop_front().unwrap_or(Trouble::None);
    let broken = |status| (status, error("api_error", None, "It is broken."));
    match trouble {
        // Before anything is begun: the key is still free.
        Trouble::Status(429) => {
            let message = "Too many requests.";
            return reply((429, error("invalid_request_error", Some("rate_limit"), message)));
        }
        Trouble::Status(status) => {
            keep(&mut shared.lock(), once, &broken(status));
            return reply(broken(status));
        }
        Trouble::Slow(time) => sleep(time).await,
        Trouble::Before(ref gate) => gate.pass().await,
        Trouble::None | Trouble::DoneButLost | Trouble::After(_) => {}
    }
    let said = {
        let mut books = shared.lock();
        // Another call may have been quicker.
        let done = answered(&books, once.as_ref()).unwrap_or_else(|| work(&mut books));
        let said = if matches!(trouble, Trouble::DoneButLost) { broken(500) } else { done };
        keep(&mut books, once, &said);
        said
    };
    if let Trouble::After(gate) = trouble {
        gate.pass().await;
    }
    reply(said)
}

/// Why nobody is served, if so.
fn refused(shared: &Shared, headers: &HeaderMap) -> Option<Answer> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let no = |status, why| Some((status, error("invalid_request_error", None, why)));
    if let Some(status) = shared.lock().locked_out {
        return no(status, "This key may not do that.");
    }
    if header("authorization") != Some(&format!("Bearer {SECRET_KEY}")) {
        return no(401, "Invalid API Key provided.");
    }
    if header("stripe-version").is_none() {
        return no(400, "A version must be named.");
    }
    None
}

/// What was answered under a key before.
fn answered(books: &Books, once: Option<&Once>) -> Option<Answer> {
    let (key, words) = once?;
    let (first, status, body) = books.answered.get(key)?;
    if first == words {
        return Some((*status, body.clone()));
    }
    let message = "Keys for idempotent requests can only be used with the same parameters they were \
        first used with.";
    Some((400, error("idempotency_error", None, message)))
}

/// Keeps the first answer under a key.
fn keep(books: &mut Books, once: Option<Once>, (status, body): &Answer) {
    if let Some((key, words)) = once {
        books.answered.entry(key).or_insert((words, *status, body.clone()));
    }
}

/// A request in words that are always the same.
fn words(fields: &Fields) -> String {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort();
    format!("{sorted:?}")
}

fn missing(what: &str, id: &str) -> Answer {
    let message = format!("No such {what}: '{id}'");
    (404, error("invalid_request_error", Some("resource_missing"), &message))
}

fn invalid(param: &str, message: &str) -> Answer {
    let mut body = error("invalid_request_error", None, message);
    body["error"]["param"] = param.into();
    (400, body)
}

fn error(kind: &str, code: Option<&str>, message: &str) -> Value {
    let mut error = json!({ "error": { "type": kind, "message": message } });
    if let Some(code) = code {
        error["error"]["code"] = code.into();
    }
    error
}

fn reply((status, body): Answer) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("request-id", "req_test")], Json(body)).into_response()
}
