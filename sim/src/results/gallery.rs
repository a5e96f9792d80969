//! The list of all scenarios with a link to each plot.

use crate::scenario::load;
use anyhow::{Context as _, anyhow};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// One entry per scenario file that has results, in the order of their names.
///
/// # Errors
///
/// A folder or a scenario file that cannot be read.
pub(super) fn gallery(scenarios: &Path, results: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    for path in scenario_files(scenarios)? {
        let file = load(&path).map_err(|error| anyhow!("{error}"))?;
        let folder = results.join("scenarios").join(&file.name);
        if !folder.is_dir() {
            continue;
        }
        let name = &file.name;
        let _written = writeln!(
            text,
            "### {name}\n\n{} [report](scenarios/{name}/report.html), \
             [file](../scenarios/{name}.toml)\n",
            file.summary
        );
        let mut plots: Vec<_> = file_names(&folder)?;
        plots.retain(|name| name.ends_with(".svg"));
        for plot in plots {
            let what = plot.trim_end_matches(".svg");
            let _written = writeln!(text, "![{name}: {what}](scenarios/{name}/{plot})");
        }
        text.push('\n');
    }
    Ok(text)
}

/// Every scenario file of the folder, by name.
fn scenario_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let names = file_names(folder)?.into_iter().filter(|name| name.ends_with(".toml"));
    Ok(names.map(|name| folder.join(name)).collect())
}

fn file_names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let context = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        names.push(entry.with_context(context)?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}
