//! Which files results are made from, and which of them differ.

use anyhow::Context as _;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The page with the tables, in a folder of results.
pub(crate) const README: &str = "README.md";

/// The results of single scenarios, in a folder of results.
pub(crate) const SCENARIOS: &str = "scenarios";

/// Every scenario file of the folder, by name.
///
/// # Errors
///
/// The folder cannot be read.
pub(crate) fn scenario_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let names = file_names(folder)?.into_iter().filter(|name| name.ends_with(".toml"));
    Ok(names.map(|name| folder.join(name)).collect())
}

/// A line for each file of `there` that differs from the one in `made`, is missing, or is there
/// without being made. What else is in `there`, such as measured results, is not looked at.
///
/// # Errors
///
/// A folder or a file that cannot be read.
pub(crate) fn differences(there: &Path, made: &Path) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    let (in_there, in_made) = (reproducible(there)?, reproducible(made)?);
    for name in in_there.union(&in_made) {
        let shown = there.join(name);
        let shown = shown.display();
        if !in_there.contains(name) {
            lines.push(format!("missing: {shown}"));
        } else if !in_made.contains(name) {
            lines.push(format!("superfluous: {shown}"));
        } else if read(&there.join(name))? != read(&made.join(name))? {
            lines.push(format!("differs: {shown}"));
        }
    }
    Ok(lines)
}

/// What a folder of results has that is the same on every machine, relative to it.
fn reproducible(root: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    if root.join(README).exists() {
        found.insert(PathBuf::from(README));
    }
    let mut folders = vec![PathBuf::from(SCENARIOS)];
    while let Some(folder) = folders.pop() {
        if !root.join(&folder).exists() {
            continue;
        }
        for name in file_names(&root.join(&folder))? {
            let name = folder.join(name);
            if root.join(&name).is_dir() {
                folders.push(name);
            } else {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The names in a folder, sorted.
pub(super) fn file_names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(folder).and_then(|entries| {
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.map(|entry| entry.map(name)).collect::<io::Result<Vec<_>>>()
    });
    let mut names = entries.with_context(|| format!("cannot read {}", folder.display()))?;
    names.sort_unstable();
    Ok(names)
}
