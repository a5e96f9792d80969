//! The applications at the two ends of a flow of kind `utp`, as far as they are the same on every
//! engine: what is sent, how fast, what is checked at the other end and what is kept of it.
//!
//! The left host connects when the flow starts, writes until it has nothing more to write, and
//! then ends the stream; the right host accepts and reads. A connection that fails is noted, and a
//! second later the sender makes another, which starts the transfer anew.

mod pace;
mod samples;
mod sink;
mod source;
mod transfer;

pub(crate) use pace::Pace;
pub(crate) use samples::{Samples, next_sample};
pub(crate) use sink::Sink;
pub(crate) use source::Source;
pub(crate) use transfer::{Transfer, note_failure};

use crate::time::Ns;

/// How long a sender waits before it connects again.
pub(crate) const RETRY_PAUSE: Ns = Ns::from_secs(1);

/// Largest piece that is read at once.
pub(crate) const CHUNK_MAX: usize = 1 << 16;
