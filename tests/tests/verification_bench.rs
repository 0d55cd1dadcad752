//! The benchmark of verification in small: it runs, and what it finds is what the full run is about.

use assay_tests::bench::{Settings, run};

#[tokio::test]
async fn a_small_run_catches_every_liar_and_no_honest_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        answers: 40,
        json: Some(folder.path().join("bench.json")),
        figures: Some(folder.path().join("figures")),
        cache: folder.path().join("cache"),
        with_overhead: false,
    };
    let report = run(&settings).await.expect("a run");

    assert_eq!((report.honest.answers, report.honest.rejected), (40, 0));
    assert!(report.honest.classes.iter().all(|class| class.rejected == 0), "{:#?}", report.honest);
    assert!(report.score_over_generate < 1.0, "checking is cheaper than writing");
    for row in &report.attackers {
        // What nobody can see: one piece of honest work that two owners are paid for.
        let is_copy = row.name.starts_with("copy");
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
    for key in ["caught_per_answer", "score_over_generate", "overhead", "vindicated"] {
        assert!(json.contains(&format!("\"{key}\"")), "{key}");
    }
}
