//! Scenario files: the validated model, and how a TOML file becomes one.
//!
//! A file has general keys, `[link.NAME]` tables, `[[flow]]` tables, and optionally `[host.NAME]`,
//! `[[at]]`, `[[phase]]`, `[[expect]]`, `[sweep]` and `[variant.NAME]`; [`reference()`] explains
//! them. A variant is the whole file again with its own keys laid over it:
//! `[variant.NAME.link.uplink]` and `[variant.NAME.flow.tcp]` change single keys of a link and of a
//! flow, `without = ["utp"]` leaves flows out, and `[[variant.NAME.expect]]` says what must
//! hold for it. Expectations at the top level are about the base scenario alone,
//! or about the `variants` that they name.

mod engine;
mod error;
mod keys;
mod load;
pub mod model;
mod read;
mod reference;
pub mod units;

pub use engine::EngineError;
pub use error::LoadError;
pub use load::{load, parse};
pub use model::*;
pub use reference::reference;

/// Name of the base scenario among the variants.
pub const DEFAULT_VARIANT: &str = "default";
