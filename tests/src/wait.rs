//! Waiting for a condition with a deadline: nothing here sleeps and hopes.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// Longer than anything takes on a slow machine with every core busy; a wait this long is a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_EACH: Duration = Duration::from_millis(20);

/// Looks until the condition gives something.
///
/// # Panics
/// After [`PATIENCE`], saying what was waited for.
pub async fn wait_until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        sleep(LOOK_EACH).await;
    }
}

/// The result of a future that must come within [`PATIENCE`].
///
/// # Panics
/// When it does not, saying what it was.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}
