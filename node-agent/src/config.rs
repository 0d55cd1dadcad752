//! The configuration: one file, environment over it, flags over both.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use assay_engine::{EngineConfig, ExecutionProvider, RuntimeConfig};
use serde::{Deserialize, Serialize};

/// The shipped file, with every default in a comment; `node-agent config` prints it.
/// What `XDG_DATA_HOME` stands for where it is not set.
const DATA_HOME: &str = "~/.local/share";

pub const EXAMPLE: &str = include_str!("../node-agent.example.toml");

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where key and identity are kept; `~` is the home folder.
    pub data_folder: PathBuf,
    /// What is logged, as a filter of `tracing`.
    pub log: String,
    pub log_format: LogFormat,
    /// How long running jobs may take after a shutdown was asked for.
    pub drain_ms: u64,
    pub runtime: RuntimeSection,
    /// What this node serves.
    pub models: Vec<ModelSection>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

/// Where ONNX Runtime comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSection {
    /// The library file; empty to search for it.
    pub library: PathBuf,
    /// Where fetched libraries are kept; empty for the user's cache folder.
    pub cache_folder: PathBuf,
    /// Whether a missing library may be fetched.
    pub fetch: bool,
}

/// One model folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSection {
    pub folder: PathBuf,
    /// Jobs at once; each slot holds the weights in memory.
    pub slots: u32,
    /// Threads of one slot.
    pub threads: usize,
    pub execution_provider: ProviderName,
    /// Number of the CUDA device.
    pub device: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ProviderName {
    Cpu,
    Cuda,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_folder: Path::new(DATA_HOME).join("assay-node"),
            log: "info".into(),
            log_format: LogFormat::Text,
            drain_ms: 120_000,
            runtime: RuntimeSection::default(),
            models: Vec::new(),
        }
    }
}

impl Default for RuntimeSection {
    fn default() -> Self {
        Self { library: PathBuf::new(), cache_folder: PathBuf::new(), fetch: true }
    }
}

impl Default for ModelSection {
    fn default() -> Self {
        Self {
            folder: "model/demo".into(),
            slots: 1,
            threads: 1,
            execution_provider: ProviderName::Cpu,
            device: 0,
        }
    }
}

impl Config {
    /// Reads a file; without one, the defaults.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{}", file.display()))
    }

    /// The data folder with `~` resolved; where the default one is below what `XDG_DATA_HOME` says, if that is set.
    pub fn data_folder(&self) -> PathBuf {
        let data =
            env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        if let (Ok(rest), Some(data)) = (self.data_folder.strip_prefix(DATA_HOME), data) {
            return data.join(rest);
        }
        match (self.data_folder.strip_prefix("~"), env::var_os("HOME")) {
            (Ok(rest), Some(home)) => Path::new(&home).join(rest),
            _ => self.data_folder.clone(),
        }
    }

    /// What the engine needs to know about its library.
    pub fn runtime(&self) -> RuntimeConfig {
        let set = |path: &PathBuf| Some(path.clone()).filter(|path| !path.as_os_str().is_empty());
        RuntimeConfig {
            library: set(&self.runtime.library),
            cache_dir: set(&self.runtime.cache_folder),
            fetch: self.runtime.fetch,
            cuda: self.models.iter().any(|model| model.execution_provider == ProviderName::Cuda),
        }
    }
}

impl ModelSection {
    /// What the engine needs to know about one slot.
    pub fn engine(&self) -> EngineConfig {
        let execution_provider = match self.execution_provider {
            ProviderName::Cpu => ExecutionProvider::Cpu,
            ProviderName::Cuda => ExecutionProvider::Cuda { device: self.device },
        };
        EngineConfig { execution_provider, threads: self.threads, ..EngineConfig::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example with its settings switched on: `#key` is a setting, `# Word` a sentence.
    fn switched_on() -> String {
        let setting = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line != "#";
        let lines = EXAMPLE.lines().map(|line| if setting(line) { &line[1..] } else { line });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_shipped_file_shows_every_setting_with_its_default() {
        let everything = Config { models: vec![ModelSection::default()], ..Config::default() };
        let shown: toml::Table = toml::from_str(&switched_on()).unwrap();
        let real = toml::Table::try_from(&everything).unwrap();
        assert_eq!(shown, real);
    }

    #[test]
    fn the_shipped_file_changes_nothing_as_it_is() {
        assert_eq!(toml::from_str::<Config>(EXAMPLE).unwrap(), Config::default());
    }

    #[test]
    fn a_misspelt_setting_is_an_error() {
        assert!(toml::from_str::<Config>("data_foldr = 'x'").is_err());
        assert!(toml::from_str::<Config>("[[models]]\nslot = 2").is_err());
    }
}
