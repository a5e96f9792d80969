//! Writing the files of a scenario so that an interrupted run leaves the old ones or the new ones.

use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};

/// Writes `files` into `folder`, which is made if need be.
///
/// Every file is written under a temporary name first; only when all are complete are they renamed,
/// so that nothing half-written ever has the name of a result.
///
/// # Errors
///
/// The folder or a file cannot be written; no result has changed unless a rename failed.
pub fn write_all(folder: &Path, files: &[(&str, String)]) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let temporary = |name: &str| folder.join(format!(".{name}.partial"));
    let written = files.iter().try_for_each(|(name, text)| {
        let path = temporary(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    });
    let renamed = written.and_then(|()| {
        files.iter().try_for_each(|(name, _)| {
            let path: PathBuf = folder.join(name);
            let result = fs::rename(temporary(name), &path);
            result.with_context(|| format!("cannot write {}", path.display()))
        })
    });
    if renamed.is_err() {
        for (name, _) in files {
            // The first error is the one to report; what is left here was never renamed.
            drop(fs::remove_file(temporary(name)));
        }
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::Folder;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_failure_leaves_the_old_files_and_no_partial_ones() {
        let folder = Folder::new("files");
        write_all(&folder, &[("a", "old".to_owned())]).expect("written");
        assert_eq!(names(&folder), ["a"]);
        // A slash makes the second name one of a folder that does not exist.
        let files = [("a", "new".to_owned()), ("b/c", "new".to_owned())];
        let error = write_all(&folder, &files).expect_err("no such folder");
        assert!(error.to_string().starts_with("cannot write "), "{error}");
        assert_eq!(names(&folder), ["a"]);
        assert_eq!(fs::read_to_string(folder.join("a")).expect("readable"), "old");
    }
}
