//! Comparing two folders byte for byte.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

/// What differs between two folders, one line for each file; a folder that is not there is empty.
pub(super) fn folders(first: &Path, second: &Path) -> io::Result<Vec<String>> {
    let (in_first, in_second) = (files(first)?, files(second)?);
    let mut differences = Vec::new();
    for name in in_first.union(&in_second) {
        if !in_second.contains(name) {
            differences.push(format!("only in {}: {}", first.display(), name.display()));
        } else if !in_first.contains(name) {
            differences.push(format!("only in {}: {}", second.display(), name.display()));
        } else if fs::read(first.join(name))? != fs::read(second.join(name))? {
            let (first, second) = (first.display(), second.display());
            differences.push(format!("{} differs between {first} and {second}", name.display()));
        }
    }
    Ok(differences)
}

/// The files below `root`, relative to it.
fn files(root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(name);
            } else {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use super::*;

    /// A folder of the operating system's that is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let folder = env::temp_dir().join(format!("xtask-{}-{name}", process::id()));
            for (name, content) in files {
                let path = folder.join(name);
                fs::create_dir_all(path.parent().expect("it is in the folder")).expect("writable");
                fs::write(path, content).expect("writable");
            }
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn equal_folders_have_no_differences() {
        let files = [("a/summary.json", "{}"), ("b.csv", "1\n")];
        let (one, two) = (Folder::new("equal-1", &files), Folder::new("equal-2", &files));
        assert!(folders(&one.0, &two.0).expect("readable").is_empty());
    }

    #[test]
    fn a_file_that_differs_or_is_missing_is_named() {
        let one = Folder::new("one", &[("a/x", "1"), ("a/y", "1"), ("b", "")]);
        let two = Folder::new("two", &[("a/x", "2"), ("b", ""), ("c", "")]);
        let differences = folders(&one.0, &two.0).expect("readable");
        let path = |name: &str| Path::new("a").join(name).display().to_string();
        assert_eq!(differences.len(), 3);
        assert!(differences[0].starts_with(&format!("{} differs", path("x"))));
        assert_eq!(differences[1], format!("only in {}: {}", one.0.display(), path("y")));
        assert_eq!(differences[2], format!("only in {}: c", two.0.display()));
    }

    #[test]
    fn a_folder_that_is_not_there_is_empty() {
        let one = Folder::new("there", &[("a", "")]);
        let nowhere = env::temp_dir().join("xtask-no-such-folder");
        assert_eq!(folders(&nowhere, &one.0).expect("readable").len(), 1);
    }
}
