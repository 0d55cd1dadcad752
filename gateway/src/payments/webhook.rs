//! What the provider tells us: is it the provider, and what is it about. Nothing else of it is believed:
//! the object is asked for again.

use super::{
    PaymentError,
    fulfil::{Fulfilled, fulfil},
    refund,
    stripe::{Event, SignatureError, verify},
};
use crate::{app::App, clock};

/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "stripe-signature";
/// Longest body that is read.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Why a delivery is not taken.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    #[error("this is not of the payment provider: {0}")]
    Signature(#[from] SignatureError),
    #[error("this is no event")]
    NotAnEvent,
    /// The provider delivers it again.
    #[error(transparent)]
    Payment(#[from] PaymentError),
}

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Session {
        failed: bool,
    },
    Refund,
    /// Nothing that concerns us.
    Other,
}

/// Takes one delivery. Duplicates, late and reordered ones change nothing more.
///
/// # Errors
/// [`WebhookError`].
pub async fn receive(app: &App, signature: &str, body: &[u8]) -> Result<(), WebhookError> {
    app.payments.stripe()?;
    let now_s = u64::try_from(clock::now_ms() / 1_000).unwrap_or_default();
    if let Err(error) = verify(signature, body, &app.config.payments.stripe_webhook_secret.0, now_s)
    {
        metrics::counter!("assay_webhooks_refused_total").increment(1);
        return Err(error.into());
    }
    let event: Event = serde_json::from_slice(body).map_err(|_| WebhookError::NotAnEvent)?;
    let Some(object) = event.data.object.id.as_deref() else { return Ok(()) };
    match subject(&event.kind) {
        Subject::Session { failed } => {
            if fulfil(app, object, failed).await? == Fulfilled::NotOurs {
                tracing::warn!(event = event.id, session = object, "a payment of somebody else");
            }
        }
        Subject::Refund => refund::learn(app, object).await?,
        Subject::Other => {}
    }
    Ok(())
}

fn subject(kind: &str) -> Subject {
    match kind {
        "checkout.session.completed"
        | "checkout.session.async_payment_succeeded"
        | "checkout.session.expired" => Subject::Session { failed: false },
        "checkout.session.async_payment_failed" => Subject::Session { failed: true },
        "refund.created" | "refund.updated" | "refund.failed" => Subject::Refund,
        _ => Subject::Other,
    }
}
