//! A PostgreSQL server for a run of tests: prints its url, and ends when its input does. Prints nothing where
//! PostgreSQL is not installed.

use std::io::{Read, Write};

use assay_tests::postgres::PostgresServer;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(server) = PostgresServer::start().await else { return Ok(()) };
    println!("{}", server.url());
    std::io::stdout().flush()?;
    // Whoever started this ends, however it ends: then so does the server.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(server);
    Ok(())
}
