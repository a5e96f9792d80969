//! Runs transfers between implementations and writes what came of them.
//!
//! - [`Stack`] names an implementation and the shim that stands in front of it, [`Ability`] what a
//!   shim may be unable to do.
//! - [`Impairment`] names what lies between two sides: nothing, a relay, or a router between
//!   [`Namespaces`].
//! - [`Transfer`] is one transfer between two shims, and [`Outcome`] what came of it.
//! - [`Exchange`] is a short conversation: who closes first, who speaks first, many at once.
//! - [`Matrix`] plans the transfers of all pairs, [`run`] runs them.
//! - [`Report`] holds the results, compares them, and writes tables and JSON.

mod ability;
mod dissect;
mod exchange;
mod impairment;
mod matrix;
mod namespaces;
mod progress;
mod provenance;
mod report;
mod run;
mod series;
mod shim_process;
mod stack;
mod table;
mod transfer;

pub use self::ability::Ability;
pub use self::dissect::{DissectError, Dissected};
pub use self::exchange::{Case, Exchange, ExchangeRun, exchanges, run_exchanges};
pub use self::impairment::Impairment;
pub use self::matrix::{Matrix, MatrixError, Plan};
pub use self::namespaces::{Host, Namespaces, NamespacesError};
pub use self::progress::Progress;
pub use self::provenance::{Machine, Provenance, utc_date_time};
pub use self::report::{Cell, Ratio, Report, Run, Spread, page, write_files};
pub use self::run::run;
pub use self::series::{Observed, Percentiles, STEP, Step};
pub use self::shim_process::ShimProcess;
pub use self::stack::{Origin, Pair, STACKS, Stack};
pub(crate) use self::table::Table;
pub use self::transfer::{Direction, Family, Outcome, Received, Shims, Transfer, Via};
