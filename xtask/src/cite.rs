//! `cargo xtask cite`: which code and which test stands for which clause of `specs/`.

mod coverage;
mod requirements;
mod scan;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use crate::command::{self, Failure};
use requirements::{Level, Requirements};
use scan::Citation;

pub(crate) const HELP: &str = "\
Examples:
  cargo xtask cite
  cargo xtask cite --check

A comment `// req: B-17` cites a clause of specs/requirements.toml; several are separated by commas.
Directly above `#[test]` it says that the test proves the clause, elsewhere that the code keeps it.
It fails on an unknown id, on a citation in a test file above no test, and on a MUST without a test,
lists every SHOULD without one, and writes specs/coverage.md.";

const REQUIREMENTS: &str = "specs/requirements.toml";
const COVERAGE: &str = "specs/coverage.md";

#[derive(clap::Args)]
pub(crate) struct Cite {
    /// Write nothing, and fail if specs/coverage.md is not what would be written
    #[arg(long)]
    check: bool,
}

impl Cite {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        run(self.check)
    }
}

/// Where a clause is cited.
#[derive(Debug, Default)]
struct Places {
    code: BTreeSet<String>,
    tests: BTreeSet<String>,
}

pub(crate) fn run(check: bool) -> Result<(), Failure> {
    let root = command::root();
    let unreadable = |error: io::Error| Failure::Internal(error.to_string());
    let text = fs::read_to_string(root.join(REQUIREMENTS)).map_err(unreadable)?;
    let requirements = Requirements::parse(&text)
        .map_err(|error| Failure::Check(format!("{REQUIREMENTS}: {error}")))?;
    let citations = scan::workspace(&root).map_err(unreadable)?;

    let (places, mut errors) = sort(&requirements, &citations);
    let missing = requirements.without_test(|id| is_tested(&places, id));
    for clause in &missing {
        let (line, id) = (clause.line, clause.id);
        let message = format!("{REQUIREMENTS}:{line}: {id} has no test");
        match clause.level {
            Level::Must => errors.push(format!("{message}, and is a MUST")),
            Level::Should => println!("{message}, and is a SHOULD"),
            Level::May => {}
        }
    }
    let coverage = coverage::table(&requirements, &places);
    update(&root.join(COVERAGE), &coverage, check, &mut errors).map_err(unreadable)?;
    for error in &errors {
        println!("{error}");
    }
    match errors.len() {
        0 => Ok(()),
        count => Err(Failure::Check(format!("cite: {count} violations"))),
    }
}

/// Puts every citation under its clause; what cites nothing is an error.
fn sort<'a>(
    requirements: &'a Requirements,
    citations: &[Citation],
) -> (BTreeMap<&'a str, Places>, Vec<String>) {
    let mut places: BTreeMap<&str, Places> = BTreeMap::new();
    let mut errors: Vec<String> = requirements.unknown_cases();
    for citation in citations {
        let place = format!("{}:{}", citation.path.display(), citation.line);
        let Some((id, _)) = requirements.clause(&citation.id) else {
            errors.push(format!("{place}: {:?} is no clause of {REQUIREMENTS}", citation.id));
            continue;
        };
        let at = places.entry(id).or_default();
        match &citation.test {
            Some(test) => at.tests.insert(format!("{} {test}", short(&citation.path))),
            None if citation.in_tests => {
                errors.push(format!("{place}: {id} is cited above no #[test]"));
                continue;
            }
            None => at.code.insert(short(&citation.path)),
        };
    }
    (places, errors)
}

fn is_tested(places: &BTreeMap<&str, Places>, id: &str) -> bool {
    places.get(id).is_some_and(|places| !places.tests.is_empty())
}

/// A path as the table shows it.
fn short(path: &Path) -> String {
    let path = path.strip_prefix("crates").unwrap_or(path);
    path.with_extension("").display().to_string().replace('\\', "/")
}

/// Writes `content`, or compares it with what is there.
fn update(path: &PathBuf, content: &str, check: bool, errors: &mut Vec<String>) -> io::Result<()> {
    if !check {
        return fs::write(path, content);
    }
    if fs::read_to_string(path).unwrap_or_default() != content {
        errors.push(format!("{COVERAGE}:1: stale, run cargo xtask cite"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "\
[[group]]
name = \"B\"
title = \"b\"
about = \"b\"
[group.clauses]
B-01 = { level = \"MUST\", source = \"s\", text = \"t\" }
B-02 = { level = \"SHOULD\", source = \"s\", text = \"t\", cases = [\"B-01\"] }
";

    fn cite(id: &str, test: Option<&str>, in_tests: bool) -> Citation {
        let (path, test) = ("crates/a/tests/b.rs".into(), test.map(ToOwned::to_owned));
        Citation { path, line: 7, id: id.to_owned(), test, in_tests }
    }

    #[test]
    fn a_citation_is_filed_under_its_clause_as_test_or_as_code() {
        let requirements = Requirements::parse(TOML).expect("valid");
        let citations = [cite("B-01", Some("works"), true), cite("B-02", None, false)];
        let (places, errors) = sort(&requirements, &citations);
        assert!(errors.is_empty(), "{errors:?}");
        assert!(places["B-01"].tests.contains("a/tests/b works"));
        assert!(places["B-02"].code.contains("a/tests/b"));
    }

    #[test]
    fn an_unknown_id_and_a_stray_citation_are_errors_with_their_place() {
        let requirements = Requirements::parse(TOML).expect("valid");
        let (_, errors) =
            sort(&requirements, &[cite("B-77", Some("works"), true), cite("B-01", None, true)]);
        assert_eq!(errors.len(), 2);
        assert!(errors[0].starts_with("crates/a/tests/b.rs:7: \"B-77\""), "{}", errors[0]);
        assert!(errors[1].contains("above no #[test]"), "{}", errors[1]);
    }

    #[test]
    fn a_clause_is_missing_until_it_or_all_its_cases_have_a_test() {
        let requirements = Requirements::parse(TOML).expect("valid");
        let ids = |tested: &[&str]| -> Vec<String> {
            let missing = requirements.without_test(|id| tested.contains(&id));
            missing.iter().map(|clause| clause.id.to_owned()).collect()
        };
        assert_eq!(ids(&[]), ["B-01", "B-02"]);
        assert_eq!(ids(&["B-02"]), ["B-01"]);
        assert!(ids(&["B-01"]).is_empty());
    }
}
