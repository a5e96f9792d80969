//! What a sweep keeps in its folder while it is under way: which runs there are, and each finished
//! run in a file of its own.

use crate::report::{Measured, write_all};
use crate::scenario::{Scenario, ScenarioFile};
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// Everything about a sweep that does not depend on which of its runs are finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) scenario: String,
    pub(super) summary: String,
    pub(super) digest: String,
    pub(super) text: String,
    pub(super) version: String,
    pub(super) engine: String,
    pub(super) command: String,
    /// The key of every run, in order.
    pub(super) runs: Vec<String>,
}

/// A finished run.
#[derive(Serialize, Deserialize)]
struct Finished {
    key: String,
    /// Digest of the program that ran it.
    program: String,
    measured: Measured,
}

impl Manifest {
    pub(super) fn new(file: &ScenarioFile, scenarios: &[Scenario], command: String) -> Self {
        let (digest, engine) = (&file.digest, file.engine().name());
        Self {
            scenario: file.name.clone(),
            summary: file.summary.clone(),
            digest: digest.clone(),
            text: file.text.clone(),
            version: VERSION.to_owned(),
            engine: engine.to_owned(),
            command,
            runs: scenarios.iter().map(|scenario| key(digest, scenario)).collect(),
        }
    }

    /// The manifest of a share.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(MANIFEST);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{}: not a sweep", path.display()))
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        write_all(folder, &[(MANIFEST, serde_json::to_string_pretty(self)? + "\n")])
    }
}

/// A run's own name: the same for the same text, version, engine, variant, point and seed.
fn key(digest: &str, scenario: &Scenario) -> String {
    let Scenario { variant, point, seed, engine, .. } = scenario;
    let identity = format!("{digest} {VERSION} {} {variant:?} {point:?} {seed}", engine.name());
    hexadecimal(&Sha256::digest(identity))
}

/// Digest of this program, which tells a result of another build from one of this.
pub(super) fn program() -> anyhow::Result<String> {
    let path = std::env::current_exe().context("cannot find this program")?;
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hexadecimal(&Sha256::digest(bytes)))
}

/// The finished run with this key; none when it is missing, not complete, or not of `program`.
pub(super) fn find(folder: &Path, key: &str, program: Option<&str>) -> Option<Measured> {
    let text = fs::read(path_of(folder, key)).ok()?;
    let finished: Finished = serde_json::from_slice(&text).ok()?;
    let same = finished.key == key && program.is_none_or(|program| finished.program == program);
    same.then_some(finished.measured)
}

/// Keeps a finished run.
pub(super) fn keep(
    folder: &Path,
    key: &str,
    program: &str,
    measured: &Measured,
) -> anyhow::Result<()> {
    let (key, measured) = (key.to_owned(), measured.clone());
    let name = format!("{key}.json");
    let finished = Finished { key, program: program.to_owned(), measured };
    write_all(&folder.join(POINTS), &[(&name, serde_json::to_string(&finished)? + "\n")])
}

/// Copies a finished run from one folder to another.
pub(super) fn copy(from: &Path, to: &Path, key: &str) -> anyhow::Result<()> {
    let source = path_of(from, key);
    let text = fs::read_to_string(&source);
    let text = text.with_context(|| format!("cannot read {}", source.display()))?;
    write_all(&to.join(POINTS), &[(&format!("{key}.json"), text)])
}

/// The sweeps in a folder of results, by name.
pub(super) fn sweeps_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.join(MANIFEST).is_file() {
            found.push(path);
        }
    }
    ensure!(!found.is_empty(), "{}: no sweep is in it", folder.display());
    found.sort();
    Ok(found)
}

fn path_of(folder: &Path, key: &str) -> PathBuf {
    folder.join(POINTS).join(format!("{key}.json"))
}

fn hexadecimal(hash: &[u8]) -> String {
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
const MANIFEST: &str = "runs.json";
const POINTS: &str = "points";
