//! The rate cap of an endpoint, and how connections share it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;

use std::num::{NonZeroU8, NonZeroU32};
use std::sync::Arc;

use pair::Pair;
use utp_proto::{Config, ConnectionHandle};
use utp_wire::PacketType;

const SECOND: u64 = 1_000_000;

/// A pair whose first side is capped, with a stream of endless data for each weight.
fn streams(cap: u32, weights: &[u8]) -> (Pair, Vec<ConnectionHandle>) {
    let mut pair = Pair::new(1);
    pair.segments_max = 64;
    pair.endpoints[0].set_send_rate_max(NonZeroU32::new(cap));
    let handles = weights
        .iter()
        .map(|weight| {
            let mut config = Config::default();
            config.weight = NonZeroU8::new(*weight).unwrap();
            pair.config = Arc::new(config);
            pair.connect(u64::MAX / 2, false)
        })
        .collect();
    (pair, handles)
}

/// Bytes of UDP payload in data that the first side sent since the last look.
fn data_bytes(pair: &mut Pair) -> u64 {
    let sent: usize = pair.sent(0, PacketType::Data).iter().map(|seen| seen.len).sum();
    pair.seen.clear();
    sent as u64
}

fn acked(pair: &Pair, handle: ConnectionHandle) -> u64 {
    pair.endpoints[0].connection(handle).unwrap().stats().bytes_acked
}

#[test]
fn the_cap_of_an_endpoint_is_kept_to_two_per_cent() {
    for (cap, count) in [(20_000, 3), (100_000, 1), (300_000, 10)] {
        let (mut pair, _) = streams(cap, &vec![16; count]);
        pair.run_for(5 * SECOND);
        data_bytes(&mut pair);
        pair.run_for(10 * SECOND);
        let (bytes, cap) = (data_bytes(&mut pair), u64::from(cap));
        assert!(bytes * 100 <= cap * 10 * 102, "{bytes} bytes at {cap}");
        assert!(bytes * 100 >= cap * 10 * 98, "{bytes} bytes at {cap}");
        assert_eq!(pair.endpoints[0].totals().retransmissions, 0);
        assert_eq!(pair.endpoints[0].totals().timeouts, 0);
    }
}

#[test]
fn shares_are_those_of_the_weights_to_two_per_cent() {
    let weights = [1, 16, 16, 32, 255];
    let (mut pair, handles) = streams(600_000, &weights);
    pair.run_for(5 * SECOND);
    let before: Vec<u64> = handles.iter().map(|handle| acked(&pair, *handle)).collect();
    pair.run_for(20 * SECOND);
    let after: Vec<u64> = handles.iter().map(|handle| acked(&pair, *handle)).collect();
    let got: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    let (sum, weight_sum) = (got.iter().sum::<u64>(), 320);
    for (got, weight) in got.iter().zip(weights) {
        let expected = sum * u64::from(weight) / weight_sum;
        // The smallest gets some packets more or less, which are much to it.
        let slack = (expected * 2 / 100).max(5_000);
        assert!(got.abs_diff(expected) <= slack, "{got} of {expected} for weight {weight}");
    }
}

#[test]
fn nobody_starves_beside_the_heaviest() {
    let mut weights = vec![255; 9];
    weights.push(1);
    let (mut pair, handles) = streams(300_000, &weights);
    pair.run_for(20 * SECOND);
    let last = acked(&pair, *handles.last().unwrap());
    // A part in 2 296 of 6 MB.
    assert!(last >= 1_382, "{last}");
    assert!(pair.apps[0].values().all(|app| app.closed.is_none()));
}

#[test]
fn acks_and_new_connections_pass_a_cap_that_is_used_up() {
    let (mut pair, _) = streams(3_000, &[16]);
    pair.run_for(5 * SECOND);
    // The other side sends 300 kB, which the capped one only acks.
    let theirs = pair.connect_from(1, 300_000, true);
    let done = pair.run_until(30 * SECOND, |pair| pair.app(1, theirs).finished);
    assert!(done, "acks are not held back");
    assert_eq!(pair.endpoints[1].totals().timeouts, 0);
}

#[test]
fn a_cap_that_is_lifted_lets_everything_go() {
    let mut pair = Pair::new(1);
    pair.endpoints[0].set_send_rate_max(NonZeroU32::new(1_000));
    let handle = pair.connect(200_000, true);
    assert!(!pair.run_until(10 * SECOND, |pair| pair.app(0, handle).finished));
    pair.endpoints[0].set_send_rate_max(None);
    pair.drain(0);
    assert!(pair.run_until(10 * SECOND, |pair| pair.app(0, handle).finished));
    assert!(pair.endpoints[0].poll_timeout().is_some_and(|at| at > pair.now));
}

/// Deadlines of the first side are served, but nothing is polled for transmission. Returns how many
/// there were.
fn serve_deadlines_alone(pair: &mut Pair, for_us: u64) -> u32 {
    let until = pair.now.saturating_add(for_us);
    let mut calls = 0;
    while let Some(at) = pair.endpoints[0].poll_timeout().filter(|at| *at < until) {
        pair.now = pair.now.max(at);
        pair.endpoints[0].handle_timeout(pair.now);
        calls += 1;
        assert!(calls < 100, "woken {calls} times until {at:?}");
    }
    pair.now = until;
    calls
}

#[test]
fn a_transport_that_takes_nothing_is_not_asked_again_and_again_under_a_cap() {
    for cap in [3_000, 100_000, 0] {
        let (mut pair, _) = streams(cap, &[16, 32]);
        pair.run_for(5 * SECOND + 1);
        let calls = serve_deadlines_alone(&mut pair, 20 * SECOND);
        assert!(calls > 0, "a time-out at least");
    }
}

#[test]
fn data_flows_at_the_cap_once_a_transport_takes_it_again() {
    let (mut pair, handles) = streams(100_000, &[16, 32]);
    pair.run_for(5 * SECOND);
    let since = pair.now;
    serve_deadlines_alone(&mut pair, 5 * SECOND);
    let now = pair.now;
    pair.endpoints[0].handle_stall(now, since);
    pair.drain(0);
    pair.run_for(5 * SECOND);
    data_bytes(&mut pair);
    pair.run_for(10 * SECOND);
    let bytes = data_bytes(&mut pair);
    assert!((980_000..=1_020_000).contains(&bytes), "{bytes} bytes");
    assert!(handles.iter().all(|handle| pair.app(0, *handle).closed.is_none()));
}
