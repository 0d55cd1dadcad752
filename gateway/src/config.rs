//! The gateway's settings. The file is TOML; `ASSAY_*` variables go over it and flags over those.
//!
//! `gateway.example.toml` shows every setting with its default; a test compares the two.

mod layers;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// `[economy]` of the configuration: when pay is a node's own.
pub use assay_ledger::Maturity as EconomySettings;

pub use crate::{
    kept_answers::IdempotencySettings,
    nodes::settings::NodeSettings,
    payments::{PaymentSettings, PayoutSettings},
    receipts::ReceiptSettings,
    serving::settings::ServingSettings,
    verification::settings::VerificationSettings,
};
pub use layers::{ConfigError, Layers};

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub gateway: GatewaySettings,
    pub rate_limit: RateLimitSettings,
    pub limits: LimitSettings,
    pub admin: AdminSettings,
    pub log: LogSettings,
    pub serving: ServingSettings,
    pub idempotency: IdempotencySettings,
    pub nodes: NodeSettings,
    pub verification: VerificationSettings,
    pub economy: EconomySettings,
    pub payments: PaymentSettings,
    pub receipts: ReceiptSettings,
    pub payouts: PayoutSettings,
    /// The models that are served; none means that requests are refused and `/readyz` says no.
    pub models: Vec<ModelSettings>,
}

/// Where the gateway listens and keeps its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    pub listen: SocketAddr,
    /// What people call this gateway: shown by `/healthz`.
    pub public_name: String,
    /// Holds the gateway's key and, by default, its database.
    pub data_dir: PathBuf,
    /// `sqlite:…` or `postgres://…`; empty means SQLite in `data_dir`.
    pub database_url: String,
    /// Proxies in front of this gateway: what they say in `X-Forwarded-For` is believed. Without them all
    /// that comes through a proxy has its address.
    pub trusted_proxies: Vec<IpAddr>,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_name: "Assay".to_owned(),
            data_dir: PathBuf::from("assay-data"),
            database_url: String::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl GatewaySettings {
    /// The database's address, the default filled in.
    pub fn database_url(&self) -> String {
        if self.database_url.is_empty() {
            return format!("sqlite:{}", self.data_dir.join("assay.db").display());
        }
        self.database_url.clone()
    }
}

/// How often one API key or operator's log-in (without: one address) may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimitSettings {
    /// Requests a second in the long run; 1 to 1,000,000.
    pub per_second: u32,
    /// Requests that may come at once.
    pub burst: u32,
    /// Log-ins of admins and operators, with operators' sign-ups and renewals, a minute from one address; also the burst.
    pub logins_per_minute: u32,
    /// Enrolments a minute from one address; also the burst.
    pub enrolments_per_minute: u32,
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        Self { per_second: 50, burst: 200, logins_per_minute: 10, enrolments_per_minute: 60 }
    }
}

/// Bounds on what a client may make the gateway hold or wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Longest request body.
    pub body_bytes_max: usize,
    /// A body must be here this long after its head.
    pub body_wait_ms: u64,
    /// The first request's head must be here this long after its connection …
    pub header_wait_ms: u64,
    /// … and each further one's this long after the answer before it. Longer than clients keep idle
    /// connections, so that they do not ask on one that is being closed.
    pub idle_wait_ms: u64,
    /// Open HTTP connections; nodes count until they are connected.
    pub connections_max: usize,
    /// A stream without news gets a comment line this often.
    pub keep_alive_ms: u64,
    /// At shutdown: how long open requests may go on …
    pub shutdown_requests_ms: u64,
    /// … and then how long settlements may take.
    pub shutdown_tasks_ms: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 4 * 1024 * 1024,
            body_wait_ms: 30_000,
            header_wait_ms: 10_000,
            idle_wait_ms: 100_000,
            connections_max: 4_096,
            keep_alive_ms: 15_000,
            shutdown_requests_ms: 20_000,
            shutdown_tasks_ms: 10_000,
        }
    }
}

/// Who may administer, and for how long at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// How long a log-in lasts.
    pub session_minutes: u32,
    /// How long an enrolment token lasts unless the request says otherwise.
    pub enrolment_token_minutes: u32,
    /// How often the gateway audits its own books, and at its start; 0: never.
    pub self_audit_minutes: u32,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { session_minutes: 60, enrolment_token_minutes: 60, self_audit_minutes: 60 }
    }
}

/// What is logged, and in which form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// A tracing filter: `info`, or `info,assay_gateway=debug`.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { filter: "info,sqlx=warn,hyper=warn".to_owned(), json: false }
    }
}

/// A served model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSettings {
    /// The model's folder: manifest, tokenizer, chat template; weights are not read.
    pub dir: PathBuf,
    /// Price of a million prompt tokens, in nano (1e-9 credit; a credit is one US dollar).
    #[serde(default = "default_price_input")]
    pub price_input_nano_usd_per_mtok: i64,
    /// Price of a million answer tokens, in nano.
    #[serde(default = "default_price_output")]
    pub price_output_nano_usd_per_mtok: i64,
}

/// 0.10 credit a million: what small open models cost elsewhere.
fn default_price_input() -> i64 {
    100_000_000
}

/// 0.40 credit a million.
fn default_price_output() -> i64 {
    400_000_000
}

impl ModelSettings {
    /// A model folder at the default prices.
    pub fn at(dir: PathBuf) -> Self {
        Self {
            dir,
            price_input_nano_usd_per_mtok: default_price_input(),
            price_output_nano_usd_per_mtok: default_price_output(),
        }
    }
}

impl Config {
    /// Refuses values that could not work, before anything is opened.
    pub fn check(&self) -> Result<(), ConfigError> {
        let rate = &self.rate_limit;
        let wrong = |key: &'static str, reason: &'static str| ConfigError::Value { key, reason };
        if !(1..=1_000_000).contains(&rate.per_second) {
            return Err(wrong("rate_limit.per_second", "must be 1 to 1,000,000"));
        }
        if rate.burst == 0 || rate.logins_per_minute == 0 || rate.enrolments_per_minute == 0 {
            return Err(wrong("rate_limit", "bursts and rates must be at least 1"));
        }
        if self.limits.connections_max == 0 || self.limits.body_bytes_max < 1_024 {
            return Err(wrong("limits", "connections_max ≥ 1 and body_bytes_max ≥ 1024"));
        }
        if self.limits.keep_alive_ms == 0 {
            return Err(wrong("limits.keep_alive_ms", "must be at least 1"));
        }
        let serving = &self.serving;
        if !(1..=128).contains(&serving.choices_max) || serving.choices_at_once == 0 {
            return Err(wrong(
                "serving",
                "choices_max must be 1 to 128, choices_at_once at least 1",
            ));
        }
        if self.admin.session_minutes == 0 || self.admin.enrolment_token_minutes == 0 {
            return Err(wrong("admin", "times must be at least a minute"));
        }
        if self.verification.epoch_ms == 0 {
            return Err(wrong("verification.epoch_ms", "must be at least 1"));
        }
        if !(0.05..=1.0).contains(&self.verification.audit_probability_min) {
            return Err(wrong("verification.audit_probability_min", "must be 0.05 to 1"));
        }
        if let Some((key, reason)) = self.payments.wrong().or(self.payouts.wrong()) {
            return Err(wrong(key, reason));
        }
        for model in &self.models {
            if model.price_input_nano_usd_per_mtok < 0 || model.price_output_nano_usd_per_mtok < 0 {
                return Err(wrong("models.price_*", "must not be negative"));
            }
        }
        Ok(())
    }
}

impl LimitSettings {
    /// See `keep_alive_ms`.
    pub fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive_ms)
    }
}
