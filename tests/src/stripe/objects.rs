//! Stripe's objects, whole: every field that its API documents as always there.

use serde_json::{Value, json};

use super::now_s;

/// The version of the API that the objects are of.
const VERSION: &str = "2025-09-30.clover";

/// A Checkout Session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    pub client_reference_id: String,
    pub amount: i64,
    pub product: String,
    /// `open`, `complete` or `expired`.
    pub status: &'static str,
    pub paid: bool,
    /// The money that was on its way did not arrive.
    pub failed: bool,
    pub payment_intent: String,
    pub success_url: String,
    pub cancel_url: String,
    pub url: String,
    pub created: u64,
    /// Given back so far.
    pub refunded: i64,
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStatus {
    Pending,
    Succeeded,
    Failed,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeRefund {
    pub id: String,
    pub amount: i64,
    pub payment_intent: String,
    pub status: RefundStatus,
    pub metadata: Value,
    pub created: u64,
}

impl Session {
    pub(crate) fn pay(&mut self) {
        self.status = "complete";
        self.paid = true;
    }

    /// The payment that it leads to, as the API shows it.
    pub fn payment(&self) -> Value {
        let status = match (self.paid, self.failed, self.status) {
            (true, ..) => "succeeded",
            (_, false, "complete") => "processing",
            _ => "requires_payment_method",
        };
        json!({
            "id": self.payment_intent,
            "object": "payment_intent",
            "amount": self.amount,
            "created": self.created,
            "currency": "usd",
            "livemode": false,
            "metadata": { "assay_top_up": self.client_reference_id },
            "payment_method_types": ["crypto"],
            "status": status,
        })
    }

    /// As the API shows it.
    pub fn json(&self) -> Value {
        let mut session: Value = serde_json::from_str(SESSION).expect("the constant is JSON");
        let ours = json!({
            "id": self.id,
            "amount_subtotal": self.amount,
            "amount_total": self.amount,
            "cancel_url": self.cancel_url,
            "client_reference_id": self.client_reference_id,
            "created": self.created,
            "expires_at": self.created + 24 * 3600,
            "payment_intent": (self.status == "complete").then_some(&self.payment_intent),
            "payment_status": if self.paid { "paid" } else { "unpaid" },
            "status": self.status,
            "success_url": self.success_url,
            "url": (self.status == "open").then_some(&self.url),
        });
        for (name, value) in ours.as_object().expect("an object").clone() {
            session[name] = value;
        }
        session
    }
}

/// What is the same in every session of ours.
const SESSION: &str = r#"{
    "object": "checkout.session", "currency": "usd", "livemode": false, "mode": "payment",
    "payment_method_types": ["crypto"], "ui_mode": "hosted", "customer_creation": "if_required",
    "payment_method_collection": "if_required", "payment_method_options": {}, "metadata": {},
    "automatic_tax": {"enabled": false, "liability": null, "provider": null, "status": null},
    "custom_fields": [], "discounts": [], "shipping_options": [],
    "custom_text": {"after_submit": null, "shipping_address": null, "submit": null,
        "terms_of_service_acceptance": null},
    "phone_number_collection": {"enabled": false},
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    "adaptive_pricing": null, "after_expiration": null, "allow_promotion_codes": null,
    "billing_address_collection": null, "client_secret": null, "collected_information": null,
    "consent": null, "consent_collection": null, "currency_conversion": null, "customer": null,
    "customer_details": null, "customer_email": null, "invoice": null, "invoice_creation": null,
    "locale": null, "payment_link": null, "payment_method_configuration_details": null,
    "permissions": null, "recovered_from": null, "saved_payment_method_options": null,
    "setup_intent": null, "shipping_address_collection": null, "shipping_cost": null,
    "submit_type": null, "subscription": null, "wallet_options": null
}"#;

impl StripeRefund {
    /// As the API shows it.
    pub fn json(&self) -> Value {
        let (status, failure) = match self.status {
            RefundStatus::Pending => ("pending", None),
            RefundStatus::Succeeded => ("succeeded", None),
            RefundStatus::Failed => ("failed", Some("declined")),
        };
        let mut refund = json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": null,
            "charge": null,
            "created": self.created,
            "currency": "usd",
            "destination_details": { "type": "crypto", "crypto": {} },
            "metadata": self.metadata,
            "payment_intent": self.payment_intent,
            "reason": "requested_by_customer",
            "receipt_number": null,
            "source_transfer_reversal": null,
            "status": status,
            "transfer_reversal": null,
        });
        if let Some(reason) = failure {
            refund["failure_reason"] = reason.into();
        }
        refund
    }
}

/// An event about an object.
pub(crate) fn event(id: &str, kind: &str, object: Value) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": VERSION,
        "created": now_s(),
        "data": { "object": object },
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": kind,
    })
}
