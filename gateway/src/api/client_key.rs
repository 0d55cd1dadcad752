//! Clients' extractors: an API key that is good, for one kind of use. Whoever has one may go on.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{ApiError, extract::bearer, peer::peer};
use crate::{
    app::App,
    auth::{Caller, Permissions, Scope, Secret, SecretKind},
    clock, db,
    scheduler::Network,
    serving::Risk,
};

/// That a key was used is written down this seldom, so that no request waits for it.
const USE_NOTED_EACH_MS: i64 = 60_000;

/// A good key, whatever it is for.
#[derive(Clone, Debug)]
pub struct ClientKey {
    pub caller: Caller,
    pub permissions: Permissions,
}

/// A key that may ask models; those that it may ask are in its permissions.
#[derive(Clone, Debug)]
pub struct Inference(pub ClientKey);

/// A key that may look at its account's money.
#[derive(Clone, Copy, Debug)]
pub struct CreditsRead(pub Caller);

/// A key that may move its account's money.
#[derive(Clone, Copy, Debug)]
pub struct CreditsWrite(pub Caller);

impl ClientKey {
    /// The key of a request.
    async fn read(parts: &Parts, app: &App) -> Result<Self, ApiError> {
        let Some(text) = bearer(&parts.headers) else {
            return Err(ApiError::invalid_api_key(
                "You did not provide an API key: send it as 'Authorization: Bearer ak-…'.",
            ));
        };
        let incorrect = || ApiError::invalid_api_key("Incorrect API key provided.");
        let key = Secret::parse(SecretKind::ApiKey, text).ok_or_else(incorrect)?;
        let hash = key.hash();
        let row = db::keys::find_by_hash(&app.db, hash).await?;
        let now_ms = clock::now_ms();
        let row = row.filter(|row| row.is_live(now_ms)).ok_or_else(incorrect)?;
        app.known_keys.note(hash);
        if row.last_used_ms.is_none_or(|last| last <= now_ms - USE_NOTED_EACH_MS) {
            let (app, key) = (app.clone(), row.id);
            app.tasks.clone().spawn(async move {
                let noted = db::keys::note_use(&app.db, key, now_ms, USE_NOTED_EACH_MS).await;
                if let Err(error) = noted {
                    tracing::warn!(key = key.0, %error, "the use of a key was not noted");
                }
            });
        }
        let permissions = Permissions::of(&row);
        let risk = Risk::parse(&row.risk).unwrap_or_default();
        let network = peer(&parts.extensions).and_then(Network::of);
        let caller = Caller { account: row.account, key: row.id, risk, network };
        Ok(Self { caller, permissions })
    }

    /// The same key, if it may be used so.
    async fn read_for(scope: Scope, parts: &Parts, app: &App) -> Result<Self, ApiError> {
        let key = Self::read(parts, app).await?;
        if !key.permissions.allow(scope) {
            return Err(ApiError::missing_scope(scope.as_str()));
        }
        Ok(key)
    }
}

impl FromRequestParts<App> for ClientKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Self::read(parts, app).await
    }
}

impl FromRequestParts<App> for Inference {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        ClientKey::read_for(Scope::Inference, parts, app).await.map(Self)
    }
}

impl FromRequestParts<App> for CreditsRead {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(ClientKey::read_for(Scope::CreditsRead, parts, app).await?.caller))
    }
}

impl FromRequestParts<App> for CreditsWrite {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self(ClientKey::read_for(Scope::CreditsWrite, parts, app).await?.caller))
    }
}
