//! What an event of the shim has to look like.

use std::fmt;
use std::ops::RangeInclusive;

use crate::shim::{ErrorKind, Event, pattern_sha256};

/// An event that a case waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WantEvent {
    Accepted,
    Closed,
    Connected,
    /// Bytes were read.
    Data {
        /// How many; any number when absent.
        bytes: Option<RangeInclusive<u64>>,
        /// Their SHA-256.
        sha256: Option<String>,
    },
    Eof,
    /// The connection failed in one of these ways; in any when there are none.
    Error(Vec<ErrorKind>),
    Stats,
}

impl WantEvent {
    /// The first `bytes` bytes of the stream that `seed` names.
    pub(crate) fn data(bytes: u64, seed: u64) -> Self {
        Self::Data { bytes: Some(bytes..=bytes), sha256: Some(pattern_sha256(seed, bytes)) }
    }

    /// An error of this kind.
    pub(crate) fn error(kind: ErrorKind) -> Self {
        Self::Error(vec![kind])
    }

    pub(crate) fn matches(&self, event: &Event) -> bool {
        match (self, event) {
            (Self::Accepted, Event::Accepted { .. })
            | (Self::Closed, Event::Closed { .. })
            | (Self::Connected, Event::Connected { .. })
            | (Self::Eof, Event::Eof { .. })
            | (Self::Stats, Event::Stats(_)) => true,
            (Self::Data { bytes, sha256 }, Event::Data { n, sha256: found, .. }) => {
                bytes.as_ref().is_none_or(|bytes| bytes.contains(n))
                    && sha256.as_ref().is_none_or(|sha256| sha256 == found)
            }
            (Self::Error(kinds), Event::Error { kind, .. }) => {
                kinds.is_empty() || kinds.contains(kind)
            }
            _ => false,
        }
    }

    /// Whether an event of the same sort makes it useless to wait on: the wrong bytes, the wrong
    /// error, or any error when something else was to come.
    pub(crate) fn is_ruled_out_by(&self, event: &Event) -> bool {
        let same_sort = matches!((self, event), (Self::Data { .. }, Event::Data { .. }));
        !self.matches(event) && (same_sort || matches!(event, Event::Error { .. }))
    }
}

impl fmt::Display for WantEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Closed => f.write_str("closed"),
            Self::Connected => f.write_str("connected"),
            Self::Data { bytes, sha256 } => {
                f.write_str("data")?;
                if let Some(bytes) = bytes {
                    write!(f, " n={}", bytes.start())?;
                    if bytes.start() != bytes.end() {
                        write!(f, "..{}", bytes.end())?;
                    }
                }
                sha256.as_ref().map_or(Ok(()), |sha256| write!(f, " sha256={sha256}"))
            }
            Self::Eof => f.write_str("eof"),
            Self::Error(kinds) => {
                let kinds: Vec<String> = kinds.iter().map(|kind| name_of(*kind).into()).collect();
                write!(
                    f,
                    "error kind={}",
                    if kinds.is_empty() { "any".into() } else { kinds.join("|") }
                )
            }
            Self::Stats => f.write_str("stats"),
        }
    }
}

const fn name_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Conflict => "conflict",
        ErrorKind::Other => "other",
        ErrorKind::Refused => "refused",
        ErrorKind::Reset => "reset",
        ErrorKind::Timeout => "timeout",
    }
}

/// The kind of error that a script calls `name`.
pub(crate) fn error_kind(name: &str) -> Option<ErrorKind> {
    let all = [
        ErrorKind::Conflict,
        ErrorKind::Other,
        ErrorKind::Refused,
        ErrorKind::Reset,
        ErrorKind::Timeout,
    ];
    all.into_iter().find(|kind| name_of(*kind) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_bytes_and_unexpected_errors_end_the_wait() {
        let data =
            |n, sha256: &str| Event::Data { conn: 1, n, sha256: sha256.into(), seconds: None };
        let want = WantEvent::data(3, 7);
        assert!(want.matches(&data(3, &pattern_sha256(7, 3))));
        assert!(want.is_ruled_out_by(&data(3, "00")));
        assert!(!want.is_ruled_out_by(&Event::Accepted { conn: 1 }));
        let error = |kind| Event::Error { conn: 1, kind, detail: String::new() };
        assert!(want.is_ruled_out_by(&error(ErrorKind::Reset)));
        assert!(WantEvent::error(ErrorKind::Reset).is_ruled_out_by(&error(ErrorKind::Timeout)));
        assert!(WantEvent::Error(vec![]).matches(&error(ErrorKind::Timeout)));
    }
}
