//! A PostgreSQL server of a test's own, where the programs are installed: its data and its socket lie in a
//! temporary folder, nothing listens on the network, and it ends with the test.

use std::{
    env, fs,
    os::unix::{fs::MetadataExt, fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{process::Process, wait::wait_until};

/// Where Debian and Ubuntu install each version.
const INSTALLED_UNDER: &str = "/usr/lib/postgresql";
/// The only port's number is part of the socket's name.
const SOCKET: &str = ".s.PGSQL.5432";
/// Where this is set, nothing may be left out because PostgreSQL is not there.
const REQUIRED: &str = "ASSAY_TEST_POSTGRES_REQUIRED";

/// A running server.
#[derive(Debug)]
pub struct PostgresServer {
    server: Process,
    start: Start,
    /// Where the log of this run begins.
    log_from: usize,
    folder: TempDir,
}

/// How it is started.
#[derive(Debug)]
struct Start {
    programs: PathBuf,
    account: Option<Account>,
    settings: Vec<String>,
}

/// The system's account that the server runs as when the test is root, which PostgreSQL refuses.
#[derive(Clone, Copy, Debug)]
struct Account {
    uid: u32,
    gid: u32,
}

impl PostgresServer {
    /// Starts one that forgets what it is told when the machine fails, which tests do not make it do;
    /// nothing when PostgreSQL is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start, or is not and `ASSAY_TEST_POSTGRES_REQUIRED` is set.
    pub async fn start() -> Option<Self> {
        // Tests beside each other share a server, with some connections each.
        Self::with(&["fsync=off", "max_connections=400"]).await
    }

    /// Starts one that keeps what it was told, as it is delivered.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub async fn durable() -> Option<Self> {
        Self::with(&[]).await
    }

    async fn with(settings: &[&str]) -> Option<Self> {
        let Some(programs) = installed() else {
            assert!(
                env::var_os(REQUIRED).is_none(),
                "PostgreSQL is not installed under {INSTALLED_UNDER}, and {REQUIRED} is set"
            );
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder for a server");
        let account = account_for(folder.path());
        if let Some(Account { uid, gid }) = account {
            chown(folder.path(), Some(uid), Some(gid)).expect("root gives its folders away");
        }
        let data = folder.path().join("data");
        let made = command(&programs.join("initdb"), folder.path(), account)
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"])
            .arg("--pgdata")
            .arg(&data)
            .stdout(Stdio::null())
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

        let settings = ["listen_addresses="].iter().chain(settings);
        let settings = settings.map(|setting| (*setting).to_owned()).collect();
        let start = Start { programs, account, settings };
        let server = start.server(folder.path());
        let mut server = Self { server, start, log_from: 0, folder };
        server.is_ready().await;
        Some(server)
    }

    /// SIGKILL to the server and all that it started.
    pub fn kill_nine(&mut self) {
        self.server.kill_nine();
    }

    /// Starts it again, after it was killed, on the same data; returns when it takes connections.
    pub async fn start_again(&mut self) {
        // Its children notice within moments that it is gone; until then they hold on to what it used.
        let locks = ["postmaster.pid"].map(|name| self.folder.path().join("data").join(name));
        locks.iter().for_each(|lock| drop(fs::remove_file(lock)));
        wait_until("PostgreSQL is there again", async || {
            if self.server.ended().is_some() {
                self.log_from = self.server.log().len();
                self.server = self.start.server(self.folder.path());
            }
            self.looks_ready().then_some(())
        })
        .await;
    }

    async fn is_ready(&mut self) {
        wait_until("PostgreSQL takes connections", async || {
            assert!(self.server.ended().is_none(), "PostgreSQL ended:\n{}", self.server.log_tail());
            self.looks_ready().then_some(())
        })
        .await;
    }

    fn looks_ready(&self) -> bool {
        let log = self.server.log();
        let run = log.get(self.log_from..).unwrap_or_default();
        run.contains("ready to accept connections") && self.folder.path().join(SOCKET).exists()
    }

    /// A new, empty database of this name: its url.
    pub async fn database(&self, name: &str) -> String {
        let mut create = command(&self.start.programs.join("createdb"), self.folder.path(), None);
        create.args(["--username=postgres", "--host"]).arg(self.folder.path()).arg(name);
        let made = create.output().expect("createdb runs");
        assert!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
        format!("postgres://postgres@localhost/{name}?host={}", self.folder.path().display())
    }

    /// `postgres://…` over its socket.
    pub fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.folder.path().display())
    }
}

impl Start {
    fn server(&self, folder: &Path) -> Process {
        let mut command = command(&self.programs.join("postgres"), folder, self.account);
        command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        Process::start("postgres", &folder.join("log"), &mut command)
    }
}

/// The newest version's folder of programs.
fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir(INSTALLED_UNDER).ok()?;
    let programs = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    programs.filter(|folder| folder.join("postgres").is_file()).max()
}

fn command(program: &Path, folder: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if let Some(Account { uid, gid }) = account {
        command.uid(uid).gid(gid);
    }
    command
}

/// The account `postgres`, when whoever made this folder is root.
fn account_for(folder: &Path) -> Option<Account> {
    let root = fs::metadata(folder).expect("a folder that was just made").uid() == 0;
    root.then(|| {
        let accounts = fs::read_to_string("/etc/passwd").expect("the system's accounts");
        let line = accounts.lines().find(|line| line.starts_with("postgres:"));
        let mut numbers = line.expect("an account `postgres`").split(':').skip(2);
        let mut number = || numbers.next()?.parse().ok();
        number().zip(number()).map(|(uid, gid)| Account { uid, gid }).expect("its numbers")
    })
}
