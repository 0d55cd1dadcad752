//! Starts the demo's gateway, and waits until it answers.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    time::Duration,
};

use anyhow::{Context, ensure};

use super::{DataFolder, Settings};
use crate::{binaries::Binaries, http::Http, paths, poll, process::Process, stop::Stop};

/// A gateway answers within a second; a busy machine takes longer.
const START_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A gateway that answers.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) url: String,
    pub(super) admin_secret: String,
    pub(super) process: Process,
}

impl Gateway {
    pub(super) fn start(
        settings: &Settings,
        checkout: Vec<(String, String)>,
        binaries: &Binaries,
        data: &DataFolder,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let port = free_port(settings.port)?;
        let admin_secret = random_hex()?;
        let mut serve = binaries.command("gateway")?;
        serve.arg("serve");
        if let Some(file) = &settings.config {
            serve.arg("--config").arg(file);
        }
        if !names_models(settings.config.as_deref())? {
            serve.arg("--model").arg(paths::demo_model());
            serve.arg("--model").arg(paths::embedder_model());
        }
        serve
            .env("ASSAY_ADMIN_SECRET", &admin_secret)
            .env("ASSAY_GATEWAY_LISTEN", format!("127.0.0.1:{port}"))
            .env("ASSAY_GATEWAY_DATA_DIR", data.folder("gateway")?)
            .envs(checkout)
            .envs(settings.gateway_env.iter().map(|(name, value)| (name, value)));
        let log = data.path().join("gateway.log");
        let mut process = Process::start("the gateway", &mut serve, &log)?;
        let url = format!("http://127.0.0.1:{port}");
        wait(&url, &mut process, stop)?;
        Ok(Self { url, admin_secret, process })
    }
}

fn wait(url: &str, process: &mut Process, stop: &Stop) -> anyhow::Result<()> {
    let http = Http::new();
    let health = format!("{url}/healthz");
    let ready = poll::until(START_MAX, LOOK_EVERY, stop, || {
        process.must_run()?;
        Ok(http.get(&health, "").ok().filter(|answer| answer.is_ok()))
    })?;
    ready.with_context(|| format!("the gateway does not answer on {url}:\n{}", process.tail()))?;
    // Had somebody else held the port, it would be them who answer, and ours would end.
    process.must_run()
}

/// The wanted port, or any, if nobody listens there now.
pub(super) fn free_port(wanted: Option<u16>) -> anyhow::Result<u16> {
    let port = wanted.unwrap_or(0);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port} cannot be had"))?;
    Ok(listener.local_addr()?.port())
}

/// Whether this configuration has models of its own.
fn names_models(config: Option<&Path>) -> anyhow::Result<bool> {
    let Some(file) = config else { return Ok(false) };
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.lines().any(|line| line.trim_start().starts_with("[[models]]")))
}

/// 40 hex digits that nobody guesses.
fn random_hex() -> anyhow::Result<String> {
    use std::{fmt::Write, io::Read};
    let mut bytes = [0_u8; 20];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes).context("the system's randomness")?;
    ensure!(bytes != [0; 20], "the system's randomness is all zero");
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}
