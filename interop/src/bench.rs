//! Benchmarks of this stack and others: every implementation in two processes, in turns.
//!
//! The workloads are those of [`utp_bench_side`]; the programs of ours, of libutp, of TCP and of
//! plain UDP are in this crate, those of foreign stacks in the workspace `peers`. [`BENCHES`] says
//! what is measured, [`IMPLEMENTATIONS`] of whom.

mod chart;
mod command;
mod goals;
mod libutp;
mod plan;
mod report;
mod sample;

pub use self::command::Command;
pub use self::libutp::{Libutp, LibutpStream};
pub use self::plan::{BENCHES, Bench, IMPLEMENTATIONS, Implementation};
