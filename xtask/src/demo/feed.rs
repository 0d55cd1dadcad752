//! News of jobs: which have ended since the last look.

use std::collections::HashSet;

use serde_json::Value;

use super::{World, words};

/// Jobs that have not ended for so many looks are forgotten; a demo has few.
const OPEN_MAX: usize = 10_000;

/// What has been told already.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// The newest job that the last look saw; everything above it is new.
    newest: Option<String>,
    /// Jobs above that were still running.
    open: HashSet<String>,
}

impl Feed {
    /// One line for each job that ended since the last call, in the order in which they began.
    pub(super) fn news(&mut self, world: &World) -> anyhow::Result<Vec<String>> {
        let names: Vec<(String, String)> =
            world.nodes.iter().map(|node| (node.id.clone(), node.name.clone())).collect();
        let jobs = self.unseen(world)?;
        let mut lines: Vec<String> = Vec::new();
        for job in jobs.iter().rev() {
            let Some(id) = job["id"].as_str() else { continue };
            if job["state"] == "running" {
                self.open.insert(id.to_owned());
            } else {
                self.open.remove(id);
                lines.push(words::job(job, &names));
            }
        }
        if self.open.len() > OPEN_MAX {
            self.open.clear();
        }
        Ok(lines)
    }

    /// New jobs and those that were running, the last first.
    fn unseen(&mut self, world: &World) -> anyhow::Result<Vec<Value>> {
        let mut found = Vec::new();
        let mut open_left = self.open.len();
        let mut known = false;
        let mut after = None;
        let mut newest = None;
        loop {
            let (page, next) = world.admin.jobs(after.as_deref())?;
            for job in page {
                let id = job["id"].as_str().unwrap_or_default().to_owned();
                newest.get_or_insert_with(|| id.clone());
                known |= self.newest.as_ref() == Some(&id);
                let was_open = self.open.contains(&id);
                open_left -= usize::from(was_open);
                if was_open || !known {
                    found.push(job);
                }
            }
            if next.is_none() || (known && open_left == 0) {
                self.newest = newest.or(self.newest.take());
                return Ok(found);
            }
            after = next;
        }
    }
}
