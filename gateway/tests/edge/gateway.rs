//! A gateway on a fresh SQLite file, asked without any network.

use std::path::PathBuf;

use assay_gateway::{
    App, Config,
    auth::{AdminSecret, GatewayKeys},
    config::ModelSettings,
    db::Db,
    router,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const ADMIN_SECRET: &str = "a secret of twenty and more characters";
/// The model that ships.
pub(crate) const MODEL: &str = "assay-pip";

pub(crate) struct Gateway {
    pub app: App,
    router: Router,
    _dir: Option<TempDir>,
}

/// The usual codes of refusals.
const OF_A_VALUE: [&str; 2] = ["invalid_value", "missing_required_parameter"];
const OF_A_REQUEST: [&str; 3] = ["invalid_request", "body_too_large", "body_timeout"];

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.gateway.data_dir = dir.path().to_owned();
        config.models = vec![ModelSettings::at(model_dir())];
        change(&mut config);
        config.check().unwrap();
        let db = Db::open(&config.gateway.database_url()).await.unwrap();
        db.migrate().await.unwrap();
        AdminSecret::establish(&db, Some(ADMIN_SECRET)).await.unwrap();
        let app = App::open(config, db, GatewayKeys::from_seed([9; 32])).await.unwrap();
        let router = router::router(&app).router;
        Self { app, router, _dir: Some(dir) }
    }

    /// Another gateway's own front door; its files are that one's.
    pub(crate) fn of(app: App) -> Self {
        let router = router::router(&app).router;
        Self { app, router, _dir: None }
    }

    /// Sends `request` as `bearer`, with a JSON body unless it is null.
    pub(crate) async fn ask(&self, method: &str, path: &str, bearer: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !bearer.is_empty() {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The bytes of a page that anybody may read; nothing where there is none.
    pub(crate) async fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.read_as(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// The bytes that answer a request; nothing where there is none.
    pub(crate) async fn read_as(&self, request: Request<Body>) -> Option<Vec<u8>> {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let found = response.status() == StatusCode::OK;
        let bytes = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        found.then(|| bytes.to_vec())
    }

    /// The same gateway after a restart: what it kept is what it stored.
    pub(crate) async fn again(&self) -> anyhow::Result<App> {
        App::open(self.app.config.clone(), self.app.db.clone(), GatewayKeys::from_seed([9; 32]))
            .await
    }

    pub(crate) async fn log_in(&self) -> String {
        let body = serde_json::json!({"secret": ADMIN_SECRET});
        let answer = self.ask("POST", "/admin/v1/login", "", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text("token")
    }

    /// An account's number and a key of it.
    pub(crate) async fn client(&self, admin: &str) -> (i64, String) {
        let name = serde_json::json!({"name": "a client"});
        let account = self.ask("POST", "/admin/v1/accounts", admin, name).await;
        assert_eq!(account.status, 201, "{account:?}");
        let account = account.body["id"].as_i64().unwrap();
        let ask = serde_json::json!({"name": "a key", "account_id": account});
        let key = self.ask("POST", "/admin/v1/keys", admin, ask).await;
        assert_eq!(key.status, 201, "{key:?}");
        (account, key.text("key"))
    }
}

impl Answer {
    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {self:?}")).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this is an error in OpenAI's shape, all four keys there. Without a code the usual ones are
    /// expected, of a value where one is named and of the request where none is.
    #[track_caller]
    pub(crate) fn is_error(
        &self,
        status: u16,
        kind: &str,
        code: Option<&str>,
        param: Option<&str>,
    ) {
        assert_eq!(self.status, status, "{self:?}");
        let error = self.body["error"].as_object().unwrap_or_else(|| panic!("{self:?}"));
        assert_eq!(error.len(), 4, "{self:?}");
        assert!(error["message"].as_str().is_some_and(|text| text.len() > 10), "{self:?}");
        assert_eq!(error["type"], kind, "{self:?}");
        let said = error["code"].as_str().unwrap_or_else(|| panic!("no code: {self:?}"));
        match code {
            Some(code) => assert_eq!(said, code, "{self:?}"),
            None if param.is_some() => assert!(OF_A_VALUE.contains(&said), "{self:?}"),
            None => assert!(OF_A_REQUEST.contains(&said), "{self:?}"),
        }
        assert_eq!(error["param"].as_str(), param, "{self:?}");
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
    }
}

fn model_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../model/demo")
}
