//! Failures that are expected: `interop/known/<stack>.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

/// The expected failures of one stack, by the id of the case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Known(BTreeMap<String, KnownFailure>);

/// Why a case fails.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownFailure {
    /// One sentence.
    pub(crate) reason: String,
    /// Where it is reported or explained.
    pub(crate) link: String,
    /// The case is not run against the stack, and stands in no table with it.
    #[serde(default)]
    pub(crate) left_out: bool,
}

impl Known {
    /// Reads the file of a stack; nothing is expected to fail when there is none.
    pub(crate) fn load(folder: &Path, stack: &str) -> Result<Self, String> {
        let path = folder.join(format!("{stack}.toml"));
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(|error| format!("{}: {error}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let known: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        match known.0.iter().find(|(_, known)| known.reason.is_empty() || known.link.is_empty()) {
            Some((id, _)) => Err(format!("{id} needs a reason and a link")),
            None => Ok(known),
        }
    }

    pub(crate) fn failure(&self, id: &str) -> Option<&KnownFailure> {
        self.0.get(id)
    }

    /// Whether a case is not to be run.
    pub(crate) fn leaves_out(&self, id: &str) -> bool {
        self.failure(id).is_some_and(|known| known.left_out)
    }

    /// The ids of all cases that are expected to fail.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expected_failure_has_a_reason_and_a_link() {
        let known = Known::parse("[HS-02]\nreason = \"silent\"\nlink = \"DEVIATIONS.md\"\n");
        let known = known.expect("parses");
        assert_eq!(known.ids().collect::<Vec<_>>(), ["HS-02"]);
        assert_eq!(known.failure("HS-02").expect("listed").reason, "silent");
        assert!(!known.leaves_out("HS-02"));
        for text in ["[HS-02]\nreason = \"silent\"\n", "[HS-02]\nreason = \"\"\nlink = \"x\"\n"] {
            assert!(Known::parse(text).is_err(), "{text}");
        }
    }
}
