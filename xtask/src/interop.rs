//! `cargo xtask interop`, `cargo xtask conformance` and `cargo xtask bench`: they build the harness
//! with its peers and hand the arguments on to it.

use std::{ffi::OsString, path::Path};

use crate::{
    command::{self, Failure, Profile},
    place::Place,
};

pub(crate) const USAGE: &str = "cargo xtask interop [OPTIONS]";

pub(crate) const HELP: &str = "\
Examples:
  cargo xtask interop --quick
  cargo xtask interop --pair ours:libutp --family v4 --impairment slow-link
  cargo xtask interop --impl all   builds the stacks of the registry as well
  cargo xtask interop --libtorrent    a file by BitTorrent, from libtorrent and to it
  cargo xtask interop -- --help    builds the harness and lists its options

Exit status: 0 every transfer between ours and libutp arrived unchanged and in time, 1 one did not,
2 wrong usage, 3 the harness failed, 89 libtorrent is missing.";

pub(crate) const CONFORMANCE_USAGE: &str = "cargo xtask conformance [OPTIONS]";

pub(crate) const CONFORMANCE_HELP: &str = "\
Examples:
  cargo xtask conformance
  cargo xtask conformance --impl libutp --group HS
  cargo xtask conformance --impl all    builds the stacks of the registry as well
  cargo xtask conformance --case HS-02 --family v4 --trace
  cargo xtask conformance -- --help    builds the suite and lists its options

Exit status: 0 nothing failed that is not expected to, 1 a case failed, 2 wrong usage or a wrong
script, 3 the suite itself failed.";

pub(crate) const BENCH_USAGE: &str = "cargo xtask bench [OPTIONS]";

pub(crate) const BENCH_HELP: &str = "\
Examples:
  cargo xtask bench                everything of every stack, in somewhat more than an hour
  cargo xtask bench --quick        whether it runs, of what is in this workspace, in seconds
  cargo xtask bench --bench stream --impl ours --impl libutp --runs 5 --json
  cargo xtask bench -- --help      builds the harness and lists its options

Exit status: 0 nothing went wrong with ours, 1 something did, 2 wrong usage, 3 the harness failed.
What other stacks cannot do, and figures that miss their goals, are shown and fail nothing.";

/// The options of the harness that name a folder, or a program.
const FOLDERS: [&str; 7] =
    ["--known", "--out", "--pcap", "--programs", "--scripts", "--shim", "--shims"];

/// The options that name stacks, and what of them is built on demand.
const STACK_OPTIONS: [&str; 2] = ["--impl", "--pair"];
const FOREIGN: [&str; 5] = ["all", "librqbit-utp", "quinn", "utp", "utp-rs"];
const OVER_THE_C_INTERFACE: [&str; 3] = ["all", "capi", "utp-capi"];

/// The workspace of the shims that are built on demand.
const PEERS: &str = "interop/peers/Cargo.toml";

/// Runs a command of the harness, which finds the peers beside its own program.
///
/// It is built without the simulator's own dependencies, which would turn on test features of tokio
/// in the stack that is measured: it has the network model alone. It runs in the root of the
/// workspace, for the results that are kept.
pub(crate) fn run(name: &str, arguments: &[OsString]) -> Result<(), Failure> {
    let arguments = named_from_root(arguments, &Place::here()?);
    // A command of its own, with options of its own.
    let (name, arguments) = match arguments.split_first() {
        Some((first, rest)) if name == "interop" && first == "--libtorrent" => ("libtorrent", rest),
        _ => (name, &arguments[..]),
    };
    let harness = command::build("utp-interop", "utp-interop", Profile::Release)?;
    if asks_for(&OVER_THE_C_INTERFACE, arguments) {
        command::build("utp-capi-peer", "capi-peer", Profile::Release)?;
    }
    if asks_for(&FOREIGN, arguments) || is_whole_bench(name, arguments) {
        let build = ["build", "--release", "--locked", "--manifest-path", PEERS, "--target-dir"];
        let mut build = command::cargo(&build);
        command::run(build.arg(command::target_dir(&harness)))
            .map_err(|_| Failure::Internal("the foreign stacks could not be built".into()))?;
    }
    command::run(command::program(harness).arg(name).args(arguments))
}

/// Whether it is a benchmark of all stacks.
fn is_whole_bench(name: &str, arguments: &[OsString]) -> bool {
    let narrows = |argument: &OsString| {
        let text = argument.to_str().unwrap_or_default();
        text == "--quick" || text == "--impl" || text.starts_with("--impl=")
    };
    name == "bench" && !arguments.iter().any(narrows)
}

/// Whether one of these stacks is named.
fn asks_for(stacks: &[&str], arguments: &[OsString]) -> bool {
    let mut values = Vec::new();
    let mut is_value = false;
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        match text.split_once('=') {
            Some((option, value)) if STACK_OPTIONS.contains(&option) => values.push(value),
            _ if is_value => values.push(text),
            _ => {}
        }
        is_value = STACK_OPTIONS.contains(&text);
    }
    values.iter().flat_map(|value| value.split(':')).any(|name| stacks.contains(&name))
}

/// The arguments with the folders that they name from where the user stands.
fn named_from_root(arguments: &[OsString], place: &Place) -> Vec<OsString> {
    let mut named = Vec::new();
    let mut is_folder = false;
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        named.push(match text.split_once('=') {
            // Nothing and an option in the place of a folder are for the harness to refuse.
            _ if argument.is_empty() => argument.clone(),
            _ if is_folder && !text.starts_with('-') => place.name(Path::new(argument)).into(),
            Some((option, folder)) if FOLDERS.contains(&option) && !folder.is_empty() => {
                let mut named = OsString::from(format!("{option}="));
                named.push(place.name(Path::new(folder)));
                named
            }
            _ => argument.clone(),
        });
        is_folder = FOLDERS.contains(&text);
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::tests::place;

    #[test]
    fn folders_are_named_from_the_root_and_all_else_stays_as_it_is() {
        let given = ["--quick", "--out", "seven", "--size=1KiB", "--shims=a=b", "--seed", "3"];
        let expected =
            ["--quick", "--out", "sim/seven", "--size=1KiB", "--shims=sim/a=b", "--seed", "3"];
        let given = given.map(OsString::from);
        assert!(named_from_root(&given, &place("sim")).iter().eq(&expected));
    }

    #[test]
    fn an_option_without_its_folder_is_left_for_the_harness_to_refuse() {
        let given = ["--out=", "--out", "", "--out", "--shims", "--out"].map(OsString::from);
        assert_eq!(named_from_root(&given, &place("sim")), given);
    }

    #[test]
    fn foreign_stacks_are_built_when_they_are_named() {
        let given = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let asks = |text: &str| asks_for(&FOREIGN, &given(text));
        for text in ["--impl all", "--quick --impl=utp-rs", "--pair ours:utp", "--pair=utp:libutp"]
        {
            assert!(asks(text), "{text}");
        }
        for text in ["", "--quick", "--impl libutp", "--pair ours:libutp", "--out all", "all"] {
            assert!(!asks(text), "{text}");
        }
        for text in ["", "--bench stream", "--out target/mine"] {
            assert!(is_whole_bench("bench", &given(text)), "{text}");
            assert!(!is_whole_bench("interop", &given(text)), "{text}");
        }
        for text in ["--quick", "--bench ping --impl ours --impl=tcp", "--impl=tcp"] {
            assert!(!is_whole_bench("bench", &given(text)), "{text}");
        }
    }
}
