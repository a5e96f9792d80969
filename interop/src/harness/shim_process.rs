//! A shim as a child process: its events, its commands, its end.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::shim::{ErrorKind, Event, Stats};

/// A running shim. Dropping it kills the process.
#[derive(Debug)]
pub struct ShimProcess {
    child: Child,
    /// Kept open: the shim leaves when it is closed.
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    stderr: Arc<Mutex<String>>,
    stats: Option<Stats>,
}

impl ShimProcess {
    /// Starts a shim.
    ///
    /// # Errors
    ///
    /// When there is no such program, or it cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        Self::spawn(std::process::Command::new(program), arguments)
    }

    /// Starts a shim by a command that has its arguments still to come.
    ///
    /// # Errors
    ///
    /// When there is no such program, or it cannot be started.
    pub fn spawn<A: AsRef<OsStr>>(
        command: std::process::Command,
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        let program = command.get_program().display().to_string();
        let mut child = Command::from(command)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
        let stdin = child.stdin.take().expect("piped above");
        let stdout = child.stdout.take().expect("piped above");
        let stderr = Arc::new(Mutex::new(String::new()));
        tokio::spawn(collect(child.stderr.take().expect("piped above"), Arc::clone(&stderr)));
        Ok(Self { child, stdin, lines: BufReader::new(stdout).lines(), stderr, stats: None })
    }

    /// The next event; `None` once there will be none. Dropping the future loses nothing.
    pub async fn next_event(&mut self) -> Option<Event> {
        let line = self.lines.next_line().await.ok()??;
        let event = serde_json::from_str(&line).unwrap_or_else(|error| Event::Error {
            conn: 0,
            kind: ErrorKind::Other,
            detail: format!("`{line}` is not an event: {error}"),
        });
        if let Event::Stats(stats) = &event {
            self.stats = Some(stats.clone());
        }
        Some(event)
    }

    /// Sends a command. A shim that has left does not take it, which its events show.
    pub async fn command(&mut self, command: &str) {
        drop(self.stdin.write_all(format!("{command}\n").as_bytes()).await);
    }

    /// Waits for the shim to leave on its own for `patience`, then asks it to, then kills it.
    /// Returns what it said last about its resources.
    pub async fn leave(&mut self, patience: Duration) -> Option<Stats> {
        if timeout(patience, self.drain()).await.is_err() {
            self.command("quit").await;
            drop(timeout(QUIT_PATIENCE, self.drain()).await);
        }
        if timeout(QUIT_PATIENCE, self.child.wait()).await.is_err() {
            drop(self.child.kill().await);
        }
        self.stats.take()
    }

    /// Whether the process, whose events have ended, ends without a complaint.
    pub async fn ended_well(&mut self) -> bool {
        let ended = timeout(QUIT_PATIENCE, self.child.wait()).await;
        matches!(ended, Ok(Ok(status)) if status.success())
    }

    /// How the process ended, if it has.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What the shim wrote for a person, its end if it was long.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn drain(&mut self) {
        while self.next_event().await.is_some() {}
    }
}

/// Keeps the end of what a shim writes to standard error.
async fn collect(mut from: ChildStderr, to: Arc<Mutex<String>>) {
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        let mut text = to.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(&String::from_utf8_lossy(&buffer[..len]));
        let excess = text.len().saturating_sub(STDERR_KEPT);
        let cut = (excess..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.drain(..cut);
    }
}

/// How long a shim may take to do what `quit` asks.
const QUIT_PATIENCE: Duration = Duration::from_secs(2);

/// How much of standard error is shown when a shim fails.
const STDERR_KEPT: usize = 4096;
