//! The ledger under attack: processes that move money until they are killed, what they were told, and whether the
//! books say the same afterwards.

pub mod books;
pub mod crowd;
pub mod history;
pub mod worker;

use std::time::Duration;

use assay_gateway::db::DbError;

pub use books::Books;
pub use crowd::Crowd;
pub use history::History;

/// How often a database that is busy is asked again, and after which pause.
const TRIES_MAX: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Asks again while the database is busy: what moves money is done once all the same.
pub(crate) async fn again<T, Ask, Asking>(ask: Ask) -> Result<T, DbError>
where
    Ask: Fn() -> Asking,
    Asking: Future<Output = Result<T, DbError>>,
{
    for _ in 1..TRIES_MAX {
        match ask().await {
            Err(error) if error.is_temporary() => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
    ask().await
}
