//! The lines `key: value` at the top of a script.

use std::path::Path;

use super::{ScriptError, values};
use crate::conformance::case::{Body, Case, Grade, LIMIT};
use crate::conformance::peer::{Call, Mode};
use crate::conformance::stop::Stop;
use crate::harness::Ability;
use crate::shim::Role;

/// Reads the header. Returns how many lines it has, the case without its body, and the call of the
/// shim.
pub(super) fn parse(path: &str, text: &str) -> Result<(usize, Case, Call), ScriptError> {
    let at = |line: usize, what: String| ScriptError { path: path.to_owned(), line, what };
    let mut case = Case {
        id: String::new(),
        grade: Grade::Must,
        title: String::new(),
        reference: String::new(),
        requirements: Vec::new(),
        needs: Vec::new(),
        flags: Vec::new(),
        limit: LIMIT,
        // Replaced by the script as soon as its body is read.
        body: Body::Rust(|_| Err(Stop::Internal("a script without a body".into()))),
    };
    let mut call = None;
    let mut seen: Vec<&str> = Vec::new();
    let mut head = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            let Some((key, value)) = line.split_once(": ").filter(|(key, _)| KEYS.contains(key))
            else {
                break;
            };
            if seen.contains(&key) {
                return Err(at(index + 1, format!("found a second `{key}:`; allowed: one")));
            }
            seen.push(key);
            set(&mut case, &mut call, key, value.trim()).map_err(|what| at(index + 1, what))?;
        }
        head = index + 1;
    }
    for key in ["id", "grade", "title", "ref", "shim"] {
        if !seen.contains(&key) {
            return Err(at(head + 1, format!("found no `{key}:`; allowed: {}", KEYS.join(", "))));
        }
    }
    let named = Path::new(path)
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(&format!("{}-", case.id)));
    if !named {
        return Err(at(0, format!("allowed: a file name that begins with `{}-`", case.id)));
    }
    let call = call.ok_or_else(|| at(0, "no shim".into()))?;
    Ok((head, case, call))
}

fn set(case: &mut Case, call: &mut Option<Call>, key: &str, value: &str) -> Result<(), String> {
    let words = || value.split([',', ' ']).filter(|word| !word.is_empty());
    match key {
        "id" => value.clone_into(&mut case.id),
        "grade" => {
            case.grade = value
                .parse()
                .map_err(|_| format!("found `{value}`; allowed: MUST, SHOULD, MAY"))?;
        }
        "title" => value.clone_into(&mut case.title),
        "ref" => value.clone_into(&mut case.reference),
        "req" => case.requirements = words().map(str::to_owned).collect(),
        "needs" => {
            for word in words() {
                case.needs.push(Ability::named(word).ok_or_else(|| {
                    let names: Vec<&str> = Ability::names().collect();
                    format!("found `{word}`; allowed: {}", names.join(", "))
                })?);
            }
        }
        "flags" => {
            for word in words() {
                let flag = word.parse();
                case.flags.push(flag.map_err(|_| {
                    format!("found `{word}`; allowed: heavy, hostile, slow, timing")
                })?);
            }
        }
        "limit" => case.limit = values::duration(value)?,
        _ => *call = Some(shim(value)?),
    }
    Ok(())
}

/// Reads `listen sink rcvbuf=64KiB`.
fn shim(text: &str) -> Result<Call, String> {
    let wrong = || {
        format!(
            "found `{text}`; allowed: listen or connect, a role, and options such as rcvbuf=64KiB"
        )
    };
    let mut words = text.split_whitespace();
    let mode = match words.next() {
        Some("connect") => Mode::Connect,
        Some("listen") => Mode::Listen,
        _ => return Err(wrong()),
    };
    let role = words.next().ok_or_else(wrong)?;
    role.parse::<Role>().map_err(|error| format!("found `{role}`; allowed: {error}"))?;
    let mut call = Call { mode, ..Call::listen(role) };
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(wrong)?;
        call = call.option(name, value);
    }
    Ok(call)
}

const KEYS: [&str; 9] = ["id", "grade", "title", "ref", "req", "shim", "needs", "flags", "limit"];
