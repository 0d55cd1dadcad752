//! What it costs to check an answer, as a share of what it costs to write it, in the time of one thread.

use std::fs;

use assay_protocol::GenerateStart;
use serde::Serialize;

use super::{
    sample::Sample,
    work::{Machine, one, request, scores},
};

/// Processor time in seconds, for the same answers.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    pub tokens: u64,
    pub generate_s: f64,
    pub generate_batch_8_s: f64,
    pub score_s: f64,
    /// Feeding prompt and answer, and drawing one token.
    pub prefill_s: f64,
}

impl Cost {
    /// Writing them one by one, as a node does, is 1.
    pub fn score_over_generate(&self) -> f64 {
        self.score_s / self.generate_s
    }

    pub fn score_over_prefill(&self) -> f64 {
        self.score_s / self.prefill_s
    }
}

/// Measures on one thread of its own.
pub fn measure(machine: &Machine, starts: &[GenerateStart], samples: &[Sample]) -> Cost {
    let mut engine = machine.engine();
    // What a first run sets up is not what is measured.
    one(&mut engine, &request(&starts[0]));
    let generate_s =
        cpu_s(|| starts.iter().for_each(|start| drop(one(&mut engine, &request(start)))));
    let generate_batch_8_s = cpu_s(|| {
        starts.chunks(8).for_each(|starts| drop(super::work::many(&mut engine, starts)));
    });
    let score_s = cpu_s(|| {
        for (start, sample) in starts.iter().zip(samples) {
            scores(&mut engine, start, &sample.answer.ids);
        }
    });
    let prefill_s = cpu_s(|| {
        for (start, sample) in starts.iter().zip(samples) {
            let mut whole = request(start);
            let ids = &sample.answer.ids;
            whole.prompt.extend(&ids[..ids.len() - 1]);
            whole.max_tokens = 1;
            one(&mut engine, &whole);
        }
    });
    let tokens = samples.iter().map(|sample| sample.scores.len()).sum::<usize>();
    let tokens = u64::try_from(tokens).expect("a count");
    Cost { tokens, generate_s, generate_batch_8_s, score_s, prefill_s }
}

/// Processor time of this thread: others' work on the machine does not count.
fn cpu_s(work: impl FnOnce()) -> f64 {
    let now = || -> f64 {
        let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts it");
        let first = text.split_whitespace().next().expect("a number");
        let nanoseconds: u32 = 1_000_000_000;
        first.parse::<f64>().expect("nanoseconds") / f64::from(nanoseconds)
    };
    let before = now();
    work();
    now() - before
}
