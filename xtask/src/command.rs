//! Spawning cargo and the programs that it built.

use std::{
    env,
    ffi::OsStr,
    fmt, io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

/// Why a command of xtask ended without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A check did not hold, in words.
    Check(String),
    /// Something else than what was to be checked went wrong, in words.
    Internal(String),
    /// A program ended with this status and has said why.
    Status(u8),
    /// The arguments make no sense, in words.
    Usage(String),
}

impl Failure {
    /// The exit status that stands for it.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Check(_) => 1,
            Self::Usage(_) => 2,
            Self::Internal(_) => 3,
            Self::Status(status) => *status,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(words) | Self::Internal(words) | Self::Usage(words) => f.write_str(words),
            Self::Status(status) => write!(f, "exit status {status}"),
        }
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable for what it runs. The constant is for the program run by hand.
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().expect("xtask is a folder of the workspace").to_owned()
}

/// A command that runs in the root of the workspace.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The cargo that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs `command` on the terminal of this process and hands on a status that is not zero.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(Failure::Status(byte(status))) }
}

/// Runs `command` and returns what it writes to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Failure::Status(byte(output.status)))
    }
}

/// Which optimisation a program is built with.
#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Debug,
    Release,
    /// Optimised, with every assertion.
    Swarm,
}

/// Builds the programs of `package`, alone, and returns the path of the one called `name`.
///
/// Cargo is asked where it put the program, so that every way to set the target directory works.
/// Its progress goes to standard error.
pub(crate) fn build(package: &str, name: &str, profile: Profile) -> Result<PathBuf, Failure> {
    built(package, name, &["--bins"], profile)
}

/// The same with features of the package turned on, a list with commas.
pub(crate) fn build_with(
    package: &str,
    name: &str,
    features: &str,
    profile: Profile,
) -> Result<PathBuf, Failure> {
    built(package, name, &["--bins", "--features", features], profile)
}

/// The same for an example, in release.
pub(crate) fn build_example(package: &str, name: &str) -> Result<PathBuf, Failure> {
    built(package, name, &["--example", name], Profile::Release)
}

fn built(
    package: &str,
    name: &str,
    targets: &[&str],
    profile: Profile,
) -> Result<PathBuf, Failure> {
    built_program(&build_messages(package, targets, profile)?, name)
}

/// The program called `name`, out of what cargo tells of a build.
pub(crate) fn built_program(messages: &str, name: &str) -> Result<PathBuf, Failure> {
    executables(messages)
        .find(|path| path.file_stem() == Some(OsStr::new(name)))
        .ok_or_else(|| Failure::Internal(format!("there is no program {name}")))
}

/// What cargo tells of the build of `targets`.
fn build_messages(package: &str, targets: &[&str], profile: Profile) -> Result<String, Failure> {
    let mut command = cargo(&["build", "--package", package]);
    command.args(targets).arg("--message-format=json-render-diagnostics");
    match profile {
        Profile::Debug => {}
        Profile::Release => drop(command.arg("--release")),
        Profile::Swarm => drop(command.arg("--profile=swarm")),
    }
    output(&mut command).map_err(|_| Failure::Internal(format!("{package} could not be built")))
}

/// Builds the library of `package` in each of its forms and returns their paths.
pub(crate) fn build_libraries(package: &str, profile: Profile) -> Result<Vec<PathBuf>, Failure> {
    let messages = build_messages(package, &["--lib"], profile)?;
    let mark = format!(r#"/{package}#"#);
    let libraries: Vec<_> = messages.lines().flat_map(|line| artifacts(line, &mark)).collect();
    match libraries.is_empty() {
        true => Err(Failure::Internal(format!("{package} has no library"))),
        false => Ok(libraries),
    }
}

/// The files that a message of a build names, if it is about the package that `mark` stands for.
fn artifacts(line: &str, mark: &str) -> Vec<PathBuf> {
    let files = || {
        let (_, rest) = line.split_once(r#""filenames":["#)?;
        let (files, _) = rest.split_once(']')?;
        let names = files.split(',').map(|name| name.trim_matches('"'));
        Some(names.map(|name| PathBuf::from(name.replace(r"\\", r"\"))).collect())
    };
    // A build script is a program of the package and no form of its library.
    let is_library = line.contains(mark) && !line.contains(r#""custom-build""#);
    if is_library { files().unwrap_or_default() } else { Vec::new() }
}

/// The directory that the build of `program`, a path from [`build`], put its output in.
pub(crate) fn target_dir(program: &Path) -> &Path {
    program.ancestors().nth(2).expect("cargo puts programs two levels below the target directory")
}

/// The programs that the messages of a build name.
fn executables(messages: &str) -> impl Iterator<Item = PathBuf> {
    messages.lines().filter_map(|line| {
        let (_, rest) = line.split_once(r#""executable":""#)?;
        let (path, _) = rest.split_once('"')?;
        // Of what JSON escapes, only the separator of Windows is met in a path.
        Some(PathBuf::from(path.replace(r"\\", r"\")))
    })
}

fn not_started(command: &Command, error: &io::Error) -> Failure {
    let name = Path::new(command.get_program()).display();
    Failure::Internal(format!("{name} could not be started: {error}"))
}

/// What a process ended by a signal has no number for counts as an internal error.
fn byte(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_read_from_the_messages_of_a_build() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","filenames":["x.rlib"],"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","executable":"/t/release/utp-sim","fresh":true}"#,
            "\n",
            r#"{"reason":"compiler-artifact","executable":"C:\\t\\release\\utp-sim.exe"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found: Vec<_> = executables(messages).collect();
        assert_eq!(found[0], Path::new("/t/release/utp-sim"));
        assert_eq!(found[1], Path::new(r"C:\t\release\utp-sim.exe"));
        assert_eq!(found.len(), 2);
        assert_eq!(target_dir(&found[0]), Path::new("/t"));
    }

    #[test]
    fn the_forms_of_a_library_are_read_from_the_message_about_it() {
        let line = concat!(
            r#"{"reason":"compiler-artifact","package_id":"path+file:///w/crates/some-lib#0.1.0","#,
            r#""filenames":["/t/release/libsome.so","/t/release/libsome.a"],"executable":null}"#,
        );
        let paths = ["/t/release/libsome.so", "/t/release/libsome.a"].map(PathBuf::from);
        assert_eq!(artifacts(line, "/some-lib#"), paths);
        assert!(artifacts(line, "/other-lib#").is_empty());
        let script = line.replace(r#","filenames""#, r#","kind":["custom-build"],"filenames""#);
        assert!(artifacts(&script, "/some-lib#").is_empty());
    }

    #[test]
    fn the_status_of_a_program_is_handed_on() {
        let mut failing = cargo(&["--no-such-option"]);
        failing.stderr(Stdio::null());
        let failure = run(&mut failing).expect_err("cargo has no such option");
        assert_eq!(failure.status(), 1);

        let failure = run(&mut program("no-such-program")).expect_err("there is none");
        assert_eq!(failure.status(), 3);
    }
}
