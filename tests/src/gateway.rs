//! The gateway under test: the real program on SQLite in a folder of its own, on a free port.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    binaries::{binary, demo_model},
    money::PRICE,
    process::Process,
    wait::wait_until,
};

/// How the stories log in; a gateway of the stories lives for seconds, on loopback.
pub const ADMIN_SECRET: &str = "as-00000000000000000000000000000000000000000000000000";
/// Somebody else may take a port between our look and the gateway's; then another is tried.
const PORTS_TRIED_MAX: usize = 5;
/// Settings in the environment of whoever runs the stories are not the stories' own.
const VARIABLES: &str = "ASSAY_";

/// A gateway process and everything that it keeps.
#[derive(Debug)]
pub struct Gateway {
    folder: PathBuf,
    port: u16,
    process: Process,
}

impl Gateway {
    /// Starts one in `folder`, with `settings` (TOML) over the stories' own, and waits until it is ready.
    pub async fn start(folder: &Path, settings: &str) -> Self {
        for _ in 0..PORTS_TRIED_MAX {
            let port = free_port();
            fs::write(folder.join("gateway.toml"), config(folder, port, settings))
                .expect("the configuration is written");
            let mut gateway = Self { process: serve(folder), folder: folder.to_owned(), port };
            if gateway.ready().await {
                return gateway;
            }
            let log = gateway.process.log();
            assert!(log.contains("in use"), "the gateway ended before it was ready:\n{log}");
        }
        panic!("no port is free");
    }

    /// `http://127.0.0.1:…`
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Everything it has printed, over all its runs.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill_nine(&mut self) {
        self.process.kill_nine();
    }

    /// SIGTERM: asks it to end in good order.
    pub fn terminate(&mut self) {
        self.process.signal(Signal::SIGTERM);
    }

    /// How it ended by itself.
    pub async fn end(&mut self) -> ExitStatus {
        self.process.end().await
    }

    /// Runs it again, after it ended, on the same data and port.
    pub async fn start_again(&mut self) {
        assert!(self.process.ended().is_some(), "the gateway still runs");
        self.process = serve(&self.folder);
        assert!(self.ready().await, "the gateway did not start again");
    }

    /// A second `gateway serve` on the same data, on a port of its own. Whoever starts one expects it to end.
    pub fn rival(&self) -> Process {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = command(&self.folder, "serve");
        Process::start(
            "rival gateway",
            &self.folder.join("rival.log"),
            command.args(["--listen", &listen]),
        )
    }

    /// `gateway audit` on its data: whether it is clean, and what it says.
    pub fn audit(&self) -> (bool, String) {
        audited(&mut command(&self.folder, "audit"))
    }

    /// The same with `--allow-withdrawals`.
    pub fn allow_withdrawals(&self) -> (bool, String) {
        audited(command(&self.folder, "audit").arg("--allow-withdrawals"))
    }

    /// Waits until it is ready; false when it ended before.
    async fn ready(&mut self) -> bool {
        let client = reqwest::Client::new();
        let url = format!("{}/readyz", self.url());
        wait_until("the gateway is ready", async || {
            if self.process.ended().is_some() {
                return Some(false);
            }
            let answer = client.get(&url).timeout(Duration::from_secs(2)).send().await;
            answer.is_ok_and(|answer| answer.status().is_success()).then_some(true)
        })
        .await
    }
}

fn audited(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("the audit runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn serve(folder: &Path) -> Process {
    Process::start("gateway", &folder.join("gateway.log"), &mut command(folder, "serve"))
}

fn command(folder: &Path, verb: &str) -> Command {
    let mut command = Command::new(binary("gateway"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with(VARIABLES) {
            command.env_remove(name);
        }
    }
    command.arg(verb).arg("--config").arg(folder.join("gateway.toml"));
    command.current_dir(folder).env("ASSAY_ADMIN_SECRET", ADMIN_SECRET);
    command
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// The stories' settings. Nodes get all the time they may need on a busy machine: where a story is about
/// a time limit, it says so in its own settings. They serve without a self-test, since many stories have no
/// scorer; those about it turn it on.
fn config(folder: &Path, port: u16, settings: &str) -> String {
    let mut config: toml::Table = format!(
        r#"
        [gateway]
        listen = "127.0.0.1:{port}"
        data_dir = '{data}'

        [serving]
        first_token_ms = 60000
        stall_ms = 60000
        straggler_ms = 60000
        scorer_wait_ms = 60000

        [nodes]
        self_test = false

        [rate_limit]
        logins_per_minute = 1000
        enrolments_per_minute = 1000

        [[models]]
        dir = '{model}'
        price_input_nano_usd_per_mtok = {input}
        price_output_nano_usd_per_mtok = {output}
        "#,
        data = folder.join("data").display(),
        model = demo_model().display(),
        input = PRICE.input,
        output = PRICE.output,
    )
    .parse()
    .expect("the stories' settings are TOML");
    lay_over(&mut config, settings.parse().expect("a story's settings are TOML"));
    config.to_string()
}

fn lay_over(config: &mut toml::Table, settings: toml::Table) {
    for (section, keys) in settings {
        match (config.get_mut(&section), keys) {
            (Some(toml::Value::Table(below)), toml::Value::Table(keys)) => below.extend(keys),
            (_, keys) => drop(config.insert(section, keys)),
        }
    }
}
