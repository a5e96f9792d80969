//! Builds libutp as a library of C++, from the sources that a crate of the registry brings.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::compiler;
use crate::command::{self, Failure, cargo};

/// The crate with the sources, which `utp-reference` depends on.
const CRATE: &str = "libutp-rs2-sys";

/// Its sources, all that the crate builds itself.
const SOURCES: [&str; 6] = [
    "utp_internal.cpp",
    "utp_utils.cpp",
    "utp_hash.cpp",
    "utp_callbacks.cpp",
    "utp_api.cpp",
    "utp_packedsockaddr.cpp",
];

/// Compiles libutp into `scratch`, optimised and without its assertions: with them a wrong call
/// ends the program where the interface says that it fails. Returns the objects.
pub(super) fn build(scratch: &Path) -> Result<Vec<PathBuf>, Failure> {
    let sources = sources()?;
    let mut objects = Vec::new();
    for source in SOURCES {
        let object = scratch.join(source).with_extension("o");
        let mut compile = Command::new(compiler("CXX", "c++"));
        compile.args(["-O2", "-w", "-DPOSIX", "-DNDEBUG", "-c", "-o"]).arg(&object);
        command::run(compile.arg(sources.join(source)))?;
        objects.push(object);
    }
    Ok(objects)
}

fn sources() -> Result<PathBuf, Failure> {
    let metadata = command::output(&mut cargo(&["metadata", "--format-version=1", "--locked"]))?;
    let manifest = manifest_of(&metadata, CRATE)
        .ok_or_else(|| Failure::Internal(format!("{CRATE} is not among the dependencies")))?;
    Ok(manifest.with_file_name("libutp"))
}

/// The manifest of a package, out of what cargo tells.
pub(super) fn manifest_of(metadata: &str, package: &str) -> Option<PathBuf> {
    metadata.split(r#""manifest_path":""#).skip(1).find_map(|rest| {
        let (path, _) = rest.split_once('"')?;
        let path = PathBuf::from(path.replace(r"\\", r"\"));
        let folder = path.parent()?.file_name()?.to_str()?;
        let (name, version) = folder.rsplit_once('-')?;
        (name == package && version.starts_with(|c: char| c.is_ascii_digit())).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_a_package_is_found() {
        let metadata = concat!(
            r#"{"packages":[{"name":"a","manifest_path":"/r/a-1.0.0/Cargo.toml"},"#,
            r#"{"name":"libutp-rs2-sys","manifest_path":"/r/libutp-rs2-sys-0.1.3/Cargo.toml"}]}"#,
        );
        let found = manifest_of(metadata, CRATE).expect("it is there");
        assert_eq!(found, Path::new("/r/libutp-rs2-sys-0.1.3/Cargo.toml"));
        assert_eq!(manifest_of(metadata, "libutp-rs2"), None);
    }
}
