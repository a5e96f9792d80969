//! A session of libtorrent in a process of its own, through its Python package.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::shim::EXIT_UNIMPLEMENTED;

/// A running session. Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Session {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Where it listens.
    pub(super) listening: Listening,
}

/// Where a session listens, and what it is.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Listening {
    pub(super) port: u16,
    pub(super) version: String,
    pub(super) pieces: usize,
}

/// What a session fetched.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SessionFetched {
    pub(super) pieces: usize,
    pub(super) seconds: f64,
    /// Whether it was over uTP.
    pub(super) utp: bool,
}

#[derive(Deserialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
enum Event {
    Error { detail: String },
    Fetched(SessionFetched),
    Listening(Listening),
}

/// Why there is no session.
#[derive(Debug)]
pub(super) enum NoSession {
    /// Python or the package is missing, in words.
    Missing(String),
    /// It failed, in words.
    Failed(String),
}

impl Session {
    /// Starts a session that does what the arguments say, and waits until it listens.
    pub(super) async fn start(
        python: &Path,
        script: &Path,
        arguments: &[&OsStr],
    ) -> Result<Self, NoSession> {
        let mut child = Command::new(python)
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    NoSession::Missing(format!("{}: {error}", python.display()))
                }
                _ => NoSession::Failed(error.to_string()),
            })?;
        let stdout = child.stdout.take().expect("piped above");
        let mut lines = BufReader::new(stdout).lines();
        match next_event(&mut lines).await {
            Some(Event::Listening(listening)) => Ok(Self { child, lines, listening }),
            Some(Event::Error { detail }) => Err(NoSession::Failed(detail)),
            Some(Event::Fetched(_)) => Err(NoSession::Failed("fetched from nobody".into())),
            None => Err(why(&mut child).await),
        }
    }

    /// Waits until it has fetched everything.
    pub(super) async fn fetched(&mut self) -> Result<SessionFetched, String> {
        match next_event(&mut self.lines).await {
            Some(Event::Fetched(fetched)) => Ok(fetched),
            Some(Event::Error { detail }) => Err(detail),
            Some(Event::Listening(_)) => Err("it listens again".into()),
            None => match why(&mut self.child).await {
                NoSession::Missing(words) | NoSession::Failed(words) => Err(words),
            },
        }
    }
}

async fn next_event(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<Event> {
    let line = lines.next_line().await.ok()??;
    let event = serde_json::from_str(&line);
    Some(event.unwrap_or_else(|error| Event::Error { detail: format!("`{line}`: {error}") }))
}

/// Why a session left that should not have.
async fn why(child: &mut Child) -> NoSession {
    let mut words = String::new();
    if let Some(stderr) = &mut child.stderr {
        drop(stderr.read_to_string(&mut words).await);
    }
    let words = words.trim_end().to_owned();
    match child.wait().await {
        Ok(status) if status.code() == Some(i32::from(EXIT_UNIMPLEMENTED)) => {
            NoSession::Missing(words)
        }
        Ok(status) => NoSession::Failed(format!("the session ended with {status}: {words}")),
        Err(error) => NoSession::Failed(error.to_string()),
    }
}
