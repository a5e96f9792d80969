//! `utp-interop`: transfers between uTP implementations over real UDP.

fn main() {}
