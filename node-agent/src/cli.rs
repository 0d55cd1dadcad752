//! The command line: `enrol`, `run`, `fetch-runtime`, `config`.

use std::{io::IsTerminal, path::PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::{
    Agent, Config, Identity, Slots,
    config::{EXAMPLE, LogFormat, ModelSection, ProviderName},
    enrol::{Enrolment, enrol},
    hardware, identity,
    shutdown::{Shutdown, on_signals},
};

/// Serve language models for an Assay gateway.
#[derive(Debug, Parser)]
#[command(name = "node-agent", version)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Common {
    /// Configuration file; `node-agent config` prints one with every default.
    #[arg(long, global = true, env = "ASSAY_NODE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where key and identity are kept.
    #[arg(long, global = true, env = "ASSAY_NODE_DATA_FOLDER", value_name = "FOLDER")]
    data_folder: Option<PathBuf>,
    /// What is logged: a level, or a filter.
    #[arg(long, global = true, env = "ASSAY_NODE_LOG", value_name = "FILTER")]
    log: Option<String>,
    #[arg(long, global = true, env = "ASSAY_NODE_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// The ONNX Runtime library to use.
    #[arg(long, global = true, env = "ASSAY_NODE_RUNTIME_LIBRARY", value_name = "FILE")]
    runtime_library: Option<PathBuf>,
    /// Where fetched libraries are kept.
    #[arg(long, global = true, env = "ASSAY_NODE_CACHE_FOLDER", value_name = "FOLDER")]
    cache_folder: Option<PathBuf>,
    /// Whether a missing library may be fetched.
    #[arg(long, global = true, env = "ASSAY_NODE_FETCH", value_name = "BOOL")]
    fetch: Option<bool>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Register this machine with a gateway, by an operator's one-time token.
    Enrol {
        /// Address of the gateway, for example https://gateway.example
        #[arg(long, env = "ASSAY_NODE_GATEWAY", value_name = "URL")]
        gateway: String,
        #[arg(long, env = "ASSAY_NODE_TOKEN", hide_env_values = true)]
        token: String,
        /// What people call this node; the machine's name when left out.
        #[arg(long, env = "ASSAY_NODE_NAME")]
        name: Option<String>,
    },
    /// Connect to the gateway and do jobs until told to stop.
    Run(RunFlags),
    /// Find or fetch the ONNX Runtime library and print its path.
    FetchRuntime {
        /// The build for CUDA.
        #[arg(long)]
        cuda: bool,
    },
    /// Print the configuration file with every default.
    Config,
}

#[derive(Debug, Default, Args)]
struct RunFlags {
    /// Model folders, instead of those in the file.
    #[arg(long, env = "ASSAY_NODE_MODELS", value_delimiter = ',', value_name = "FOLDER")]
    model: Vec<PathBuf>,
    /// Jobs at once, for each model.
    #[arg(long, env = "ASSAY_NODE_SLOTS")]
    slots: Option<u32>,
    /// Threads of one slot.
    #[arg(long, env = "ASSAY_NODE_THREADS")]
    threads: Option<usize>,
    #[arg(long, env = "ASSAY_NODE_EXECUTION_PROVIDER", value_name = "NAME")]
    execution_provider: Option<ProviderName>,
    /// Number of the CUDA device.
    #[arg(long, env = "ASSAY_NODE_DEVICE")]
    device: Option<i32>,
    /// How long running jobs may take after a shutdown was asked for.
    #[arg(long, env = "ASSAY_NODE_DRAIN_MS")]
    drain_ms: Option<u64>,
}

/// Reads the command line and does what it says.
pub fn main() -> anyhow::Result<()> {
    let Cli { common, command } = Cli::parse();
    let mut config = Config::load(common.config.as_deref())?;
    common.lay_over(&mut config);
    match command {
        Command::Config => print!("{EXAMPLE}"),
        Command::FetchRuntime { cuda } => {
            start_log(&config)?;
            let runtime = assay_engine::RuntimeConfig { cuda, ..config.runtime() };
            println!("{}", assay_engine::locate_or_fetch(&runtime)?.display());
        }
        Command::Enrol { gateway, token, name } => {
            let wanted = Enrolment { gateway_url: &gateway, token: &token, name: name.as_deref() };
            let folder = config.data_folder();
            let identity = block_on(enrol(&wanted, &folder, new_seed()?))?;
            println!("enrolled as node {} of gateway {}", identity.node, identity.gateway_id);
        }
        Command::Run(flags) => {
            flags.lay_over(&mut config);
            start_log(&config)?;
            run(&config)?;
        }
    }
    Ok(())
}

fn run(config: &Config) -> anyhow::Result<()> {
    // Two agents with one identity would push each other out for ever.
    let _alone = identity::lock(&config.data_folder())?;
    let identity = Identity::load(&config.data_folder())?;
    ensure!(
        !config.models.is_empty(),
        "no model to serve: add a [[models]] table to the configuration, or --model FOLDER"
    );
    let runtime = assay_engine::Runtime::load(&config.runtime())?;
    let slots = Slots::open(&runtime, &config.models)?;
    let (ask, shutdown) = watch::channel(Shutdown::No);
    let agent = Agent { identity, slots, hardware: hardware::read(), drain_ms: config.drain_ms };
    block_on(async {
        tokio::select! {
            ended = agent.run(shutdown) => ended.map_err(anyhow::Error::from),
            failed = on_signals(ask) => failed.context("signals cannot be received"),
        }
    })
}

/// One thread is enough: the session is one loop, and the engines have threads of their own.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

fn new_seed() -> anyhow::Result<[u8; 32]> {
    use rand::TryRngCore;
    let mut seed = [0; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut seed).context("the system gives no randomness")?;
    Ok(seed)
}

fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log).context("the log filter")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => {
            log.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
        }
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

impl Common {
    fn lay_over(self, config: &mut Config) {
        lay(&mut config.data_folder, self.data_folder);
        lay(&mut config.log, self.log);
        lay(&mut config.log_format, self.log_format);
        lay(&mut config.runtime.library, self.runtime_library);
        lay(&mut config.runtime.cache_folder, self.cache_folder);
        lay(&mut config.runtime.fetch, self.fetch);
    }
}

impl RunFlags {
    fn lay_over(self, config: &mut Config) {
        lay(&mut config.drain_ms, self.drain_ms);
        if !self.model.is_empty() {
            let section = |folder| ModelSection { folder, ..ModelSection::default() };
            config.models = self.model.into_iter().map(section).collect();
        }
        for model in &mut config.models {
            lay(&mut model.slots, self.slots);
            lay(&mut model.threads, self.threads);
            lay(&mut model.execution_provider, self.execution_provider);
            lay(&mut model.device, self.device);
        }
    }
}

fn lay<T>(setting: &mut T, over: Option<T>) {
    if let Some(value) = over {
        *setting = value;
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_go_over_the_file() {
        let mut config: Config =
            toml::from_str("drain_ms = 5\n[[models]]\nfolder = 'a'\nthreads = 3").unwrap();
        RunFlags { slots: Some(2), ..RunFlags::default() }.lay_over(&mut config);
        assert_eq!(config.models[0].slots, 2);
        assert_eq!(config.models[0].threads, 3, "what no flag names stays");
        let model = vec!["b".into()];
        RunFlags { model, drain_ms: Some(7), ..RunFlags::default() }.lay_over(&mut config);
        assert_eq!(config.drain_ms, 7);
        let section = ModelSection { folder: "b".into(), ..ModelSection::default() };
        assert_eq!(config.models, [section]);
    }
}
