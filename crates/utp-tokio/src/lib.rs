//! uTP streams for tokio.

#![forbid(unsafe_code)]

pub mod runtime;
pub mod transport;
