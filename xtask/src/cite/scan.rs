//! Finds citations: comments that begin with `req:`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// One id in one comment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Citation {
    /// Relative to the workspace.
    pub(super) path: PathBuf,
    /// Counted from one.
    pub(super) line: usize,
    pub(super) id: String,
    /// The test, or the scenario, that the comment belongs to.
    pub(super) test: Option<String>,
    /// Whether the file has nothing but tests.
    pub(super) in_tests: bool,
}

/// Where code and tests are. Not here: the words of this command are no citations.
const FOLDERS: [&str; 4] = ["crates", "interop", "scenarios", "sim"];

/// Every citation in the workspace, in the order of the paths.
pub(super) fn workspace(root: &Path) -> io::Result<Vec<Citation>> {
    let mut citations = Vec::new();
    for folder in FOLDERS {
        collect(root, Path::new(folder), &mut citations)?;
    }
    Ok(citations)
}

fn collect(root: &Path, folder: &Path, citations: &mut Vec<Citation>) -> io::Result<()> {
    let mut entries = fs::read_dir(root.join(folder))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                collect(root, &path, citations)?;
            }
        } else if let Some("rs" | "toml") = path.extension().and_then(|ext| ext.to_str()) {
            file(&path, &fs::read_to_string(root.join(&path))?, citations);
        }
    }
    Ok(())
}

/// Appends the citations of one file.
fn file(path: &Path, content: &str, citations: &mut Vec<Citation>) {
    let rust = path.extension().is_some_and(|extension| extension == "rs");
    let marker = if rust { "// req:" } else { "# req:" };
    let in_tests = rust
        && (path.components().any(|part| part.as_os_str() == "tests")
            || path.file_name().is_some_and(|name| name == "tests.rs"));
    let lines: Vec<&str> = content.lines().map(str::trim).collect();
    for (index, line) in lines.iter().enumerate() {
        let Some(ids) = line.strip_prefix(marker) else { continue };
        let test = match rust {
            true => test_below(&lines[index + 1..]),
            false => path.file_stem().map(|stem| stem.to_string_lossy().into_owned()),
        };
        for id in ids.trim_end_matches('.').split(',') {
            citations.push(Citation {
                path: path.to_owned(),
                line: index + 1,
                id: id.trim().to_owned(),
                test: test.clone(),
                in_tests,
            });
        }
    }
}

/// The name of the test that begins with the next lines; comments and attributes may stand between.
fn test_below(lines: &[&str]) -> Option<String> {
    let mut is_test = false;
    for line in lines {
        if line.starts_with("#[") {
            is_test |= *line == "#[test]" || line.starts_with("#[tokio::test");
        } else if !line.starts_with("//") {
            let (_, rest) = line.split_once("fn ")?;
            let name = rest.split(['(', '<']).next()?;
            return is_test.then(|| name.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, content: &str) -> Vec<(usize, String, Option<String>)> {
        let mut citations = Vec::new();
        file(Path::new(path), content, &mut citations);
        citations.into_iter().map(|c| (c.line, c.id, c.test)).collect()
    }

    #[test]
    fn a_comment_above_a_test_names_the_test() {
        let content = "// req: HS-01, ID-05\n// Why.\n#[test]\nfn it_works() {}\n";
        let test = Some("it_works".to_owned());
        assert_eq!(
            found("a/tests/b.rs", content),
            [(1, "HS-01".to_owned(), test.clone()), (1, "ID-05".to_owned(), test)]
        );
    }

    #[test]
    fn a_comment_elsewhere_is_about_the_code() {
        assert_eq!(
            found("a/src/b.rs", "    // req: B-17\n    let x = 1;\n"),
            [(1, "B-17".to_owned(), None)]
        );
        assert_eq!(
            found("a/src/b.rs", "// req: B-17\nfn code() {}\n\n#[test]\nfn other() {}\n"),
            [(1, "B-17".to_owned(), None)]
        );
    }

    #[test]
    fn a_scenario_is_a_test() {
        assert_eq!(
            found("scenarios/loss.toml", "# req: CC-14\n[link]\n"),
            [(1, "CC-14".to_owned(), Some("loss".to_owned()))]
        );
    }
}
