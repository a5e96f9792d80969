//! One side of a benchmark: the workloads, the same for every implementation.
//!
//! A program for a stack is a [`Stack`] and a call of [`main`]: it takes a role and a workload,
//! does it in a process of its own, and prints one line of JSON with what it took. The side that
//! accepts prints a line with its ports before that. Both leave when standard input ends.
//!
//! Everything runs on one thread, the stack and its user together, so that two processes are two
//! processors. Payload is kept as it comes and hashed when the clock has stopped.

mod args;
mod connects;
mod hello;
mod idle;
mod outcome;
mod payload;
mod ping;
mod run;
mod stack;
mod stream;

pub use args::{Args, Role, Workload};
pub use outcome::{Line, Outcome};
pub use payload::{Payload, digest_of_all, digest_of_stream};
pub use run::{main, main_with, say};
pub use stack::{Options, Stack};
pub use stream::{Clock, room_for};

/// The exit status for what a stack cannot do.
pub const EXIT_UNABLE: u8 = 89;
