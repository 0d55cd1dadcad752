//! `POST /node/v1/enrol`: a machine with a one-time token and a key of its own becomes a node.

use assay_protocol::{Bytes32, Bytes64, NodeId, identity};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ApiError, JsonBody};
use crate::{
    app::App,
    auth::{Secret, SecretKind},
    clock,
    db::{
        self,
        enrolments::{Redeem, RedeemError},
    },
    openai::ErrorBody,
};

/// Longest name of a node.
const NAME_BYTES_MAX: usize = 100;

/// What a machine sends.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct EnrolRequest {
    /// The one-time token, `et-…`.
    token: String,
    /// Its Ed25519 public key, 64 hex digits.
    #[schema(value_type = String)]
    public_key: Bytes32,
    /// For people; at most 100 bytes.
    name: String,
    /// By that key, over the enrolment statement of the wire's specification; 128 hex digits.
    #[schema(value_type = String)]
    signature: Bytes64,
}

/// Who it is now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Enrolled {
    #[schema(value_type = String)]
    pub node_id: NodeId,
    /// The gateway's name in everything that the node signs.
    pub gateway_id: String,
}

/// Enrol a node
///
/// The same key may ask again with the same token, if the answer was lost: it gets the same node.
#[utoipa::path(
    operation_id = "enrol",
    post, path = "/node/v1/enrol", tag = "nodes", request_body = EnrolRequest,
    responses(
        (status = 200, body = Enrolled),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody, description = "The token or the signature is wrong, or the token expired."),
        (status = 409, body = ErrorBody, description = "Token or key belong to another node."),
        (status = 429, body = ErrorBody, description = "Too many enrolments from this address."),
    ),
)]
pub async fn enrol(
    State(app): State<App>,
    JsonBody(request): JsonBody<EnrolRequest>,
) -> Result<Json<Enrolled>, ApiError> {
    if request.name.is_empty() || request.name.len() > NAME_BYTES_MAX {
        return Err(ApiError::bad_field("name", "A node's name has 1 to 100 bytes."));
    }
    let token = Secret::parse(SecretKind::Enrolment, &request.token)
        .ok_or_else(|| ApiError::wrong_secret("This is not an enrolment token: expected et-…"))?;
    let statement = identity::enrol_statement(token.reveal(), request.public_key);
    if !identity::verify(request.public_key, &statement, request.signature) {
        return Err(ApiError::wrong_secret("The signature is not of this key over this token."));
    }
    let redeem = Redeem {
        token_hash: token.hash(),
        node: NodeId(Uuid::now_v7()),
        public_key: request.public_key,
        name: request.name,
        now_ms: clock::now_ms(),
    };
    let node = db::enrolments::redeem(&app.db, &redeem).await?;
    tracing::info!(node = %node.id, operator = node.operator.0, "node enrolled");
    Ok(Json(Enrolled { node_id: node.id, gateway_id: app.keys.gateway_id().to_owned() }))
}

impl From<RedeemError> for ApiError {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::Unknown | RedeemError::Expired => Self::wrong_secret(&format!("{error}.")),
            RedeemError::Used | RedeemError::KeyTaken => Self::conflict(format!("{error}.")),
            RedeemError::Store(error) => error.into(),
        }
    }
}
