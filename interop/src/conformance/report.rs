//! The results of the suite: counts, tables, JSON.

mod html;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::case::{Case, Flag, Grade};
use super::outcome::Outcome;
use super::run::Verdict;
use crate::harness::Provenance;

/// What came of the suite with some implementations.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    provenance: Provenance,
    cases: Vec<Case>,
    /// In the order in which they are shown.
    columns: Vec<Column>,
}

/// One implementation and what came of each case with it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) is_ours: bool,
    /// How long all of it took.
    pub(crate) seconds: u64,
    pub(crate) outcomes: BTreeMap<String, Outcome>,
}

#[derive(Serialize)]
struct Summary<'a> {
    provenance: &'a Provenance,
    implementations: BTreeMap<&'a str, Counts<'a>>,
    cases: Vec<CaseSummary<'a>>,
}

#[derive(Serialize)]
struct Counts<'a> {
    version: &'a str,
    pass: usize,
    fail: usize,
    crash: usize,
    skip: usize,
    known: usize,
    late: usize,
    must_pass: usize,
    must_total: usize,
    seconds: u64,
}

#[derive(Serialize)]
struct CaseSummary<'a> {
    id: &'a str,
    level: String,
    title: &'a str,
    results: BTreeMap<&'a str, &'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    reasons: BTreeMap<&'a str, &'a str>,
}

impl Column {
    fn counts(&self, cases: &[&Case]) -> Counts<'_> {
        let verdicts: Vec<(Grade, Verdict)> = cases
            .iter()
            .filter_map(|case| Some((case.grade, self.outcomes.get(&case.id)?.verdict)))
            .collect();
        let count = |wanted| verdicts.iter().filter(|(_, verdict)| *verdict == wanted).count();
        // What cannot be asked of an implementation is no part of the sum.
        let must = |verdict: Verdict| {
            let musts = verdicts.iter().filter(|(grade, _)| *grade == Grade::Must);
            musts.filter(|(_, found)| *found == verdict).count()
        };
        let must_total = verdicts.iter().filter(|(grade, _)| *grade == Grade::Must).count();
        Counts {
            version: &self.version,
            pass: count(Verdict::Pass),
            fail: count(Verdict::Fail),
            crash: count(Verdict::Crash),
            skip: count(Verdict::Skip),
            known: count(Verdict::Known),
            late: count(Verdict::Late),
            must_pass: must(Verdict::Pass),
            must_total: must_total - must(Verdict::Skip),
            seconds: self.seconds,
        }
    }
}

impl Report {
    /// A report without an implementation yet.
    pub(crate) const fn new(provenance: Provenance, cases: Vec<Case>) -> Self {
        Self { provenance, cases, columns: Vec::new() }
    }

    pub(crate) fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Adds what came of the cases with one more implementation.
    pub(crate) fn add(&mut self, column: Column) {
        self.columns.push(column);
    }

    /// Whether nothing failed that was not expected to.
    pub(crate) fn pass(&self) -> bool {
        !self.worst_is(Verdict::is_bad)
    }

    /// Whether the runner failed somewhere.
    pub(crate) fn is_internal(&self) -> bool {
        self.worst_is(|verdict| verdict == Verdict::Internal)
    }

    fn worst_is(&self, is: impl Fn(Verdict) -> bool) -> bool {
        self.columns.iter().flat_map(|column| column.outcomes.values()).any(|one| is(one.verdict))
    }

    /// The cases that may stand in a table with other projects: none that is hostile, and none that
    /// makes a stack other than ours crash.
    fn published(&self) -> Vec<&Case> {
        let withheld = |case: &&Case| {
            let others = self.columns.iter().filter(|column| !column.is_ours);
            let mut outcomes = others.filter_map(|column| column.outcomes.get(&case.id));
            outcomes.any(|outcome| outcome.unpublished)
        };
        self.cases.iter().filter(|case| !case.has(Flag::Hostile) && !withheld(case)).collect()
    }

    /// `summary.json`.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        let cases = self.published();
        let implementations =
            self.columns.iter().map(|column| (column.name.as_str(), column.counts(&cases)));
        let summary = Summary {
            provenance: &self.provenance,
            implementations: implementations.collect(),
            cases: cases.iter().map(|case| self.case_summary(case)).collect(),
        };
        Ok(serde_json::to_string_pretty(&summary)? + "\n")
    }

    fn case_summary<'a>(&'a self, case: &'a Case) -> CaseSummary<'a> {
        let of = |column: &'a Column| Some((column.name.as_str(), column.outcomes.get(&case.id)?));
        let outcomes: Vec<(&str, &Outcome)> = self.columns.iter().filter_map(of).collect();
        let reasons = outcomes.iter().filter(|(_, outcome)| !outcome.reason.is_empty());
        CaseSummary {
            id: &case.id,
            level: case.grade.to_string(),
            title: &case.title,
            results: outcomes.iter().map(|(name, one)| (*name, one.verdict.name())).collect(),
            reasons: reasons.map(|(name, outcome)| (*name, outcome.reason.as_str())).collect(),
        }
    }

    /// `matrix.md`.
    pub(crate) fn markdown(&self) -> String {
        let cases = self.published();
        let mut text = format!(
            "# Conformance\n\nMeasured {} on {} ({}), commit {}, with `{}`.\n\n",
            self.provenance.date,
            self.provenance.machine.cpu,
            self.provenance.machine.os,
            self.provenance.commit,
            self.provenance.command
        );
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let rule = "---|".repeat(names.len());
        write_line(&mut text, format_args!("| | {} |", names.join(" | ")));
        write_line(&mut text, format_args!("|---|{rule}"));
        let counts: Vec<Counts<'_>> =
            self.columns.iter().map(|column| column.counts(&cases)).collect();
        let mut row = |name: &str, cell: &dyn Fn(&Counts<'_>) -> String| {
            let cells: Vec<String> = counts.iter().map(cell).collect();
            write_line(&mut text, format_args!("| {name} | {} |", cells.join(" | ")));
        };
        row("version", &|counts| counts.version.to_owned());
        row("MUST", &|counts| format!("{} of {}", counts.must_pass, counts.must_total));
        row("pass", &|counts| counts.pass.to_string());
        row("known", &|counts| counts.known.to_string());
        row("fail", &|counts| (counts.fail + counts.crash).to_string());
        row("late", &|counts| counts.late.to_string());
        row("took", &|counts| format!("{} s", counts.seconds));
        row("skip", &|counts| counts.skip.to_string());
        write_line(
            &mut text,
            format_args!("\n| case | grade | expectation | {} |", names.join(" | ")),
        );
        write_line(&mut text, format_args!("|---|---|---|{rule}"));
        for case in &cases {
            let verdicts: Vec<&str> = self.columns.iter().map(|one| verdict(one, case)).collect();
            let (id, grade, title) = (&case.id, case.grade, case.title.replace('|', "\\|"));
            let verdicts = verdicts.join(" | ");
            write_line(&mut text, format_args!("| {id} | {grade} | {title} | {verdicts} |"));
        }
        text += MATRIX_NOTES;
        for column in &self.columns {
            for case in &cases {
                let outcome = column.outcomes.get(&case.id);
                if let Some(outcome) = outcome.filter(|one| one.verdict == Verdict::Known) {
                    let (name, id, reason) = (&column.name, &case.id, &outcome.reason);
                    write_line(&mut text, format_args!("- {name}, {id}: {reason}"));
                }
            }
        }
        text
    }

    /// `matrix.html`.
    pub(crate) fn html(&self) -> String {
        html::page(&self.provenance, &self.published(), &self.columns)
    }

    /// What a person sees at the end: counts, and a line for each case that did not pass.
    pub(crate) fn text(&self) -> String {
        let all: Vec<&Case> = self.cases.iter().collect();
        let mut text = String::new();
        for column in &self.columns {
            let counts = column.counts(&all);
            let of = format!("{} of {}", counts.must_pass, counts.must_total);
            write_line(
                &mut text,
                format_args!(
                    "{}: {} pass, {} fail, {} crash, {} late, {} known, {} skip; MUST {of}; \
                     took {} s",
                    column.name,
                    counts.pass,
                    counts.fail,
                    counts.crash,
                    counts.late,
                    counts.known,
                    counts.skip,
                    counts.seconds
                ),
            );
            for case in &all {
                let Some(outcome) = column.outcomes.get(&case.id) else { continue };
                if outcome.verdict != Verdict::Pass {
                    let (id, grade) = (&case.id, case.grade);
                    let (verdict, reason) = (outcome.verdict, &outcome.reason);
                    write_line(&mut text, format_args!("  {id} {grade:<6} {verdict:<5} {reason}"));
                }
            }
        }
        text
    }
}

/// What came of a case, in a word.
fn verdict(column: &Column, case: &Case) -> &'static str {
    column.outcomes.get(&case.id).map_or("", |outcome| outcome.verdict.name())
}

fn write_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a string takes everything");
    text.push('\n');
}

const MATRIX_NOTES: &str = "
`skip`: the implementation, or the shim in front of it, cannot do what the case takes. `known`: it
fails, for the reason below. `late`: it failed each time while the machine was too late to judge.
MUST counts the cases of that grade that were not skipped.

";
