//! The table of cheats in Markdown, one for each policy: kinds whose figures are all the same share a row.

use std::fmt::{self, Write};

use super::{life::Policy, report::percent_within, table::Row};

/// Kinds of the same figures, each with its rows in the order in which they were made.
struct Group<'a> {
    label: String,
    kinds: Vec<Vec<&'a Row>>,
}

/// Writes which kinds are told together, and a table for each policy.
pub(super) fn write(text: &mut impl Write, rows: &[Row]) -> fmt::Result {
    let groups = groups(rows);
    for group in groups.iter().filter(|group| group.kinds.len() > 1) {
        let names: Vec<_> = group.names().map(|name| format!("`{name}`")).collect();
        writeln!(text, "- **{}**: {}", group.label, names.join(", "))?;
    }
    for policy in Policy::ALL.map(Policy::name) {
        writeln!(text, "\nUnder `{policy}`:\n")?;
        writeln!(
            text,
            "| attacker | lies | shows if looked at | first lie caught | caught in 100 jobs | out after jobs (tokens) | \
             banned after jobs (longest) | forfeited, jobs' pay | profit | without forfeits |"
        )?;
        writeln!(text, "|---|---|---|---|---|---|---|---|---|---|")?;
        for group in &groups {
            for (nth, row) in group.kinds[0].iter().enumerate() {
                if row.policy == policy {
                    let [before, after] = cells(row);
                    let tokens = group.tokens(nth);
                    writeln!(text, "| {} | {before}{tokens} | {after} |", group.label)?;
                }
            }
        }
    }
    writeln!(text)
}

/// In the order in which their first kinds come; those with several kinds are called A, B, …
fn groups(rows: &[Row]) -> Vec<Group<'_>> {
    let mut kinds: Vec<Vec<&Row>> = Vec::new();
    for row in rows {
        match kinds.iter_mut().find(|kind| kind[0].name == row.name) {
            Some(kind) => kind.push(row),
            None => kinds.push(vec![row]),
        }
    }
    let figures = |kind: &[&Row]| kind.iter().map(|row| cells(row)).collect::<Vec<_>>();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for kind in kinds {
        match groups.iter_mut().find(|group| figures(&group.kinds[0]) == figures(&kind)) {
            Some(group) => group.kinds.push(kind),
            None => groups.push(Group { label: format!("`{}`", kind[0].name), kinds: vec![kind] }),
        }
    }
    let several = groups.iter_mut().filter(|group| group.kinds.len() > 1);
    several.zip('A'..).for_each(|(group, letter)| group.label = letter.to_string());
    groups
}

/// What stands before and after the tokens, which kinds of one group need not share.
fn cells(row: &Row) -> [String; 2] {
    let jobs = |jobs: Option<f64>| jobs.map_or_else(|| "never".to_owned(), |j| format!("{j:.1}"));
    let longest = row.jobs_to_ban_max.map(|jobs| format!(" ({jobs})")).unwrap_or_default();
    let unbanned = row.lives - row.banned;
    let rest =
        if row.banned > 0 && unbanned > 0 { format!(", {unbanned} never") } else { String::new() };
    let lies = if row.intermittent { "1 in 10" } else { "always" };
    [
        format!(
            "{lies} | {} | {} | {} | {}",
            percent_within(row.caught_if_checked, row.caught_if_checked_bounds),
            percent_within(row.caught_per_answer, row.caught_per_answer_bounds),
            percent_within(row.caught_in_100_jobs, row.caught_in_100_jobs_bounds),
            jobs(row.jobs_to_quarantine)
        ),
        format!(
            "{}{longest}{rest} | {:.0} | {:+.2} | {:+.2}",
            jobs(row.jobs_to_ban),
            row.forfeited_jobs,
            row.profit_over_honest,
            row.profit_without_forfeits
        ),
    ]
}

impl Group<'_> {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.kinds.iter().map(|kind| kind[0].name.as_str())
    }

    /// Until quarantine, over its kinds; nothing if there was none.
    fn tokens(&self, nth: usize) -> String {
        let tokens = self.kinds.iter().filter_map(|kind| kind[nth].tokens_to_quarantine);
        let (low, high) = tokens.fold((f64::INFINITY, 0.0f64), |(low, high), tokens| {
            (low.min(tokens), high.max(tokens))
        });
        match (low.round(), high.round()) {
            (low, _) if low.is_infinite() => String::new(),
            (low, high) if low == high => format!(" ({low})"),
            (low, high) => format!(" ({low}–{high})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use assay_verifier::bounds::bounds_95;

    use super::*;

    fn row(name: &str, policy: Policy, tokens: f64) -> Row {
        Row {
            name: name.into(),
            policy: policy.name(),
            intermittent: false,
            caught_per_answer: 0.5,
            caught_per_answer_bounds: bounds_95(5, 10),
            caught_if_checked: 1.0,
            caught_if_checked_bounds: bounds_95(10, 10),
            lies_checked: 10,
            lies_failed: 10,
            caught_in_100_jobs: 1.0,
            caught_in_100_jobs_bounds: bounds_95(10, 10),
            jobs_to_quarantine: Some(2.0),
            tokens_to_quarantine: Some(tokens),
            jobs_to_ban: Some(4.0),
            jobs_to_ban_max: Some(6),
            banned: 9,
            lives: 10,
            forfeited_jobs: 200.0,
            profit_over_honest: -1.0,
            profit_without_forfeits: -0.75,
        }
    }

    #[test]
    fn kinds_of_the_same_figures_share_a_row() {
        let mut rows = Vec::new();
        for (name, tokens) in [("edit", 20.0), ("pad", 30.0), ("copy", 20.0)] {
            rows.extend(Policy::ALL.map(|policy| row(name, policy, tokens)));
        }
        rows[6].jobs_to_ban = None;
        let mut text = String::new();
        write(&mut text, &rows).unwrap();
        assert!(text.starts_with("- **A**: `edit`, `pad`\n\nUnder `low`:\n"), "{text}");
        let a = "| A | always | 100 % (69–100) | 50 % (19–81) | 100 % (69–100) | 2.0 (20–30) | 4.0 (6), 1 never | 200 | -1.00 | -0.75 |";
        assert_eq!(text.matches(a).count(), 3, "{text}");
        assert!(text.contains("| `copy` | always |") && text.contains("| never (6)"), "{text}");
    }
}
