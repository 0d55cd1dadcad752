//! Holds that may have been taken: the store did not say. Each is given back as soon as it shows.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use assay_protocol::JobId;
use futures_util::{StreamExt, stream};

use crate::{
    app::App,
    db::{self, DbError, JobEnd},
};

/// Holds in doubt at once; those beyond end with their deadlines.
const DOUBTS_MAX: usize = 10_000;
/// A commit that nobody waited for may take this long to show. What comes later ends with its deadline.
const SHOWS_WITHIN: Duration = Duration::from_secs(60);
/// Holds that are given back at once: they wait for the same commits.
const ENDS_AT_ONCE: usize = 256;

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Unconfirmed(Mutex<Vec<Doubt>>);

#[derive(Debug)]
struct Doubt {
    end: JobEnd,
    since: Instant,
}

/// What is known of a hold in doubt.
enum Shown {
    /// Ended, by us or somebody else.
    Ended(JobId),
    NotYet,
}

impl Unconfirmed {
    /// Has this end be stored once the store answers, if there is anything to end.
    pub fn add(&self, end: JobEnd) {
        let mut doubts = self.doubts();
        if doubts.len() >= DOUBTS_MAX {
            tracing::warn!(job = %end.id, "a hold may stay open until its deadline");
            return;
        }
        doubts.push(Doubt { end, since: Instant::now() });
    }

    /// Gives back what shows. Some commits show late: a hold that is not there is looked for again.
    ///
    /// # Errors
    /// When the store does not answer: they are kept.
    pub(super) async fn give_back(&self, app: &App) -> Result<(), DbError> {
        let ends: Vec<JobEnd> = self.doubts().iter().map(|doubt| doubt.end.clone()).collect();
        let mut looks = stream::iter(ends)
            .map(async |end| look(app, &end).await)
            .buffer_unordered(ENDS_AT_ONCE);
        let mut ended = Vec::new();
        while let Some(look) = looks.next().await {
            if let Shown::Ended(job) = look? {
                ended.push(job);
            }
        }
        let known =
            |doubt: &Doubt| doubt.since.elapsed() > SHOWS_WITHIN || ended.contains(&doubt.end.id);
        self.doubts().retain(|doubt| !known(doubt));
        Ok(())
    }

    fn doubts(&self) -> MutexGuard<'_, Vec<Doubt>> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

async fn look(app: &App, end: &JobEnd) -> Result<Shown, DbError> {
    match db::jobs::end(&app.db, end).await {
        Ok(()) => {
            app.log.has_news();
            tracing::info!(job = %end.id, "a hold that could not be confirmed was given back");
            Ok(Shown::Ended(end.id))
        }
        Err(DbError::NotFound(_)) => Ok(Shown::NotYet),
        Err(error) if error.is_temporary() => Err(error),
        // It was ended by somebody else, or must be left to whoever looks for orphans.
        Err(error) => {
            tracing::warn!(job = %end.id, %error, "a hold that could not be confirmed was not given back");
            Ok(Shown::Ended(end.id))
        }
    }
}
