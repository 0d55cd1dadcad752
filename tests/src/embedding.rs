//! Worlds that embed: the shipped embedder beside the chat model, and agents that run it.

use serde_json::{Value, json};

use crate::{
    Ask, NodeAgent, World,
    binaries::{demo_model, embedder_model},
    money::PRICE,
    scripted::embedding::{Bend, EmbeddingNode},
};

/// The name that clients ask for.
pub const EMBEDDER: &str = "assay-pip-embedder";
/// Components of its vectors.
pub const DIMENSIONS: usize = 128;

impl Ask {
    /// Vectors of this input.
    pub fn embed(input: impl Into<Value>) -> Self {
        let input = input.into();
        let body = json!({"model": EMBEDDER, "input": input});
        Self { body, risk: None, key: None, path: "embeddings" }
    }
}

impl World {
    /// Serves the embedder besides, with these settings (TOML) over the stories' own.
    pub async fn embedding(settings: &str) -> Self {
        let model = |folder: &std::path::Path, output: i64| {
            format!(
                "[[models]]\ndir = '{}'\nprice_input_nano_usd_per_mtok = {}\nprice_output_nano_usd_per_mtok = {output}\n",
                folder.display(),
                PRICE.input,
            )
        };
        let (chat, vectors) = (model(&demo_model(), PRICE.output), model(&embedder_model(), 0));
        Self::with(&format!("{settings}\n{chat}{vectors}")).await
    }

    /// A real node agent of a new operator that embeds.
    pub async fn embedding_agent(&self) -> NodeAgent {
        let agent = self.start_agent_on(&[embedder_model()]).await;
        self.admin.node_serves(agent.id).await;
        agent
    }

    /// One that the gateway trusts.
    pub async fn embedding_scorer(&self) -> NodeAgent {
        let agent = self.start_agent_on(&[embedder_model()]).await;
        self.admin.trust(agent.id).await;
        self.admin.node_serves(agent.id).await;
        agent
    }

    /// A scripted node of a new operator that does this to its vectors.
    pub async fn bent(&self, bend: Bend) -> EmbeddingNode {
        let operator = self.operator().await;
        EmbeddingNode::connect(self.enrol(operator).await, operator, bend).await
    }
}

/// The vectors of a body, in numbers or in base64.
pub fn vectors(body: &Value) -> Vec<f32> {
    let saved = assay_verifier::receipt::Saved::parse(body.to_string().as_bytes());
    saved.expect("an embedding's body").vectors
}
