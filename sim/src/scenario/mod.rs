//! Scenario files: the validated model, and how a TOML file becomes one.
//!
//! A file has general keys, `[link.NAME]` tables, `[[flow]]` tables, and optionally `[host.NAME]`,
//! `[[at]]`, `[[phase]]`, `[[expect]]`, `[sweep]` and `[variant.NAME]`; [`reference()`] explains
//! them. A variant is the whole file again with its own keys laid over it:
//! `[variant.NAME.link.uplink]` and `[variant.NAME.flow.tcp]` change single keys of a link and of a
//! flow, `without = ["utp"]` leaves flows out, and `[[variant.NAME.expect]]` says what must
//! hold for it. Expectations at the top level are about the base scenario alone,
//! or about the `variants` that they name.

#[cfg(feature = "lab")]
mod engine;
#[cfg(feature = "lab")]
mod error;
#[cfg(feature = "lab")]
mod keys;
#[cfg(feature = "lab")]
mod load;
pub mod model;
#[cfg(feature = "lab")]
mod read;
#[cfg(feature = "lab")]
mod reference;
#[cfg(feature = "lab")]
pub mod units;

#[cfg(feature = "lab")]
pub use engine::EngineError;
#[cfg(feature = "lab")]
pub use error::LoadError;
#[cfg(feature = "lab")]
pub use load::{load, parse};
pub use model::*;
#[cfg(feature = "lab")]
pub use reference::reference;

/// Name of the base scenario among the variants.
pub const DEFAULT_VARIANT: &str = "default";
