//! The demo's payment provider, which moves no money, and a client that pays with it.

use std::{net::Ipv4Addr, time::Duration};

use anyhow::{Context, ensure};
use serde_json::json;

use super::DataFolder;
use crate::{binaries::Binaries, http::Http, poll, process::Process, stop::Stop};

/// A payment is credited as soon as it is told, which is at once; a busy machine takes longer.
const CREDIT_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the gateway needs to know of the fake.
pub(super) fn gateway_env(port: u16) -> Vec<(String, String)> {
    let url = format!("http://{}:{port}/", Ipv4Addr::LOCALHOST);
    let settings = [
        // As the fake has them: they open nothing else.
        ("PAYMENTS_STRIPE_SECRET_KEY", "sk_test_assay"),
        ("PAYMENTS_STRIPE_WEBHOOK_SECRET", "whsec_assay"),
        ("PAYMENTS_STRIPE_URL", url.as_str()),
        // No money moves.
        ("PAYOUTS_RAIL", "demo"),
        ("PAYOUTS_ADDRESS_COOLING_MINUTES", "0"),
        ("PAYOUTS_WITHDRAWAL_NANO_MIN", "1000"),
    ];
    settings.map(|(name, value)| (format!("ASSAY_{name}"), value.to_owned())).into()
}

/// Settings of a gateway whose operators need not wait for a day. Then nothing is at stake either, so every answer is audited.
pub(crate) fn pay_matures_at_once() -> Vec<(String, String)> {
    ["MS", "JOBS"].map(|unit| (format!("ASSAY_ECONOMY_PAY_MATURES_{unit}"), "0".to_owned())).into()
}

/// Starts the fake.
pub(super) fn start(
    port: u16,
    gateway_url: &str,
    binaries: &Binaries,
    data: &DataFolder,
) -> anyhow::Result<Process> {
    let mut fake = binaries.command("fake-stripe")?;
    fake.arg("--listen").arg(format!("127.0.0.1:{port}")).arg("--gateway").arg(gateway_url);
    Process::start("the test checkout", &mut fake, &data.path().join("checkout.log"))
}

/// A client tops up: asks for a page, looks at it, pays on it, has the credit.
pub(super) fn top_up(gateway_url: &str, key: &str, cents: i64, stop: &Stop) -> anyhow::Result<()> {
    let (http, credits) = (Http::new(), format!("{gateway_url}/v1/credits"));
    let ask = json!({ "amount_cents": cents });
    let page = poll::until(CREDIT_MAX, LOOK_EVERY, stop, || {
        // 503 until the fake listens.
        let answer = http.post(&format!("{credits}/checkout"), key, &ask)?;
        ensure!(answer.is_ok() || answer.status == 503, "no checkout: {}", answer.said());
        Ok(answer.is_ok().then_some(answer.body))
    })?;
    let page = page.context("the test checkout does not answer")?;
    let url = page["url"].as_str().context("a checkout has a page")?;
    let shown = http.get(url, "")?.ok()?;
    let amount = format!("Pay {}.{:02} ", cents / 100, cents % 100);
    let asks = shown.as_str().is_some_and(|text| text.contains(&amount));
    ensure!(asks, "the test checkout does not ask for {amount}: {shown}");
    http.post(&format!("{url}/pay"), "", &json!({}))?;
    let id = page["id"].as_str().context("a checkout has an id")?;
    let paid = poll::until(CREDIT_MAX, LOOK_EVERY, stop, || {
        let row = http.get(&format!("{credits}/top-ups/{id}"), key)?.ok()?;
        Ok((row["state"] == "paid").then_some(()))
    })?;
    paid.context("the payment is not credited")
}
