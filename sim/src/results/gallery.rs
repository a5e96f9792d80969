//! The list of all scenarios with a link to each plot.

use super::files::{SCENARIOS, file_names, scenario_files};
use crate::scenario::load;
use anyhow::anyhow;
use std::fmt::Write as _;
use std::path::Path;

/// One entry per scenario file that has results, in the order of their names.
///
/// # Errors
///
/// A folder or a scenario file that cannot be read.
pub(super) fn gallery(scenarios: &Path, results: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    for path in scenario_files(scenarios)? {
        let file = load(&path).map_err(|error| anyhow!("{error}"))?;
        let folder = results.join(SCENARIOS).join(&file.name);
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
