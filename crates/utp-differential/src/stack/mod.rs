//! A stack on one host, as its application sees it.

mod ours;
mod reference;

use std::fmt;
use std::net::SocketAddr;

use crate::script::Script;

/// Which implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The core of this workspace.
    Ours,
    /// The reference.
    Libutp,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ours => "ours",
            Self::Libutp => "libutp",
        })
    }
}

/// Why a stream failed, in the words of either stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Nobody accepts, says the peer.
    Refused,
    /// The peer does not know the stream any more.
    Reset,
    /// The peer did not answer, or is gone.
    TimedOut,
    /// Anything else; no honest peer and no network brings it about.
    Other(&'static str),
}

/// What a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Got {
    Nothing,
    Bytes(usize),
    End,
    Failed(Failure),
}

/// One stream of a stack; never used again for another.
pub(crate) type StreamId = usize;

/// A stack, its clock set by the caller: `now_us` is what the clock of its host shows.
pub(crate) trait Stack {
    fn connect(&mut self, now_us: u64) -> StreamId;
    /// The next stream that came from outside.
    fn accept(&mut self) -> Option<StreamId>;
    /// Whether the stream can be used.
    fn is_open(&self, id: StreamId) -> bool;
    /// Why the stream has failed, if it has.
    fn failure(&self, id: StreamId) -> Option<Failure>;
    /// Whether the peer has shown that it has the stream, too.
    fn is_proven(&self, id: StreamId) -> bool;
    /// Takes as much as there is room for.
    fn write(&mut self, now_us: u64, id: StreamId, bytes: &[u8]) -> Result<usize, Failure>;
    /// Hands over at most `max` bytes. What came before a failure, comes before it.
    fn read(&mut self, now_us: u64, id: StreamId, max: usize, take: &mut dyn FnMut(&[u8])) -> Got;
    /// Ends the direction to the peer. False if the stack would lose it now.
    fn finish(&mut self, now_us: u64, id: StreamId) -> bool;
    /// The application is done with the stream.
    fn leave(&mut self, now_us: u64, id: StreamId);
    fn handle_datagram(&mut self, now_us: u64, datagram: &[u8]);
    fn next_timeout_us(&mut self) -> Option<u64>;
    fn handle_timeout(&mut self, now_us: u64);
    /// Hands over what is to be sent, acks included: the socket is drained.
    fn flush(&mut self, now_us: u64, send: &mut dyn FnMut(Vec<u8>));
}

/// The stack of `side`, which is of this kind.
pub(crate) fn new(kind: Kind, script: &Script, side: usize) -> Box<dyn Stack> {
    match kind {
        Kind::Ours => Box::new(ours::Ours::new(script, side)),
        Kind::Libutp => Box::new(reference::Reference::new(script, side)),
    }
}

/// Where each side is.
fn address(side: usize) -> SocketAddr {
    [([10, 0, 0, 1], 6_881), ([10, 0, 0, 2], 6_881)][side].into()
}

/// What the numbers of a stack are drawn from.
fn seed(script: &Script, side: usize) -> u64 {
    script.seed ^ (0x7374_6163_6b00 + side as u64)
}
