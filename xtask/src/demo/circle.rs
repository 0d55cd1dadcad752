//! The circle, told line by line: a client paid in, operators earned it by answering, a cheat did not and
//! sees why, an operator takes its earnings out.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Node, Role, World, words::credits};
use crate::{http::Http, poll, stop::Stop};

/// Until the cheat was among those asked, and everything is settled.
const CHATS_MAX: u32 = 30;
const SETTLED_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// An operator of the demo, logged in.
struct Operator<'a> {
    name: &'a str,
    url: String,
    token: String,
    http: Http,
}

/// Plays it, and says what happened.
pub(super) fn play(world: &World, stop: &Stop) -> anyhow::Result<()> {
    println!("\nThe circle:");
    println!("  a client paid 1,000 USD in test stablecoin and has 1,000 credits");
    let workers = world.nodes.iter().filter(|node| node.role != Role::Scorer);
    let operators: Vec<(Operator<'_>, bool)> = workers
        .map(|node| Ok((log_in(world, node)?, matches!(node.role, Role::Cheat(_)))))
        .collect::<anyhow::Result<_>>()?;
    chat_until_all_had_a_part(world, &operators, stop)?;
    for (operator, cheat) in &operators {
        let sums = operator.get("earnings")?;
        let earned = sums["earned_nano"].as_i64().unwrap_or_default();
        println!("  {} earned {} credits", operator.name, credits(earned));
        if *cheat {
            ensure!(earned == 0, "the cheat was paid");
            operator.tell_why()?;
        } else {
            operator.withdraw(sums["available_nano"].as_i64().unwrap_or_default())?;
        }
    }
    Ok(())
}

fn chat_until_all_had_a_part(
    world: &World,
    operators: &[(Operator<'_>, bool)],
    stop: &Stop,
) -> anyhow::Result<()> {
    let (http, url) = (Http::new(), format!("{}/chat/completions", world.base_url()));
    for number in 0..CHATS_MAX {
        let chat = world.chat(&format!("What is {number} + 4?"));
        // A set of nodes that includes the cheat may fail; the next one need not.
        http.post(&url, &world.key, &chat)?;
        let mut missing = 0;
        for (operator, _) in operators {
            missing += usize::from(operator.parts("")?.is_empty());
        }
        if missing == 0 {
            println!("  {} questions were answered and checked", number + 1);
            let idle = poll::until(SETTLED_MAX, LOOK_EVERY, stop, || {
                Ok(world.admin.jobs_running()?.is_empty().then_some(()))
            })?;
            return idle.context("some jobs do not end");
        }
    }
    anyhow::bail!("some node was never asked in {CHATS_MAX} questions")
}

fn log_in<'a>(world: &World, node: &'a Node) -> anyhow::Result<Operator<'a>> {
    let http = Http::new();
    let url = format!("{}/operator/v1", world.gateway_url);
    let secret = json!({ "secret": node.secret });
    let session = http.post(&format!("{url}/login"), "", &secret)?.ok()?;
    let token = session["token"].as_str().context("a log-in gives a token")?.to_owned();
    Ok(Operator { name: &node.name, url, token, http })
}

impl Operator<'_> {
    fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.http.get(&format!("{}/{path}", self.url), &self.token)?.ok()
    }

    fn parts(&self, query: &str) -> anyhow::Result<Vec<Value>> {
        let mut page = self.get(&format!("jobs{query}"))?;
        Ok(page["data"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// "Why was I not paid?"
    fn tell_why(&self) -> anyhow::Result<()> {
        for part in self.parts("?pay=unpaid")?.iter().take(1) {
            let code = part["outcome"].as_str().unwrap_or("?");
            println!("    and sees why: {code}: {}", part["reason"].as_str().unwrap_or("?"));
        }
        Ok(())
    }

    /// One of its own: operators with the same address never get a job together.
    fn address(&self) -> String {
        let letters: String =
            self.name.bytes().take(20).map(|byte| format!("{byte:02x}")).collect();
        format!("0x{letters:0>40}")
    }

    fn withdraw(&self, available: i64) -> anyhow::Result<()> {
        let amount = available - available % 1_000;
        if amount == 0 {
            return Ok(());
        }
        let address = json!({ "address": self.address() });
        self.http.put(&format!("{}/payout-address", self.url), &self.token, &address)?.ok()?;
        let ask = json!({ "amount_nano": amount });
        let sent = self.http.post(&format!("{}/withdrawals", self.url), &self.token, &ask)?.ok()?;
        println!("    and took {} out: {}", credits(amount), sent["state"].as_str().unwrap_or("?"));
        Ok(())
    }
}
