//! Builds our binaries, and knows where cargo put them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use serde_json::Value;

use crate::{
    command::{cargo, output},
    stop::Stop,
};

/// How they are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// Where each binary is.
#[derive(Clone, Debug)]
pub(crate) struct Binaries(HashMap<String, PathBuf>);

impl Binaries {
    /// Builds all of the workspace's binaries but this one.
    pub(crate) fn build(profile: Profile, stop: &Stop) -> anyhow::Result<Self> {
        let mut build = cargo(["build", "--workspace", "--exclude", "xtask", "--bins"]);
        build.arg("--message-format=json-render-diagnostics");
        if profile == Profile::Release {
            build.arg("--release");
        }
        let messages = output(&mut build, stop).context("the binaries do not build")?;
        Ok(Self(messages.lines().filter_map(executable).collect()))
    }

    /// The binary of this name.
    pub(crate) fn path(&self, name: &str) -> anyhow::Result<&Path> {
        let path = self.0.get(name).map(PathBuf::as_path);
        path.with_context(|| format!("the workspace has no binary `{name}`"))
    }

    /// A command of that binary. Our own variables are taken from its environment: what a demo does
    /// must not depend on who starts it.
    pub(crate) fn command(&self, name: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(self.path(name)?);
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("ASSAY_") {
                command.env_remove(variable);
            }
        }
        Ok(command)
    }
}

/// `(name, path)` of a binary that this message of cargo is about.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = PathBuf::from(message.get("executable")?.as_str()?);
    Some((message["target"]["name"].as_str()?.to_owned(), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_about_binaries_count() {
        let message = r#"{"reason":"compiler-artifact","target":{"name":"gateway"},"executable":"/t/gateway"}"#;
        assert_eq!(executable(message), Some(("gateway".to_owned(), "/t/gateway".into())));
        assert_eq!(executable(r#"{"target":{"name":"ledger"},"executable":null}"#), None);
        assert_eq!(executable("warning: something"), None);
    }
}
