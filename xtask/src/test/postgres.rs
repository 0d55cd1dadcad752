//! A PostgreSQL server for the tests of the store, which run on both engines.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use anyhow::Context;

use crate::binaries::Binaries;

/// Runs until it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    url: String,
    program: Child,
}

impl Server {
    /// Starts one; nothing where PostgreSQL is not installed.
    pub(super) fn start(binaries: &Binaries) -> anyhow::Result<Option<Self>> {
        let mut command = binaries.command("postgres-server")?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = command.spawn().context("cannot start postgres-server")?;
        let mut url = String::new();
        let output = program.stdout.take().context("it prints its url")?;
        BufReader::new(output).read_line(&mut url)?;
        let server = Self { url: url.trim().to_owned(), program };
        Ok((!server.url.is_empty()).then_some(server))
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

/// It ends when its input does.
impl Drop for Server {
    fn drop(&mut self) {
        drop(self.program.stdin.take());
        let _ = self.program.wait();
    }
}
