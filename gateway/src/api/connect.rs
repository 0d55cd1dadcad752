//! `GET /node/v1/connect`: a node comes in, over a WebSocket.

use axum::{
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::Extensions,
    response::Response,
};

use super::{ApiError, peer::peer};
use crate::{
    app::App,
    nodes::{self, TooManyWaiting},
    reasons::Reason,
    scheduler::Network,
};

/// When somebody who found no room may come again: places are free after five seconds at the latest.
const WAIT_S: u64 = 5;

/// Hands the connection to the node's session, while there is room for one that has not logged in.
pub async fn connect(
    State(app): State<App>,
    extensions: Extensions,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade
        .map_err(|_| ApiError::bad_request("Nodes connect here, by WebSocket: see node-agent."))?;
    let network = peer(&extensions).and_then(Network::of);
    nodes::accept(app, upgrade, network).map_err(|TooManyWaiting| {
        let message = "Too many connections wait for their log-in.";
        ApiError::unavailable(Reason::Overloaded, WAIT_S, message)
    })
}
