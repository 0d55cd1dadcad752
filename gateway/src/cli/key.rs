//! `gateway key`: API keys without the admin API, for a first start and for scripts.

use anyhow::Context;
use assay_ledger::{AccountId, Nano};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::command_line;
use crate::{
    app,
    auth::{KeyAsk, Permissions, Scope, issue_key},
    clock,
    config::Config,
    db::{self, Db, KeyId, Page, accounts::NewAccount, credits::NewGrant, keys::KeyRow},
    serving::Risk,
};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and print it; only its hash is kept.
    Create(CreateFlags),
    /// List all keys, revoked ones too.
    List,
    /// Revoke a key for good.
    Revoke {
        /// The key's number, as `list` shows it.
        id: i64,
    },
}

#[derive(Debug, Args)]
pub(super) struct CreateFlags {
    /// For people; also the account's name when one is made.
    #[arg(long, default_value = "default")]
    name: String,
    /// The account that the key spends from; left out: a new one is made.
    #[arg(long, value_name = "NUMBER")]
    account: Option<i64>,
    /// Gives the account this much credit, in 1e-9 credit.
    #[arg(long, value_name = "NANO", value_parser = clap::value_parser!(i64).range(1..))]
    grant_nano: Option<i64>,
    /// low, standard or high: the policy of requests that name none.
    #[arg(long, default_value = "standard", value_parser = parse_risk)]
    risk: Risk,
    /// inference, credits.read or credits.write: what the key may be used for; left out: everything.
    #[arg(long = "scope", value_name = "SCOPE", value_parser = parse_scope)]
    scopes: Vec<Scope>,
    /// A model that the key may ask; left out: all.
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
}

pub(super) async fn run(config: Config, command: KeyCommand) -> anyhow::Result<()> {
    let (db, _) = app::open_store(&config).await?;
    match command {
        KeyCommand::Create(flags) => create(&db, flags).await?,
        KeyCommand::List => list(&db).await?,
        KeyCommand::Revoke { id } => {
            db::keys::revoke(&db, KeyId(id), &command_line()).await?;
            println!("key {id} is revoked");
        }
    }
    db.close().await;
    Ok(())
}

async fn create(db: &Db, flags: CreateFlags) -> anyhow::Result<()> {
    let actor = command_line();
    let account = match flags.account {
        Some(id) => AccountId(id),
        None => {
            let new = NewAccount { name: flags.name.clone(), created_ms: actor.at_ms };
            db::accounts::create(db, &new, &actor).await?.id
        }
    };
    let (name, risk) = (flags.name, flags.risk);
    let scopes = if flags.scopes.is_empty() { Scope::ALL.to_vec() } else { flags.scopes };
    let permissions = Permissions { scopes, models: flags.models };
    let ask = KeyAsk { account, name, risk, expires_ms: None, budget_day: None, permissions };
    let (secret, row) = issue_key(db, ask, &actor).await.context("cannot make the key")?;
    if let Some(nano) = flags.grant_nano {
        grant(db, account, Nano(nano)).await?;
    }
    // The key alone on standard output, so that a script can take it from there.
    eprintln!("key {} of account {account}; it is shown this once:", row.id.0);
    println!("{}", secret.reveal());
    Ok(())
}

async fn grant(db: &Db, account: AccountId, amount: Nano) -> anyhow::Result<()> {
    let grant = NewGrant {
        account,
        amount,
        key: format!("cli:{}", Uuid::new_v4()),
        note: "granted on the command line".to_owned(),
    };
    let granted = db::credits::grant(db, &grant, &command_line()).await;
    granted.map(|_| ()).context("cannot grant the credit")
}

async fn list(db: &Db) -> anyhow::Result<()> {
    println!("{:>6} {:>8} {:<10} {:<9} {:<8} name", "id", "account", "prefix", "risk", "state");
    let mut page = Page::default();
    loop {
        let paged = db::keys::list(db, None, &page).await?;
        for row in &paged.rows {
            let state = state(row);
            let KeyRow { id, account, name, prefix, risk, .. } = row;
            println!("{:>6} {account:>8} {prefix:<10} {risk:<9} {state:<8} {name}", id.0);
        }
        match paged.next {
            Some(next) => page.after = Some(next),
            None => return Ok(()),
        }
    }
}

fn state(row: &KeyRow) -> &'static str {
    match row.revoked_ms {
        Some(_) => "revoked",
        None if row.is_live(clock::now_ms()) => "live",
        None => "expired",
    }
}

fn parse_risk(word: &str) -> Result<Risk, &'static str> {
    Risk::parse(word).ok_or("the risk is low, standard or high")
}

fn parse_scope(word: &str) -> Result<Scope, &'static str> {
    Scope::parse(word).ok_or("the scope is inference, credits.read or credits.write")
}
