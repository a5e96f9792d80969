//! Two endpoints of the core in virtual time, random operations on both, and an oracle.
//!
//! A [`Plan`] says how both sides are configured and what happens, one [`Op`] after the other. It
//! is drawn from a seed, made by a property test, or decoded by a fuzzer; [`run`] executes it and
//! judges what came of it. The same plan gives the same packets, always.
//!
//! What no run may do:
//!
//! - deliver a byte that was not written, or not there: what is read is a prefix of what was
//!   written at one other end of a stream, and the end of the stream comes after the whole of it;
//! - panic, or take more memory than the configuration says;
//! - stand still: after the faults have stopped, every stream finishes or fails;
//! - leave anything behind once its owners have left.

mod draw;
mod judge;
mod network;
mod op;
#[path = "../../utp-proto/tests/pair/mod.rs"]
mod pair;
mod run;
mod shrink;

pub use op::{Conditions, ControllerChoice, Flips, Limits, Op, Plan, SideConfig};
pub use run::{Report, run, run_traced};
pub use shrink::{check, shrink};
