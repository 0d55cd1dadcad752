//! `GET /node/v1/connect`: a node comes in, over a WebSocket.

use axum::{
    extract::{State, WebSocketUpgrade},
    http::{Extensions, StatusCode},
    response::{IntoResponse, Response},
};

use super::peer::peer;
use crate::{
    app::App,
    nodes::{self, TooManyWaiting},
    scheduler::Network,
};

/// Hands the connection to the node's session, while there is room for one that has not logged in.
pub async fn connect(
    State(app): State<App>,
    extensions: Extensions,
    upgrade: WebSocketUpgrade,
) -> Response {
    let network = peer(&extensions).and_then(Network::of);
    nodes::accept(app, upgrade, network).unwrap_or_else(|TooManyWaiting| {
        (StatusCode::SERVICE_UNAVAILABLE, "too many connections wait for their log-in")
            .into_response()
    })
}
