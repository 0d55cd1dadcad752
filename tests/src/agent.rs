//! The real node agent as a process: enrols, runs, and ends as a story wants it to.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use assay_protocol::NodeId;
use nix::sys::signal::Signal;
use serde::Deserialize;

use crate::{admin::Operator, binaries::binary, process::Process};

/// A `node-agent run` and the folder that it keeps its identity in.
#[derive(Debug)]
pub struct NodeAgent {
    pub id: NodeId,
    pub operator: Operator,
    folder: PathBuf,
    models: Vec<PathBuf>,
    process: Process,
}

/// The part of the identity file that a story needs.
#[derive(Deserialize)]
struct Enrolled {
    node_id: NodeId,
}

impl NodeAgent {
    /// `node-agent enrol`, then `node-agent run` on these models.
    ///
    /// # Panics
    /// When the enrolment fails.
    pub fn start(
        folder: &Path,
        models: &[PathBuf],
        gateway: &str,
        operator: Operator,
        token: &str,
    ) -> Self {
        std::fs::create_dir_all(folder).expect("a folder for a node");
        let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
        let enrolled = command(folder, "enrol")
            .args(["--gateway", gateway, "--token", token, "--name", &name])
            .output()
            .expect("node-agent enrol runs");
        let said = String::from_utf8_lossy(&enrolled.stderr);
        assert!(enrolled.status.success(), "node-agent enrol: {said}");
        let identity = std::fs::read(folder.join("data/identity.json")).expect("an identity");
        let Enrolled { node_id } = serde_json::from_slice(&identity).expect("an identity is JSON");
        let (process, models) = (run(folder, models), models.to_vec());
        Self { id: node_id, operator, process, models, folder: folder.to_owned() }
    }

    /// SIGKILL: leaves without a word.
    pub fn kill_nine(&mut self) {
        self.process.kill_nine();
    }

    /// SIGTERM: finish what runs, then leave.
    pub fn terminate(&mut self) {
        self.process.signal(Signal::SIGTERM);
    }

    /// How it ended by itself.
    pub async fn end(&mut self) -> ExitStatus {
        self.process.end().await
    }

    /// Runs it again with the same identity, after it ended.
    pub fn start_again(&mut self) {
        assert!(self.process.ended().is_some(), "the node still runs");
        self.process = run(&self.folder, &self.models);
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Everything it has printed.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn run(folder: &Path, models: &[PathBuf]) -> Process {
    let mut command = command(folder, "run");
    for model in models {
        command.arg("--model").arg(model);
    }
    Process::start("node-agent", &folder.join("node.log"), &mut command)
}

fn command(folder: &Path, verb: &str) -> Command {
    let mut command = Command::new(binary("node-agent"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ASSAY_") {
            command.env_remove(name);
        }
    }
    command.arg(verb).arg("--data-folder").arg(folder.join("data"));
    command.current_dir(folder).env("ASSAY_NODE_LOG", "info,assay_node_agent=debug");
    command
}
