//! `gateway audit`: exits with 0 when the books are clean, with 1 when something is wrong.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::command_line;
use crate::{
    audit::audit,
    config::Config,
    db::{Db, ledger_state},
};

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct AuditFlags {
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Where the books are clean, let withdrawals go on that a self-audit stopped.
    #[arg(long)]
    allow_withdrawals: bool,
}

pub(super) async fn run(config: Config, flags: AuditFlags) -> anyhow::Result<ExitCode> {
    let folder = config.gateway.data_dir.display();
    let db = Db::open(&config.gateway.database_url()).await.with_context(|| {
        format!("cannot open the database (--data-dir is {folder}; --database-url names another)")
    })?;
    let report = audit(&db).await?;
    if flags.allow_withdrawals && report.is_clean() {
        ledger_state::allow_withdrawals(&db, &command_line()).await?;
    }
    db.close().await;
    match flags.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => println!("{report}"),
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
