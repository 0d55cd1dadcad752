//! What every request gets: an id, a span, a log line, a figure. Never its content.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id that is taken over from a proxy.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Wraps every route.
pub async fn observe(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "unknown".to_owned());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());

    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let elapsed = started.elapsed();

    let status = response.status().as_u16();
    response.headers_mut().insert(REQUEST_ID, id);
    span.in_scope(|| {
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        match route.as_str() {
            "/healthz" | "/readyz" | "/metrics" => {
                tracing::debug!(%method, route, status, elapsed_ms, "answered");
            }
            _ => tracing::info!(%method, route, status, elapsed_ms, "answered"),
        }
    });
    let method = method_label(&method);
    metrics::histogram!("assay_http_request_seconds", "route" => route.clone())
        .record(elapsed.as_secs_f64());
    metrics::counter!("assay_http_requests_total",
        "route" => route, "method" => method, "status" => status.to_string())
    .increment(1);
    response
}

/// A proxy's id if it is short and plain, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    match headers.get(&REQUEST_ID) {
        Some(id)
            if (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
                && id.as_bytes().iter().all(plain) =>
        {
            id.clone()
        }
        _ => HeaderValue::try_from(format!("req-{}", Uuid::new_v4()))
            .unwrap_or(HeaderValue::from_static("req-unknown")),
    }
}

/// Methods are the client's words: only known ones become labels.
fn method_label(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PUT" => "PUT",
        _ => "other",
    }
}
