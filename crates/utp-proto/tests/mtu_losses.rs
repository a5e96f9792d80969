//! Acks get lost while the path MTU is searched for.

mod mtu_seeds;
mod pair;

use mtu_seeds::Outcome;

/// `cargo run --release -p utp-proto --example mtu_seeds` runs ten thousand.
const SEEDS: u64 = 300;

#[test]
fn lost_acks_during_the_search_cost_no_byte() {
    let mut total = Outcome::default();
    for seed in 0..SEEDS {
        total.add(&mtu_seeds::run(seed));
    }
    // The seeds do what they are there for.
    assert!(total.probes > SEEDS && total.probes_lost > SEEDS / 2, "{total:?}");
    assert!(total.black_holes > SEEDS / 10 && total.fragmented > SEEDS, "{total:?}");
    assert!(total.resized > SEEDS / 2, "{total:?}");
}
