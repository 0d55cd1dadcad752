//! Stripe's API: the few calls that we make, each bounded and each safe to make again.
//!
//! The crate gives the client (version header, keys, errors); requests and answers are our own few lines,
//! because its crates with all of Stripe's types triple the build and reject answers that we can read.

mod objects;
mod signature;

use std::{fmt, time::Duration};

use miniserde::Deserialize;
use sha2::{Digest, Sha256};
use stripe::{Client, ClientBuilder, IdempotencyKey, RequestStrategy, StripeError};
use stripe_client_core::{RequestBuilder, StripeMethod};

use objects::{
    CreatedQuery, LineItem, ListQuery, PaymentData, PaymentMetadata, PriceData, ProductData,
    RefundForm, RefundQuery, SessionForm,
};
pub use objects::{Event, List, Payment, REFUND_TAG, Session, StripeRefund};
pub use signature::{SignatureError, verify};

/// The currency of everything: a credit is one US dollar of stablecoin.
pub const CURRENCY: &str = "usd";
/// Objects on a page of a list; Stripe's own limit.
const PAGE: u32 = 100;
/// Pages that are looked through for one object of ours.
const PAGES_MAX: usize = 100;
/// Its clock and ours differ by less.
const CLOCKS_S: i64 = 300;
/// A page is asked for within this time of its top-up, or never.
const TRIED_S: i64 = 25 * 3_600;

/// The client.
#[derive(Clone)]
pub struct Stripe {
    client: Client,
}

/// Why Stripe did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Asking again later may help; it may have been done all the same.
    #[error("the payment provider does not answer: {0}")]
    Unavailable(String),
    /// It failed inside, and says the same again when it is asked under the same name; it may have been done.
    #[error("the payment provider failed: {0}")]
    Broken(String),
    /// Our key is not good, or not for this: whoever runs the gateway has to look.
    #[error("the payment provider does not accept our key: {0}")]
    Misconfigured(String),
    /// Asking again does not help.
    #[error("the payment provider refuses: {0}")]
    Refused(String),
}

/// A payment page to make.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// The id of our top-up.
    pub top_up: &'a str,
    /// Tries that failed inside.
    pub attempts: u32,
    pub cents: i64,
    pub product: &'a str,
    pub success_url: &'a str,
    pub cancel_url: &'a str,
}

impl Stripe {
    /// For the account of this key, at this address.
    ///
    /// # Errors
    /// A sentence, when the settings cannot be used.
    pub fn new(secret_key: &str, url: &str, wait: Duration) -> Result<Self, String> {
        let client = ClientBuilder::new(secret_key).url(url).timeout(wait).build();
        let client = client.map_err(|error| format!("the payment provider's settings: {error}"))?;
        Ok(Self { client })
    }

    /// Makes a page where a client pays with stablecoin; the same one for the same try. A page that says anything else is
    /// another try: Stripe refuses other words under the same name.
    pub async fn create_session(&self, new: NewSession<'_>) -> Result<Session, CallError> {
        let product_data = ProductData { name: new.product };
        let price_data = PriceData { currency: CURRENCY, unit_amount: new.cents, product_data };
        let form = SessionForm {
            mode: "payment",
            payment_method_types: ["crypto"],
            client_reference_id: new.top_up,
            success_url: new.success_url,
            cancel_url: new.cancel_url,
            line_items: [LineItem { quantity: 1, price_data }],
            payment_intent_data: PaymentData {
                metadata: PaymentMetadata { assay_top_up: new.top_up },
            },
        };
        let request = post("/checkout/sessions").form(&form);
        let words = Sha256::digest(format!("{new:?}"));
        let key = format!("assay:top_up:{}:{}", new.top_up, hex::encode(&words[..8]));
        self.once_per_key(request, &key).await
    }

    /// The page that was made for a top-up at about that time, if it was.
    pub async fn session_of(
        &self,
        top_up: &str,
        asked_s: i64,
    ) -> Result<Option<Session>, CallError> {
        let created = CreatedQuery { gte: asked_s - CLOCKS_S, lte: Some(asked_s + TRIED_S) };
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page: List<Session> =
                self.list("/checkout/sessions", &created, after.as_deref()).await?;
            after = page.data.last().filter(|_| page.has_more).map(|last| last.id.clone());
            let ours = |made: &Session| made.client_reference_id.as_deref() == Some(top_up);
            if let Some(made) = page.data.into_iter().find(ours) {
                return Ok(Some(made));
            }
            if after.is_none() {
                return Ok(None);
            }
        }
        Err(CallError::Unavailable("there are too many sessions to look through".into()))
    }

    /// The session as it is now.
    pub async fn session(&self, id: &str) -> Result<Session, CallError> {
        self.send(get(&format!("/checkout/sessions/{}", path_segment(id)?))).await
    }

    /// The page after `after` of all sessions made since then, the last first.
    pub async fn sessions_since(
        &self,
        since_s: i64,
        after: Option<&str>,
    ) -> Result<List<Session>, CallError> {
        let created = CreatedQuery { gte: since_s, lte: None };
        self.list("/checkout/sessions", &created, after).await
    }

    /// The same of refunds.
    pub async fn refunds_since(
        &self,
        since_s: i64,
        after: Option<&str>,
    ) -> Result<List<StripeRefund>, CallError> {
        let created = CreatedQuery { gte: since_s, lte: None };
        self.list("/refunds", &created, after).await
    }

    /// The payment as it is now.
    pub async fn payment(&self, id: &str) -> Result<Payment, CallError> {
        self.send(get(&format!("/payment_intents/{}", path_segment(id)?))).await
    }

    /// Gives part of a payment back; the same one for the same try at the same refund of ours.
    pub async fn create_refund(
        &self,
        refund: &str,
        attempts: u32,
        payment: &str,
        cents: i64,
    ) -> Result<StripeRefund, CallError> {
        let form = RefundForm {
            payment_intent: payment,
            amount: cents,
            reason: "requested_by_customer",
            metadata: [(REFUND_TAG, refund)].into(),
        };
        let request = post("/refunds").form(&form);
        self.once_per_key(request, &format!("assay:refund:{refund}:{attempts}")).await
    }

    /// The refund of a payment that was made for this refund of ours, if it was made.
    pub async fn refund_of(
        &self,
        payment: &str,
        refund: &str,
    ) -> Result<Option<StripeRefund>, CallError> {
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let starting_after = after.as_deref();
            let query = RefundQuery { payment_intent: payment, limit: PAGE, starting_after };
            let page: List<StripeRefund> = self.send(get("/refunds").query(&query)).await?;
            let last = page.data.last().map(|last| last.id.clone());
            let is_ours = |found: &StripeRefund| found.ours() == Some(refund);
            if let Some(found) = page.data.into_iter().find(is_ours) {
                return Ok(Some(found));
            }
            match last {
                Some(last) if page.has_more => after = Some(last),
                _ => return Ok(None),
            }
        }
        Err(CallError::Refused(format!("payment {payment} has too many refunds to look through")))
    }

    /// The refund as it is now.
    pub async fn refund(&self, id: &str) -> Result<StripeRefund, CallError> {
        self.send(get(&format!("/refunds/{}", path_segment(id)?))).await
    }

    async fn list<T: Deserialize>(
        &self,
        path: &str,
        created: &CreatedQuery,
        after: Option<&str>,
    ) -> Result<List<T>, CallError> {
        let query = ListQuery { created, limit: PAGE, starting_after: after };
        self.send(get(path).query(&query)).await
    }

    async fn send<T: Deserialize>(&self, request: RequestBuilder) -> Result<T, CallError> {
        Ok(request.customize().send(&self.client).await?)
    }

    /// Stripe does what it did before under the same key.
    async fn once_per_key<T: Deserialize>(
        &self,
        request: RequestBuilder,
        key: &str,
    ) -> Result<T, CallError> {
        let key =
            IdempotencyKey::new(key).map_err(|error| CallError::Refused(error.to_string()))?;
        let request = request.customize().request_strategy(RequestStrategy::Idempotent(key));
        Ok(request.send(&self.client).await?)
    }
}

fn get(path: &str) -> RequestBuilder {
    RequestBuilder::new(StripeMethod::Get, path)
}

fn post(path: &str) -> RequestBuilder {
    RequestBuilder::new(StripeMethod::Post, path)
}

impl From<StripeError> for CallError {
    fn from(error: StripeError) -> Self {
        match error {
            StripeError::Stripe(said, status) => {
                let why = said.message.unwrap_or_else(|| format!("status {status}"));
                match status {
                    401 | 403 => Self::Misconfigured(why),
                    // 409 is another call under the same key that is not done yet.
                    409 | 424 | 429 => Self::Unavailable(format!("status {status}")),
                    400..500 => Self::Refused(why),
                    500.. => Self::Broken(format!("status {status}")),
                    _ => Self::Unavailable(format!("status {status}")),
                }
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stripe")
    }
}

/// An id of Stripe's in a path: letters, digits and underscores.
fn path_segment(id: &str) -> Result<&str, CallError> {
    let plain = !id.is_empty() && id.len() <= 255;
    let plain = plain && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain { Ok(id) } else { Err(CallError::Refused("this is no id of its objects".into())) }
}
