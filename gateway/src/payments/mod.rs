//! Money from outside and to outside, and the only place that names a payment provider.
//!
//! In: a client asks for a payment page ([`checkout`]), pays there with stablecoin, and [`fulfil`] credits
//! it once, however often and from wherever it is told. Back: [`refund`] holds unused credit first.
//! Out: [`payouts`] lets operators take out what clients paid in, on a rail of [`rails`].
//! [`reconcile`] compares the books with what the provider reports, and finishes what was cut off.

pub mod checkout;
pub mod fulfil;
pub mod payouts;
pub mod rails;
pub mod reconcile;
pub mod refund;
pub mod settings;
pub mod stripe;
pub mod webhook;

use std::time::Duration;

use crate::db::DbError;

pub use payouts::PayoutSettings;
pub use settings::PaymentSettings;
use stripe::{CallError, Stripe};

/// The provider, if the settings name one.
#[derive(Clone, Debug)]
pub struct Payments(Option<Stripe>);

/// Why a payment did not come about.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    #[error(
        "this gateway takes no payments: whoever runs it sets payments.stripe_secret_key and \
         payments.stripe_webhook_secret"
    )]
    NotConfigured,
    #[error("a top-up is {min} to {max} cents")]
    Amount { min: i64, max: i64 },
    #[error("the same idempotency key asked for another amount before")]
    OtherContent,
    #[error(
        "the payment provider does not answer right now; try again with the same idempotency key"
    )]
    Unavailable,
    #[error(
        "the payment provider does not accept this gateway's key, so nothing can be paid: whoever runs it \
         looks at payments.stripe_secret_key and what that key may do"
    )]
    Misconfigured,
    #[error("no money leaves this gateway until somebody has looked at its books")]
    Stopped,
    #[error("the payment provider refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Refund(crate::db::refunds::OpenRefundError),
    #[error(transparent)]
    Store(#[from] DbError),
}

impl Payments {
    /// What the settings say.
    ///
    /// # Errors
    /// A sentence, when they cannot be used.
    pub fn new(settings: &PaymentSettings) -> Result<Self, String> {
        if settings.stripe_secret_key.is_empty() {
            return Ok(Self(None));
        }
        let wait = Duration::from_millis(settings.provider_wait_ms);
        let key = &settings.stripe_secret_key.0;
        Stripe::new(key, &settings.stripe_url, wait).map(|stripe| Self(Some(stripe)))
    }

    /// Whether payments can be made.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    fn stripe(&self) -> Result<&Stripe, PaymentError> {
        self.0.as_ref().ok_or(PaymentError::NotConfigured)
    }
}

impl From<CallError> for PaymentError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unavailable(why) | CallError::Broken(why) => {
                tracing::warn!(why, "the payment provider does not answer");
                Self::Unavailable
            }
            CallError::Misconfigured(why) => {
                tracing::error!(
                    why,
                    "the payment provider does not accept payments.stripe_secret_key"
                );
                Self::Misconfigured
            }
            CallError::Refused(why) => Self::Refused(why),
        }
    }
}
