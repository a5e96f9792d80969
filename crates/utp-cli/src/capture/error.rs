//! Why a capture cannot be read.

use std::fmt;
use std::io;

/// Why a capture cannot be read, or not any further.
#[derive(Debug)]
pub enum CaptureError {
    /// The file is not a whole capture.
    Broken {
        /// Where the head or the record begins that is broken, in bytes from the start of the file.
        offset: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The file cannot be read.
    Io(io::Error),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { offset, what } => write!(f, "broken at byte {offset}: {what}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Broken { .. } => None,
            Self::Io(error) => Some(error),
        }
    }
}

impl From<io::Error> for CaptureError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
