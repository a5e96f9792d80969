//! A small run of the example with the same name.

#[path = "../examples/blind_injection.rs"]
mod example;

use example::{Outcome, attack};
use utp_proto::Gate;

// req: HO-05
#[test]
fn blind_packets_never_get_into_a_stream_through_the_gate() {
    let outcome = attack(Gate::Drop, 100_000, 50_000);
    let expected = Outcome { forged: 100_000, intact: 2, ..Outcome::default() };
    assert_eq!(outcome, expected);
}

// req: HO-05
#[test]
fn without_the_gate_blind_packets_never_make_a_stream_that_looks_whole() {
    let outcome = attack(Gate::Count, 100_000, 50_000);
    assert_eq!((outcome.wrong, outcome.other), (0, 0), "{outcome:?}");
}
