//! `[payments]` of the configuration.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where money comes in, and how much of it. Without a secret key nothing does, and whoever asks is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaymentSettings {
    /// `sk_…` or `rk_…` of the Stripe account; empty: no top-ups.
    pub stripe_secret_key: Hidden,
    /// `whsec_…` of the webhook; while it is being replaced, the new and the old one with a comma between.
    pub stripe_webhook_secret: Hidden,
    /// Where Stripe's API is; ends with a slash.
    pub stripe_url: String,
    /// Where clients land after the payment page; empty: the gateway's console at its own address.
    pub return_url: String,
    /// The smallest and the largest top-up.
    pub top_up_cents_min: i64,
    pub top_up_cents_max: i64,
    /// How long the provider may take for an answer.
    pub provider_wait_ms: u64,
    /// How often what the provider reports is compared with the books; 0: only when an admin asks.
    pub reconcile_each_s: u64,
    /// How far back that looks.
    pub reconcile_window_h: u32,
}

impl Default for PaymentSettings {
    fn default() -> Self {
        Self {
            stripe_secret_key: Hidden::default(),
            stripe_webhook_secret: Hidden::default(),
            stripe_url: "https://api.stripe.com/".to_owned(),
            return_url: String::new(),
            top_up_cents_min: 100,
            // The most that Stripe takes in one stablecoin payment.
            top_up_cents_max: 1_000_000,
            provider_wait_ms: 10_000,
            reconcile_each_s: 300,
            reconcile_window_h: 48,
        }
    }
}

impl PaymentSettings {
    /// What could not work, and why.
    pub fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let keys = (self.stripe_secret_key.is_empty(), self.stripe_webhook_secret.is_empty());
        if keys.0 != keys.1 {
            return Some(("payments", "the secret key and the webhook's secret come together"));
        }
        if !self.stripe_url.ends_with('/') {
            return Some(("payments.stripe_url", "must end with a slash"));
        }
        let (min, max) = (self.top_up_cents_min, self.top_up_cents_max);
        if min < 1 || max < min || max > 100_000_000 {
            return Some((
                "payments.top_up_cents_*",
                "must be 1 to 100,000,000, the smaller first",
            ));
        }
        (self.provider_wait_ms == 0 || self.reconcile_window_h == 0)
            .then_some(("payments", "waits and windows must be at least 1"))
    }
}

/// A secret of the configuration: never printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl Hidden {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "none" } else { "…" })
    }
}
