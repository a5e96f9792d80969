//! `cargo xtask tidy`: rules of layout that no other tool checks.
//!
//! It reads lines and knows no grammar. What it says about functions rests on the indentation that
//! `cargo fmt` makes, and the step `fmt` of ci checks that.

mod manifest;
mod text;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use crate::command::{self, Failure};

pub(crate) const HELP: &str = "\
Example: cargo xtask tidy

Rust files: at most 800 lines, functions at most 100, lines at most 100 columns; each file opens
with //! and says what it owns. What is longer than 400 lines without its tests, or than 70 lines
as a function, is reported and does not fail.
Text files: no tab, no space at the end of a line, no path of somebody's machine, and `TODO` only as
`TODO(word)` with the word in ROADMAP.md.
Crates: the dependencies of each stay within its list.";

/// What is wrong in a file, or worth a look.
#[derive(Debug, PartialEq)]
struct Finding {
    path: PathBuf,
    /// Counted from one.
    line: usize,
    message: String,
    /// Whether it makes the check fail.
    fails: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.fails { "error" } else { "note" };
        write!(f, "{}:{}: {kind}: {}", self.path.display(), self.line, self.message)
    }
}

pub(crate) fn run() -> Result<(), Failure> {
    let root = command::root();
    let findings =
        check(&root).map_err(|error| Failure::Internal(format!("{}: {error}", root.display())))?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().filter(|finding| finding.fails).count() {
        0 => Ok(()),
        count => Err(Failure::Check(format!("tidy: {count} violations"))),
    }
}

/// Checks every text file under `root`.
fn check(root: &Path) -> io::Result<Vec<Finding>> {
    let roadmap = fs::read_to_string(root.join("ROADMAP.md")).unwrap_or_default();
    let mut paths = Vec::new();
    collect(root, Path::new(""), &mut paths)?;
    let mut findings = Vec::new();
    for path in paths {
        let content = fs::read_to_string(root.join(&path))?;
        text::check(&path, &content, &roadmap, &mut findings);
        if path.file_name().is_some_and(|name| name == "Cargo.toml") {
            manifest::check(&path, &content, &mut findings);
        }
    }
    Ok(findings)
}

/// Appends the text files below `root/folder`, sorted.
fn collect(root: &Path, folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(root.join(folder))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if ![".git", "target"].iter().any(|name| entry.file_name() == *name) {
                collect(root, &path, paths)?;
            }
        } else if text::is_text(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_files_are_collected_in_order_and_build_output_is_not() {
        let mut paths = Vec::new();
        collect(&command::root(), Path::new(""), &mut paths).expect("the workspace is readable");
        assert!(paths.is_sorted());
        for expected in ["Cargo.toml", "README.md", ".ci/run", "xtask/src/main.rs"] {
            assert!(paths.contains(&PathBuf::from(expected)), "{expected} is missing");
        }
        assert!(!paths.iter().any(|path| path.starts_with("target")));
        assert!(!paths.iter().any(|path| path.starts_with(".git")));
    }

    #[test]
    fn a_finding_reads_as_a_compiler_would_write_it() {
        let path = PathBuf::from("a/b.rs");
        let finding = Finding { path, line: 3, message: "tab".to_owned(), fails: true };
        assert_eq!(finding.to_string(), "a/b.rs:3: error: tab");
    }
}
