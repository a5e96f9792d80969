//! One script of two applications and of faults of the network, over this stack and over libutp.
//!
//! A [`Script`] is drawn from a seed. [`run`] executes it in virtual time over any [`Pair`] of
//! stacks, and [`judge`] says in which way the outcome is not what the script asks for: every byte
//! and the end of the stream at each reader that stays for it, and no error at anybody who has not
//! been left. Both orders of the two implementations are run, and each implementation with itself.
//! Where an outcome differs, a [`Class`] explains it, by a rule that looks at what was on the wire.
//! What no rule explains fails.
//!
//! The same seed gives the same packets, always.

mod app;
mod check;
mod draw;
#[path = "../../utp-proto/tests/pair/draws.rs"]
#[allow(unreachable_pub, reason = "a module of test binaries")]
mod draws;
mod evidence;
mod judge;
mod network;
mod run;
mod script;
mod stack;

pub use app::Seen;
pub use check::{Verdict, check, shrink};
pub use judge::{Class, Finding, judge};
pub use network::Passed;
pub use run::{Outcome, Pair, run};
pub use script::{Change, Conditions, Ending, Fault, Read, Script, Side, Write};
pub use stack::{Failure, Kind};
