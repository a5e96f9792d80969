//! Whole transfers over paths that lose, copy, reorder, stall and go dark: that they end, how soon,
//! and how often a packet was sent in vain. `examples/figures_loss.rs` prints the figures.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "pair/faults.rs"]
mod faults;
mod pair;

use faults::{MS, PACKET_US, Path, SECOND, run};
use utp_proto::ConnectionError;

// req: F-01
#[test]
fn ten_mebibytes_at_any_loss_up_to_thirty_per_cent_each_way_end_in_time() {
    for (loss_per_mille, within_s) in [(10, 60), (100, 60), (300, 600)] {
        let outcome = run(Path::new(10 << 20).loss(loss_per_mille));
        assert!(outcome.complete, "{loss_per_mille} per mille: {:?}", outcome.closed);
        assert!(outcome.took_us <= within_s * SECOND, "{loss_per_mille}: {}", outcome.took_us);
    }
}

// req: F-01
#[test]
fn losses_are_found_without_time_outs_up_to_five_per_cent_each_way() {
    for seed in 1..6 {
        let outcome = run(Path::new(2 << 20).loss(50).seed(seed));
        assert!(outcome.complete);
        assert_eq!(outcome.stats.timeouts, 0);
        assert_eq!(outcome.stats.retransmissions_timeout, 0);
    }
}

// req: F-02
#[test]
fn whichever_packet_is_lost_a_transfer_is_a_few_round_trips_longer() {
    // A window that never changes shows what finding and repairing the loss costs.
    let path = Path::new(300_000).latency(50_000).window(40_000);
    let clean = run(path);
    for lost in 1..=200 {
        let outcome = run(path.drop_packet(lost));
        assert!(outcome.complete);
        let later_us = outcome.took_us.saturating_sub(clean.took_us);
        assert!(later_us <= 350 * MS, "packet {lost}: {later_us}");
        assert_eq!(outcome.stats.timeouts, 0, "packet {lost}");
        assert_eq!(outcome.stats.cuts_undone, 0, "packet {lost}");
    }
}

// req: F-02
#[test]
fn a_lost_tail_is_repaired_within_four_round_trips() {
    // The last 12 numbers, data and FIN. The pause of two round trips begins with the last ack.
    let path = Path::new(100_000).latency(50_000).window(1 << 20);
    let clean = run(path);
    for lost in 62..=74 {
        let outcome = run(path.drop_packet(lost));
        let later_us = outcome.took_us - clean.took_us;
        assert!(later_us <= 375 * MS, "packet {lost}: {later_us}");
        assert_eq!(outcome.stats.timeouts, 0);
    }
}

// req: F-02
#[test]
fn bursts_of_any_length_cost_a_few_round_trips_each_and_hardly_a_time_out() {
    let path = Path::new(1_500_000).latency(50_000).rate(1_250_000).window(40_000);
    let clean = run(path);
    for mean in [1, 3, 10, 50] {
        let (mut bursts, mut timeouts) = (0, 0);
        for seed in 1..=8 {
            let outcome = run(path.bursts(20, mean).seed(seed));
            assert!(outcome.complete, "{mean}, seed {seed}: {:?}", outcome.closed);
            // As for one packet, the burst itself, and the time-outs.
            let stats = outcome.stats;
            let budget_us = outcome.bursts.max(1) * (350 * MS + mean * PACKET_US)
                + u64::from(stats.timeouts) * stats.rto_us;
            let later_us = outcome.took_us.saturating_sub(clean.took_us);
            assert!(later_us <= budget_us, "{mean}, seed {seed}: {later_us} of {budget_us}");
            bursts += outcome.bursts;
            timeouts += u64::from(stats.timeouts);
        }
        assert!(bursts >= 8 && timeouts * 10 <= bursts, "{mean}: {timeouts} in {bursts} bursts");
    }
}

// req: F-03
#[test]
fn copies_bring_no_byte_twice_and_draw_one_ack_each_at_most() {
    for per_mille in [10, 200, 1_000] {
        let outcome = run(Path::new(1 << 20).copies(per_mille));
        assert!(outcome.complete);
        assert_eq!(outcome.read, 1 << 20);
        let packets = outcome.stats.packets_sent;
        let limit = packets * (1_050 + per_mille) / 1_000 + 50;
        assert!(outcome.acks <= limit, "{} for {packets} packets", outcome.acks);
        // Three copies of an ack look like three acks of a peer that names nothing (SQ-08).
        let resent = u64::from(outcome.stats.retransmissions);
        assert!(resent * 10 <= packets, "{resent} of {packets}");
    }
}

// req: F-04
#[test]
fn packets_that_come_three_places_late_cost_a_tenth_at_the_most() {
    let path = Path::new(3_000_000).latency(20_000).rate(2_500_000);
    let clean = run(path);
    for per_mille in [10, 100, 500] {
        let outcome = run(path.reorder(per_mille, 3));
        assert!(outcome.complete);
        assert!(clean.took_us * 10 >= outcome.took_us * 9, "{per_mille}: {}", outcome.took_us);
        assert!(outcome.stats.retransmissions <= 10, "{}", outcome.stats.retransmissions);
    }
}

// req: F-04
#[test]
fn packets_that_come_any_number_of_places_late_wedge_nothing() {
    for places in [10, 100, 1_000] {
        let path = Path::new(1_000_000).latency(20_000).rate(2_500_000).reorder(100, places);
        let outcome = run(path);
        assert!(outcome.complete, "{places}: {:?}", outcome.closed);
        assert!(outcome.took_us <= 60 * SECOND, "{places}: {}", outcome.took_us);
    }
}

// req: F-07
#[test]
fn a_spike_of_delay_costs_what_doubling_needs_and_a_later_one_two_time_outs_at_most() {
    let path = Path::new(3_200_000).latency(50_000).rate(100_000);
    for (spike_ms, first) in [(100, 0), (300, 0), (1_000, 1), (3_000, 2), (10_000_u64, 4)] {
        // The time-out is half a second, and expires after it, after three times that, after seven.
        assert_eq!((spike_ms / 500 + 1).ilog2(), first);
        let spikes = path.spike(3 * SECOND, spike_ms * MS);
        let outcomes = [0, 1, 2, 3].map(|times| run(spikes.times(times, 14 * SECOND)));
        for (times, pair) in outcomes.windows(2).enumerate() {
            let [before, after] = [&pair[0].stats, &pair[1].stats];
            let most = if times == 0 { first } else { first.min(2) };
            assert_eq!(after.timeouts - before.timeouts, most, "{spike_ms} ms, the {times}th");
            // All of them were needless: the window comes back, and few packets go twice.
            assert_eq!(after.cuts_undone - before.cuts_undone, first.min(1));
            assert!(after.retransmissions - before.retransmissions <= 6);
            assert!(pair[1].complete, "{:?}", pair[1].closed);
        }
    }
}

// req: F-07
#[test]
fn a_second_of_delay_costs_a_transfer_two_at_the_most() {
    let path = Path::new(5_000_000).latency(50_000);
    let clean = run(path);
    for spike_us in [100 * MS, 500 * MS, SECOND] {
        let outcome = run(path.spike(3 * SECOND, spike_us));
        let later_us = outcome.took_us - clean.took_us;
        assert!(later_us <= spike_us + SECOND, "{spike_us}: {later_us}");
    }
}

// req: F-07
#[test]
fn ten_seconds_of_delay_close_nothing_and_cost_a_few_seconds_more() {
    let path = Path::new(5_000_000).latency(50_000).rate(1_250_000);
    let clean = run(path);
    let outcome = run(path.spike(3 * SECOND, 10 * SECOND));
    assert!(outcome.complete);
    // The samples of the spike make for a smoothed round trip of seconds and a time-out of half a
    // minute: neither pacing nor a window below one packet may wait for them.
    let later_us = outcome.took_us - clean.took_us;
    assert!(later_us <= 15 * SECOND, "{later_us}");
}

// req: F-08
#[test]
fn blackouts_up_to_thirty_seconds_are_survived_and_longer_ones_end_in_an_error() {
    let path = Path::new(3_000_000).latency(50_000);
    let clean = run(path);
    for seconds in [1, 5, 30] {
        let outcome = run(path.blackout(2 * SECOND, seconds * SECOND));
        assert!(outcome.complete, "{seconds} s: {:?}", outcome.closed);
        // At most as late as the pause between two resends, and the window begins anew.
        let later_us = outcome.took_us - clean.took_us;
        assert!(later_us <= (seconds + 13) * SECOND, "{seconds} s: {later_us}");
    }
    for seconds in [60, 300] {
        let outcome = run(path.blackout(2 * SECOND, seconds * SECOND));
        assert_eq!(outcome.closed, Some(ConnectionError::TimedOut));
        assert!(outcome.took_us <= 48 * SECOND, "45 s after the last ack");
    }
}
