//! A key and the name that a gateway knows it by.

use std::net::IpAddr;

use anyhow::{Context, ensure};
use assay_protocol::{Bytes32, Bytes64, NodeId, identity};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

/// An enrolled node.
#[derive(Clone, Debug)]
pub struct Identity {
    pub node: NodeId,
    /// The gateway's name in everything that is signed.
    pub gateway_id: String,
    /// `http://…`, without a slash at the end.
    pub gateway_url: String,
    pub key: SigningKey,
    /// Where a proxy says that it comes from, if there is one.
    pub address: Option<IpAddr>,
}

#[derive(Serialize)]
struct Request<'a> {
    token: &'a str,
    public_key: Bytes32,
    name: &'a str,
    signature: Bytes64,
}

#[derive(Deserialize)]
struct Answer {
    node_id: NodeId,
    gateway_id: String,
}

impl Identity {
    /// Spends a one-time token on a new key.
    ///
    /// # Errors
    /// What the gateway says against it.
    pub async fn enrol(gateway_url: &str, token: &str, name: &str) -> anyhow::Result<Self> {
        let gateway_url = gateway_url.trim_end_matches('/').to_owned();
        let key = SigningKey::from_bytes(&rand::random());
        let public_key = Bytes32(key.verifying_key().to_bytes());
        let signature = identity::sign(&key, &identity::enrol_statement(token, public_key));
        let answer = reqwest::Client::new()
            .post(format!("{gateway_url}/node/v1/enrol"))
            .json(&Request { token, public_key, name, signature })
            .send()
            .await
            .context("the gateway cannot be reached")?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "the gateway refused ({status}): {text}");
        let Answer { node_id, gateway_id } = serde_json::from_str(&text)?;
        Ok(Self { node: node_id, gateway_id, gateway_url, key, address: None })
    }
}
