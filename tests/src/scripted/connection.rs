//! The socket of a scripted node: connects and logs in as any node does.

use anyhow::{Context, bail};
use assay_protocol::{
    FromNode, FromNodeFrame, ToNode, VERSION, identity as statement,
    limits::TO_NODE_MESSAGE_BYTES_MAX,
};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use super::Identity;

#[derive(Debug)]
pub(super) struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(super) epoch: u64,
}

impl Connection {
    pub(super) async fn open(identity: &Identity) -> anyhow::Result<Self> {
        let address = format!("{}/node/v1/connect", identity.gateway_url.replacen("http", "ws", 1));
        let limits = WebSocketConfig::default()
            .max_message_size(Some(TO_NODE_MESSAGE_BYTES_MAX))
            .max_frame_size(Some(TO_NODE_MESSAGE_BYTES_MAX));
        let mut request = address.into_client_request()?;
        if let Some(address) = identity.address {
            request.headers_mut().insert("x-forwarded-for", address.to_string().parse()?);
        }
        let (socket, _) = connect_async_with_config(request, Some(limits), true).await?;
        Ok(Self { socket, epoch: 0 })
    }

    /// Answers the challenge; what the gateway says to that is the next frame.
    pub(super) async fn log_in(&mut self, identity: &Identity) -> anyhow::Result<()> {
        let challenge = self.next().await.context("the gateway left before its challenge")?;
        let ToNode::Challenge { gateway, nonce, .. } = challenge else {
            bail!("the gateway did not begin with a challenge");
        };
        let signed = statement::login_statement(&gateway, nonce, identity.node, VERSION);
        let signature = statement::sign(&identity.key, &signed);
        self.send(FromNodeFrame::Login { node: identity.node, version: VERSION, signature }).await
    }

    /// The next frame; none when the connection is over.
    pub(super) async fn next(&mut self) -> Option<ToNode> {
        loop {
            match self.socket.next().await?.ok()? {
                Message::Text(text) => {
                    return Some(serde_json::from_str(&text).expect("the gateway sends frames"));
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    pub(super) async fn send(&mut self, frame: FromNodeFrame) -> anyhow::Result<()> {
        self.send_text(serde_json::to_string(&FromNode { epoch: self.epoch, frame })?).await
    }

    pub(super) async fn send_text(&mut self, text: String) -> anyhow::Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }
}
