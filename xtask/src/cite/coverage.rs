//! The table of `specs/coverage.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{
    Places,
    requirements::{Clause, Group, Level, Requirements},
};

/// The whole file.
pub(super) fn table(requirements: &Requirements, places: &BTreeMap<&str, Places>) -> String {
    let missing: BTreeSet<&str> = requirements
        .without_test(|id| super::is_tested(places, id))
        .into_iter()
        .map(|clause| clause.id)
        .collect();
    let mut out = String::from(
        "# Coverage of the requirements\n\n\
         Written by `cargo xtask cite` from requirements.toml and the citations in code and \
         tests; not by hand.\n\n\
         | group | clauses | MUST proved | SHOULD proved | MAY proved |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for group in &requirements.groups {
        let counts = [Level::Must, Level::Should, Level::May].map(|level| {
            let of_level = group.clauses.iter().filter(|(_, clause)| clause.level == level);
            let (mut proved, mut all) = (0, 0);
            for (id, _) in of_level {
                all += 1;
                proved += usize::from(!missing.contains(id.as_str()));
            }
            if all == 0 { "–".to_owned() } else { format!("{proved} of {all}") }
        });
        let [must, should, may] = counts;
        let (name, title, clauses) = (&group.name, &group.title, group.clauses.len());
        line(&mut out, &format!("| {name}: {title} | {clauses} | {must} | {should} | {may} |"));
    }
    for group in &requirements.groups {
        section(&mut out, group, places);
    }
    out
}

fn section(out: &mut String, group: &Group, places: &BTreeMap<&str, Places>) {
    line(out, &format!("\n## {}: {}\n\n{}.\n", group.name, group.title, group.about));
    line(
        out,
        "| id | level | clause | source | code | proved by |\n| --- | --- | --- | --- | --- | --- |",
    );
    let nowhere = Places::default();
    for (id, clause) in &group.clauses {
        let places = places.get(id.as_str()).unwrap_or(&nowhere);
        let level = clause.level.name();
        let (text, source) = (clause.text.replace('|', "\\|"), clause.source.replace('|', "\\|"));
        let code = list(&places.code);
        let tests = proofs(clause, places);
        line(out, &format!("| {id} | {level} | {text} | {source} | {code} | {tests} |"));
    }
}

/// Tests, cases, or what else proves the clause.
fn proofs(clause: &Clause, places: &Places) -> String {
    let mut proofs = Vec::new();
    if !places.tests.is_empty() {
        proofs.push(list(&places.tests));
    }
    if !clause.cases.is_empty() {
        proofs.push(format!("by {}", clause.cases.join(", ")));
    }
    if clause.proved_by.is_some() {
        proofs.push("interoperability runs".to_owned());
    }
    if proofs.is_empty() { "–".to_owned() } else { proofs.join("<br>") }
}

fn list(places: &BTreeSet<String>) -> String {
    places.iter().map(String::as_str).collect::<Vec<_>>().join("<br>")
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes everything");
}
