//! The clauses of `specs/requirements.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How binding a clause is, in the words of RFC 2119.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Level {
    Must,
    Should,
    May,
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

/// What shows that a clause holds where no test of the workspace can.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProvedBy {
    /// A run against other processes and a real clock.
    Interop,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clause {
    pub(super) level: Level,
    pub(super) source: String,
    pub(super) text: String,
    /// Conformance cases that prove it.
    #[serde(default)]
    pub(super) cases: Vec<String>,
    pub(super) proved_by: Option<ProvedBy>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) about: String,
    pub(super) clauses: BTreeMap<String, Clause>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: Vec<Group>,
}

/// All groups, and where in the file each clause stands.
#[derive(Debug)]
pub(super) struct Requirements {
    pub(super) groups: Vec<Group>,
    lines: BTreeMap<String, usize>,
}

/// A clause that nothing proves.
#[derive(Debug)]
pub(super) struct Missing<'a> {
    pub(super) id: &'a str,
    pub(super) line: usize,
    pub(super) level: Level,
}

impl Requirements {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let File { group: groups } = toml::from_str(text).map_err(|error| error.to_string())?;
        for group in &groups {
            if let Some(id) = group.clauses.keys().find(|id| !is_id(id, &group.name)) {
                return Err(format!("{id} is no id of group {}", group.name));
            }
        }
        let lines = text.lines().enumerate().filter_map(|(index, line)| {
            let (id, _) = line.split_once(" = {")?;
            Some((id.to_owned(), index + 1))
        });
        Ok(Self { lines: lines.collect(), groups })
    }

    /// The clause called `id`, with its name.
    pub(super) fn clause(&self, id: &str) -> Option<(&str, &Clause)> {
        self.groups.iter().find_map(|group| {
            let (name, clause) = group.clauses.get_key_value(id)?;
            Some((name.as_str(), clause))
        })
    }

    /// Every case that a clause rests on and that does not exist.
    pub(super) fn unknown_cases(&self) -> Vec<String> {
        let mut errors = Vec::new();
        for (id, clause) in self.all() {
            for case in clause.cases.iter().filter(|case| self.clause(case).is_none()) {
                let line = self.line(id);
                errors.push(format!("{}:{line}: {id} rests on {case}", super::REQUIREMENTS));
            }
        }
        errors
    }

    /// Every clause that neither a test of its own nor tests of all its cases prove.
    pub(super) fn without_test(&self, is_tested: impl Fn(&str) -> bool) -> Vec<Missing<'_>> {
        self.all()
            .filter(|(id, clause)| {
                let by_cases = !clause.cases.is_empty()
                    && clause.cases.iter().all(|case| is_tested(case) || self.is_elsewhere(case));
                clause.proved_by.is_none() && !is_tested(id) && !by_cases
            })
            .map(|(id, clause)| Missing { id, line: self.line(id), level: clause.level })
            .collect()
    }

    fn is_elsewhere(&self, id: &str) -> bool {
        self.clause(id).is_some_and(|(_, clause)| clause.proved_by.is_some())
    }

    fn all(&self) -> impl Iterator<Item = (&str, &Clause)> {
        let clauses = self.groups.iter().flat_map(|group| &group.clauses);
        clauses.map(|(id, clause)| (id.as_str(), clause))
    }

    fn line(&self, id: &str) -> usize {
        self.lines.get(id).copied().unwrap_or(1)
    }
}

/// Whether `id` is the name of the group and two digits.
fn is_id(id: &str, group: &str) -> bool {
    id.strip_prefix(group)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()))
}
