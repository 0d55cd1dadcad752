//! The figures of docs/verification.md: margins as CSV, and what is caught at which rate of false alarms as SVG.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, anyhow};
use assay_protocol::GenerateStart;
use plotters::prelude::*;

use super::{
    rules::{Court, said},
    sample::Sample,
};

/// Rows of each kind in the CSV.
const ROWS: usize = 100;
const SIZE: (u32, u32) = (1_080, 460);
const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(255, 127, 14),
    RGBColor(140, 86, 75),
    RGBColor(23, 190, 207),
    RGBColor(90, 90, 90),
];

/// A kind's answers to draw.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    pub name: &'a str,
    pub samples: &'a [Sample],
}

/// `margins.csv`: one line for each of the first long answers of each kind.
pub fn margins(
    folder: &Path,
    court: &Court,
    starts: &[GenerateStart],
    series: &[Series<'_>],
) -> anyhow::Result<()> {
    let mut csv = String::from(
        "kind,answer,temperature,tokens,flips,largest_margin,margin_sum,uncertainty,logit_difference\n",
    );
    for Series { name, samples } in series {
        for (number, (start, sample)) in starts.iter().zip(*samples).take(ROWS).enumerate() {
            let measures = court.check(start, sample).measures(&said(1, sample));
            writeln!(
                csv,
                "{name},{number},{},{},{},{:.3e},{:.4},{:.3},{:.3e}",
                start.sampling.temperature,
                measures.tokens,
                measures.flips,
                measures.largest_margin,
                measures.margin_sum,
                measures.uncertainty,
                measures.logit_difference.unwrap_or_default(),
            )?;
        }
    }
    let path = folder.join("margins.csv");
    fs::write(&path, csv).with_context(|| format!("cannot write {}", path.display()))
}

/// `roc.svg`. Left: what share of a kind's short answers is caught when the limit of R1 (solid) or R5 (dashed) is set so
/// that this share of the honest ones is rejected. Right: what share is caught by R1 alone after so many tokens.
pub fn roc(
    folder: &Path,
    court: &Court,
    honest: &[Sample],
    short: &[Series<'_>],
    long: &[Series<'_>],
) -> anyhow::Result<()> {
    let path = folder.join("roc.svg");
    let root = SVGBackend::new(&path, SIZE).into_drawing_area();
    draw(&root, court, honest, short, long).map_err(|error| anyhow!("{}: {error}", path.display()))
}

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw<'a>(
    root: &DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    court: &Court,
    honest: &[Sample],
    short: &[Series<'_>],
    long: &[Series<'_>],
) -> Drawn<'a> {
    root.fill(&WHITE)?;
    // A rate of false alarms that is too small to be seen among so many honest answers.
    let unseen = 1.0 / as_f64(honest.len().max(2));
    let (left, right) = root.split_horizontally(SIZE.0 / 2);
    let mut chart = ChartBuilder::on(&left)
        .caption("short answers: caught at a rate of false alarms", ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d((unseen..1.0).log_scale(), 0.0..1.02)?;
    let axis = |rate: &f64| format!("{rate:.0e}");
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("honest answers rejected").y_desc("caught").x_label_formatter(&axis).draw()?;
    for (colour, series) in COLOURS.iter().zip(short) {
        let by_margin = curve(unseen, honest, series.samples, Sample::largest_margin);
        chart.draw_series(LineSeries::new(by_margin, colour.stroke_width(2)))?;
        let by_logits =
            curve(unseen, honest, series.samples, |sample| sample.logit_difference(usize::MAX));
        chart.draw_series(DashedLineSeries::new(by_logits, 4, 5, colour.stroke_width(1)))?;
    }
    let mut chart = ChartBuilder::on(&right)
        .caption("caught by the tokens alone (R1)", ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..128.0, 0.0..1.02)?;
    chart.configure_mesh().x_desc("tokens of the answer").y_desc("caught").draw()?;
    for (colour, series) in COLOURS.iter().zip(long) {
        let points = by_length(court, series.samples);
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(series.name)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.4))
        .draw()?;
    root.present()
}

/// Falling limits, in steps: which share of the honest and of the others is over them. What no honest answer is over is
/// drawn at the left edge.
fn curve(
    unseen: f64,
    honest: &[Sample],
    others: &[Sample],
    measure: fn(&Sample) -> f64,
) -> Vec<(f64, f64)> {
    let sorted = |samples: &[Sample]| {
        let mut values: Vec<f64> = samples.iter().map(measure).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (honest, others) = (sorted(honest), sorted(others));
    let over = |values: &[f64], limit: f64| {
        let over = values.len() - values.partition_point(|value| *value <= limit);
        as_f64(over) / as_f64(values.len().max(1))
    };
    let largest = honest.last().copied().unwrap_or_default();
    let mut points = vec![(unseen, over(&others, largest))];
    let steps = honest.iter().rev().step_by((honest.len() / 400).max(1));
    let rates = steps.map(|limit| (over(&honest, *limit), over(&others, *limit)));
    for (rate, caught) in rates.chain([(1.0, 1.0)]) {
        let before = points.last().map_or(0.0, |(_, caught)| *caught);
        points.extend([(rate.max(unseen), before), (rate.max(unseen), caught)]);
    }
    points
}

fn by_length(court: &Court, samples: &[Sample]) -> Vec<(f64, f64)> {
    let first = |sample: &Sample| {
        sample.scores.iter().position(|score| score.margin > court.limits.tau_gap)
    };
    let firsts: Vec<usize> = samples.iter().filter_map(first).collect();
    (0..=128)
        .map(|tokens| {
            let caught = firsts.iter().filter(|first| **first < tokens).count();
            (as_f64(tokens), as_f64(caught) / as_f64(samples.len().max(1)))
        })
        .collect()
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
