//! `GET /v1/models`: what is served.

use serde::Serialize;
use utoipa::ToSchema;

/// All served models.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelList {
    /// Always `list`.
    pub object: &'static str,
    pub data: Vec<ModelObject>,
}

/// One served model.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelObject {
    /// The name to ask for.
    pub id: String,
    /// Always `model`.
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    pub owned_by: String,
    /// Tokens of prompt and answer together, at most. Not of OpenAI's shape; SDKs ignore it.
    pub context_length: u32,
    /// Of a model that makes vectors and answers no chats: their components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_dimensions: Option<u32>,
    /// SHA-256 of the manifest that nodes are held to, as hex.
    pub manifest_sha256: String,
    /// Price of a million prompt tokens, in 1e-9 credit (a credit is one US dollar).
    pub price_input_nano_per_mtok: i64,
    /// Price of a million answer tokens, in 1e-9 credit.
    pub price_output_nano_per_mtok: i64,
}

impl ModelList {
    /// The list of these.
    pub fn of(data: Vec<ModelObject>) -> Self {
        Self { object: "list", data }
    }
}
