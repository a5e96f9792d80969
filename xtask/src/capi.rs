//! `cargo xtask capi`: installs the C library, and compares it with libutp.

mod compare;
mod consumers;
mod figures;
mod install;
mod linked;
mod random;
mod reference;
mod ucat;

use std::ffi::OsString;
use std::path::PathBuf;
use std::{env, fs, io};

use clap::Subcommand;

use crate::command::{self, Failure, Profile};

pub(crate) const HELP: &str = "\
Examples:
  cargo xtask capi install --prefix /usr/local
  cargo xtask capi compare
  cargo xtask capi random --calls 1000000 --sanitize
  cargo xtask capi ucat
  cargo xtask capi figures
  cargo xtask capi consumers utp-native

compare builds the programs of crates/utp-capi/tests/programs against the installed library and
against libutp, runs both, and fails when one tells something else than its file there has. It needs
a C and a C++ compiler. figures needs valgrind as well, and fails when utp_check_timeouts costs more
than 5 % of libutp's; how long transfers take fails nothing. consumers fetches from registries, and
needs cargo's, and npm and Node for utp-native.";

#[derive(Subcommand)]
pub(crate) enum Capi {
    /// Run the same programs against this library and libutp, and compare what they are told
    Compare,
    /// Run the tests of programs that others wrote for libutp
    Consumers {
        /// Which of them; all when left out
        #[arg(value_enum)]
        names: Vec<consumers::Consumer>,
    },
    /// Measure this library beside libutp: idle sockets, and transfers over loopback
    Figures,
    /// Install library, headers and the file for pkg-config
    Install {
        /// The folder that gets lib/, include/ and lib/pkgconfig/
        #[arg(long, value_name = "DIR")]
        prefix: PathBuf,
    },
    /// Exchange 64 MiB in both directions between ucats of this library and of libutp
    Ucat,
    /// Make random calls, right and wrong ones, and see that nothing breaks
    Random {
        /// How many
        #[arg(long, value_name = "N", default_value_t = 200_000)]
        calls: u64,
        /// Under AddressSanitizer and LeakSanitizer, which takes a nightly toolchain
        #[arg(long)]
        sanitize: bool,
    },
}

pub(crate) fn run(capi: &Capi) -> Result<(), Failure> {
    match capi {
        Capi::Compare => compare::run(),
        Capi::Consumers { names } => consumers::run(names),
        Capi::Figures => figures::run(),
        Capi::Install { prefix } => install::run(&crate::place::Place::here()?.name(prefix)),
        Capi::Ucat => ucat::run(),
        Capi::Random { calls, sanitize } => random::run(*calls, *sanitize),
    }
}

/// The folder of the crate.
fn folder() -> PathBuf {
    command::root().join("crates/utp-capi")
}

/// A folder for what is built from C and C++, in the target directory that the libraries are in.
fn scratch(libraries: &[PathBuf], name: &str) -> Result<PathBuf, Failure> {
    let library = libraries.first().expect("a library was built");
    let scratch = command::target_dir(library).join("capi").join(name);
    fs::create_dir_all(&scratch).map_err(|error| unwritable(&scratch, &error))?;
    Ok(scratch)
}

/// The libraries, built in release: shared and static.
fn libraries() -> Result<Vec<PathBuf>, Failure> {
    command::build_libraries("utp-capi", Profile::Release)
}

/// The compiler that the environment names, or the usual one.
fn compiler(variable: &str, usual: &str) -> OsString {
    env::var_os(variable).unwrap_or_else(|| usual.into())
}

fn unwritable(path: &std::path::Path, error: &io::Error) -> Failure {
    Failure::Internal(format!("{}: {error}", path.display()))
}
