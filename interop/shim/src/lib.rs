//! The protocol through which uTP implementations are tested, and the roles on a stream.
//!
//! What is the same for every implementation lives here: the command line, the commands on
//! standard input, the events on standard output and the [`App`] that decides what a stream reads
//! and writes. What differs, how bytes get on and off the wire, is the shim's own. With the feature
//! `tokio`, [`driver`] does the rest for a stack that runs on it.

mod app;
mod args;
mod command;
#[cfg(feature = "tokio")]
pub mod driver;
mod event;
mod input;
mod pattern;
mod process;

pub use app::{App, Intent};
pub use args::{Buffers, Mode, Role, ShimArgs, StreamArgs, parse_buffer, parse_size};
pub use command::{Command, ParseCommandError};
pub use event::{ConnId, Emitter, ErrorKind, Event, Stats};
pub use input::{Input, read_input};
pub use pattern::{Digest, Pattern, SplitMix64, pattern_sha256, random_seed};
pub use process::{cpu_seconds, memory_kib};

/// Exit status of a shim that was asked for something its implementation cannot do, as in BoGo.
pub const EXIT_UNIMPLEMENTED: u8 = 89;

/// Exit status of a shim whose connection failed.
pub const EXIT_FAILED: u8 = 1;
