//! Cases written as scripts, in the manner of packetdrill. `interop/cases/README.md` is the manual.

mod expr;
mod header;
mod line;
mod packet;
mod parse;
mod run;
mod values;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::expr::Expr;
use self::line::Line;
use super::case::{Body, Case};
use super::peer::{Call, Peer};
use super::stop::CaseResult;

/// The body of a script and how it calls the shim.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// The file, as failures name it.
    path: String,
    call: Call,
    lines: Vec<Line>,
}

/// What is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScriptError {
    pub(crate) path: String,
    /// Counted from one; 0 is the file as a whole.
    pub(crate) line: usize,
    /// What was found and what is allowed.
    pub(crate) what: String,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

impl std::error::Error for ScriptError {}

impl Script {
    /// Runs the script.
    pub(crate) fn run(&self, peer: &mut Peer) -> CaseResult {
        run::run(self, peer)
    }
}

/// Reads a script; `path` is what failures call it.
pub(crate) fn parse(path: &str, text: &str) -> Result<Case, ScriptError> {
    let (head, mut case, call) = header::parse(path, text)?;
    let lines = parse::body(path, text, head)?;
    case.needs.extend(call.needs());
    line::commands(&lines, &mut |word| {
        case.needs.extend(crate::harness::Ability::of_command(word))
    });
    case.needs.sort_by_key(ToString::to_string);
    case.needs.dedup();
    case.body = Body::Script(Arc::new(Script { path: path.to_owned(), call, lines }));
    Ok(case)
}

/// Every script in the folders of `folder`, in the order of their names.
pub(crate) fn load(folder: &Path) -> Result<Vec<Case>, ScriptError> {
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let unreadable = |path: &Path, error: io::Error| ScriptError {
        path: shown(path),
        line: 0,
        what: error.to_string(),
    };
    let entries = |path: &Path| {
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut paths: Vec<PathBuf> = entries
            .map_err(|error| unreadable(path, error))?
            .into_iter()
            .map(|entry| entry.path())
            .collect();
        paths.sort();
        Ok::<_, ScriptError>(paths)
    };
    let mut cases = Vec::new();
    for group in entries(folder)?.iter().filter(|path| path.is_dir()) {
        for path in entries(group)?.iter().filter(|path| path.extension() == Some("utp".as_ref())) {
            let text = fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
            cases.push(parse(&shown(path), &text)?);
        }
    }
    Ok(cases)
}
