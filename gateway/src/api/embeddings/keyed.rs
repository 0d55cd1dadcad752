//! Vectors under an `Idempotency-Key`: a task owns them, so that a client that lost its connection finds them when it
//! asks again; they are kept before the client has them, and only then charged.

use assay_protocol::{Bytes32, JobId, identity};
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::{Sent, Style, naming, whole};
use crate::{
    api::{ApiError, inference::REPLAYED},
    app::App,
    auth::Caller,
    kept_answers::{self, Claim, Keeping},
    serving::{self, ChatJob},
};

/// Vectors as they are kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    jobs: Vec<JobId>,
    /// JSON.
    body: String,
}

/// All that decides the vectors: what was asked, and the headers that could be in its body.
pub(super) fn digest(sent: &Sent) -> Bytes32 {
    let risk = sent.assurance.risk.map_or("", |risk| risk.as_str());
    let nonce = sent.assurance.nonce.as_deref().unwrap_or_default();
    let fields = [&sent.digest.0[..], risk.as_bytes(), nonce.as_bytes()];
    Bytes32(Sha256::digest(identity::statement(b"assay/keyed-embedding/1", &fields)).into())
}

/// Gives the vectors that there are, or has a task make them.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    job: ChatJob,
    style: Style,
    (name, digest): (&str, Bytes32),
) -> Result<Response, ApiError> {
    match kept_answers::claim(app, caller.account, name, digest).await? {
        Claim::Own(keeping) => {
            let (sender, made) = oneshot::channel();
            app.tasks.spawn(make(app.clone(), *caller, job, style, keeping, sender));
            let (jobs, made) = made.await.map_err(|_| ApiError::panicked())?;
            Ok(naming(app, &jobs, made.map(json).into_response()))
        }
        Claim::Answered(Some(answer)) => {
            let kept: Kept = serde_json::from_str(&answer).map_err(|error| {
                tracing::error!(%error, "kept vectors cannot be read");
                ApiError::panicked()
            })?;
            let mut response = naming(app, &kept.jobs, json(kept.body));
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            Ok(response)
        }
        Claim::Answered(None) => Err(ApiError::answer_not_kept()),
        Claim::Running => Err(ApiError::key_in_progress()),
        Claim::Other => Err(ApiError::key_reused()),
    }
}

type Made = (Vec<JobId>, Result<String, ApiError>);

/// Owns the vectors, whether their client is still there or not.
async fn make(
    app: App,
    caller: Caller,
    job: ChatJob,
    style: Style,
    keeping: Keeping,
    sender: oneshot::Sender<Made>,
) {
    let deliveries = match serving::serve_request(&app, &caller, job).await {
        Ok(deliveries) => deliveries,
        Err(error) => {
            keeping.forget().await;
            return drop(sender.send((Vec::new(), Err(error.into()))));
        }
    };
    let jobs = deliveries.jobs();
    let made = match whole(&style, deliveries).await {
        Ok((body, deliveries)) => {
            let body = written(&body);
            let kept = Kept { jobs: jobs.clone(), body: body.clone() };
            match keeping.keep(written(&kept)).await {
                true => deliveries.settle(),
                false => deliveries.void(),
            }
            Ok(body)
        }
        Err(error) => {
            keeping.forget().await;
            Err(error)
        }
    };
    let _ = sender.send((jobs, made));
}

fn json(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn written(value: &impl Serialize) -> String {
    // Our own types have string keys and no failing parts, so this cannot fail.
    serde_json::to_string(value).expect("vectors of ours are JSON")
}
