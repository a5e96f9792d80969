//! Scenario files: the validated model, and how a TOML file becomes one.

pub mod model;

pub use model::*;
