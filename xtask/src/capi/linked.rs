//! A program of C, linked once with this library and once with libutp.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{compiler, folder, install, libraries, reference, scratch};
use crate::command::{self, Failure};

/// The libraries to link with, and a place for what comes of it.
pub(super) struct Linker {
    pub(super) scratch: PathBuf,
    prefix: PathBuf,
    reference: Vec<PathBuf>,
}

/// The two programs.
pub(super) struct Pair {
    pub(super) ours: PathBuf,
    pub(super) libutp: PathBuf,
}

impl Linker {
    /// Builds both libraries; the folder for what is made has this name.
    pub(super) fn new(name: &str) -> Result<Self, Failure> {
        let libraries = libraries()?;
        let scratch = scratch(&libraries, name)?;
        let prefix = scratch.join("prefix");
        install::install(&libraries, &prefix)?;
        let reference = reference::build(&scratch)?;
        Ok(Self { scratch, prefix, reference })
    }

    /// Compiles a source file of the crate, optimised, and links it.
    pub(super) fn pair(&self, source: &str) -> Result<Pair, Failure> {
        let source = folder().join(source);
        let name = Path::new(source.file_stem().expect("it has an extension"));
        let object = self.scratch.join(name).with_extension("c.o");
        let mut compile = Command::new(compiler("CC", "cc"));
        compile.args(["-std=gnu89", "-O2", "-g", "-I"]).arg(self.prefix.join("include"));
        command::run(compile.arg("-c").arg(&source).arg("-o").arg(&object))?;
        let link = |kind: &str, libraries: &[PathBuf]| {
            let program = self.scratch.join(name).with_extension(kind);
            let mut link = Command::new(compiler("CXX", "c++"));
            link.arg(&object).args(libraries).args(["-lpthread", "-lm", "-ldl", "-o"]);
            command::run(link.arg(&program))?;
            Ok::<_, Failure>(program)
        };
        let ours = link("ours", &[self.prefix.join("lib/libutp.a")])?;
        Ok(Pair { ours, libutp: link("libutp", &self.reference)? })
    }
}
