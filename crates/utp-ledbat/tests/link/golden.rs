//! Compares a table with its reviewed file. `UPDATE_GOLDEN=1` rewrites the files.

use std::fmt::Write as _;
use std::path::PathBuf;

/// Fails if `actual` differs from `tests/golden/{name}.txt`, showing the lines that differ.
pub(crate) fn assert_golden(name: &str, actual: &str) {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests", "golden", &format!("{name}.txt")].iter().collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::write(&path, actual).expect("the golden folder is writable");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    // A checkout may have turned the line ends.
    if expected.lines().eq(actual.lines()) {
        return;
    }
    panic!(
        "tests/golden/{name}.txt differs (- file, + now); UPDATE_GOLDEN=1 rewrites it\n{}",
        diff(&expected, actual)
    );
}

/// The lines that differ at the same place; tables keep their number of rows.
fn diff(expected: &str, actual: &str) -> String {
    let mut expected = expected.lines();
    let mut actual = actual.lines();
    let mut out = String::new();
    loop {
        let (old, new) = (expected.next(), actual.next());
        if old.is_none() && new.is_none() {
            return out;
        }
        if old == new {
            continue;
        }
        for (mark, line) in [('-', old), ('+', new)] {
            if let Some(line) = line {
                writeln!(out, "{mark} {line}").expect("strings take text");
            }
        }
    }
}

#[test]
fn a_difference_shows_both_lines() {
    assert_eq!(diff("a\nb\nc\n", "a\nx\nc\nd\n"), "- b\n+ x\n+ d\n");
}
