//! A node that cheats, for demonstrations: enrols with a one-time token and keeps connecting as long as
//! the gateway lets it.

use std::{path::PathBuf, time::Duration};

use assay_tests::{
    Behaviour, Model, Pace,
    scripted::{End, Identity, Manners, Seen, run},
};
use clap::Parser;
use tokio::sync::watch;

/// Between two tries to reach a gateway that is not there.
const RETRY: Duration = Duration::from_secs(2);

/// A node that speaks the real protocol and behaves as told.
#[derive(Debug, Parser)]
#[command(name = "scripted-node", version)]
struct Cli {
    /// Address of the gateway, for example http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    gateway: String,
    /// One-time enrolment token.
    #[arg(long)]
    token: String,
    /// What it does with jobs.
    #[arg(long, value_enum)]
    kind: Behaviour,
    /// The model's folder.
    #[arg(long, value_name = "DIR", default_value = "model/demo")]
    model: PathBuf,
    /// What people call it.
    #[arg(long, default_value = "scripted")]
    name: String,
    /// Milliseconds between two tokens; 0: none.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let identity = Identity::enrol(&cli.gateway, &cli.token, &cli.name).await?;
    println!("enrolled as node {} of gateway {}", identity.node, identity.gateway_id);
    let model = std::sync::Arc::new(Model::open(&cli.model));
    let pace = match cli.delay_ms {
        0 => cli.kind.pace(),
        ms => Pace::Each(Duration::from_millis(ms)),
    };
    let manners = Manners { pace, ..cli.kind.into() };
    loop {
        let (seen, heard) = watch::channel(Seen::default());
        let end = tokio::select! {
            end = run(&identity, &model, &manners, &seen) => end,
            end = report(heard) => end,
        };
        let wait = match end {
            End::Closed { retry_after: None } => return Ok(()),
            End::Closed { retry_after: Some(wait) } => wait,
            End::Lost(why) => {
                println!("{why}");
                RETRY
            }
            End::Vanished => RETRY,
        };
        tokio::time::sleep(wait).await;
    }
}

/// Prints what the gateway says of the node; never returns.
async fn report(mut heard: watch::Receiver<Seen>) -> End {
    let mut told = 0;
    loop {
        if heard.changed().await.is_err() {
            return std::future::pending().await;
        }
        let seen = heard.borrow_and_update().clone();
        for (outcome, reason) in &seen.outcomes[told..] {
            println!("{}: {reason}", outcome.as_str());
        }
        told = seen.outcomes.len();
        if let Some((code, reason)) = &seen.closed {
            println!("closed ({code:?}): {reason}");
        }
    }
}
