//! A job of the gateway's own for one node: a self-test, an answer to score. It is taken back when this is dropped.

use std::time::{Duration, Instant};

use assay_protocol::{JobId, JobOffer, Start, limits};
use tokio::{
    sync::mpsc,
    time::{error::Elapsed, timeout_at},
};

use super::{
    JobNews, NodeHandle, NodeNews,
    conduct::ModelFacts,
    handle::{SessionGone, news_desk},
};

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Errand<'a> {
    pub(crate) handle: &'a NodeHandle,
    pub(crate) job: JobId,
    since: Instant,
    news: mpsc::Receiver<NodeNews>,
}

impl<'a> Errand<'a> {
    /// Asks whether the node wants it.
    pub(crate) fn offer(
        handle: &'a NodeHandle,
        offer: JobOffer,
        model: ModelFacts,
    ) -> Result<Self, SessionGone> {
        let (desk, news) = news_desk();
        let job = offer.job;
        handle.offer(offer, model, desk)?;
        Ok(Self { handle, job, since: Instant::now(), news })
    }

    /// What it says to the offer; nothing when it says nothing in time.
    pub(crate) async fn reply(&mut self) -> Option<JobNews> {
        let by = self.since + Duration::from_millis(limits::OFFER_MS_MAX);
        self.news(by).await.ok().flatten()
    }

    /// Hands the work over.
    pub(crate) fn start(&self, start: Start) -> Result<(), SessionGone> {
        self.handle.start(start)
    }

    /// What comes next; nothing when the session is over.
    pub(crate) async fn news(&mut self, until: Instant) -> Result<Option<JobNews>, Elapsed> {
        Ok(timeout_at(until.into(), self.news.recv()).await?.map(|news| news.news))
    }

    /// When it was offered.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }
}

impl Drop for Errand<'_> {
    fn drop(&mut self) {
        let _ = self.handle.withdraw(self.job);
    }
}
