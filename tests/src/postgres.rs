//! A PostgreSQL server of a test's own, where the programs are installed: its data and its socket lie in a
//! temporary folder, nothing listens on the network, and it ends with the test.

use std::{
    fs,
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

/// A running server.
#[derive(Debug)]
pub struct PostgresServer {
    _server: Process,
    folder: TempDir,
}

/// The system's account that the server runs as when the test is root, which PostgreSQL refuses.
#[derive(Clone, Copy, Debug)]
struct Account {
    uid: u32,
    gid: u32,
}

impl PostgresServer {
    /// Starts one; nothing when PostgreSQL is not installed.
    ///
    /// # Panics
    /// When it is installed and does not start.
    pub async fn start() -> Option<Self> {
        let programs = installed()?;
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

        let mut command = command(&programs.join("postgres"), folder.path(), account);
        command.arg("-D").arg(&data).arg("-k").arg(folder.path());
        command.args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        let mut server = Process::start("postgres", &folder.path().join("log"), &mut command);
        wait_until("PostgreSQL takes connections", async || {
            assert!(server.ended().is_none(), "PostgreSQL ended:\n{}", server.log_tail());
            let ready = server.log().contains("ready to accept connections");
            (ready && folder.path().join(SOCKET).exists()).then_some(())
        })
        .await;
        Some(Self { _server: server, folder })
    }

    /// `postgres://…` over its socket.
    pub fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.folder.path().display())
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
