//! Puts the layers of settings over each other: defaults, file, environment, flags.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, ModelSettings};

/// Sections that `ASSAY_<SECTION>_<KEY>` may name. Models are given by file or `--model`.
const SECTIONS: [&str; 12] = [
    "gateway",
    "rate_limit",
    "limits",
    "admin",
    "log",
    "serving",
    "nodes",
    "verification",
    "economy",
    "payments",
    "receipts",
    "payouts",
];
/// Variables that are no setting of the file.
const NOT_SETTINGS: [&str; 1] = ["ASSAY_ADMIN_SECRET"];

/// Why there are no usable settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{origin} is not valid: {source}")]
    Parse { origin: String, source: toml::de::Error },
    #[error("`{0}` is not a setting; write section.key=value")]
    NotASetting(String),
    #[error("{key}: {reason}")]
    Value { key: &'static str, reason: &'static str },
}

/// What each source says; later fields win.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    pub file: Option<PathBuf>,
    /// `(name, value)` of the environment.
    pub environment: Vec<(String, String)>,
    /// `section.key=value`, from flags.
    pub set: Vec<String>,
    /// Model folders; when there are any, they take the place of the file's list.
    pub models: Vec<PathBuf>,
}

impl Layers {
    /// Reads and checks the settings.
    pub fn read(&self) -> Result<Config, ConfigError> {
        let mut table = match &self.file {
            Some(path) => read_file(path)?,
            None => Table::new(),
        };
        for (name, value) in &self.environment {
            if let Some((section, key)) = setting_of_variable(name) {
                put(&mut table, section, &key, value);
            }
        }
        for text in &self.set {
            let (section, key, value) =
                split_setting(text).ok_or_else(|| ConfigError::NotASetting(text.clone()))?;
            put(&mut table, section, key, value);
        }
        let mut config: Config = table
            .try_into()
            .map_err(|source| ConfigError::Parse { origin: self.origin(), source })?;
        if !self.models.is_empty() {
            config.models = self.models.iter().cloned().map(ModelSettings::at).collect();
        }
        config.check()?;
        Ok(config)
    }

    fn origin(&self) -> String {
        match &self.file {
            Some(path) => format!("{} with the environment and flags over it", path.display()),
            None => "the environment or a flag".to_owned(),
        }
    }
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    text.parse().map_err(|source| ConfigError::Parse { origin: path.display().to_string(), source })
}

/// `ASSAY_RATE_LIMIT_BURST` is `("rate_limit", "burst")`.
fn setting_of_variable(name: &str) -> Option<(&'static str, String)> {
    if NOT_SETTINGS.contains(&name) {
        return None;
    }
    let rest = name.strip_prefix("ASSAY_")?.to_ascii_lowercase();
    SECTIONS.iter().find_map(|section| {
        let key = rest.strip_prefix(section)?.strip_prefix('_')?;
        Some((*section, key.to_owned()))
    })
}

fn split_setting(text: &str) -> Option<(&str, &str, &str)> {
    let (path, value) = text.split_once('=')?;
    let (section, key) = path.trim().split_once('.')?;
    SECTIONS.contains(&section).then_some((section, key, value.trim()))
}

/// The value is TOML where it reads as TOML (`5`, `true`, `[1]`), else a plain string.
fn put(table: &mut Table, section: &str, key: &str, value: &str) {
    let value = format!("v = {value}")
        .parse::<Table>()
        .ok()
        .filter(|parsed| parsed.len() == 1)
        .and_then(|mut parsed| parsed.remove("v"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn flags_go_over_the_environment_and_that_over_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "[rate_limit]\nper_second = 1\nburst = 1\nlogins_per_minute = 1\n",
        )
        .unwrap();
        let config = Layers {
            file: Some(file.path().to_owned()),
            environment: vec![
                pair("ASSAY_RATE_LIMIT_PER_SECOND", "2"),
                pair("ASSAY_RATE_LIMIT_BURST", "2"),
                pair("ASSAY_ADMIN_SECRET", "not a setting"),
                pair("PATH", "/bin"),
            ],
            set: vec!["rate_limit.burst=3".to_owned(), "gateway.public_name=North".to_owned()],
            models: vec!["m".into()],
        }
        .read()
        .unwrap();
        let rate = config.rate_limit;
        assert_eq!((rate.logins_per_minute, rate.per_second, rate.burst), (1, 2, 3));
        assert_eq!(config.gateway.public_name, "North");
        assert_eq!(config.models, [ModelSettings::at("m".into())]);
    }

    #[test]
    fn a_misspelt_setting_is_refused_wherever_it_stands() {
        let of = |environment, set| Layers { environment, set, ..Layers::default() }.read();
        assert!(of(vec![pair("ASSAY_LOG_JSONN", "true")], vec![]).is_err());
        assert!(of(vec![], vec!["log.jsonn=true".to_owned()]).is_err());
        assert!(of(vec![], vec!["logs.json=true".to_owned()]).is_err());
        assert!(of(vec![], vec!["log.json=true".to_owned()]).is_ok());
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        let set = vec!["rate_limit.per_second=0".to_owned()];
        assert!(matches!(
            Layers { set, ..Layers::default() }.read(),
            Err(ConfigError::Value { key: "rate_limit.per_second", .. })
        ));
    }

    /// Lines of the example that start with `#key` or `#[` are settings; `# text` is prose.
    #[test]
    fn the_example_file_shows_every_default() {
        let example = include_str!("../../gateway.example.toml");
        let text: String = example
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with([' ', '#']) => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let shown: Table = text.parse().expect("the example is TOML when its defaults are on");
        let mut defaults = Table::try_from(Config::default()).expect("the defaults are TOML");
        defaults.remove("models");
        assert_eq!(shown, defaults);
    }
}
