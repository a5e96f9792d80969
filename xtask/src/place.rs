//! Paths as the user wrote them, named from the root of the workspace, where everything runs.
//!
//! So a command prints and writes the same wherever it was called, and still finds what is meant.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use crate::command::{self, Failure};

/// Where the user stands.
pub(crate) struct Place {
    here: PathBuf,
    root: PathBuf,
}

impl Place {
    /// The current directory of this process.
    pub(crate) fn here() -> Result<Self, Failure> {
        let here = env::current_dir()
            .map_err(|error| Failure::Internal(format!("the current directory: {error}")))?;
        Ok(Self { here, root: command::root() })
    }

    /// Names the file that is here called `path`.
    ///
    /// # Errors
    ///
    /// There is no such file.
    pub(crate) fn file(&self, path: &Path) -> io::Result<PathBuf> {
        self.here.join(path).metadata()?;
        Ok(self.name(path))
    }

    /// Names what is here called `path` and need not be there. An absolute path stays as it is.
    /// A relative one gets the same name whatever `..` and links to folders it leads through.
    pub(crate) fn name(&self, path: &Path) -> PathBuf {
        let whole = self.here.join(path);
        if path.is_absolute() {
            return whole;
        }
        // The last part may be a link, and keeps its name: it is that of the scenario.
        let folder = whole.parent().and_then(|folder| folder.canonicalize().ok());
        let whole = match (folder, whole.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => whole,
        };
        let real_root = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        let inside = whole.strip_prefix(real_root).or_else(|_| whole.strip_prefix(&self.root));
        match inside {
            Ok(inside) if inside.as_os_str().is_empty() => ".".into(),
            Ok(inside) => inside.to_owned(),
            Err(_) => whole,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The folder `inside` the workspace as the place of the user.
    pub(crate) fn place(inside: &str) -> Place {
        let root = command::root();
        Place { here: root.join(inside), root }
    }

    #[test]
    fn a_file_has_one_name_wherever_the_user_stands() {
        for (here, path) in [
            ("", "scenarios/loss.toml"),
            ("", "./xtask/../scenarios/loss.toml"),
            ("scenarios", "loss.toml"),
            ("xtask/src", "../../scenarios/loss.toml"),
        ] {
            let file = place(here).file(path.as_ref()).expect("there");
            assert_eq!(file, Path::new("scenarios/loss.toml"), "{path} in {here}");
        }
        place("scenarios").file("scenarios/loss.toml".as_ref()).expect_err("not from there");
    }

    #[test]
    fn what_is_outside_of_the_workspace_has_an_absolute_name() {
        let outside = Place { here: env::temp_dir(), root: command::root() };
        let temporary = env::temp_dir().canonicalize().expect("there");
        assert_eq!(outside.name("seven".as_ref()), temporary.join("seven"));

        let absolute = command::root().join("scenarios/loss.toml");
        assert_eq!(outside.file(&absolute).expect("there"), absolute);
        let outside = Place { here: command::root(), root: command::root().join("xtask") };
        let file = outside.file("scenarios/loss.toml".as_ref()).expect("there");
        assert_eq!(file, absolute.canonicalize().expect("there"));
    }

    #[test]
    fn a_folder_need_not_be_there() {
        assert_eq!(place("").name("target/seven".as_ref()), Path::new("target/seven"));
        assert_eq!(place("sim").name("seven".as_ref()), Path::new("sim/seven"));
        assert_eq!(place("sim").name("../nowhere".as_ref()), Path::new("nowhere"));
        assert_eq!(place("sim").name("no/where".as_ref()), Path::new("sim/no/where"));
        assert_eq!(place("sim").name(".".as_ref()), Path::new("sim"));
        assert_eq!(place("").name(".".as_ref()), Path::new("."));
        let absolute = command::root().join("seven");
        assert_eq!(place("sim").name(&absolute), absolute);
    }
}
