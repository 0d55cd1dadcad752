//! What a benchmark found out, as a table and as JSON.

use std::{fmt, fs, path::Path};

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};

/// The version of the JSON's shape: keys are added, never renamed.
const FORMAT: &str = "assay-bench/1";

/// Results by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
    errors: u64,
}

#[derive(Clone, Debug)]
struct Row {
    key: &'static str,
    value: f64,
    unit: &'static str,
}

impl Report {
    /// Adds a result. The key says the unit as well, for those who read the JSON.
    pub(super) fn add(&mut self, key: &'static str, value: f64, unit: &'static str) {
        self.rows.push(Row { key, value, unit });
    }

    /// Adds how many requests failed; a benchmark with errors has failed.
    pub(super) fn add_errors(&mut self, errors: u64) {
        self.errors = errors;
    }

    /// Writes `{"format", "bench", "errors", "results": {key: number}}`.
    pub(super) fn write(&self, bench: &str, path: &Path) -> anyhow::Result<()> {
        let results: Map<String, Value> =
            self.rows.iter().map(|row| (row.key.to_owned(), rounded(row.value).into())).collect();
        let report =
            json!({ "format": FORMAT, "bench": bench, "errors": self.errors, "results": results });
        fs::write(path, format!("{report:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// # Errors
    /// Some requests failed: then the numbers mean nothing.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(self.errors == 0, "{} requests failed", self.errors);
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(f, "  {:<24}{:>12} {}", row.key, rounded(row.value), row.unit)?;
        }
        write!(f, "  {:<24}{:>12}", "errors", self.errors)
    }
}

/// Three decimals: nothing here is known better.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
