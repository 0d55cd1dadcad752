//! The benchmark of verification in small: it runs, and what it finds is what the full run is about.

use assay_tests::bench::{
    Part, Settings,
    attacks::LIARS,
    overhead::{Overhead, PolicyRun},
    run,
};
use serde_json::Value;

#[tokio::test]
async fn a_small_run_catches_every_liar_and_no_honest_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        answers: 40,
        json: Some(folder.path().join("bench.json")),
        figures: Some(folder.path().join("figures")),
        cache: folder.path().join("cache"),
        parts: vec![Part::Attackers, Part::Honest, Part::Goals],
    };
    let report = run(&settings).await.expect("a run");

    assert_eq!((report.honest.answers, report.honest.rejected), (40, 0));
    assert!(report.honest.classes.iter().all(|class| class.rejected == 0), "{:#?}", report.honest);
    let score_over_generate = report.score_over_generate.expect("it was measured");
    assert!(score_over_generate < 1.0, "checking is cheaper than writing");
    for row in &report.attackers {
        // What nobody can see: one piece of honest work that two owners are paid for.
        let is_copy = row.name == "sybil";
        assert_eq!(row.caught_if_checked == 0.0, is_copy, "{row:#?}");
        // At temperature 0 what was right once is right again.
        let always_lies = !row.intermittent && row.name != "cached";
        assert!(is_copy || !always_lies || row.profit_over_honest < 0.0, "{row:#?}");
    }
    let csv = std::fs::read_to_string(folder.path().join("figures/margins.csv")).expect("a CSV");
    assert!(csv.lines().count() > 100, "{csv}");
    let svg = std::fs::read_to_string(folder.path().join("figures/roc.svg")).expect("a figure");
    assert!(svg.starts_with("<svg") && svg.contains("honest answers rejected"));
    let json = std::fs::read_to_string(settings.json.expect("asked for")).expect("the JSON");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let has = |part: &Value, keys: &[&str]| {
        let part = part.as_object().expect("an object");
        keys.iter().for_each(|key| assert!(part.contains_key(*key), "`{key}` in {part:#?}"));
    };
    has(&json, &["attackers", "honest", "score_over_generate", "overhead"]);
    has(&json["honest"], &["answers", "rejected", "vindicated"]);
    has(&json["overhead"], &["low", "standard", "high"]);
    let attackers = json["attackers"].as_array().expect("a list");
    assert_eq!(attackers.len(), 6 * (LIARS.len() + 4), "three policies, always and 1 in 10");
    for row in attackers {
        has(row, &["name", "policy", "intermittent", "caught_per_answer", "caught_in_100_jobs"]);
        has(row, &["jobs_to_ban", "profit_over_honest", "forfeited_jobs"]);
    }
    report.check().expect("no honest answer is rejected, and no overhead was measured");
}

#[test]
fn a_run_that_costs_too_much_or_was_not_audited_fails() {
    let run = |audits, over| Overhead {
        low: Some(over),
        runs: vec![PolicyRun {
            policy: "low",
            jobs: 200,
            audits,
            tokens_delivered: 12_800,
            tokens_written: 12_800,
            writing_s: 10.0,
            scoring_s: 0.5,
            over,
        }],
        ..Overhead::default()
    };
    assert!(run(9, 1.3).check().is_ok());
    assert!(run(9, 1.31).check().is_err());
    assert!(run(0, 1.05).check().is_err(), "audits were on");
}
