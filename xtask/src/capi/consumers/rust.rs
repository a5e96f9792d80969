//! Crates over libutp. What stands between each and the C++ sources, a crate whose name ends with
//! `-sys`, is replaced with one that declares the same and links with this library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Bench, Count, copy_folder, write};
use crate::capi::reference::manifest_of;
use crate::capi::unwritable;
use crate::command::{self, Failure};

/// All that is fetched.
const FETCHED: [(&str, &str); 4] = [
    ("libutp-rs", "1.0.0"),
    ("libutp-rs2", "0.1.4"),
    ("libutp-rs2-sys", "0.1.3"),
    ("librqbit-utp", "0.7.0"),
];

/// The declarations of libutp that a generator once made and a crate keeps.
const DECLARED: (&str, &str) = ("libutp-rs2-sys", "src/bindings.rs");

/// The tests of libutp-rs.
pub(super) fn libutp_rs(bench: &Bench) -> Result<Count, Failure> {
    let fetched = Fetched::new(bench)?;
    // Its header gives the unions names.
    let named = [("unnamed_field1", "args1"), ("unnamed_field2", "args2")];
    let declared =
        named.iter().fold(fetched.declared()?, |words, (from, to)| words.replace(from, to));
    replace(bench, "libutp-sys", "0.1.4", &declared)?;
    Ok(counted(&fetched.cargo("libutp-rs", "libutp-sys", &["test"])?))
}

/// Those tests of librqbit-utp that it has libutp-rs2 for. The crate itself brings none, but
/// programs: of these one sends itself a million numbers and checks them.
pub(super) fn libutp_rs2(bench: &Bench) -> Result<Count, Failure> {
    let fetched = Fetched::new(bench)?;
    replace(bench, "libutp-rs2-sys", "0.1.3", &fetched.declared()?)?;
    let tests = ["test", "--lib", "libutp_rs2"];
    Ok(counted(&fetched.cargo("librqbit-utp", "libutp-rs2-sys", &tests)?))
}

/// Packages of the registry.
struct Fetched<'a> {
    bench: &'a Bench,
    /// What cargo tells of them.
    metadata: String,
}

impl<'a> Fetched<'a> {
    fn new(bench: &'a Bench) -> Result<Self, Failure> {
        let folder = bench.scratch.join("fetch");
        let listed = FETCHED.map(|(name, version)| format!("{name} = \"={version}\"\n")).concat();
        let package = "[package]\nname = \"fetch\"\nedition = \"2021\"\n\n[workspace]\n";
        let manifest = folder.join("Cargo.toml");
        write(&manifest, &format!("{package}\n[dependencies]\n{listed}"))?;
        write(&folder.join("src/lib.rs"), "")?;
        let mut ask = command::cargo(&["metadata", "--format-version=1", "--manifest-path"]);
        Ok(Self { bench, metadata: command::output(ask.arg(manifest))? })
    }

    fn folder(&self, package: &str) -> Result<PathBuf, Failure> {
        let manifest = manifest_of(&self.metadata, package)
            .ok_or_else(|| Failure::Internal(format!("cargo has not fetched {package}")))?;
        Ok(manifest.parent().expect("a manifest is in a folder").to_owned())
    }

    fn declared(&self) -> Result<String, Failure> {
        let (package, file) = DECLARED;
        let path = self.folder(package)?.join(file);
        fs::read_to_string(&path).map_err(|error| unwritable(&path, &error))
    }

    /// Runs cargo on a copy of a package, with another in the place of `replaced`.
    fn cargo(&self, package: &str, replaced: &str, task: &[&str]) -> Result<String, Failure> {
        let copy = self.bench.scratch.join("crates").join(package);
        copy_folder(&self.folder(package)?, &copy)?;
        let manifest = copy.join("Cargo.toml");
        let words = fs::read_to_string(&manifest).map_err(|error| unwritable(&manifest, &error))?;
        // It is no part of the workspace that it lies in.
        write(&manifest, &format!("{words}\n[workspace]\n"))?;
        let path = folder_of(self.bench, replaced);
        let patch = format!("patch.crates-io.{replaced}.path={:?}", path.display().to_string());
        let (what, how) = task.split_first().expect("cargo is asked for something");
        let mut cargo = Command::new(command::cargo(&[]).get_program());
        cargo.args([*what, "--config", &patch]).args(how).current_dir(copy);
        cargo.env("CARGO_TARGET_DIR", self.bench.scratch.join("target"));
        self.bench.told(&mut cargo)
    }
}

fn folder_of(bench: &Bench, package: &str) -> PathBuf {
    bench.scratch.join("crates").join(package)
}

/// Writes the crate that takes the place of `package`.
fn replace(bench: &Bench, package: &str, version: &str, declared: &str) -> Result<(), Failure> {
    let folder = folder_of(bench, package);
    let manifest = format!(
        "[package]\nname = \"{package}\"\nversion = \"{version}\"\nedition = \"2021\"\n\n\
         [workspace]\n\n[dependencies]\nlibc = \"0.2\"\n"
    );
    write(&folder.join("Cargo.toml"), &manifest)?;
    write(&folder.join("build.rs"), &build_script(&bench.prefix.join("lib")))?;
    let library = "#![allow(non_camel_case_types, non_upper_case_globals, non_snake_case)]\n\
                   pub use libc::{sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage};\n";
    write(&folder.join("src/lib.rs"), &format!("{library}{declared}"))
}

fn build_script(libraries: &Path) -> String {
    format!(
        "fn main() {{\n    println!(\"cargo:rustc-link-search=native={}\");\n    \
         println!(\"cargo:rustc-link-lib=dylib=utp\");\n}}\n",
        libraries.display()
    )
}

/// The sums of what cargo tells of each program with tests.
fn counted(words: &str) -> Count {
    let mut count = Count::default();
    for line in words.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        let number = |mark: &str| {
            let (before, _) = line.split_once(mark)?;
            before.rsplit(' ').next()?.parse::<u32>().ok()
        };
        count.passed += number(" passed").unwrap_or(0);
        count.failed += number(" failed").unwrap_or(0);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_all_programs_with_tests_are_added() {
        let told = "running 2 tests\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
            test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(counted(told), Count { passed: 13, failed: 1 });
    }
}
