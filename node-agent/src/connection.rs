//! The socket to a gateway: connects out, bounds what comes in, logs in.

use std::time::Duration;

use assay_protocol::{
    CloseCode, FromNode, FromNodeFrame, ToNode, VERSION, identity as statement,
    limits::{DEAD_MS, LOGIN_MS_MAX, TO_NODE_MESSAGE_BYTES_MAX},
};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Bytes, Message, protocol::WebSocketConfig},
};

use crate::{Identity, hardware};

const CONNECT_MS_MAX: u64 = 10_000;
const GOODBYE_MS_MAX: u64 = 2_000;
const READ_BUFFER_BYTES: usize = 4 * 1024;
const WRITE_BUFFER_BYTES_MAX: usize = 256 * 1024;

/// Why a connection is over.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// This node left, as it was asked to.
    Left,
    /// The gateway said so.
    Closed { code: CloseCode, reason: String, retry_after_ms: Option<u64> },
    /// The network, or a gateway that is gone or does not keep to the protocol; what happened.
    Lost(String),
}

/// One message of the gateway.
#[derive(Debug)]
pub(crate) enum Heard {
    Frame(Box<ToNode>),
    /// A ping or a pong.
    SignOfLife,
}

/// What the gateway said when it let us in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Welcome {
    pub(crate) version: u16,
    pub(crate) epoch: u64,
    pub(crate) heartbeat_ms: u64,
}

/// An open socket.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Connection {
    /// Connects and logs in.
    pub(crate) async fn open(identity: &Identity) -> Result<(Self, Welcome), Ended> {
        let mut connection = bounded(CONNECT_MS_MAX, "connecting", connect(identity)).await?;
        let log_in = connection.log_in(identity);
        let welcome = bounded(LOGIN_MS_MAX, "logging in", log_in).await?;
        Ok((connection, welcome))
    }

    /// Signs for the one gateway that this node enrolled with, and for no other.
    async fn log_in(&mut self, identity: &Identity) -> Result<Welcome, Ended> {
        let (gateway, nonce, versions) = match self.frame().await? {
            ToNode::Challenge { gateway, nonce, versions } => (gateway, nonce, versions),
            other => return Err(unexpected("a challenge", &other)),
        };
        if gateway != identity.gateway_id {
            let name = hardware::name(&gateway);
            return lost(format!(
                "this gateway is `{name}`, but the node enrolled with `{}`",
                identity.gateway_id
            ));
        }
        if !versions.contains(&VERSION) {
            return lost(format!(
                "the gateway speaks protocol versions {versions:?}, this node speaks {VERSION}: \
                 update the older one"
            ));
        }
        let signed = statement::login_statement(&gateway, nonce, identity.node, VERSION);
        let signature = statement::sign(&identity.key, &signed);
        self.send(0, FromNodeFrame::Login { node: identity.node, version: VERSION, signature })
            .await?;
        match self.frame().await? {
            ToNode::Welcome { version: VERSION, epoch, heartbeat_ms } => {
                Ok(Welcome { version: VERSION, epoch, heartbeat_ms })
            }
            other => Err(unexpected("a welcome", &other)),
        }
    }

    /// The next message. Nothing is lost when this future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Heard, Ended> {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(frame) => Ok(Heard::Frame(frame)),
                Err(error) => {
                    lost(format!("the gateway sent a frame that cannot be read: {error}"))
                }
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Heard::SignOfLife),
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
                lost("the gateway sent binary data".into())
            }
            Some(Ok(Message::Close(_))) | None => lost("the gateway closed the connection".into()),
            Some(Err(error)) => lost(format!("the connection broke: {error}")),
        }
    }

    /// Sends a frame of the session `epoch`.
    pub(crate) async fn send(&mut self, epoch: u64, frame: FromNodeFrame) -> Result<(), Ended> {
        let text = serde_json::to_string(&FromNode { epoch, frame })
            .map_err(|error| Ended::Lost(format!("a frame cannot be written: {error}")))?;
        self.write(Message::text(text)).await
    }

    /// Asks for a pong, which shows that the gateway lives while it has nothing to say.
    pub(crate) async fn ping(&mut self) -> Result<(), Ended> {
        self.write(Message::Ping(Bytes::new())).await
    }

    /// Says goodbye, and waits a little until the gateway has read everything.
    pub(crate) async fn leave(mut self) {
        let goodbye = async {
            self.socket.close(None).await?;
            while let Some(Ok(_)) = self.socket.next().await {}
            Ok::<_, tokio_tungstenite::tungstenite::Error>(())
        };
        let _ = timeout(Duration::from_millis(GOODBYE_MS_MAX), goodbye).await;
    }

    async fn frame(&mut self) -> Result<ToNode, Ended> {
        loop {
            match self.next().await? {
                Heard::Frame(frame) => match *frame {
                    ToNode::Close { code, reason, retry_after_ms } => {
                        return Err(Ended::Closed { code, reason, retry_after_ms });
                    }
                    frame => return Ok(frame),
                },
                Heard::SignOfLife => {}
            }
        }
    }

    async fn write(&mut self, message: Message) -> Result<(), Ended> {
        bounded(DEAD_MS, "sending", async {
            self.socket
                .send(message)
                .await
                .map_err(|error| Ended::Lost(format!("the connection broke: {error}")))
        })
        .await
    }
}

async fn connect(identity: &Identity) -> Result<Connection, Ended> {
    let limits = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(TO_NODE_MESSAGE_BYTES_MAX))
        .max_frame_size(Some(TO_NODE_MESSAGE_BYTES_MAX));
    let address = address(&identity.gateway_url);
    match connect_async_with_config(address, Some(limits), true).await {
        Ok((socket, _)) => Ok(Connection { socket }),
        Err(error) => lost(format!("the gateway cannot be reached: {error}")),
    }
}

/// A frame's name; its content may be a client's.
fn kind(frame: &ToNode) -> &'static str {
    match frame {
        ToNode::Challenge { .. } => "a challenge",
        ToNode::Welcome { .. } => "a welcome",
        ToNode::State { .. } => "a state",
        ToNode::Offer(_) => "an offer",
        ToNode::Start(_) => "a start",
        ToNode::Finish { .. } => "a finish",
        ToNode::Cancel { .. } => "a cancel",
        ToNode::Outcome { .. } => "an outcome",
        ToNode::Close { .. } => "a close",
    }
}

/// `https` becomes `wss`, `http` becomes `ws`.
fn address(gateway_url: &str) -> String {
    let rest = gateway_url.trim_end_matches('/');
    format!("{}/node/v1/connect", rest.replacen("http", "ws", 1))
}

async fn bounded<T>(
    ms_max: u64,
    what: &str,
    work: impl Future<Output = Result<T, Ended>>,
) -> Result<T, Ended> {
    match timeout(Duration::from_millis(ms_max), work).await {
        Ok(result) => result,
        Err(_) => lost(format!("{what} took longer than {ms_max} ms")),
    }
}

fn unexpected(wanted: &str, frame: &ToNode) -> Ended {
    Ended::Lost(format!("the gateway should have sent {wanted}, and sent {}", kind(frame)))
}

fn lost<T>(why: String) -> Result<T, Ended> {
    Err(Ended::Lost(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_of_the_socket_follows_the_gateways() {
        assert_eq!(address("http://a:1/"), "ws://a:1/node/v1/connect");
        assert_eq!(address("https://http.example"), "wss://http.example/node/v1/connect");
    }
}
