//! Asking the agent to leave: once to finish its jobs first, twice to go at once.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// How much of a hurry there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shutdown {
    /// None: stay.
    #[default]
    No,
    /// Take no more offers, finish what runs, leave.
    Drain,
    /// Leave now.
    Now,
}

/// Turns SIGTERM and SIGINT into shutdowns; never returns.
pub async fn on_signals(shutdown: watch::Sender<Shutdown>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.send_modify(|state| {
            *state = match *state {
                Shutdown::No => Shutdown::Drain,
                Shutdown::Drain | Shutdown::Now => Shutdown::Now,
            };
        });
    }
}

/// Waits until leaving is more urgent than it was.
pub(crate) async fn more_urgent(watch: &mut watch::Receiver<Shutdown>, than: Shutdown) {
    if watch.wait_for(|state| *state > than).await.is_err() {
        // Whoever could ask is gone.
        std::future::pending().await
    }
}
