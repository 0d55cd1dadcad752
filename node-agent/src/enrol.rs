//! Enrolment: spends an operator's one-time token on this node's key.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail, ensure};
use assay_protocol::{Bytes32, Bytes64, NodeId, identity as statement};
use serde::{Deserialize, Serialize};

use crate::{
    hardware,
    identity::{self, Identity},
};

const REQUEST_MS_MAX: u64 = 30_000;
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What an operator hands over.
#[derive(Clone, Debug)]
pub struct Enrolment<'a> {
    /// `http://…` or `https://…`
    pub gateway_url: &'a str,
    /// One-time token from the gateway's operator page.
    pub token: &'a str,
    /// What people call the node; the machine's name when unset.
    pub name: Option<&'a str>,
}

#[derive(Serialize)]
struct Request<'a> {
    token: &'a str,
    public_key: Bytes32,
    name: String,
    signature: Bytes64,
}

#[derive(Deserialize)]
struct Answer {
    node_id: NodeId,
    gateway_id: String,
}

/// Enrols with a gateway and keeps the identity in `folder`. `seed` becomes the key of a folder that
/// has none.
pub async fn enrol(
    enrolment: &Enrolment<'_>,
    folder: &Path,
    seed: [u8; 32],
) -> anyhow::Result<Identity> {
    if let Ok(known) = Identity::load(folder) {
        bail!(
            "{} already holds node {} of gateway {}; use another data folder for another gateway",
            folder.display(),
            known.node,
            known.gateway_id
        );
    }
    let gateway_url = enrolment.gateway_url.trim_end_matches('/');
    let known_scheme = ["http://", "https://"].iter().any(|scheme| gateway_url.starts_with(scheme));
    ensure!(known_scheme, "the gateway's address must begin with http:// or https://");

    let key = identity::load_or_create_key(folder, seed)?;
    let public_key = identity::public_key(&key);
    let signed = statement::enrol_statement(enrolment.token, public_key);
    let request = Request {
        token: enrolment.token,
        public_key,
        name: enrolment.name.map_or_else(hardware::host_name, hardware::name),
        signature: statement::sign(&key, &signed),
    };
    let Answer { node_id, gateway_id } = ask(gateway_url, &request).await?;
    let identity = Identity { node: node_id, gateway_url: gateway_url.to_owned(), gateway_id, key };
    identity.save(folder)?;
    Ok(identity)
}

async fn ask(gateway_url: &str, request: &Request<'_>) -> anyhow::Result<Answer> {
    let client =
        reqwest::Client::builder().timeout(Duration::from_millis(REQUEST_MS_MAX)).build()?;
    let mut response = client
        .post(format!("{gateway_url}/node/v1/enrol"))
        .json(request)
        .send()
        .await
        .context("the gateway cannot be reached")?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        body.extend_from_slice(&piece);
        ensure!(body.len() <= ANSWER_BYTES_MAX, "the gateway's answer is too long");
    }
    if !status.is_success() {
        bail!("the gateway refused ({status}): {}", reason_in(&body));
    }
    serde_json::from_slice(&body).context("the gateway's answer is not an enrolment")
}

/// The sentence of an error body, which has OpenAI's shape.
fn reason_in(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let message = json.pointer("/error/message").and_then(serde_json::Value::as_str);
    hardware::name(message.unwrap_or("it gave no reason"))
}
