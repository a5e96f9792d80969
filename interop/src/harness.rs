//! Runs transfers between implementations and writes what came of them.
//!
//! - [`Stack`] names an implementation and the shim that stands in front of it, [`Ability`] what a
//!   shim may be unable to do.
//! - [`Transfer`] is one transfer between two shims, and [`Outcome`] what came of it.
//! - [`Exchange`] is a short conversation: who closes first, who speaks first, many at once.
//! - [`Matrix`] plans the transfers of all pairs, [`run`] runs them.
//! - [`Report`] holds the results, compares them, and writes tables and JSON.

mod ability;
mod exchange;
mod matrix;
mod progress;
mod provenance;
mod report;
mod run;
mod shim_process;
mod stack;
mod table;
mod transfer;

pub use self::ability::Ability;
pub use self::exchange::{Case, Exchange, ExchangeRun, exchanges, run_exchanges};
pub use self::matrix::{Loopback, Matrix, MatrixError, Relayed};
pub use self::progress::Progress;
pub use self::provenance::{Machine, Provenance, utc_date_time};
pub use self::report::{
    BenchRatio, BenchReport, BenchRow, Ratio, Report, Run, Spread, write_files,
};
pub use self::run::run;
pub use self::shim_process::ShimProcess;
pub use self::stack::{Pair, STACKS, Stack};
pub use self::transfer::{Direction, Family, Impaired, Outcome, Received, Shims, Transfer};
