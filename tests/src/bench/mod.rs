//! The benchmark of verification: honest answers and those of the zoo, in bulk, under the gateway's own rules, and
//! its cost in a real run.

pub mod attacks;
mod cheats;
pub mod corpus;
pub mod cost;
pub mod figures;
pub mod goals;
mod goals_table;
pub mod honest;
pub mod life;
pub mod overhead;
pub mod report;
pub mod rules;
pub mod sample;
pub mod table;
pub mod work;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use assay_protocol::GenerateStart;
use clap::ValueEnum;

use crate::{Behaviour, Model, binaries::demo_model};
use attacks::{LIARS, Studio};
use figures::Series;
use life::{COST, JobTable, Past, Plan, Policy};
use report::Report;
use rules::Court;
use sample::{Sample, Store};
use table::Cast;
use work::Machine;

/// Of a full run; smaller runs take their part.
const FULL_ANSWERS: u64 = 100_000;
const CLASS_ANSWERS: u64 = 800;
const JOBS: u64 = 400;
const LONG_ANSWERS: u64 = 400;
const LONG_TOKENS: u32 = 128;
const COST_ANSWERS: usize = 48;
const LIVES: u32 = 200;
/// The least of each part.
const PART_MIN: u64 = 8;
/// Kinds in the figure: those that are hardest to see.
const DRAWN: [Behaviour; 5] =
    [Behaviour::Fp16, Behaviour::Int8, Behaviour::Q4, Behaviour::Earlier, Behaviour::Smaller];

/// What a run can be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The lives of cheats.
    Attackers,
    /// False alarms.
    Honest,
    /// After how many tokens cheats are seen, and what scoring costs.
    Goals,
    /// A real run of gateway and nodes.
    Overhead,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Attackers, Self::Honest, Self::Goals, Self::Overhead];
}

/// How much is done, and where its results go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Honest answers; the other parts shrink with it.
    pub answers: u64,
    pub json: Option<PathBuf>,
    /// They show attackers, honest answers and goals, and are drawn when all three are there.
    pub figures: Option<PathBuf>,
    pub cache: PathBuf,
    pub parts: Vec<Part>,
}

/// Everything that is said, by kind, to the same starts.
struct Said {
    starts: Vec<GenerateStart>,
    honest: Vec<Sample>,
    lies: Vec<(Behaviour, Vec<Sample>)>,
}

/// Runs what is wanted, prints the tables and writes what is asked for.
pub async fn run(settings: &Settings) -> anyhow::Result<Report> {
    let began = Instant::now();
    let model = Model::demo();
    let court = Court::of(&model);
    let store = Store::open(&settings.cache, &model.fingerprint())?;
    let studio = Studio { machine: Machine::new(&demo_model()), model, store };
    let share = |full: u64| (full * settings.answers / FULL_ANSWERS).clamp(PART_MIN, full);
    let is_wanted = |part: Part, what: &str| {
        let is_wanted = settings.parts.contains(&part);
        if is_wanted {
            println!("{:.0?}: {what} …", began.elapsed());
        }
        is_wanted
    };
    let long = |model: &Model, number| corpus::long(model, number, LONG_TOKENS);
    let mut report = Report::new(studio.model.fingerprint());
    let (mut said_short, mut said_long, mut all) = (None, None, None);

    if is_wanted(Part::Attackers, "the lives of cheats") {
        let short = said(&studio, "jobs", share(JOBS), corpus::mixed)?;
        let past = table::honest_past(&court, &short.starts, &short.honest);
        let lives = u32::try_from(share(LIVES.into())).expect("a few");
        report.attackers = attackers(&studio, &court, &short, &past, lives)?;
        said_short = Some(short);
    }
    if is_wanted(Part::Honest, "honest answers") {
        let (honest, samples) = honest::replay(&studio, &court, settings.answers)?;
        let classes = honest::classes(&studio, &court, share(CLASS_ANSWERS))?;
        report.honest = honest::Honest { classes, ..honest };
        all = Some(samples);
    }
    if is_wanted(Part::Goals, "long answers of cheats") {
        let long = said(&studio, "long", share(LONG_ANSWERS), long)?;
        for (kind, samples) in &long.lies {
            report.seen_after.extend(goals::seen(kind.name(), &court, &long.starts, samples));
        }
        let some = COST_ANSWERS.min(long.starts.len());
        report.costs(cost::measure(&studio.machine, &long.starts[..some], &long.honest[..some]));
        said_long = Some(long);
    }
    if let (Some(folder), Some(all), Some(short), Some(long)) =
        (&settings.figures, &all, &said_short, &said_long)
    {
        draw(folder, &court, all, short, long)?;
    }
    if is_wanted(Part::Overhead, "a real run") {
        report.overhead = overhead::measure().await?;
    }
    println!("{:.0?}: done\n\n{}", began.elapsed(), report.tables());
    if let Some(path) = &settings.json {
        report.write(path)?;
    }
    Ok(report)
}

/// What the model says to so many starts.
fn honestly(
    studio: &Studio,
    name: &str,
    count: u64,
    start: impl Fn(&Model, u64) -> GenerateStart,
) -> anyhow::Result<(Vec<GenerateStart>, Vec<Sample>)> {
    let starts: Vec<_> = (0..count).map(|number| start(&studio.model, number)).collect();
    let honest = studio.honest(&format!("{name}-{count}"), &starts)?;
    Ok((starts, honest))
}

fn said(
    studio: &Studio,
    name: &str,
    count: u64,
    start: impl Fn(&Model, u64) -> GenerateStart,
) -> anyhow::Result<Said> {
    let (starts, honest) = honestly(studio, name, count, start)?;
    let name = format!("{name}-{count}");
    let lies = LIARS.iter().map(|kind| Ok((*kind, studio.lies(*kind, &name, &starts, &honest)?)));
    let lies = lies.collect::<anyhow::Result<_>>()?;
    Ok(Said { starts, honest, lies })
}

/// Every kind alone, then what needs an accomplice or another past.
fn attackers(
    studio: &Studio,
    court: &Court,
    said: &Said,
    past: &[Past],
    lives: u32,
) -> anyhow::Result<Vec<table::Row>> {
    let Said { starts, honest, lies } = said;
    let own = |samples: &[Sample], with_accomplice| {
        table::jobs(court, starts, samples, honest, with_accomplice)
    };
    let alone = Plan {
        policy: Policy::Standard,
        cheats_percent: 100,
        cost_of_a_lie: 0.0,
        with_accomplice: false,
    };
    let together = Plan { with_accomplice: true, ..alone };
    let honest_jobs = own(honest, false);

    let cast = |name, lies: Vec<JobTable>, plan| Cast { name, lies, plan, before: past.to_vec() };
    let mut casts: Vec<Cast<'_>> =
        lies.iter().map(|(kind, samples)| cast(kind.name(), own(samples, false), alone)).collect();
    casts.push(cast(
        "collude, with its accomplice",
        own(said.of(Behaviour::Collude), true),
        together,
    ));
    casts.push(cast(
        "smaller, with its accomplice",
        own(said.of(Behaviour::Smaller), true),
        together,
    ));
    let shared = Plan { cost_of_a_lie: COST / 2.0, ..together };
    casts.push(cast("sybil", own(honest, true), shared));
    let dust: Vec<_> = (0..200).map(|number| corpus::dust(&studio.model, number)).collect();
    let crumbs = studio.honest("dust", &dust)?;
    casts.push(Cast {
        before: table::honest_past(court, &dust, &crumbs),
        ..cast("dust-farmer", own(said.of(Behaviour::Canned), false), alone)
    });
    Ok(casts.iter().flat_map(|cast| table::rows(cast, &honest_jobs, lives)).collect())
}

fn draw(
    folder: &Path,
    court: &Court,
    honest: &[Sample],
    short: &Said,
    long: &Said,
) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let all = [Series { name: Behaviour::Honest.name(), samples: &long.honest }];
    let all: Vec<Series<'_>> = all.into_iter().chain(long.series(&LIARS)).collect();
    figures::margins(folder, court, &long.starts, &all)?;
    figures::roc(folder, court, honest, &short.series(&DRAWN), &long.series(&DRAWN))
}

impl Said {
    fn of(&self, wanted: Behaviour) -> &[Sample] {
        let found = self.lies.iter().find(|(kind, _)| kind.name() == wanted.name());
        &found.expect("every liar has answered").1
    }

    fn series(&self, kinds: &[Behaviour]) -> Vec<Series<'_>> {
        kinds.iter().map(|kind| Series { name: kind.name(), samples: self.of(*kind) }).collect()
    }
}
