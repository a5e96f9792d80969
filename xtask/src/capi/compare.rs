//! Runs the same programs against this library, shared and static, and against libutp, and compares
//! what their callbacks were called with to what is kept.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{compiler, folder, install, libraries, reference, scratch, unwritable};
use crate::command::{self, Failure};

/// The dialects that the programs are written in: variable, compiler, arguments.
const DIALECTS: [(&str, &str, &[&str]); 2] =
    [("CC", "cc", &["-std=gnu89"]), ("CXX", "c++", &["-std=c++17", "-x", "c++"])];

pub(super) fn run() -> Result<(), Failure> {
    let libraries = libraries()?;
    let scratch = scratch(&libraries, "compare")?;
    let prefix = scratch.join("prefix");
    install::install(&libraries, &prefix)?;
    let reference = reference::build(&scratch)?;
    let mut misses = Vec::new();
    for (variable, usual, dialect) in DIALECTS {
        let programs = Programs { scratch: &scratch, include: prefix.join("include") };
        let objects = programs.compile(&compiler(variable, usual), dialect)?;
        let libutp = programs.link(&objects, &reference, &[])?;
        misses.extend(difference(&libutp, "libutp.txt", dialect)?);
        let lib = prefix.join("lib");
        let run_path = format!("-Wl,-rpath,{}", lib.display());
        let search = format!("-L{}", lib.display());
        let shared = programs.link(&objects, &[], &[&search, &run_path, "-lutp"])?;
        misses.extend(difference(&shared, "expected.txt", dialect)?);
        let system = ["-lpthread", "-lm", "-ldl"];
        let linked = programs.link(&objects, &[lib.join("libutp.a")], &system)?;
        misses.extend(difference(&linked, "expected.txt", dialect)?);
    }
    if misses.is_empty() {
        println!("libutp, and this library shared and static, tell what is kept");
        return Ok(());
    }
    Err(Failure::Check(misses.join("\n")))
}

/// The scenarios, and where to build them.
struct Programs<'a> {
    scratch: &'a Path,
    include: PathBuf,
}

impl Programs<'_> {
    fn compile(&self, compiler: &OsStr, dialect: &[&str]) -> Result<Vec<PathBuf>, Failure> {
        let programs = folder().join("tests/programs");
        let entries = fs::read_dir(&programs).map_err(|error| unwritable(&programs, &error))?;
        let mut objects = Vec::new();
        for entry in entries {
            let source = entry.map_err(|error| unwritable(&programs, &error))?.path();
            if source.extension().is_none_or(|extension| extension != "c") {
                continue;
            }
            let name = source.file_stem().expect("it has an extension");
            let object = self.scratch.join("programs").join(name).with_extension("o");
            let objects_folder = self.scratch.join("programs");
            fs::create_dir_all(&objects_folder)
                .map_err(|error| unwritable(&objects_folder, &error))?;
            let mut compile = Command::new(compiler);
            compile.args(dialect).args(["-Wall", "-Wextra", "-Werror", "-O1", "-I"]);
            compile.arg(&self.include).arg("-c").arg(&source).arg("-o").arg(&object);
            command::run(&mut compile)?;
            objects.push(object);
        }
        Ok(objects)
    }

    /// Links with the compiler of C++, which libutp needs.
    fn link(
        &self,
        objects: &[PathBuf],
        libraries: &[PathBuf],
        arguments: &[&str],
    ) -> Result<PathBuf, Failure> {
        let program = self.scratch.join("scenarios");
        let mut link = Command::new(compiler("CXX", "c++"));
        link.args(objects).args(libraries).args(arguments).arg("-o").arg(&program);
        command::run(&mut link)?;
        Ok(program)
    }
}

/// What a program tells differently from what the file `kept` has, in words.
fn difference(program: &Path, kept: &str, dialect: &[&str]) -> Result<Option<String>, Failure> {
    let told = command::output(&mut Command::new(program))?;
    let path = folder().join("tests/programs").join(kept);
    let expected = fs::read_to_string(&path).map_err(|error| unwritable(&path, &error))?;
    Ok(first_difference(&told, &expected)
        .map(|words| format!("{kept} is not what is told ({}): {words}", dialect[0])))
}

/// The first line that differs, with the scenario that it is in.
fn first_difference(told: &str, expected: &str) -> Option<String> {
    let mut scenario = "no scenario";
    let (mut told, mut expected) = (told.lines(), expected.lines());
    loop {
        let (found, wanted) = (told.next(), expected.next());
        if found != wanted {
            let [found, wanted] = [found, wanted].map(|line| line.unwrap_or("nothing"));
            return Some(format!("{found:?} in place of {wanted:?}, in {scenario:?}"));
        }
        scenario = found?.strip_prefix("== ").unwrap_or(scenario);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_told_with_its_scenario() {
        let expected = "== one\na\n== two\nb\n";
        assert_eq!(first_difference(expected, expected), None);
        let words = first_difference("== one\na\n== two\n", expected).expect("a line is missing");
        assert_eq!(words, r#""nothing" in place of "b", in "two""#);
    }
}
