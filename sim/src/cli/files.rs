//! Loading what is to be run, and seeing that its results have a place to go.

use super::Streams;
use super::options::Runs;
use crate::scenario::{Scenario, ScenarioFile, load};
use anyhow::Context;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// All files or, when anything is wrong with any of them, none: then nothing is run or written.
/// What the command line says stands in place of what the files say.
pub(super) fn load_all(
    paths: &[PathBuf],
    runs: &Runs,
    io: &mut Streams<'_>,
) -> io::Result<Option<Vec<ScenarioFile>>> {
    let mut files = Vec::new();
    let mut names = BTreeMap::new();
    let mut good = true;
    for path in paths {
        let loaded = load(path).map_err(|error| error.to_string());
        match loaded.and_then(|file| adjusted(file, runs)) {
            Ok(file) => {
                if let Some(other) = names.insert(file.name.clone(), path) {
                    let (path, other) = (path.display(), other.display());
                    writeln!(io.err, "error: {path}: its results would replace those of {other}")?;
                    good = false;
                }
                files.push(file);
            }
            Err(error) => {
                writeln!(io.err, "error: {error}")?;
                good = false;
            }
        }
    }
    Ok(good.then_some(files))
}

fn adjusted(mut file: ScenarioFile, runs: &Runs) -> Result<ScenarioFile, String> {
    for scenario in &mut file.variants {
        if let Some((first, _)) = runs.seeds() {
            scenario.seed = first;
        }
        if let Some(engine) = runs.engine {
            let engine = engine.into();
            scenario
                .check_engine(engine)
                .map_err(|error| format!("{}: --engine: {error}", file.path.display()))?;
            scenario.engine = engine;
        }
    }
    Ok(file)
}

/// Every variant, at every point, with every seed; the seeds of one variant next to each other.
pub(super) fn jobs(file: &ScenarioFile, runs: &Runs) -> Vec<Scenario> {
    let (first, last) = runs.seeds().unwrap_or((0, 0));
    let of_variant = |scenario: &Scenario| {
        let scenario = scenario.clone();
        (0..=last - first).map(move |more| {
            let seed = scenario.seed.wrapping_add(more);
            Scenario { seed, ..scenario.clone() }
        })
    };
    file.variants.iter().flat_map(of_variant).collect()
}

/// Makes the folder, with a file in it that goes away again.
pub(super) fn check_writable(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let file = folder.join(".writable.partial");
    fs::write(&file, "")
        .and_then(|()| fs::remove_file(&file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Whether the file has a sweep.
pub(super) fn is_swept(file: &ScenarioFile) -> bool {
    file.variants.iter().any(|scenario| !scenario.point.is_empty())
}
