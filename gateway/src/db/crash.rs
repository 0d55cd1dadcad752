//! Named points around the commits of money, at which a test has this process kill itself: nothing is tidied up,
//! as when a machine fails. Compiled only with the feature `crash-points`, which only the tests turn on, and never
//! in a release build.

#[cfg(all(feature = "crash-points", debug_assertions))]
mod armed;

use super::writer::Batch;

/// Before a commit, or after it and before anybody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// The process may end here.
#[cfg(all(feature = "crash-points", debug_assertions))]
pub(super) fn point(batch: &Batch<'_>, moment: Moment) {
    for name in batch.commits() {
        armed::reach(name, moment);
    }
}

/// Nothing ever happens here.
#[cfg(not(all(feature = "crash-points", debug_assertions)))]
pub(super) fn point(_: &Batch<'_>, _: Moment) {}
