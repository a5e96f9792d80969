//! Bursts as they leave the sender.

use super::*;
use crate::record::FlowRecord;
use crate::rng::Streams;

const PATTERN: Pattern = Pattern {
    rate_bps: 64_000,
    interval: Ns::from_millis(20),
    on: Ns::from_millis(100),
    off: Ns::from_millis(300),
};

fn drain(mut flow: OnOff, until: Ns) -> Vec<(Ns, u32)> {
    let (mut record, mut outbox) = (FlowRecord::default(), Vec::new());
    let mut sent = Vec::new();
    while let Some(now) = flow.deadline().filter(|&at| at < until) {
        flow.handle_timer(&mut Context { now, record: &mut record, outbox: &mut outbox });
        sent.extend(outbox.drain(..).map(|packet| (now, packet.bytes)));
    }
    sent
}

#[test]
fn constant_lengths_give_equal_bursts_from_the_start_on() {
    let start = Ns::from_millis(7);
    let sent = drain(OnOff::new(PATTERN, None, start, None), Ns::from_millis(1_000));
    let at_ms = |burst: u64| (0..5).map(move |packet| 7 + 400 * burst + 20 * packet);
    let expected: Vec<(Ns, u32)> =
        (0..3).flat_map(at_ms).map(|ms| (Ns::from_millis(ms), 160 + 28)).collect();
    assert_eq!(sent, expected);
}

#[test]
fn a_burst_shorter_than_an_interval_leaves_the_rest_to_the_next() {
    let pattern = Pattern { on: Ns::from_millis(15), off: Ns::from_millis(85), ..PATTERN };
    let sent = drain(OnOff::new(pattern, None, Ns::ZERO, None), Ns::from_secs(100));
    // On for 15 s of the 100: 750 packets. The second leaves 5 ms into the second burst.
    assert_eq!(sent.len(), 750);
    assert_eq!(sent[1].0, Ns::from_millis(105));
}

#[test]
fn random_lengths_keep_the_mean_rate_and_vary() {
    let flow = |seed| OnOff::new(PATTERN, Some(Streams::new(seed).flow(3)), Ns::ZERO, None);
    let sent = drain(flow(1), Ns::from_secs(4_000));
    // On for a quarter of the time: 50 000 packets. Ten thousand bursts and silences leave a
    // deviation of the share of 0.75 x 1.41 / 100, that is 1.1 %.
    assert!((48_000..52_000).contains(&sent.len()), "{}", sent.len());
    let gaps = || sent.windows(2).map(|pair| (pair[1].0 - pair[0].0).0);
    assert!(gaps().min() == Some(20_000_000) && gaps().max() > Some(1_500_000_000));
    assert_eq!(drain(flow(1), Ns::from_secs(40)), drain(flow(1), Ns::from_secs(40)));
    assert_ne!(drain(flow(1), Ns::from_secs(40)), drain(flow(2), Ns::from_secs(40)));
}

#[test]
fn nothing_is_sent_from_stop_on() {
    let flow = OnOff::new(PATTERN, None, Ns::ZERO, Some(Ns::from_millis(40)));
    assert_eq!(drain(flow, Ns::from_secs(1)).len(), 2);
}
