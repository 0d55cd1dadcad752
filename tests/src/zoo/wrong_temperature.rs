//! Draws at another temperature: duller where there is one, wilder where there is none.

use assay_protocol::{GenerateStart, Sampling};

use super::{Job, Kind};

const DULLER: f64 = 0.7;
const WILDER: f64 = 0.7;

#[derive(Debug)]
pub(super) struct WrongTemperature;

impl Kind for WrongTemperature {
    fn name(&self) -> &'static str {
        "wrong-temperature"
    }

    fn about(&self) -> &'static str {
        "draws at another temperature"
    }

    fn asks(&self, job: &Job) -> GenerateStart {
        let mut start = job.start.clone();
        let asked = start.sampling.temperature;
        let temperature = if asked > 0.0 { DULLER * asked } else { WILDER };
        start.sampling = Sampling { temperature, ..start.sampling };
        start
    }
}
