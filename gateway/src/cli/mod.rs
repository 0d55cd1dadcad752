//! What can be asked of the program, one module for each.

mod audit;
mod key;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    app,
    auth::AdminSecret,
    clock,
    config::{Config, Layers},
    db::{Actor, Db},
    router,
};

/// Serves language models from strangers' machines, and checks what they answer.
#[derive(Debug, Parser)]
#[command(name = "gateway", version)]
pub struct Cli {
    #[command(flatten)]
    settings: SettingFlags,
    #[command(subcommand)]
    command: Command,
}

/// Settings: these flags go over `ASSAY_<SECTION>_<KEY>`, and that over the file.
#[derive(Debug, Args)]
struct SettingFlags {
    /// The settings file; gateway.example.toml shows everything that can stand in it.
    #[arg(long, global = true, env = "ASSAY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on.
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Folder of the gateway's key and, by default, its database.
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// `sqlite:FILE` or `postgres://…`.
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// A model's folder, at the default prices; takes the place of the file's models. May be repeated.
    #[arg(
        long = "model",
        global = true,
        env = "ASSAY_MODEL",
        value_delimiter = ',',
        value_name = "DIR"
    )]
    models: Vec<PathBuf>,
    /// Any other setting. May be repeated.
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C.
    Serve,
    /// Make the database, or bring it up to date.
    Migrate,
    /// Print the OpenAPI document.
    Openapi,
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Make a new admin secret and print it: the old one opens nothing any more, and all sessions of admins end, at every
    /// gateway on this database.
    AdminSecret,
    /// Replay all money and check it; exits with 1 when something is wrong.
    Audit(audit::AuditFlags),
}

/// Does what was asked; errors go to standard error in one line.
pub fn run(cli: Cli) -> ExitCode {
    match try_run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("gateway: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn try_run(cli: Cli) -> anyhow::Result<ExitCode> {
    let settings = cli.settings;
    let config = move || settings.layers().read();
    match cli.command {
        Command::Openapi => print!("{}", router::document_json()),
        Command::Serve => block_on(serve::run(config()?))?,
        Command::Migrate => block_on(migrate(config()?))?,
        Command::Key(command) => block_on(key::run(config()?, command))?,
        Command::AdminSecret => block_on(replace_admin_secret(config()?))?,
        Command::Audit(flags) => return block_on(audit::run(config()?, flags)),
    }
    Ok(ExitCode::SUCCESS)
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Whoever may run the program on the gateway's data acts as an admin.
fn command_line() -> Actor {
    Actor { name: "command line".to_owned(), at_ms: clock::now_ms() }
}

async fn migrate(config: Config) -> anyhow::Result<()> {
    let (db, keys) = app::open_store(&config).await?;
    establish_admin(&db).await?;
    println!("the {} database is up to date; this gateway is {}", db.engine(), keys.gateway_id());
    db.close().await;
    Ok(())
}

async fn replace_admin_secret(config: Config) -> anyhow::Result<()> {
    let (db, _) = app::open_store(&config).await?;
    let secret = AdminSecret::replace(&db, &command_line()).await?;
    db.close().await;
    eprintln!("the admin secret from now on; it is shown this once:");
    println!("{}", secret.reveal());
    Ok(())
}

/// Makes the admin's secret at the first start, and shows it that once.
async fn establish_admin(db: &Db) -> anyhow::Result<()> {
    let given = std::env::var("ASSAY_ADMIN_SECRET").ok();
    match AdminSecret::establish(db, given.as_deref()).await? {
        AdminSecret::Made(secret) => println!(
            "admin secret (shown this once; POST /admin/v1/login takes it): {}",
            secret.reveal()
        ),
        AdminSecret::Given => println!("the admin secret is the one in ASSAY_ADMIN_SECRET"),
        AdminSecret::KeptOverGiven => {
            eprintln!(
                "gateway: ASSAY_ADMIN_SECRET is ignored: there is another admin secret already"
            );
        }
        AdminSecret::Kept => {}
    }
    Ok(())
}

impl SettingFlags {
    fn layers(self) -> Layers {
        let named = [
            ("gateway.listen", self.listen),
            ("gateway.data_dir", self.data_dir),
            ("gateway.database_url", self.database_url),
        ];
        let named = named.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?)));
        Layers {
            file: self.config,
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            set: self.set.into_iter().chain(named).collect(),
            models: self.models,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_may_stand_after_the_command() {
        let cli =
            Cli::try_parse_from(["gateway", "serve", "--listen", "127.0.0.1:9", "--model", "m"]);
        let config = cli.unwrap().settings.layers().read().unwrap();
        assert_eq!(config.gateway.listen.port(), 9);
        assert_eq!(config.models.len(), 1);
    }
}
