//! The rules about lines, functions and files.

use std::path::Path;

use super::Finding;

const FILE_LINES_MAX: usize = 800;
const FILE_LINES_SOFT: usize = 400;
const FUNCTION_LINES_MAX: usize = 100;
const FUNCTION_LINES_SOFT: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Whether somebody wrote the file by hand, in lines.
pub(super) fn is_text(path: &Path) -> bool {
    let extensions = ["md", "rs", "sh", "toml", "yml"];
    path.extension().is_some_and(|extension| extensions.iter().any(|text| extension == *text))
        || path.starts_with(".ci")
}

/// Checks one file; `roadmap` is the text of the road map.
pub(super) fn check(path: &Path, content: &str, roadmap: &str, findings: &mut Vec<Finding>) {
    let mut found = |line: usize, fails: bool, message: String| {
        findings.push(Finding { path: path.to_owned(), line, message, fails });
    };
    let rust = path.extension().is_some_and(|extension| extension == "rs");
    for (index, line) in content.lines().enumerate() {
        for message in line_errors(line, rust, roadmap) {
            found(index + 1, true, message);
        }
    }
    if !rust {
        return;
    }
    if !content.starts_with("//!") {
        found(1, true, "the file does not open with //! and what it owns".to_owned());
    }
    let lines: Vec<_> = content.lines().collect();
    if lines.len() > FILE_LINES_MAX {
        found(1, true, format!("{} lines, at most {FILE_LINES_MAX}", lines.len()));
    } else {
        let tests = lines.iter().position(|line| *line == "mod tests {");
        let production = tests.unwrap_or(lines.len());
        if production > FILE_LINES_SOFT {
            found(1, false, format!("{production} lines, better {FILE_LINES_SOFT}"));
        }
    }
    for (index, length) in functions(&lines) {
        if length > FUNCTION_LINES_MAX {
            let message = format!("a function of {length} lines, at most {FUNCTION_LINES_MAX}");
            found(index + 1, true, message);
        } else if length > FUNCTION_LINES_SOFT {
            let message = format!("a function of {length} lines, better {FUNCTION_LINES_SOFT}");
            found(index + 1, false, message);
        }
    }
}

/// What is wrong in one line.
fn line_errors(line: &str, rust: bool, roadmap: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if line.contains('\t') {
        errors.push("a tab".to_owned());
    }
    if line.ends_with(' ') {
        errors.push("a space at the end of the line".to_owned());
    }
    let columns = line.chars().count();
    // rustfmt leaves text in quotes alone, and a message reads best in one piece.
    if rust && columns > COLUMNS_MAX && !line.contains('"') {
        errors.push(format!("{columns} columns, at most {COLUMNS_MAX}"));
    }
    if let Some(folder) = machine_folder(line) {
        errors.push(format!("a path of somebody's machine: {folder}"));
    }
    if !open_ends_are_on_the_road_map(line, roadmap) {
        errors.push("an open end that is not on the road map".to_owned());
    }
    errors
}

/// The folder of a machine, such as that of a user, that an absolute path in `line` begins with.
fn machine_folder(line: &str) -> Option<&'static str> {
    // Written in two parts, so that this file passes its own check.
    let folders = [
        concat!("/", "home/"),
        concat!("/", "root/"),
        concat!("/", "Users/"),
        concat!("/", "work/"),
        concat!(r"C:\", r"Users\"),
    ];
    folders.into_iter().find(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|c| c.is_whitespace() || "\"'`(=:<".contains(c))
        })
    })
}

/// Whether each mark of unfinished work carries a word that the road map has.
fn open_ends_are_on_the_road_map(line: &str, roadmap: &str) -> bool {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let on_the_road_map = |rest: &str| {
        let word = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        word.is_some_and(|(word, _)| !word.is_empty() && roadmap.contains(word))
    };
    // The rule about the mark has to name it: without this, no document could.
    let quoted = |at: usize| line[..at].ends_with(['`', '"']);
    marks.iter().all(|mark| {
        line.match_indices(mark)
            .all(|(at, _)| quoted(at) || on_the_road_map(&line[at + mark.len()..]))
    })
}

/// The functions in `lines`: the index of the first line, and how many lines it is long.
///
/// A function ends where a brace closes at the indentation that it began with.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if !is_function_header(code) {
            continue;
        }
        let indentation = line.len() - code.len();
        let end = lines[start..].iter().position(|line| {
            let at_indentation = line.len() - line.trim_start().len() == indentation;
            at_indentation && line.ends_with(['}', ';'])
        });
        found.extend(end.map(|end| (start, end + 1)));
    }
    found
}

/// Whether a line of code, without its indentation, begins a function.
fn is_function_header(code: &str) -> bool {
    let Some((qualifiers, _)) = code.split_once("fn ") else { return false };
    qualifiers.split_whitespace().all(|word| {
        word.starts_with("pub")
            || word.ends_with(')') // pub(in path)
            || word.starts_with('"') // extern "C"
            || ["async", "const", "extern", "unsafe"].contains(&word)
    })
}

#[cfg(test)]
mod tests;
