//! The circle, told line by line: a client pays in, operators earn it by answering, one cheats and sees why it was not
//! paid, the others take their earnings out. What does not come true is an error.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Node, Role, World, checkout, words::credits};
use crate::{http::Http, poll, stop::Stop};

/// Operators who earn in it, at least.
pub(super) const HONEST_MIN: usize = 3;
/// What the client pays in.
const TOP_UP_CENTS: i64 = 1_000;
const NANO_PER_CENT: i64 = 10_000_000;
/// Until every honest operator has earned and the cheat was caught: each question goes to three of four.
const CHATS_MAX: u32 = 60;
/// The smallest part of a credit that USDC knows.
const NANO_STEP: i64 = 1_000;
/// Longer than the last settlement, or a withdrawal, takes.
const DONE_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Plays it with clients and operators of its own, and says what happened.
///
/// # Errors
/// Whatever does not come true: see the words of each step.
pub(crate) fn play(world: &World, stop: &Stop) -> anyhow::Result<()> {
    println!("\nThe circle:");
    let client = Client::pay_in(world, stop)?;
    let workers = world.nodes.iter().filter(|node| node.role != Role::Scorer);
    let (cheats, honest): (Vec<&Node>, Vec<&Node>) =
        workers.partition(|node| matches!(node.role, Role::Cheat(_)));
    let log_in = |nodes: Vec<&Node>| -> anyhow::Result<Vec<Operator>> {
        nodes.into_iter().map(|node| Operator::log_in(world, node)).collect()
    };
    let (honest, cheats) = (log_in(honest)?, log_in(cheats)?);
    ensure!(
        honest.len() >= HONEST_MIN && cheats.len() == 1,
        "the circle wants {HONEST_MIN} honest operators and a cheat: there are {} and {}",
        honest.len(),
        cheats.len()
    );
    client.chat_until(world, stop, || {
        let all_earned = all(&honest, |operator| Ok(operator.sum("earned_nano")? > 0))?;
        Ok(all_earned && all(&cheats, |cheat| Ok(cheat.caught()?.is_some()))?)
    })?;
    for cheat in &cheats {
        cheat.sees_why()?;
    }
    for operator in &honest {
        operator.takes_all_out(stop)?;
    }
    client.has_paid()?;
    world.audit(stop).context("after the circle")?;
    println!("  the books add up");
    Ok(())
}

fn all(
    operators: &[Operator],
    holds: impl Fn(&Operator) -> anyhow::Result<bool>,
) -> anyhow::Result<bool> {
    for operator in operators {
        if !holds(operator)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Somebody who has nothing but what they pay.
struct Client {
    http: Http,
    gateway_url: String,
    key: String,
}

impl Client {
    fn pay_in(world: &World, stop: &Stop) -> anyhow::Result<Self> {
        let account = world.admin.create_account("a buyer")?;
        let key = world.admin.create_key(account, "standard")?;
        let client = Self { http: Http::new(), gateway_url: world.gateway_url.clone(), key };
        ensure!(client.has()? == 0, "a new client has nothing");
        checkout::top_up(&client.gateway_url, &client.key, TOP_UP_CENTS, stop)?;
        let has = client.has()?;
        ensure!(has == TOP_UP_CENTS * NANO_PER_CENT, "the client paid, and has {}", credits(has));
        let has = credits(has);
        println!("  a client pays {has} USD at the test checkout, and has {has} credits");
        Ok(client)
    }

    /// All that it has, in nano.
    fn has(&self) -> anyhow::Result<i64> {
        let url = format!("{}/v1/credits", self.gateway_url);
        let sums = self.http.get(&url, &self.key)?.ok()?;
        let sum = |name: &str| sums[name].as_i64().context("a balance has amounts");
        Ok(sum("available_nano")? + sum("held_nano")?)
    }

    fn chat_until(
        &self,
        world: &World,
        stop: &Stop,
        told: impl Fn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let url = format!("{}/chat/completions", world.base_url());
        let mut answered = 0;
        for number in 1..=CHATS_MAX {
            let chat = world.chat(&format!("What is {number} + 4?"));
            // A set of nodes that includes the cheat may fail; the next one need not.
            answered += u32::from(self.http.post(&url, &self.key, &chat)?.is_ok());
            if told()? {
                println!("  it asks {number} questions, {answered} are answered and checked");
                return Ok(());
            }
            // A question is settled a moment after its answer.
            stop.pause(LOOK_EVERY)?;
        }
        anyhow::bail!(
            "after {CHATS_MAX} questions, of which {answered} were answered, somebody honest has not earned or the \
             cheat was not caught"
        )
    }

    fn has_paid(&self) -> anyhow::Result<()> {
        let (paid_in, has) = (TOP_UP_CENTS * NANO_PER_CENT, self.has()?);
        ensure!((1..paid_in).contains(&has), "the client has {} left", credits(has));
        println!("  the client spent {} credits and has {}", credits(paid_in - has), credits(has));
        Ok(())
    }
}

/// An operator of the demo, logged in.
struct Operator {
    name: String,
    url: String,
    token: String,
    http: Http,
}

impl Operator {
    fn log_in(world: &World, node: &Node) -> anyhow::Result<Self> {
        let http = Http::new();
        let url = format!("{}/operator/v1", world.gateway_url);
        let secret = json!({ "secret": node.secret });
        let session = http.post(&format!("{url}/login"), "", &secret)?.ok()?;
        let token = session["token"].as_str().context("a log-in gives a token")?.to_owned();
        Ok(Self { name: node.name.clone(), url, token, http })
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.http.get(&format!("{}/{path}", self.url), &self.token)?.ok()
    }

    fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut page = self.get(path)?;
        Ok(page["data"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// One of its earnings' sums.
    fn sum(&self, name: &str) -> anyhow::Result<i64> {
        self.get("earnings")?[name].as_i64().with_context(|| format!("earnings have {name}"))
    }

    /// A part that was refuted.
    fn caught(&self) -> anyhow::Result<Option<Value>> {
        let failed =
            |part: &Value| part["outcome"].as_str().is_some_and(|it| it.starts_with("failed_"));
        Ok(self.list("jobs?pay=unpaid")?.into_iter().find(failed))
    }

    /// "Why was I not paid?" A code, its meaning, a sentence about this very answer, and the evidence; and no pay.
    fn sees_why(&self) -> anyhow::Result<()> {
        let part = self.caught()?.context("the cheat was caught")?;
        let text = |name: &str| part[name].as_str().unwrap_or_default();
        let told = text("meaning").starts_with("Not paid") && text("reason").contains("position");
        let shown = part["evidence"]["first_fault"]["margin"].is_number();
        ensure!(told && shown, "{} does not see why: {part:#}", self.name);
        ensure!(self.list("jobs?pay=paid")?.is_empty(), "{} was paid", self.name);
        let earned = self.sum("earned_nano")?;
        ensure!(earned == 0, "{} earned {}", self.name, credits(earned));
        println!(
            "  {} earned nothing and sees why: {}: {}",
            self.name,
            text("outcome"),
            text("reason")
        );
        let refused = self.ask_out(NANO_STEP)?;
        let code = refused["error"]["code"].as_str().unwrap_or_default();
        ensure!(code == "too_much", "{} asked for money: {refused:#}", self.name);
        Ok(())
    }

    fn takes_all_out(&self, stop: &Stop) -> anyhow::Result<()> {
        // All of it was paid with money, and pay matures at once here.
        for wait in ["pay_matures_ms", "pay_matures_jobs"] {
            let wanted = self.sum(wait)?;
            ensure!(wanted == 0, "{} waits for its pay: {wait} is {wanted}", self.name);
        }
        let settled = poll::until(DONE_MAX, LOOK_EVERY, stop, || {
            let (earned, available) = (self.sum("earned_nano")?, self.sum("available_nano")?);
            Ok((earned > 0 && earned == available).then_some(earned))
        })?;
        let earned = settled.with_context(|| format!("{} cannot take all out", self.name))?;
        let amount = earned - earned % NANO_STEP;
        ensure!(amount > 0, "{} earned {} only", self.name, credits(earned));
        let asked = self.ask_out(amount)?;
        let id = asked["id"].as_str().with_context(|| format!("no withdrawal: {asked:#}"))?;
        let sent = poll::until(DONE_MAX, LOOK_EVERY, stop, || {
            let rows = self.list("withdrawals")?;
            Ok(rows.into_iter().find(|row| row["id"] == id && row["state"] == "sent"))
        })?;
        let sent = sent.with_context(|| format!("{}'s withdrawal is not sent", self.name))?;
        ensure!(sent["amount_nano"] == amount, "another amount was sent: {sent:#}");
        ensure!(self.sum("withdrawn_nano")? == amount, "{} has another sum", self.name);
        println!(
            "  {} earned {} credits, took {} out: sent",
            self.name,
            credits(earned),
            credits(amount)
        );
        Ok(())
    }

    /// Asks for so much, to an address of its own: operators with the same one never get a job together.
    fn ask_out(&self, amount: i64) -> anyhow::Result<Value> {
        let letters: String =
            self.name.bytes().take(20).map(|byte| format!("{byte:02x}")).collect();
        let address = json!({ "address": format!("0x{letters:0>40}") });
        self.http.put(&format!("{}/payout-address", self.url), &self.token, &address)?.ok()?;
        let ask = json!({ "amount_nano": amount });
        Ok(self.http.post(&format!("{}/withdrawals", self.url), &self.token, &ask)?.body)
    }
}
