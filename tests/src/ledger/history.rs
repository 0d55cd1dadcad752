//! What a process that was killed had asked of the ledger, and what it had been told.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    path::Path,
    sync::Mutex,
};

use assay_protocol::JobId;

/// Something asked, or acknowledged. Jobs are opened, noted several times, ended once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Opening,
    Opened,
    /// So many tokens were delivered.
    Noting(u32),
    Noted(u32),
    /// At this cost.
    Ending(i64),
    Ended(i64),
}

/// Writes it down while it happens. A write is one call of the system: what was told is there when the process is
/// killed.
#[derive(Debug)]
pub struct Scribe(Mutex<File>);

/// What became of a job, as far as its process knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub opened: bool,
    /// Acknowledged, and asked for.
    pub noted: u32,
    pub noting: u32,
    /// The cost at which it was to end, and whether that was acknowledged.
    pub ending: Option<i64>,
    pub ended: bool,
}

/// All jobs of a process.
#[derive(Clone, Debug, Default)]
pub struct History(pub HashMap<JobId, Known>);

impl Scribe {
    /// A fresh history.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self(Mutex::new(File::create(path)?)))
    }

    pub fn write(&self, job: JobId, event: Event) -> std::io::Result<()> {
        let (word, number) = match event {
            Event::Opening => ("opening", 0),
            Event::Opened => ("opened", 0),
            Event::Noting(tokens) => ("noting", tokens.into()),
            Event::Noted(tokens) => ("noted", tokens.into()),
            Event::Ending(cost) => ("ending", cost),
            Event::Ended(cost) => ("ended", cost),
        };
        let line = format!("{job} {word} {number}\n");
        self.0.lock().expect("nobody panics with it").write_all(line.as_bytes())
    }
}

impl History {
    /// # Panics
    /// When it holds anything that no scribe wrote.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut jobs: HashMap<JobId, Known> = HashMap::new();
        for line in text.lines() {
            let mut words = line.split(' ');
            let job = words.next().and_then(|id| id.parse().ok()).expect("a job");
            let (word, number) = (words.next(), words.next().and_then(|n| n.parse().ok()));
            let number: i64 = number.expect("a number");
            let tokens = || u32::try_from(number).expect("tokens");
            let known = jobs.entry(job).or_default();
            match word {
                Some("opening") => {}
                Some("opened") => known.opened = true,
                Some("noting") => known.noting = tokens(),
                Some("noted") => known.noted = tokens(),
                Some("ending") => known.ending = Some(number),
                Some("ended") => known.ended = true,
                other => panic!("{other:?} is no event"),
            }
        }
        Self(jobs)
    }

    /// Ends that were acknowledged.
    pub fn ends(&self) -> usize {
        self.0.values().filter(|known| known.ended).count()
    }
}
