//! The `node-agent` program.

use std::process::ExitCode;

use assay_node_agent::{AgentError, cli};

/// The gateway does not want this node back: a service manager should not restart it.
const EXIT_NOT_WANTED: u8 = 3;

fn main() -> ExitCode {
    let Err(error) = cli::main() else { return ExitCode::SUCCESS };
    eprintln!("node-agent: {error:#}");
    match error.downcast_ref() {
        Some(AgentError::NotWanted { .. }) => ExitCode::from(EXIT_NOT_WANTED),
        _ => ExitCode::FAILURE,
    }
}
