//! One error type per operation.

use std::error::Error;
use std::fmt;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionError {
    /// Two different packets came with one number: somebody else writes into the stream, or the
    /// peer is broken. What was read before is what came first.
    Conflict,
    /// The peer acknowledged a packet that was made and not sent: it lies about what it has got, to
    /// be sent more than its share, or somebody else acknowledges for it.
    FalseAck,
    /// The peer has vanished from an idle connection.
    Idle,
    /// This side aborted it.
    LocallyClosed,
    /// The peer, or a host on the way, refused the connect.
    Refused,
    /// The peer does not know the connection any more, or aborted it.
    Reset,
    /// The peer lives but took no byte for longer than `Config` allows.
    StalledByPeer,
    /// The peer did not answer in time.
    TimedOut,
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conflict => "two different packets carried the same number",
            Self::FalseAck => "peer acknowledged what was never sent",
            Self::Idle => "peer vanished while the connection was idle",
            Self::LocallyClosed => "connection aborted by this side",
            Self::Refused => "connection refused by the peer",
            Self::Reset => "connection reset by the peer",
            Self::StalledByPeer => "peer takes no data",
            Self::TimedOut => "peer did not answer in time",
        })
    }
}

impl Error for ConnectionError {}

/// Why a connect could not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// Every connection id towards this peer is in use.
    IdsExhausted,
    /// Port zero or an unspecified address.
    InvalidRemote,
    /// `EndpointConfig::connections_max` is reached.
    TooManyConnections,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdsExhausted => "every connection id towards this peer is in use",
            Self::InvalidRemote => "remote address has no port or no host",
            Self::TooManyConnections => "too many connections on this endpoint",
        })
    }
}

impl Error for ConnectError {}

/// Why an incoming connection could not be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptError {
    /// The same SYN was accepted before.
    AlreadyAccepted,
    /// `EndpointConfig::connections_max` or `half_open_max` is reached.
    TooManyConnections,
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyAccepted => "this connection was accepted before",
            Self::TooManyConnections => "too many connections on this endpoint",
        })
    }
}

impl Error for AcceptError {}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// The send buffer is full: wait for `Event::Writable`.
    Blocked,
    /// The connection is over.
    Closed(ConnectionError),
    /// The sending side was finished.
    Finished,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("send buffer is full"),
            Self::Closed(error) => error.fmt(f),
            Self::Finished => f.write_str("sending side is finished"),
        }
    }
}

impl Error for WriteError {}

/// Why nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing has arrived: wait for `Event::Readable`.
    Blocked,
    /// The connection is over and every byte that arrived was read.
    Closed(ConnectionError),
    /// End of the stream: the peer finished and every byte was read.
    Finished,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("nothing to read yet"),
            Self::Closed(error) => error.fmt(f),
            Self::Finished => f.write_str("end of stream"),
        }
    }
}

impl Error for ReadError {}
