//! The console: a few files for clients and operators, embedded, so that there is nothing to install.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};

use super::{ApiError, admin::IdOf};

/// Name, type and content of each file.
type Asset = (&'static str, &'static str, &'static [u8]);

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: [Asset; 15] = [
    ("", HTML, include_bytes!("../../console/index.html")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../console/icon.svg")),
    ("style.css", "text/css; charset=utf-8", include_bytes!("../../console/style.css")),
    ("app.js", SCRIPT, include_bytes!("../../console/app.js")),
    ("api.js", SCRIPT, include_bytes!("../../console/api.js")),
    ("dom.js", SCRIPT, include_bytes!("../../console/dom.js")),
    ("welcome.js", SCRIPT, include_bytes!("../../console/welcome.js")),
    ("playground.js", SCRIPT, include_bytes!("../../console/playground.js")),
    ("verdict.js", SCRIPT, include_bytes!("../../console/verdict.js")),
    ("client.js", SCRIPT, include_bytes!("../../console/client.js")),
    ("operator.js", SCRIPT, include_bytes!("../../console/operator.js")),
    ("evidence.js", SCRIPT, include_bytes!("../../console/evidence.js")),
    ("lists.js", SCRIPT, include_bytes!("../../console/lists.js")),
    ("earnings.js", SCRIPT, include_bytes!("../../console/earnings.js")),
    ("reputation.js", SCRIPT, include_bytes!("../../console/reputation.js")),
];

/// Nothing from anywhere else, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/console`, which needs its slash for the files beside it.
pub async fn at_its_slash() -> Redirect {
    Redirect::permanent("/console/")
}

/// `/console/`.
pub async fn page() -> Response {
    asset("").unwrap_or_else(IntoResponse::into_response)
}

/// `/console/{file}`.
pub async fn file(IdOf(name): IdOf<String>) -> Result<Response, ApiError> {
    asset(&name)
}

fn asset(name: &str) -> Result<Response, ApiError> {
    let found = ASSETS.iter().find(|(known, ..)| *known == name);
    let (_, kind, content) = found.ok_or_else(|| ApiError::not_found("file"))?;
    let headers = [
        (header::CONTENT_TYPE, *kind),
        // A new gateway has new files at once.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let headers: [(HeaderName, HeaderValue); 5] =
        headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    Ok((headers, *content).into_response())
}
