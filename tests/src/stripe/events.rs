//! Webhooks as they are delivered: honest, forged or aged.

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::{WEBHOOK_SECRET, now_s};

/// One delivery: what is sent, and under which signature.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub body: String,
    pub signature: String,
    /// Whether a gateway that keeps to the rules takes it.
    pub genuine: bool,
}

impl Delivery {
    /// As Stripe sends it.
    pub fn honest(event: &Value) -> Self {
        let body = event.to_string();
        let signature = signature(WEBHOOK_SECRET, now_s(), &body);
        Self { body, signature, genuine: true }
    }

    /// Signed with another secret.
    pub fn forged(event: &Value) -> Self {
        let body = event.to_string();
        let signature = signature("whsec_guessed", now_s(), &body);
        Self { body, signature, genuine: false }
    }

    /// An honest signature over another body.
    pub fn altered(event: &Value) -> Self {
        let honest = Self::honest(event);
        let body = honest.body.replace("\"livemode\":false", "\"livemode\":true");
        assert_ne!(body, honest.body, "something was altered");
        Self { body, genuine: false, ..honest }
    }

    /// Honest once, `seconds` ago: a replay.
    pub fn aged(event: &Value, seconds: u64) -> Self {
        let body = event.to_string();
        let signature = signature(WEBHOOK_SECRET, now_s() - seconds, &body);
        Self { body, signature, genuine: false }
    }

    /// Sends it to a gateway; the status that came back.
    pub async fn send(&self, http: &reqwest::Client, gateway: &str) -> reqwest::Result<u16> {
        let url = format!("{gateway}/payments/v1/webhook");
        let request = http.post(url).header("stripe-signature", &self.signature);
        let request = request.header("content-type", "application/json").body(self.body.clone());
        Ok(request.send().await?.status().as_u16())
    }
}

/// `t=…,v1=…` over time and body.
pub fn signature(secret: &str, time_s: u64, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mut mac = mac.expect("HMAC takes keys of any length");
    mac.update(format!("{time_s}.{body}").as_bytes());
    format!("t={time_s},v1={}", hex::encode(mac.finalize().into_bytes()))
}
