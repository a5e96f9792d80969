//! The rules about dependencies: which crate may use which.

use std::path::Path;

use super::Finding;

/// The dependencies that a manifest may have, apart from those of its tests.
///
/// The first three are the core. Nothing there may bring a clock, a socket, a thread or a random
/// source, and what is listed brings none.
const ALLOWED: [(&str, &[&str]); 5] = [
    ("crates/utp-wire/Cargo.toml", &[]),
    ("crates/utp-ledbat/Cargo.toml", &["utp-wire"]),
    ("crates/utp-proto/Cargo.toml", &["bytes", "slab", "tracing", "utp-ledbat", "utp-wire"]),
    // It judges what others sent, so that it knows the codec and nothing else of this stack.
    ("crates/utp-cli/Cargo.toml", &["clap", "pcap-file", "serde", "serde_json", "utp-wire"]),
    ("xtask/Cargo.toml", &["clap", "ctrlc", "serde", "toml"]),
];

/// Dependencies that only some packages may have, and why.
const RESERVED: [(&str, &[&str], &str); 3] = [
    ("turmoil", &["sim/Cargo.toml"], "it turns on test features of tokio"),
    (
        "libutp-rs2-sys",
        // The second has another package of this name, over our own library.
        &["crates/utp-reference/Cargo.toml", "interop/capi/driver/Cargo.toml"],
        "the unsafe code around the reference is all in one place",
    ),
    (
        "utp-reference",
        &[
            "crates/utp-differential/Cargo.toml",
            "interop/Cargo.toml",
            "interop/capi/peer/Cargo.toml",
            "interop/libutp/Cargo.toml",
            "sim/Cargo.toml",
        ],
        "nothing that is shipped has the reference in it",
    ),
];

/// Checks the manifest at `path`, relative to the workspace.
pub(super) fn check(path: &Path, content: &str, findings: &mut Vec<Finding>) {
    let allowed = ALLOWED.iter().find(|(manifest, _)| path == Path::new(manifest));
    for (index, name) in dependencies(content) {
        let mut found = |message: String| {
            let path = path.to_owned();
            findings.push(Finding { path, line: index + 1, message, fails: true });
        };
        if allowed.is_some_and(|(_, names)| !names.contains(&name)) {
            found(format!("{name} is not among the dependencies that this crate may have"));
        }
        if name == "utp-sim" && content.lines().nth(index).is_some_and(|line| line.contains("lab"))
        {
            found("the feature lab of utp-sim turns on test features of tokio".to_owned());
        }
        for (reserved, manifests, reason) in RESERVED {
            if name == reserved && !manifests.iter().any(|manifest| path == Path::new(manifest)) {
                let manifests = manifests.join(" and ");
                found(format!("only {manifests} may depend on {name}: {reason}"));
            }
        }
    }
}

/// The dependencies of the library and of its build script: index of the line, and name.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut in_table = false;
    for (index, line) in manifest.lines().enumerate() {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end().trim_end_matches(']');
            in_table = is_table(header);
            let (table, name) = header.rsplit_once('.').unwrap_or(("", header));
            if is_table(table) {
                found.push((index, name)); // [dependencies.name]
            }
        } else if in_table && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            // Lines of a list that goes on, and empty ones, begin with no name.
            if !name.is_empty() && line.contains('=') {
                found.push((index, name.trim_matches('"')));
            }
        }
    }
    found
}

/// Whether a table, named without its brackets, holds dependencies that are shipped.
fn is_table(header: &str) -> bool {
    let name = header.rsplit('.').next().unwrap_or_default();
    // The workspace's table is a list to choose from.
    ["build-dependencies", "dependencies"].contains(&name) && !header.starts_with("workspace")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(path: &str, content: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(Path::new(path), content, &mut findings);
        findings
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.message))
            .collect()
    }

    #[test]
    fn a_core_crate_may_not_depend_on_what_has_a_clock_or_a_socket() {
        for name in ["tokio", "quinn-udp", "socket2", "rand"] {
            let manifest = format!("[dependencies]\n{name} = \"1\"\n");
            for (path, _) in ALLOWED {
                assert_eq!(errors(path, &manifest).len(), 1, "{name} in {path}");
            }
        }
    }

    #[test]
    fn tests_may_use_what_the_crate_may_not() {
        let manifest = "[dependencies]\n\n[dev-dependencies]\ntokio.workspace = true\n";
        assert!(errors("crates/utp-wire/Cargo.toml", manifest).is_empty());
    }

    #[test]
    fn turmoil_is_reserved_for_the_simulator() {
        let manifest = "[dependencies]\nturmoil.workspace = true\n";
        assert!(errors("sim/Cargo.toml", manifest).is_empty());
        assert_eq!(errors("crates/utp-tokio/Cargo.toml", manifest).len(), 1);
        assert!(errors("Cargo.toml", &format!("[workspace.{}", &manifest[1..])).is_empty());
    }

    #[test]
    fn the_reference_is_wrapped_once_and_kept_out_of_what_is_shipped() {
        let raw = "[dependencies]\nlibutp-rs2-sys = \"0.1.3\"\n";
        assert!(errors("crates/utp-reference/Cargo.toml", raw).is_empty());
        assert_eq!(errors("interop/Cargo.toml", raw).len(), 1);
        let wrapped = "[dependencies]\nutp-reference.workspace = true\n";
        assert!(errors("interop/Cargo.toml", wrapped).is_empty());
        assert_eq!(errors("crates/utp-tokio/Cargo.toml", wrapped).len(), 1);
    }

    #[test]
    fn the_simulator_lends_its_network_model_and_nothing_else() {
        assert!(
            errors("interop/Cargo.toml", "[dependencies]\nutp-sim.workspace = true\n").is_empty()
        );
        let whole = "utp-sim = { workspace = true, features = [\"lab\"] }\n";
        assert_eq!(errors("interop/Cargo.toml", &format!("[dependencies]\n{whole}")).len(), 1);
        assert!(errors("interop/Cargo.toml", &format!("[dev-dependencies]\n{whole}")).is_empty());
    }

    #[test]
    fn dependencies_are_found_in_every_spelling() {
        let manifest = "\
[package]
name = \"not-a-dependency\"

[dependencies]
# one = \"1\"
two.workspace = true
three = { version = \"1\", features = [
    \"four\",
] }
\"five\" = \"5\"

[dependencies.six]
version = \"6\"

[target.'cfg(unix)'.dependencies]
seven=\"7\"

[build-dependencies]
eight = \"8\"

[dev-dependencies]
nine = \"9\"

[lints]
workspace = true
";
        let names: Vec<_> = dependencies(manifest).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["two", "three", "five", "six", "seven", "eight"]);
    }
}
