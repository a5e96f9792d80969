//! The cases that are written in Rust, by group.

mod hs;
mod id;

use super::case::Case;

/// Every case that is written in Rust.
pub(crate) fn all() -> Vec<Case> {
    [hs::cases(), id::cases()].concat()
}
