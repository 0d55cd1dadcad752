//! What we say to Stripe and what we read of its objects: only what decides about money, so that nothing
//! else can break us. Answers are read by `miniserde`, because Stripe's client does.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// A Checkout Session.
#[derive(Clone, Debug, PartialEq, Eq, miniserde::Deserialize)]
pub struct Session {
    pub id: String,
    /// `open`, `complete` or `expired`.
    pub status: Option<String>,
    /// `paid`, `unpaid` or `no_payment_required`.
    pub payment_status: String,
    pub amount_total: Option<i64>,
    pub currency: Option<String>,
    /// The id of our top-up.
    pub client_reference_id: Option<String>,
    pub payment_intent: Option<String>,
    pub url: Option<String>,
    /// Unix seconds.
    pub created: i64,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq, miniserde::Deserialize)]
pub struct StripeRefund {
    pub id: String,
    pub amount: i64,
    pub currency: String,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    pub status: Option<String>,
    pub failure_reason: Option<String>,
    /// Under [`REFUND_TAG`]: the id of our refund.
    pub metadata: Option<HashMap<String, String>>,
}

/// A payment, which a session leads to.
#[derive(Clone, Debug, PartialEq, Eq, miniserde::Deserialize)]
pub struct Payment {
    /// `requires_payment_method` (again, when it failed), `processing`, `succeeded`, `canceled` and others.
    pub status: String,
}

impl Payment {
    /// Whether nothing more is on its way.
    pub fn has_failed(&self) -> bool {
        matches!(self.status.as_str(), "requires_payment_method" | "canceled")
    }
}

impl StripeRefund {
    /// The id of our refund, if it is one of ours.
    pub fn ours(&self) -> Option<&str> {
        self.metadata.as_ref()?.get(REFUND_TAG).map(String::as_str)
    }
}

/// Where a refund names ours.
pub const REFUND_TAG: &str = "assay_refund";

/// One page of a list.
#[derive(Clone, Debug, miniserde::Deserialize)]
pub struct List<T> {
    pub data: Vec<T>,
    pub has_more: bool,
}

/// What a webhook says; the rest of it is asked of Stripe itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub data: EventData,
}

/// See [`Event`].
#[derive(Clone, Debug, Deserialize)]
pub struct EventData {
    pub object: EventObject,
}

/// See [`Event`].
#[derive(Clone, Debug, Deserialize)]
pub struct EventObject {
    /// Some objects have none.
    pub id: Option<String>,
}

/// A Checkout Session to make.
#[derive(Debug, Serialize)]
pub(super) struct SessionForm<'a> {
    pub(super) mode: &'static str,
    pub(super) payment_method_types: [&'static str; 1],
    pub(super) client_reference_id: &'a str,
    pub(super) success_url: &'a str,
    pub(super) cancel_url: &'a str,
    pub(super) line_items: [LineItem<'a>; 1],
    pub(super) payment_intent_data: PaymentData<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct LineItem<'a> {
    pub(super) quantity: u32,
    pub(super) price_data: PriceData<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct PriceData<'a> {
    pub(super) currency: &'static str,
    pub(super) unit_amount: i64,
    pub(super) product_data: ProductData<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct ProductData<'a> {
    pub(super) name: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct PaymentData<'a> {
    pub(super) metadata: PaymentMetadata<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct PaymentMetadata<'a> {
    pub(super) assay_top_up: &'a str,
}

/// A refund to make.
#[derive(Debug, Serialize)]
pub(super) struct RefundForm<'a> {
    pub(super) payment_intent: &'a str,
    pub(super) amount: i64,
    pub(super) reason: &'static str,
    pub(super) metadata: HashMap<&'static str, &'a str>,
}

/// What to list of a time.
#[derive(Debug, Serialize)]
pub(super) struct ListQuery<'a> {
    pub(super) created: &'a CreatedQuery,
    pub(super) limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) starting_after: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub(super) struct CreatedQuery {
    pub(super) gte: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lte: Option<i64>,
}

/// Which refunds to list.
#[derive(Debug, Serialize)]
pub(super) struct RefundQuery<'a> {
    pub(super) payment_intent: &'a str,
    pub(super) limit: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) starting_after: Option<&'a str>,
}
