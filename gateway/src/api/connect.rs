//! `GET /node/v1/connect`: a node comes in, over a WebSocket.

use axum::{
    extract::{State, WebSocketUpgrade},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    app::App,
    nodes::{self, TooManyWaiting},
};

/// Hands the connection to the node's session, while there is room for one that has not logged in.
pub async fn connect(State(app): State<App>, upgrade: WebSocketUpgrade) -> Response {
    nodes::accept(app, upgrade).unwrap_or_else(|TooManyWaiting| {
        (StatusCode::SERVICE_UNAVAILABLE, "too many connections wait for their log-in")
            .into_response()
    })
}
