//! HO: hostile peers and strangers, each with a number. Run against our own stack only.

mod cost;
mod floods;
mod liars;
mod memory;
mod strangers;

use crate::conformance::case::{Case, Flag};

pub(super) fn cases() -> Vec<Case> {
    let groups =
        [cost::cases(), floods::cases(), liars::cases(), memory::cases(), strangers::cases()];
    groups.concat().into_iter().map(|case| case.flag(Flag::Hostile)).collect()
}
