//! utp-native, the binding of libutp for Node.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Bench, Count, write};
use crate::capi::{compiler, unwritable};
use crate::command::{self, Failure};

/// What is fetched: the binding, and what its tests run on.
const MANIFEST: &str = r#"{"private": true, "dependencies": {"utp-native": "2.5.3", "tape": "4"}}"#;

/// The tests that its package runs.
const TESTS: [&str; 3] = ["test/net.js", "test/sockets.js", "test/udp.js"];

/// Compiles the binding as it is against our header, links it with our library, and runs its tests.
pub(super) fn utp_native(bench: &Bench) -> Result<Count, Failure> {
    let folder = bench.scratch.join("node");
    write(&folder.join("package.json"), MANIFEST)?;
    let mut install = Command::new("npm");
    install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]);
    command::run(install.current_dir(&folder))?;
    let package = folder.join("node_modules/utp-native");
    let bundled = package.join("deps/libutp");
    fs::remove_dir_all(&bundled).map_err(|error| unwritable(&bundled, &error))?;
    let header = bench.prefix.join("include/utp.h");
    let words = fs::read_to_string(&header).map_err(|error| unwritable(&header, &error))?;
    write(&bundled.join("utp.h"), &words)?;

    // Where node-gyp-build, which loads it, looks first.
    let release = package.join("build/Release");
    fs::create_dir_all(&release).map_err(|error| unwritable(&release, &error))?;
    let headers =
        "process.stdout.write(require('path').resolve(process.execPath, '../../include/node'))";
    let headers = command::output(Command::new("node").args(["-e", headers]))?;
    let mut compile = Command::new(compiler("CXX", "c++"));
    compile.args(["-shared", "-fPIC", "-O2", "-w", "-I", &headers, "-I"]);
    compile.arg(folder.join("node_modules/napi-macros")).arg(package.join("binding.cc"));
    compile.arg("-L").arg(bench.prefix.join("lib")).args(["-lutp", "-o"]);
    command::run(compile.arg(release.join("utp_native.node")))?;

    let tape: PathBuf = folder.join("node_modules/tape/bin/tape");
    let mut tests = Command::new("node");
    tests.arg(tape).args(TESTS).current_dir(&package);
    Ok(counted(&bench.told(&mut tests)?))
}

/// The counts at the end of what tape tells.
fn counted(words: &str) -> Count {
    let count = |mark: &str| {
        let line = words.lines().rev().find_map(|line| line.strip_prefix(mark));
        line.and_then(|number| number.trim().parse().ok())
    };
    let total: u32 = count("# tests").unwrap_or(0);
    let passed = count("# pass").unwrap_or(0);
    Count { passed, failed: total.saturating_sub(passed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tape_is_read_from_its_end() {
        let told = "TAP version 13\n# pass on\nok 1 a\nnot ok 2 b\n\n1..2\n# tests 2\n# pass  1\n# fail  1\n";
        assert_eq!(counted(told), Count { passed: 1, failed: 1 });
        assert_eq!(counted("TAP version 13\n"), Count::default());
    }
}
