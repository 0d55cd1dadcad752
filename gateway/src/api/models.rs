//! `GET /v1/models` and `GET /v1/models/{id}`: what is served, and at which price.

use axum::{Json, extract::State};

use super::{ApiError, ClientKey, admin::IdOf};
use crate::{
    app::App,
    catalog::HostedModel,
    openai::{ErrorBody, ModelList, ModelObject},
};

/// List the models
///
/// Those that the key may ask.
#[utoipa::path(
    operation_id = "models_list",
    get, path = "/v1/models", tag = "openai", security(("api_key" = [])),
    responses(
        (status = 200, body = ModelList),
        (status = 401, body = ErrorBody, description = "Code `invalid_api_key`."),
    ),
)]
pub async fn list(State(app): State<App>, key: ClientKey) -> Json<ModelList> {
    let models = app.catalog.iter().map(|model| object(model));
    Json(ModelList::of(models.filter(|model| key.permissions.allow_model(&model.id)).collect()))
}

/// Look a model up
///
/// Its name may contain slashes.
#[utoipa::path(
    operation_id = "models_find",
    get, path = "/v1/models/{*id}", tag = "openai", security(("api_key" = [])),
    params(("id" = String, Path, description = "The model's name.")),
    responses(
        (status = 200, body = ModelObject),
        (status = 401, body = ErrorBody, description = "Code `invalid_api_key`."),
        (status = 404, body = ErrorBody, description = "Code `model_not_found`."),
    ),
)]
pub async fn find(
    State(app): State<App>,
    key: ClientKey,
    IdOf(id): IdOf<String>,
) -> Result<Json<ModelObject>, ApiError> {
    let model = app.catalog.get(&id).filter(|_| key.permissions.allow_model(&id));
    let model = model.ok_or_else(|| ApiError::model_not_found(&id))?;
    Ok(Json(object(model)))
}

fn object(model: &HostedModel) -> ModelObject {
    let manifest = &model.text.manifest;
    ModelObject {
        id: manifest.id.clone(),
        object: "model",
        created: manifest.created,
        owned_by: manifest.owner.clone(),
        context_length: manifest.context_length,
        embedding_dimensions: manifest.embedding.map(|embedding| embedding.dimensions),
        manifest_sha256: model.text.manifest_hash.to_string(),
        price_input_nano_per_mtok: model.price.input.0,
        price_output_nano_per_mtok: model.price.output.0,
    }
}
