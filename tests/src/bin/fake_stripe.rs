//! A payment provider for the demo: Stripe's protocol, a checkout page, and no money. Ends with SIGTERM.

use std::net::SocketAddr;

use assay_tests::FakeStripe;
use clap::Parser;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// Pretends to be Stripe.
#[derive(Debug, Parser)]
struct Flags {
    #[arg(long)]
    listen: SocketAddr,
    /// The gateway that is told of payments: `http://127.0.0.1:8080`.
    #[arg(long)]
    gateway: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let listener = TcpListener::bind(flags.listen).await?;
    let fake = FakeStripe::on(listener, Some(flags.gateway));
    println!("a fake of Stripe listens at {}", fake.url());
    signal(SignalKind::terminate())?.recv().await;
    Ok(())
}
