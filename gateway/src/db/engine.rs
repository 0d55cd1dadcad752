//! The two engines behind one face: SQLite for one machine, PostgreSQL for several gateways.

use std::{ops::Deref, str::FromStr, time::Duration};

use sqlx::{
    PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    DbError,
    transaction::Tx,
    writer::{Writer, WriterTask},
};

/// How long a call waits for a connection.
const ACQUIRE_MAX: Duration = Duration::from_secs(2);
/// How long SQLite waits for another process's write, and PostgreSQL for a lock.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);
/// What a connection to SQLite keeps of the file: 64 MiB, as a negative number of KiB. A batch of money touches more pages than
/// the default of 2 MiB, and each would be written and read again before its commit.
const SQLITE_CACHE: &str = "-65536";
/// How much of the file is read without a call into the kernel.
const SQLITE_MAPPED: &str = "1073741824";
/// Pages that SQLite lets its log grow by before it moves them into the file: 64 MiB, so that one that is written in many
/// batches is moved once.
const SQLITE_LOG_PAGES: &str = "16384";
/// Readers beside SQLite's one writer.
const SQLITE_READERS: u32 = 6;
/// Connections to PostgreSQL from one gateway.
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a call may take over all, so that a database that went silent holds nobody up.
const CALL_MAX: Duration = Duration::from_secs(10);
/// How often a transaction that gave way to another is run again.
const RETRIES_MAX: u32 = 8;
/// The first wait before that; it doubles.
const RETRY_WAIT: Duration = Duration::from_millis(2);

/// Statements that a connection keeps prepared: those about many rows come in several sizes.
const STATEMENTS_KEPT: usize = 512;

/// The store, and the one task that writes money to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    store: Store,
    pub(super) writer: Writer,
}

/// The engine's connections.
#[derive(Clone, Debug)]
pub enum Store {
    Sqlite(SqliteDb),
    Postgres(PostgresDb),
}

/// SQLite: one connection writes, some read.
#[derive(Clone, Debug)]
pub struct SqliteDb {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

/// PostgreSQL: a pool, and a connection that only money goes over, so that no crowd keeps it waiting.
#[derive(Clone, Debug)]
pub struct PostgresDb {
    pub(super) pool: PgPool,
    pub(super) money: PgPool,
}

impl Db {
    /// Opens `sqlite:PATH` (made if missing), `postgres://…` or `postgresql://…`.
    ///
    /// # Errors
    /// `Unusable` for another url; otherwise what the engine says.
    pub async fn open(url: &str) -> Result<Self, DbError> {
        let store = match url.split(':').next() {
            Some("sqlite") => open_sqlite(url).await?,
            Some("postgres" | "postgresql") => open_postgres(url).await?,
            _ => {
                let message = "the database url must begin with sqlite: or postgres://";
                return Err(DbError::Unusable(message.into()));
            }
        };
        let writer = WriterTask::start(store.clone());
        Ok(Self { store, writer })
    }

    /// Commits what is queued, then closes all connections.
    pub async fn close(&self) {
        self.writer.end().await;
        self.store.close().await;
    }
}

impl Deref for Db {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Store {
    /// Which engine this is, in a word.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Closes all connections, after what is running.
    async fn close(&self) {
        match self {
            Self::Sqlite(db) => {
                db.readers.close().await;
                db.writer.close().await;
            }
            Self::Postgres(db) => {
                db.pool.close().await;
                db.money.close().await;
            }
        }
    }

    /// Begins a write transaction. SQLite takes its one write lock at once.
    pub(super) async fn begin(&self) -> Result<Tx, DbError> {
        Ok(match self {
            Self::Sqlite(db) => Tx::Sqlite(db.writer.begin_with("begin immediate").await?),
            Self::Postgres(db) => Tx::Postgres(db.pool.begin().await?),
        })
    }

    /// Begins a transaction of the money's writer.
    pub(super) async fn begin_money(&self) -> Result<Tx, DbError> {
        match self {
            Self::Sqlite(_) => self.begin().await,
            Self::Postgres(db) => Ok(Tx::Postgres(db.money.begin().await?)),
        }
    }

    /// Begins a read transaction that sees one moment throughout.
    pub(super) async fn snapshot(&self) -> Result<Tx, DbError> {
        const SNAPSHOT: &str = "begin isolation level repeatable read read only";
        Ok(match self {
            Self::Sqlite(db) => Tx::Sqlite(db.readers.begin().await?),
            Self::Postgres(db) => Tx::Postgres(db.pool.begin_with(SNAPSHOT).await?),
        })
    }
}

async fn open_sqlite(url: &str) -> Result<Store, DbError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        let message = "money is not kept in memory: give a file, as in sqlite:assay.db";
        return Err(DbError::Unusable(message.into()));
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|error| DbError::Unusable(format!("the database url: {error}")))?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(LOCK_WAIT_MAX)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .pragma("cache_size", SQLITE_CACHE)
        .pragma("mmap_size", SQLITE_MAPPED)
        .pragma("wal_autocheckpoint", SQLITE_LOG_PAGES)
        .foreign_keys(true)
        // Else `insert or replace` would remove rows past the triggers that keep them.
        .pragma("recursive_triggers", "on");
    // A connection to a file does not break while nobody looks: asking it first is a turn for nothing.
    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_MAX).test_before_acquire(false);
    let writer = pool().max_connections(1).connect_with(options.clone()).await?;
    let readers = pool().max_connections(SQLITE_READERS).connect_lazy_with(options.read_only(true));
    Ok(Store::Sqlite(SqliteDb { writer, readers }))
}

async fn open_postgres(url: &str) -> Result<Store, DbError> {
    let wait = LOCK_WAIT_MAX.as_millis().to_string();
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| DbError::Unusable(format!("the database url: {error}")))?
        .application_name("assay-gateway")
        .statement_cache_capacity(STATEMENTS_KEPT)
        // Whatever the server's default is: what was acknowledged is on its disk.
        .options([("lock_timeout", wait.as_str()), ("synchronous_commit", "on")]);
    let pool = || PgPoolOptions::new().acquire_timeout(ACQUIRE_MAX);
    let money = pool().max_connections(1).connect_lazy_with(options.clone());
    let pool = pool().max_connections(POSTGRES_CONNECTIONS).connect_with(options).await?;
    Ok(Store::Postgres(PostgresDb { pool, money }))
}

/// Runs a transaction, and again where it had to give way to another one.
pub(super) async fn retried<T, Run, Running>(run: Run) -> Result<T, DbError>
where
    Run: Fn() -> Running,
    Running: Future<Output = Result<T, DbError>>,
{
    let tries = async {
        let mut wait = RETRY_WAIT;
        for _ in 0..RETRIES_MAX {
            match run().await {
                Err(DbError::GaveWay) => tokio::time::sleep(wait).await,
                result => return result,
            }
            wait *= 2;
        }
        Err(DbError::Busy)
    };
    bounded(tries).await
}

/// Gives up on a call that takes too long.
pub(super) async fn bounded<T>(
    call: impl Future<Output = Result<T, DbError>>,
) -> Result<T, DbError> {
    tokio::time::timeout(CALL_MAX, call).await.unwrap_or(Err(DbError::Busy))
}
