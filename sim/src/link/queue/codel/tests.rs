//! CoDel against its control law.

use super::*;
use crate::link::tests::packet;

const AIM: Aim = Aim { target: Ns::from_millis(5), interval: Ns::from_millis(100) };

/// A queue in which `count` packets of 1500 bytes wait since the start.
fn filled(count: u64) -> Codel {
    let mut codel = Codel::new(AIM, None);
    push(&mut codel, Ns::ZERO, count);
    codel
}

fn push(codel: &mut Codel, since: Ns, count: u64) {
    for id in 0..count {
        codel.push(Waiting::new(since, packet(id, 1_500))).expect("there is no limit");
    }
}

/// Takes a packet every `step` from `from` until `until`; returns the moments of drops.
fn drops(codel: &mut Codel, from: Ns, until: Ns, step: Ns) -> Vec<Ns> {
    let mut dropped = Vec::new();
    let mut moments = Vec::new();
    let mut now = from;
    while now < until {
        codel.pop(now, &mut dropped);
        assert!(dropped.iter().all(|dropped| dropped.reason == DropReason::Aqm));
        moments.extend(dropped.drain(..).map(|_| now));
        now += step;
    }
    moments
}

#[test]
fn drops_follow_the_inverse_square_root_of_their_count() {
    let step = Ns::from_micros(10);
    let begin = Ns::from_millis(10);
    let moments = drops(&mut filled(200_000), begin, Ns::from_secs(1), step);
    // An interval after the delay was first seen above the target, and then 100 ms over the roots
    // of 1, 2, 3 and so on: 100, 70.71, 57.74, 50, 44.72, 40.82, 37.80, 35.36 ms.
    let gaps_ns = [
        100_000_000,
        100_000_000,
        70_710_678,
        57_735_026,
        50_000_000,
        44_721_359,
        40_824_829,
        37_796_447,
        35_355_339,
        33_333_333,
    ];
    let mut due = begin.0;
    for (moment, gap) in moments.iter().zip(gaps_ns) {
        due += gap;
        assert_eq!(moment.0, due.next_multiple_of(step.0));
    }
    // 890 ms are left after the first, and the inverses of 26 roots add up to 8.84, of 27 to 9.03.
    assert_eq!(moments.len(), 27);
}

#[test]
fn the_control_law_is_exact_in_integers() {
    let interval = Ns::from_millis(100);
    for (count, ns) in [(1, 100_000_000), (2, 70_710_678), (4, 50_000_000), (10_000, 1_000_000)] {
        assert_eq!(spacing(interval, count), Ns(ns));
    }
    for count in 1..10_000 {
        let square = u128::from(spacing(interval, count).0).pow(2);
        let above = u128::from(spacing(interval, count).0 + 1).pow(2);
        let exact = 10_u128.pow(16);
        assert!(square * u128::from(count) <= exact && above * u128::from(count) > exact);
    }
}

#[test]
fn a_burst_that_is_gone_within_an_interval_loses_nothing() {
    // 80 packets of 1.2 ms wait up to 96 ms, but no longer than an interval above the target.
    let mut codel = filled(80);
    assert_eq!(drops(&mut codel, Ns::ZERO, Ns::from_secs(1), Ns::from_micros(1_200)), []);
}

#[test]
fn a_queue_of_one_packet_does_not_stand() {
    let mut codel = Codel::new(AIM, None);
    let mut dropped = Vec::new();
    for second in 1..100 {
        // Each has waited for a second, but at most one full packet stays behind.
        push(&mut codel, Ns::from_secs(second - 1), 2);
        for _ in 0..2 {
            assert!(codel.pop(Ns::from_secs(second), &mut dropped).is_some());
        }
    }
    assert!(dropped.is_empty());
}

#[test]
fn soon_after_a_dropping_state_the_next_begins_at_its_rate() {
    let step = Ns::from_micros(100);
    let mut codel = filled(20_000);
    let first = drops(&mut codel, Ns::ZERO, Ns::from_millis(600), step);
    assert_eq!(first.len(), 10);
    // A fresh backlog has waited for nothing: the state ends.
    codel.drain();
    push(&mut codel, Ns::from_millis(600), 3);
    assert_eq!(drops(&mut codel, Ns::from_millis(600), Ns::from_millis(601), step), []);
    // Again above the target, less than 16 intervals later.
    push(&mut codel, Ns::from_millis(600), 20_000);
    let second = drops(&mut codel, Ns::from_millis(700), Ns::from_millis(850), step);
    // After an interval the first drop, and then 100 ms over the root of 9, the drops made since
    // the first state was entered.
    assert_eq!(second[..2], [Ns::from_millis(800), Ns::from_micros(833_400)]);
}

#[test]
fn long_after_a_dropping_state_the_next_begins_anew() {
    let step = Ns::from_micros(100);
    let mut codel = filled(20_000);
    drops(&mut codel, Ns::ZERO, Ns::from_millis(600), step);
    codel.drain();
    assert!(codel.pop(Ns::from_millis(600), &mut Vec::new()).is_none());
    push(&mut codel, Ns::from_millis(2_900), 20_000);
    let second = drops(&mut codel, Ns::from_secs(3), Ns::from_millis(3_250), step);
    assert_eq!(second, [Ns::from_millis(3_100), Ns::from_millis(3_200)]);
}

#[test]
fn the_limit_drops_at_the_tail() {
    let mut codel = Codel::new(AIM, Some(3_000));
    push(&mut codel, Ns::ZERO, 2);
    let refused = codel.push(Waiting::new(Ns::ZERO, packet(9, 29))).expect_err("it is full");
    assert_eq!((refused.packet.id, refused.reason), (9, DropReason::QueueFull));
}
