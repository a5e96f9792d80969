//! Owns why a stream ended, and what `std::io` calls that.

use std::io::{self, ErrorKind};

use utp_proto::{ConnectError, ConnectionError};

/// Why a stream can do no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It could not even begin.
    Connect(ConnectError),
    /// The connection ended.
    Connection(ConnectionError),
    /// The socket beneath is gone.
    Socket(ErrorKind),
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Connect(error) => Self::new(connect_kind(error), error),
            Failure::Connection(error) => Self::new(connection_kind(error), error),
            Failure::Socket(kind) => Self::new(kind, "the uTP socket is closed"),
        }
    }
}

fn connect_kind(error: ConnectError) -> ErrorKind {
    match error {
        ConnectError::IdsExhausted => ErrorKind::AddrInUse,
        ConnectError::InvalidRemote => ErrorKind::InvalidInput,
        _ => ErrorKind::ResourceBusy,
    }
}

fn connection_kind(error: ConnectionError) -> ErrorKind {
    match error {
        ConnectionError::Conflict | ConnectionError::FalseAck => ErrorKind::InvalidData,
        ConnectionError::LocallyClosed => ErrorKind::ConnectionAborted,
        ConnectionError::Refused => ErrorKind::ConnectionRefused,
        ConnectionError::Idle | ConnectionError::StalledByPeer | ConnectionError::TimedOut => {
            ErrorKind::TimedOut
        }
        _ => ErrorKind::ConnectionReset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_error_keeps_the_reason() {
        let error = io::Error::from(Failure::Connection(ConnectionError::TimedOut));
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.to_string(), ConnectionError::TimedOut.to_string());
    }
}
