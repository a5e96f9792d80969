//! What is wrong with a scenario file, said so that it can be put right without the manual.

use std::fmt;
use std::path::Path;

/// A scenario file that cannot be run.
///
/// Shown as `file:line: key 'x': what is wrong: got the value given, allowed: the values allowed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file as it was named on the command line.
    pub path: Box<Path>,
    /// Line of the key or value, counted from 1; 0 when the file could not be read.
    pub line: usize,
    /// Dotted key, for instance `link.uplink.rate`; empty when the file is not TOML at all.
    pub key: Box<str>,
    /// What is wrong, in lower case.
    pub problem: Box<str>,
    /// The value given, as the file has it; absent when a key is missing or unknown.
    pub given: Option<Box<str>>,
    /// The values allowed.
    pub allowed: Option<Box<str>>,
    /// The allowed name that was probably meant.
    pub suggestion: Option<Box<str>>,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        f.write_str(" ")?;
        if !self.key.is_empty() {
            write!(f, "key '{}': ", self.key)?;
        }
        f.write_str(&self.problem)?;
        if let Some(given) = &self.given {
            write!(f, ": got {given}")?;
        }
        if let Some(allowed) = &self.allowed {
            write!(f, ", allowed: {allowed}")?;
        }
        if let Some(suggestion) = &self.suggestion {
            write!(f, " (did you mean '{suggestion}'?)")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}

/// The name among `names` that is close enough to `given` to be a slip of the fingers.
pub(crate) fn nearest<'a>(
    given: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Nobody slips for that long, and the comparison takes memory.
    if given.len() > 64 {
        return None;
    }
    names
        .into_iter()
        .map(|name| (distance(given, name), name))
        .filter(|&(distance, name)| distance <= name.chars().count().max(3) / 3)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let names = ["rate", "delay", "queue", "loss", "jitter"];
        assert_eq!(nearest("dealy", names), Some("delay"));
        assert_eq!(nearest("jiter", names), Some("jitter"));
        assert_eq!(nearest("los", names), Some("loss"));
        assert_eq!(nearest("bandwidth", names), None);
        assert_eq!(distance("", "abc"), 3);
    }
}
