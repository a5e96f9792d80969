//! All cases, and which of them are asked for.

use std::path::Path;

use super::case::{Case, Flag};
use super::{cases, script};

/// Which cases to run; what is empty does not narrow anything down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) cases: Vec<String>,
    pub(crate) groups: Vec<String>,
    /// Whether cases that take minutes are run, too.
    pub(crate) slow: bool,
}

/// Every case, in the order of groups and numbers.
///
/// # Errors
///
/// With the file, the line and what is allowed there, when a script is wrong or there are two cases
/// of one id.
pub(crate) fn load(folder: &Path) -> Result<Vec<Case>, String> {
    let mut all = script::load(folder).map_err(|error| error.to_string())?;
    all.extend(cases::all());
    all.sort_by_key(|case| (rank(case.group()), case.id.clone()));
    match all.windows(2).find(|pair| pair[0].id == pair[1].id) {
        Some(pair) => Err(format!("there are two cases {}", pair[0].id)),
        None => Ok(all),
    }
}

/// The cases that are asked for.
///
/// # Errors
///
/// When a name is that of no case or group.
pub(crate) fn select(all: Vec<Case>, filter: &Filter) -> Result<Vec<Case>, String> {
    if let Some(id) = filter.cases.iter().find(|id| !all.iter().any(|case| case.id == **id)) {
        return Err(format!("there is no case `{id}`; --list shows those that there are"));
    }
    let is_group = |name: &String| all.iter().any(|case| case.group() == *name);
    if let Some(group) = filter.groups.iter().find(|name| !is_group(name)) {
        let groups = GROUPS.join(", ");
        return Err(format!("`{group}` is no group with a case; allowed: {groups}"));
    }
    let named = |case: &Case| filter.cases.contains(&case.id);
    let wanted = |case: &Case| {
        let everything = filter.cases.is_empty() && filter.groups.is_empty();
        let in_group = filter.groups.iter().any(|group| group == case.group());
        named(case) || ((everything || in_group) && (filter.slow || !case.has(Flag::Slow)))
    };
    Ok(all.into_iter().filter(wanted).collect())
}

fn rank(group: &str) -> usize {
    GROUPS.iter().position(|known| *known == group).unwrap_or(GROUPS.len())
}

/// The groups in the order in which they are shown.
pub(crate) const GROUPS: [&str; 14] =
    ["HS", "ID", "SQ", "SK", "WN", "TM", "CL", "RS", "EX", "MF", "CC", "MT", "WR", "HO"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn all() -> Vec<Case> {
        load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The level of every clause of the requirements, by its id.
    fn clauses() -> BTreeMap<String, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs/requirements.toml");
        let text = std::fs::read_to_string(path).expect("the requirements are there");
        let file: toml::Table = text.parse().expect("the requirements parse");
        let groups = file["group"].as_array().expect("groups");
        let clauses = groups.iter().flat_map(|group| group["clauses"].as_table().expect("clauses"));
        let level = |clause: &toml::Value| clause["level"].as_str().expect("a level").to_owned();
        clauses.map(|(id, clause)| (id.clone(), level(clause))).collect()
    }

    #[test]
    fn every_case_has_the_grade_of_its_clause_and_shows_clauses_that_there_are() {
        let clauses = clauses();
        for case in all() {
            let level = clauses.get(&case.id).unwrap_or_else(|| panic!("{} is no clause", case.id));
            assert_eq!(*level, case.grade.to_string(), "{}", case.id);
            for id in &case.requirements {
                assert!(clauses.contains_key(id), "{} shows {id}, which is no clause", case.id);
            }
            assert!(GROUPS.contains(&case.group()), "{}", case.id);
            assert!(!case.title.is_empty() && !case.reference.is_empty(), "{}", case.id);
        }
    }

    #[test]
    fn a_slow_case_runs_when_it_is_named_or_slow_ones_are_asked_for() {
        let case =
            |id: &str| Case::rust(id, crate::conformance::case::Grade::Must, "", "", |_| Ok(()));
        let all = vec![case("HS-01"), case("CC-08").flag(Flag::Slow)];
        let count = |filter: &Filter| select(all.clone(), filter).expect("known").len();
        assert_eq!(count(&Filter::default()), 1);
        assert_eq!(count(&Filter { slow: true, ..Filter::default() }), 2);
        assert_eq!(count(&Filter { cases: vec!["CC-08".into()], ..Filter::default() }), 1);
        assert_eq!(count(&Filter { groups: vec!["CC".into()], ..Filter::default() }), 0);
        assert!(select(all, &Filter { cases: vec!["XX-01".into()], ..Filter::default() }).is_err());
    }
}
