//! uTP (BEP-29) behind the C interface of libutp: what becomes `libutp.so`.
//!
//! The interface, its numbers and its rules are those of `include/utp.h`; `README.md` says how a
//! program changes over. Here is how it is made:
//!
//! - `exports.rs` has the functions. Each finds the context or the socket behind its handle
//!   (`handles.rs`), or fails.
//! - `context.rs` has what a context is, behind a lock that no callback is called under.
//! - `dispatch.rs` does what follows from a change: callbacks in libutp's order, and datagrams.
//! - `opening.rs`, `stream.rs`, `reading.rs`, `io.rs` and `icmp.rs` have what the functions change.
//! - `gauge.rs` stands between a connection and its congestion control, `entropy.rs` and `clock.rs`
//!   between the core and the system.
//!
//! Code that the compiler cannot prove sound is where pointers of C come in and go out, and nowhere
//! else.
#![deny(unsafe_op_in_unsafe_fn)]

mod address;
mod callbacks;
mod clock;
mod context;
mod dispatch;
mod entropy;
mod exports;
mod gauge;
mod handles;
mod icmp;
mod io;
mod log;
mod names;
mod opening;
mod options;
mod overhead;
mod reading;
mod socket;
mod stats;
mod stream;
mod types;

pub use exports::*;
pub use names::{utp_callback_names, utp_error_code_names, utp_state_names};
pub use types::{
    Callback, CallbackArguments, Detail, Extra, IoVec, SockAddr, SockLen, UtpContext, UtpSocket,
};
