//! Steps with their times, and what each said at its end.

use std::time::Instant;

use anyhow::Context;
use clap::ValueEnum;

use crate::stop::Stopped;

/// A part of `cargo xtask test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Step {
    Format,
    Lints,
    Licences,
    Build,
    Tests,
    Docs,
    /// Money in, answers paid for, money out: as the demo tells it.
    Circle,
    Sdk,
    /// The console in a browser.
    Console,
}

impl Step {
    pub(super) const ALL: [Self; 9] = [
        Self::Format,
        Self::Lints,
        Self::Licences,
        Self::Build,
        Self::Tests,
        Self::Docs,
        Self::Circle,
        Self::Sdk,
        Self::Console,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Lints => "lints",
            Self::Licences => "licences",
            Self::Build => "build",
            Self::Tests => "tests",
            Self::Docs => "docs",
            Self::Circle => "circle",
            Self::Sdk => "sdk",
            Self::Console => "console",
        }
    }
}

/// How a step ended well.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The summary lines of its test runners.
    lines: Vec<String>,
    /// Why nothing was done.
    skipped: Option<String>,
}

impl Done {
    pub(super) fn silently() -> Self {
        Self::default()
    }

    pub(super) fn with(lines: Vec<String>) -> Self {
        Self { lines, skipped: None }
    }

    pub(super) fn skipped(reason: String) -> Self {
        Self { lines: Vec::new(), skipped: Some(reason) }
    }
}

/// The steps that are wanted, and those that are done.
#[derive(Debug)]
pub(super) struct Steps {
    wanted: Vec<Step>,
    began: Instant,
    done: Vec<(Step, f64, Done)>,
}

impl Steps {
    pub(super) fn new(wanted: Vec<Step>) -> Self {
        Self { wanted, began: Instant::now(), done: Vec::new() }
    }

    /// Does the step if it is wanted.
    ///
    /// # Errors
    /// Its own, with its name.
    pub(super) fn run(
        &mut self,
        step: Step,
        work: impl FnOnce() -> anyhow::Result<Done>,
    ) -> anyhow::Result<()> {
        if !self.wanted.contains(&step) {
            return Ok(());
        }
        let name = step.name();
        println!("── {name}");
        let began = Instant::now();
        let done = match work() {
            Err(error) if error.is::<Stopped>() => return Err(error),
            done => done.with_context(|| {
                format!("step `{name}` failed after {:.1} s", began.elapsed().as_secs_f64())
            })?,
        };
        let seconds = began.elapsed().as_secs_f64();
        match &done.skipped {
            Some(reason) => println!("── {name} skipped: {reason}"),
            None => println!("── {name} ok in {seconds:.1} s"),
        }
        self.done.push((step, seconds, done));
        Ok(())
    }

    /// Says what was done; the test runners' own summaries come last.
    pub(super) fn close(self) {
        println!("\nall well in {:.0} s:", self.began.elapsed().as_secs_f64());
        for (step, seconds, done) in &self.done {
            let skipped = if done.skipped.is_some() { "  (skipped)" } else { "" };
            println!("  {:<9}{seconds:>7.1} s{skipped}", step.name());
        }
        for line in self.done.iter().flat_map(|(_, _, done)| &done.lines) {
            println!("{line}");
        }
    }
}
