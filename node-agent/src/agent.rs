//! Keeps a session with the gateway: connects, serves until the session ends, and comes back.

use std::time::{Duration, Instant};

use assay_protocol::{CloseCode, FromNodeFrame, Hardware};
use tokio::{
    sync::{mpsc, watch},
    time::{sleep, sleep_until},
};

use crate::{
    Identity, Slots,
    backoff::Backoff,
    connection::{Connection, Ended, Heard, Welcome},
    hardware,
    session::{Event, Session},
    shutdown::{Shutdown, more_urgent},
    worker::EVENTS_MAX,
};

/// A session that held this long was a good one: the next back-off starts over.
const GOOD_SESSION: Duration = Duration::from_secs(60);
/// However long the gateway says to stay away.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// A node that is ready to connect.
#[derive(Debug)]
pub struct Agent {
    pub identity: Identity,
    pub slots: Slots,
    pub hardware: Hardware,
    /// How long running jobs may take after a shutdown was asked for.
    pub drain_ms: u64,
}

/// Why the agent gave up.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The gateway closed the session for good.
    #[error("the gateway does not want this node back ({code:?}): {reason}")]
    NotWanted { code: CloseCode, reason: String },
}

impl Agent {
    /// Serves the gateway until `shutdown` asks to leave. Reconnects for as long as it takes.
    ///
    /// # Errors
    /// When the gateway says not to come back.
    pub async fn run(self, mut shutdown: watch::Receiver<Shutdown>) -> Result<(), AgentError> {
        let mut at_once = shutdown.clone();
        tokio::select! {
            ended = self.keep_serving(&mut shutdown) => ended,
            () = more_urgent(&mut at_once, Shutdown::Drain) => Ok(()),
        }
    }

    async fn keep_serving(
        &self,
        shutdown: &mut watch::Receiver<Shutdown>,
    ) -> Result<(), AgentError> {
        let mut backoff = Backoff::default();
        loop {
            let since = Instant::now();
            let opened = tokio::select! {
                opened = Connection::open(&self.identity) => opened,
                // Without a session there is nothing to finish.
                () = more_urgent(shutdown, Shutdown::No) => return Ok(()),
            };
            let ended = match opened {
                Ok((connection, welcome)) => self.serve(connection, welcome, shutdown).await,
                Err(ended) => ended,
            };
            if since.elapsed() >= GOOD_SESSION {
                backoff.reset();
            }
            let wait = self.wait_after(ended, &mut backoff)?;
            let Some(wait) = wait else { return Ok(()) };
            tokio::select! {
                () = sleep(wait) => {}
                () = more_urgent(shutdown, Shutdown::No) => return Ok(()),
            }
        }
    }

    /// How long to stay away after a session, or nothing when that was the last one.
    fn wait_after(
        &self,
        ended: Ended,
        backoff: &mut Backoff,
    ) -> Result<Option<Duration>, AgentError> {
        match ended {
            Ended::Left => {
                tracing::info!("left the gateway");
                Ok(None)
            }
            Ended::Closed { code, reason, retry_after_ms: None } => {
                Err(AgentError::NotWanted { code, reason: hardware::name(&reason) })
            }
            Ended::Closed { reason, retry_after_ms: Some(ms), .. } => {
                let wait = Duration::from_millis(ms).min(RETRY_AFTER_MAX);
                let reason = hardware::name(&reason);
                let ms = wait.as_millis();
                tracing::warn!("the gateway closed the session: {reason}; back in {ms} ms");
                Ok(Some(wait))
            }
            Ended::Lost(why) => {
                let wait = backoff.next(rand::random());
                tracing::warn!("no session: {why}; next try in {} ms", wait.as_millis());
                Ok(Some(wait))
            }
        }
    }

    /// One session, from hello to its end.
    async fn serve(
        &self,
        mut connection: Connection,
        welcome: Welcome,
        shutdown: &mut watch::Receiver<Shutdown>,
    ) -> Ended {
        let (sender, mut engines) = mpsc::channel(EVENTS_MAX);
        let (identity, slots) = (&self.identity, &self.slots);
        let mut session =
            Session::new(identity, slots, welcome, self.drain_ms, sender, Instant::now());
        tracing::info!("connected to gateway {} as node {}", identity.gateway_id, identity.node);
        let hello = session.hello(self.hardware.clone());
        if let Err(ended) = connection.send(welcome.epoch, hello).await {
            return ended;
        }
        let mut draining = Shutdown::No;
        loop {
            let event = tokio::select! {
                heard = connection.next() => match heard {
                    Ok(Heard::Frame(frame)) => Event::Frame(frame),
                    Ok(Heard::SignOfLife) => Event::SignOfLife,
                    Err(ended) => return ended,
                },
                Some(event) = engines.recv() => Event::Engine(event),
                () = more_urgent(shutdown, draining) => {
                    draining = Shutdown::Drain;
                    Event::Drain
                }
                () = sleep_until(session.due().into()) => Event::Tick,
            };
            let ended = session.handle(event, Instant::now());
            for frame in session.take_out() {
                let is_heartbeat = matches!(frame, FromNodeFrame::Heartbeat { .. });
                if let Err(lost) = connection.send(welcome.epoch, frame).await {
                    return lost;
                }
                if is_heartbeat && let Err(lost) = connection.ping().await {
                    return lost;
                }
            }
            match ended {
                Ok(()) => {}
                Err(Ended::Left) => {
                    connection.leave().await;
                    return Ended::Left;
                }
                Err(ended) => return ended,
            }
        }
    }
}
