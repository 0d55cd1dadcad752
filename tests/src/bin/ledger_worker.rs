//! Moves money until it is killed: what the tests of crashes start.

use assay_tests::ledger::worker::Work;
use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Work::parse().run().await
}
