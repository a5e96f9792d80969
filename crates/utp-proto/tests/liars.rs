//! Short runs of the example with the same name.

#[allow(dead_code, reason = "styles and figures that only the example uses")]
#[path = "../examples/liars/network.rs"]
mod network;
mod pair;

use network::{Acks, EMPTY_PATH, Outcome, Report, Setting, run};

const SECOND: u64 = 1_000_000;
const LINK: u64 = 10_000_000;
/// Twice the target of LEDBAT.
const QUEUE_US_MAX: u64 = 200_000;

fn outcome(acks: Acks, report: Report, shared: bool, queue_us: u64) -> Outcome {
    let (warm_up_us, measured_us) = (5 * SECOND, 10 * SECOND);
    run(Setting { acks, report, shared, queue_us, warm_up_us, measured_us })
}

fn is_about(bits: u64, expected: u64) -> bool {
    bits.abs_diff(expected) < expected / 10
}

// req: HO-04
#[test]
fn two_honest_receivers_share_the_link_and_keep_the_queue_at_the_target() {
    let shared = outcome(Acks::Honest, Report::Honest, true, SECOND);
    assert!(shared.sent.into_iter().all(|bits| is_about(bits, LINK / 2)), "{shared:?}");
    assert!((80_000..120_000).contains(&shared.queue_p50_us), "{shared:?}");
    let alone = outcome(Acks::Honest, Report::Honest, false, SECOND);
    assert!(is_about(alone.sent[1], LINK) && alone.sent[0] == 0, "{alone:?}");
    assert!((80_000..120_000).contains(&alone.queue_p95_us), "{alone:?}");
}

#[test]
fn copies_of_acks_get_no_more_than_an_honest_share() {
    for queue_us in [250_000, SECOND] {
        let outcome = outcome(Acks::Tenfold, Report::Honest, true, queue_us);
        assert!(is_about(outcome.sent[1], LINK / 2), "{outcome:?}");
        assert_eq!(outcome.found_out_after, None, "it is no lie");
    }
}

// req: HO-03
#[test]
fn whoever_acknowledges_what_it_has_not_got_is_found_out_within_200_packets() {
    let styles = [
        Acks::AllInFlight,
        Acks::After(1_000),
        Acks::After(25_000),
        Acks::After(50_000),
        Acks::HidingLosses,
    ];
    for queue_us in [250_000, SECOND] {
        for acks in styles {
            let outcome = outcome(acks, EMPTY_PATH, true, queue_us);
            let found_out = outcome.found_out_after.is_some_and(|packets| packets <= 200);
            assert!(found_out && outcome.sent[1] == 0, "{acks:?} {outcome:?}");
        }
    }
}

// req: HO-04
#[test]
fn reports_that_hide_the_queue_do_not_make_one_of_more_than_twice_the_target() {
    for (us, jitter_us) in [(25_000, 0), (25_000, 200), (0, 200)] {
        for (shared, queue_us) in [(false, 250_000), (false, SECOND), (true, SECOND)] {
            let outcome = outcome(Acks::Honest, Report::Constant(us, jitter_us), shared, queue_us);
            assert!(outcome.queue_p95_us <= QUEUE_US_MAX, "{us} {jitter_us} {outcome:?}");
            assert!(outcome.sent[1] >= LINK * 4 / 10, "{us} {jitter_us} {outcome:?}");
        }
    }
    for percent in [10, 50] {
        let outcome = outcome(Acks::Honest, Report::Scaled(percent), false, SECOND);
        assert!(outcome.queue_p95_us <= QUEUE_US_MAX, "{percent} {outcome:?}");
        assert!(is_about(outcome.sent[1], LINK), "{percent} {outcome:?}");
    }
}

// req: HO-04
#[test]
fn reports_of_zero_are_none_and_earn_nothing() {
    let outcome = outcome(Acks::Honest, Report::Constant(0, 0), true, SECOND);
    assert!(outcome.queue_p95_us <= QUEUE_US_MAX, "{outcome:?}");
    assert!(outcome.sent[1] < LINK / 10 && is_about(outcome.sent[0], LINK), "{outcome:?}");
}

#[test]
fn an_honest_stream_grows_soon_after_a_long_queue_is_gone() {
    let mut pair = pair::Pair::new(1);
    pair.record = false;
    pair.latency_us = 150_000;
    let stream = pair.connect(u64::MAX / 2, false);
    pair.run_for(15 * SECOND);
    pair.latency_us = 25_000;
    let window_bytes = |pair: &pair::Pair| {
        pair.endpoints[0].connection(stream).expect("it is open").stats().window_bytes
    };
    let before = window_bytes(&pair);
    pair.run_for(10 * SECOND);
    let after = window_bytes(&pair);
    assert!(before < 200_000 && after > 2 * before, "{before} {after}");
}
