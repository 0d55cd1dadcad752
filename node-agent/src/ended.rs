//! Jobs that this node is done with, kept until the gateway says how they were judged: one readable line
//! for each.

use std::{collections::VecDeque, time::Duration};

use assay_protocol::{JobId, Outcome};

use crate::hardware;

/// Jobs whose outcome may still come; the oldest are forgotten first.
const ENDED_JOBS_MAX: usize = 1_024;

#[derive(Debug, Default)]
pub(crate) struct EndedJobs(VecDeque<Done>);

#[derive(Debug)]
struct Done {
    job: JobId,
    tokens: u32,
    elapsed: Duration,
}

impl EndedJobs {
    pub(crate) fn push(&mut self, job: JobId, tokens: u32, elapsed: Duration) {
        tracing::debug!("job {job} done: {tokens} tokens, {} ms", elapsed.as_millis());
        if self.0.len() == ENDED_JOBS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Done { job, tokens, elapsed });
    }

    /// Logs how a job was judged, with what this node knows about it.
    pub(crate) fn tell(&mut self, job: JobId, outcome: Outcome, reason: &str) {
        let line = self.line(job, outcome, reason);
        match outcome {
            Outcome::FailedSpotCheck
            | Outcome::FailedEndCheck
            | Outcome::FailedWholeAnswer
            | Outcome::FailedLogits
            | Outcome::FailedLogprobs
            | Outcome::FailedStructure
            | Outcome::Left
            | Outcome::Violation => tracing::warn!("{line}"),
            _ => tracing::info!("{line}"),
        }
    }

    fn line(&mut self, job: JobId, outcome: Outcome, reason: &str) -> String {
        let place = self.0.iter().position(|ended| ended.job == job);
        let work = match place.and_then(|place| self.0.remove(place)) {
            Some(Done { tokens, elapsed, .. }) => {
                format!(", {tokens} tokens, {} ms", elapsed.as_millis())
            }
            None => String::new(),
        };
        format!("job {job} {}{work}: {}", outcome.as_str(), hardware::name(reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_done_how_it_was_judged_and_why() {
        let job: JobId = "01920000-0000-7000-8000-000000000001".parse().unwrap();
        let mut ended = EndedJobs::default();
        ended.push(job, 42, Duration::from_millis(310));
        assert_eq!(
            ended.line(job, Outcome::Agreed, "equal to 2 other\nowners"),
            "job 01920000-0000-7000-8000-000000000001 agreed, 42 tokens, 310 ms: \
             equal to 2 otherowners"
        );
        assert_eq!(
            ended.line(job, Outcome::Left, "the job was never started"),
            "job 01920000-0000-7000-8000-000000000001 left: the job was never started"
        );
    }
}
