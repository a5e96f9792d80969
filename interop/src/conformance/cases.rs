//! The cases that are written in Rust, by group.

mod cc;
mod cl;
mod ex;
mod ho;
mod hs;
mod id;
mod mf;
mod mt;
mod rs;
mod sk;
mod sq;
mod tm;
mod witness;
mod wn;
mod wr;

use super::case::Case;

/// Every case that is written in Rust.
pub(crate) fn all() -> Vec<Case> {
    let groups = [
        cc::cases(),
        cl::cases(),
        ex::cases(),
        ho::cases(),
        hs::cases(),
        id::cases(),
        mf::cases(),
        mt::cases(),
        rs::cases(),
        sk::cases(),
        sq::cases(),
        tm::cases(),
        wn::cases(),
        wr::cases(),
    ];
    groups.concat()
}
