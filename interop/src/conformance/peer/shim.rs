//! The shim of the implementation under test as a child process.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Input;
use crate::shim::{ErrorKind, Event};

/// A running shim. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Shim {
    child: Child,
    stdin: ChildStdin,
    stderr: Arc<Mutex<String>>,
    status: Option<ExitStatus>,
    /// The runner killed it.
    killed: bool,
}

impl Shim {
    /// Starts a shim; its events go to `inbox` with its number.
    pub(super) fn start(
        program: &Path,
        arguments: &[String],
        number: usize,
        inbox: Sender<Input>,
    ) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().expect("piped above");
        let stdout = child.stdout.take().expect("piped above");
        let errors = child.stderr.take().expect("piped above");
        let stderr = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&stderr);
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || collect(errors, &kept))?;
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let (at, event) = (Instant::now(), parse(&line));
                if inbox.send(Input::Event { shim: number, at, event }).is_err() {
                    return;
                }
            }
            drop(inbox.send(Input::Gone { shim: number, at: Instant::now() }));
        })?;
        Ok(Self { child, stdin, stderr, status: None, killed: false })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a command. A shim that has left does not take it, which its events show.
    pub(super) fn command(&mut self, command: &str) {
        drop(self.stdin.write_all(format!("{command}\n").as_bytes()));
    }

    /// How the process ended, waiting for that up to `patience`. What counts are the looks at it:
    /// while the machine stands still, nobody can leave.
    pub(super) fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let mut looks = patience.as_micros() / POLL.as_micros();
        while self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
            if self.status.is_some() || looks == 0 {
                break;
            }
            looks -= 1;
            thread::sleep(POLL);
        }
        self.status
    }

    /// Asks the process to leave. False when it has to be killed.
    pub(super) fn leave(&mut self, patience: Duration) -> bool {
        self.command("quit");
        if self.wait(patience).is_some() {
            return true;
        }
        self.kill();
        false
    }

    /// Ends the process at once, as a crash of its machine would.
    pub(super) fn kill(&mut self) {
        self.killed = self.status.is_none();
        drop(self.child.kill());
        self.status = self.child.wait().ok();
    }

    /// How the process crashed, if it has.
    pub(super) fn crash(&self) -> Option<String> {
        let stderr = self.stderr();
        let how = match self.status {
            _ if stderr.contains("AddressSanitizer") => "the sanitizer reports an error".to_owned(),
            Some(status) if !self.killed => match (status.signal(), status.code()) {
                (Some(signal), _) => format!("the shim was ended by signal {signal}"),
                (None, Some(PANIC)) => "the shim panicked".to_owned(),
                (None, Some(INTERNAL)) => "the shim ended with an internal error".to_owned(),
                _ => return None,
            },
            _ => return None,
        };
        Some(if stderr.is_empty() { how } else { format!("{how}:\n{}", stderr.trim_end()) })
    }

    /// The end of what the shim wrote for a person.
    pub(super) fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        self.kill();
    }
}

fn parse(line: &str) -> Event {
    serde_json::from_str(line).unwrap_or_else(|error| Event::Error {
        conn: 0,
        kind: ErrorKind::Other,
        detail: format!("`{line}` is not an event: {error}"),
    })
}

/// Keeps the end of what a shim writes to standard error.
fn collect(mut from: impl Read, to: &Mutex<String>) {
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let mut text = to.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(&String::from_utf8_lossy(&buffer[..len]));
        let excess = text.len().saturating_sub(STDERR_KEPT);
        let cut = (excess..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.drain(..cut);
    }
}

/// The status of a Rust program that panicked.
const PANIC: i32 = 101;

/// The status by which a shim says that something in it went wrong, such as a task that panicked.
const INTERNAL: i32 = 3;

const POLL: Duration = Duration::from_millis(2);

const STDERR_KEPT: usize = 4096;

const STACK_BYTES: usize = 256 << 10;
