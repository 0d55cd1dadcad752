//! The page that stands for Stripe's checkout: what is paid, a button that pays, one that fails to, and the way back.

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};

use serde_json::Value;

use super::{Books, Delivery, Session, Shared};

/// Tries until a webhook is taken, as Stripe tries again for days.
const TRIES_MAX: u32 = 5;

pub(crate) fn router(shared: Shared) -> Router {
    Router::new()
        .route("/pay/{id}", get(show))
        .route("/pay/{id}/pay", post(pay))
        .route("/pay/{id}/fail", post(fail))
        .with_state(shared)
}

async fn show(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    match shared.lock().sessions.get(&id) {
        Some(session) => Html(page(session)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn pay(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let change = |books: &mut Books| books.change(&id, "checkout.session.completed", Session::pay);
    end(&shared, &id, change).await
}

/// The money was sent and does not arrive.
async fn fail(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    let kind = "checkout.session.async_payment_failed";
    let change = |books: &mut Books| books.change(&id, kind, |session| session.status = "complete");
    end(&shared, &id, change).await
}

/// Ends the session so, tells the gateway, and sends the client back.
async fn end(shared: &Shared, id: &str, change: impl FnOnce(&mut Books) -> Value) -> Response {
    let (event, webhook, back) = {
        let mut books = shared.lock();
        let Some(session) = books.sessions.get(id).filter(|session| session.status == "open")
        else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let back = session.success_url.clone();
        (change(&mut books), books.webhook.clone(), back)
    };
    if let Some(webhook) = webhook {
        let (http, delivery) = (reqwest::Client::new(), Delivery::honest(&event));
        for _ in 0..TRIES_MAX {
            if delivery.send(&http, &webhook).await.is_ok_and(|status| status == 200) {
                break;
            }
        }
    }
    Redirect::to(&back).into_response()
}

fn page(session: &Session) -> String {
    let (dollars, cents) = (session.amount / 100, session.amount % 100);
    let (id, product, cancel) =
        (&session.id, escaped(&session.product), escaped(&session.cancel_url));
    let body = if session.status != "open" {
        "<p>This is over.</p>".to_owned()
    } else {
        format!(
            "<form method=post action=/pay/{id}/pay><button autofocus>Pay {dollars}.{cents:02} test USDC</button></form>\
             <form method=post action=/pay/{id}/fail><p><button>Let the payment fail</button></p></form><p><a href=\"{cancel}\">Go back without paying</a></p>"
        )
    };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>Test checkout</title><style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;\
         max-width:26rem;margin:15vh auto;padding:0 1.5rem}}button{{font:inherit;padding:.7rem 1.2rem}}</style>\
         <main><p>Test checkout: no real money moves here.</p><h1>{product}</h1>\
         <p>{dollars}.{cents:02} USD, paid as USDC.</p>{body}</main></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
