//! Whatever is called, in whatever order and from wherever, nothing breaks.
//! `cargo xtask capi random` makes a million such calls under a sanitizer.

mod random;

#[test]
fn random_calls_break_nothing() {
    let mut sum = random::Told::default();
    for seed in 0..12 {
        let told = random::run(seed, 5_000).unwrap_or_else(|wrong| panic!("{wrong}"));
        sum.accepted += told.accepted;
        sum.connected += told.connected;
        sum.errors += told.errors;
        sum.read_bytes += told.read_bytes;
        sum.ends += told.ends;
        sum.writable += told.writable;
        sum.destroyed += told.destroyed;
        sum.nested += told.nested;
    }
    // They reach everything that there is to break.
    assert!(sum.accepted > 100 && sum.connected > 100 && sum.destroyed > 100, "{sum:?}");
    assert!(sum.errors > 10 && sum.ends > 10 && sum.writable > 10, "{sum:?}");
    assert!(sum.read_bytes > 100_000 && sum.nested > 1_000, "{sum:?}");
}
