//! The WebSocket route of the nodes, and reading and writing frames on it within bounds.

use std::time::Duration;

use assay_protocol::{FromNode, ToNode, limits};
use axum::{
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    response::Response,
};
use futures_util::StreamExt;
use tokio::time::timeout;

use super::{conduct::Violation, login, session};
use crate::{app::App, scheduler::Network};

/// A node that does not read for this long is cut: its loop must not wait on it.
const WRITE_WAIT: Duration = Duration::from_secs(5);
const READ_BUFFER_BYTES: usize = 4 * 1024;
const WRITE_BUFFER_BYTES_MAX: usize = limits::TO_NODE_MESSAGE_BYTES_MAX + 256 * 1024;

/// Too many connections wait for their log-in already.
#[derive(Debug)]
pub struct TooManyWaiting;

/// A node comes in from this network. It must log in within five seconds.
pub fn accept(
    app: App,
    upgrade: WebSocketUpgrade,
    network: Option<Network>,
) -> Result<Response, TooManyWaiting> {
    let unauthenticated = login::admit().ok_or(TooManyWaiting)?;
    let upgraded = upgrade
        .max_message_size(limits::TO_GATEWAY_MESSAGE_BYTES_MAX)
        .max_frame_size(limits::TO_GATEWAY_MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(async move |socket| {
            let tasks = app.tasks.clone();
            let session = async move {
                let mut socket = Socket(socket);
                let Some(login) = login::log_in(&app, &mut socket, network).await else { return };
                drop(unauthenticated);
                session::run(app, socket, login).await;
            };
            // A panic in one session must not take the others along; the tracker waits for it.
            let _ = tasks.spawn(session).await;
        });
    Ok(upgraded)
}

/// A connection that speaks frames.
#[derive(Debug)]
pub(super) struct Socket(WebSocket);

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    Frame(FromNode),
    /// A ping or pong: the node is alive.
    Alive,
    Broken(Violation),
    Closed,
}

/// The connection broke, or the node does not read.
#[derive(Debug)]
pub(super) struct WriteFailed;

impl Socket {
    /// The next thing that the node says.
    pub(super) async fn next(&mut self) -> Incoming {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => match serde_json::from_str(text.as_str()) {
                Ok(frame) => Incoming::Frame(frame),
                Err(_) => Incoming::Broken(Violation::Unreadable),
            },
            Some(Ok(Message::Binary(_))) => Incoming::Broken(Violation::Unreadable),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Incoming::Alive,
            Some(Ok(Message::Close(_))) | None => Incoming::Closed,
            Some(Err(error)) if is_too_large(&error) => Incoming::Broken(Violation::TooLarge),
            Some(Err(_)) => Incoming::Closed,
        }
    }

    /// Sends one frame.
    pub(super) async fn send(&mut self, frame: &ToNode) -> Result<(), WriteFailed> {
        let text = serde_json::to_string(frame).map_err(|_| WriteFailed)?;
        let write = self.0.send(Message::Text(text.into()));
        timeout(WRITE_WAIT, write).await.map_err(|_| WriteFailed)?.map_err(|_| WriteFailed)
    }
}

/// axum hides tungstenite's error; its text is all there is to tell a capacity error by.
fn is_too_large(error: &axum::Error) -> bool {
    error.to_string().contains("too long")
}
