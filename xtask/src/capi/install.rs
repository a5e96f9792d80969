//! Lays the library out for any build system: `lib/`, `include/` and `lib/pkgconfig/`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{folder, libraries, unwritable};
use crate::command::Failure;

pub(super) fn run(prefix: &Path) -> Result<(), Failure> {
    for path in install(&libraries()?, prefix)? {
        println!("{}", path.display());
    }
    Ok(())
}

/// Installs `libraries` below `prefix` and returns what is there now.
pub(super) fn install(libraries: &[PathBuf], prefix: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut installed = Vec::new();
    for library in libraries {
        let name = library.file_name().expect("a library is a file");
        // The library for programs of Rust is of no use to others.
        if library.extension().is_some_and(|extension| extension != "rlib") {
            installed.push(copy(library, &prefix.join("lib").join(name))?);
        }
    }
    for header in ["utp.h", "libutp/utp.h"] {
        let header = Path::new("include").join(header);
        installed.push(copy(&folder().join(&header), &prefix.join(header))?);
    }
    let template = folder().join("libutp.pc.in");
    let template = fs::read_to_string(&template).map_err(|error| unwritable(&template, &error))?;
    let path = prefix.join("lib/pkgconfig/libutp.pc");
    make_folder_of(&path)?;
    let whole = prefix.canonicalize().map_err(|error| unwritable(prefix, &error))?;
    fs::write(&path, filled(&template, &whole)).map_err(|error| unwritable(&path, &error))?;
    installed.push(path);
    Ok(installed)
}

/// The file for pkg-config.
fn filled(template: &str, prefix: &Path) -> String {
    template
        .replace("@PREFIX@", &prefix.display().to_string())
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
}

fn copy(from: &Path, to: &Path) -> Result<PathBuf, Failure> {
    make_folder_of(to)?;
    // A library that a program has in use must not change under it.
    if to.exists() {
        fs::remove_file(to).map_err(|error| unwritable(to, &error))?;
    }
    fs::copy(from, to).map_err(|error| unwritable(to, &error))?;
    Ok(to.to_owned())
}

fn make_folder_of(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_for_pkg_config_names_prefix_and_version() {
        let template = fs::read_to_string(folder().join("libutp.pc.in")).expect("it is there");
        let filled = filled(&template, Path::new("/opt/utp"));
        assert!(filled.starts_with("prefix=/opt/utp\n"), "{filled}");
        assert!(!filled.contains('@'), "{filled}");
    }
}
