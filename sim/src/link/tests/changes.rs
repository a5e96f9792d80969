//! Links that become others while packets wait.

use super::*;
use crate::scenario::DeliveryTrace;

const MS: fn(u64) -> Ns = Ns::from_millis;

const CODEL: QueueConfig =
    QueueConfig::Codel { target: MS_5, interval: Ns::from_millis(100), bytes_max: None };

const FQ_CODEL: QueueConfig = QueueConfig::FqCodel {
    target: MS_5,
    interval: Ns::from_millis(100),
    quantum: 1_514,
    flows: 64,
    packets_max: 1_000,
};

const PIE: QueueConfig = QueueConfig::Pie {
    target: Ns::from_millis(15),
    update: Ns::from_millis(15),
    burst: Ns::from_millis(150),
    bytes_max: None,
};

const MS_5: Ns = Ns::from_millis(5);

/// A link of 10 Mbit/s that transmits packet 0 and has 1 to 9 in its queue.
fn loaded(queue: QueueConfig) -> Link {
    let mut link = link(&LinkConfig { queue, ..config(10_000_000) });
    for id in 0..10 {
        link.offer(Ns::ZERO, packet(id, 1_500));
    }
    link
}

/// What leaves from `done` on, as numbers and moments.
fn departures(link: &mut Link, done: Ns) -> Vec<(u64, Ns)> {
    let mut left = Vec::new();
    let mut done = Some(done);
    while let Some(end) = done {
        let departure = link.depart(end);
        left.push((departure.packet.id, end));
        done = departure.next.map(|next| next.done);
    }
    left
}

#[test]
fn a_queue_of_another_kind_takes_over_what_waits() {
    let unlimited = QueueConfig::default();
    for from in [unlimited, CODEL, FQ_CODEL, PIE] {
        for to in [unlimited, CODEL, FQ_CODEL, PIE] {
            let mut link = loaded(from);
            let changed = LinkConfig { queue: to, ..config(10_000_000) };
            assert_eq!(link.reconfigure(MS(1), &changed), None);
            assert_eq!(link.queued_bytes(), 9 * 1_500);
            let left = departures(&mut link, Ns::from_micros(1_200));
            let expected: Vec<(u64, Ns)> =
                (0..10).map(|id| (id, Ns::from_micros(1_200 * (id + 1)))).collect();
            assert_eq!(left, expected, "{from:?} to {to:?}");
            assert!(!link.has_dropped());
        }
    }
}

#[test]
fn what_does_not_fit_a_smaller_queue_is_dropped_from_its_tail() {
    for from in [QueueConfig::default(), CODEL, FQ_CODEL, PIE] {
        let mut link = loaded(from);
        link.reconfigure(MS(1), &LinkConfig { queue: droptail(4_500), ..config(10_000_000) });
        let dropped: Vec<u64> = link.take_dropped().map(|dropped| dropped.packet.id).collect();
        assert_eq!(dropped, [4, 5, 6, 7, 8, 9]);
        assert_eq!(link.queued_bytes(), 4_500);
    }
}

#[test]
fn a_packet_that_waited_in_one_queue_has_waited_in_the_next() {
    // Nine packets that CoDel finds to have waited for a second: an interval later it drops one.
    let mut link = loaded(QueueConfig::default());
    let stalled = LinkConfig { state: LinkState::Stalled, queue: CODEL, ..config(10_000_000) };
    link.reconfigure(MS(1), &stalled);
    assert!(link.depart(Ns::from_micros(1_200)).next.is_none());
    let slow = LinkConfig { queue: CODEL, ..config(200_000) };
    // A packet takes 60 ms.
    let next = link.reconfigure(Ns::from_secs(1), &slow).expect("nine wait");
    assert_eq!((next.id, next.done), (1, MS(1_060)));
    let left = departures(&mut link, next.done);
    let ids: Vec<u64> = left.iter().map(|departure| departure.0).collect();
    // 2 is found above the target at 1.06 s with the interval running since 1 s, 3 at 1.12 s.
    assert_eq!(ids[..3], [1, 2, 4]);
}

#[test]
fn a_link_that_is_up_again_goes_on_at_once() {
    let mut link = loaded(QueueConfig::default());
    let stalled = LinkConfig { state: LinkState::Stalled, ..config(10_000_000) };
    assert_eq!(link.reconfigure(MS(1), &stalled), None);
    assert!(link.depart(Ns::from_micros(1_200)).next.is_none());
    assert_eq!(link.offer(MS(50), packet(10, 1_500)), Offer::Queued);
    assert_eq!(link.busy_since(), None);
    let started = link.reconfigure(MS(100), &config(10_000_000)).expect("ten wait");
    assert_eq!((started.id, started.done), (1, Ns::from_micros(101_200)));
    assert_eq!(departures(&mut link, started.done).len(), 10);
}

#[test]
fn a_link_that_goes_down_loses_its_queue_and_what_comes() {
    let mut link = loaded(QueueConfig::default());
    link.reconfigure(MS(1), &LinkConfig { state: LinkState::Down, ..config(10_000_000) });
    let lost: Vec<(u64, DropReason)> =
        link.take_dropped().map(|dropped| (dropped.packet.id, dropped.reason)).collect();
    assert_eq!(lost, (1..10).map(|id| (id, DropReason::Down)).collect::<Vec<_>>());
    let departure = link.depart(Ns::from_micros(1_200));
    assert_eq!((departure.packet.id, departure.arrival), (0, Ns::from_micros(21_200)));
    assert_eq!(link.offer(MS(2), packet(10, 1_500)), Offer::Dropped(DropReason::Down));
}

#[test]
fn a_shorter_delay_does_not_overtake_what_is_on_its_way() {
    let mut link = loaded(QueueConfig::default());
    let first = link.depart(Ns::from_micros(1_200));
    assert_eq!(first.arrival, Ns::from_micros(21_200));
    link.reconfigure(Ns::from_micros(1_300), &LinkConfig { delay: MS(5), ..config(10_000_000) });
    let mut end = first.next.expect("nine wait").done;
    let arrivals: Vec<Ns> = (0..9)
        .map(|_| {
            let departure = link.depart(end);
            end = departure.next.map_or(end, |next| next.done);
            departure.arrival
        })
        .collect();
    // They would arrive from 7.4 ms on, and come together with the first.
    assert!(arrivals.iter().all(|&arrival| arrival == Ns::from_micros(21_200)));
}

#[test]
fn a_delivery_trace_takes_over_at_its_next_moment() {
    let trace =
        DeliveryTrace { name: "test".into(), opportunities: vec![MS(4), MS(10)], period: MS(10) };
    let mut link = loaded(QueueConfig::default());
    let changed = LinkConfig { rate: Rate::Trace(trace.into()), ..config(10_000_000) };
    link.reconfigure(MS(1), &changed);
    let left = departures(&mut link, Ns::from_micros(1_200));
    let moments: Vec<u64> = left[1..].iter().map(|departure| departure.1.0 / 1_000_000).collect();
    assert_eq!(moments, [4, 10, 14, 20, 24, 30, 34, 40, 44]);
    // What comes now waits for the next.
    assert_eq!(link.offer(MS(44), packet(10, 100)), Offer::Started(MS(50)));
}

#[test]
fn while_a_link_is_stalled_its_queue_would_take_what_it_takes_from_then_on() {
    let trace = DeliveryTrace { name: "test".into(), opportunities: vec![MS(10)], period: MS(10) };
    for (rate, from_100_ms) in
        [(Rate::Constant(12_000_000), MS(9)), (Rate::Trace(trace.into()), MS(90))]
    {
        let mut link = link(&LinkConfig { rate: rate.clone(), ..config(0) });
        let Offer::Started(done) = link.offer(Ns::ZERO, packet(0, 1_500)) else { panic!("idle") };
        for id in 1..10 {
            link.offer(Ns::ZERO, packet(id, 1_500));
        }
        let stalled = LinkConfig { state: LinkState::Stalled, rate, ..config(0) };
        link.reconfigure(Ns::ZERO, &stalled);
        assert!(link.depart(done).next.is_none());
        assert_eq!(link.waiting_time(MS(100)), from_100_ms);
    }
}

#[test]
fn a_change_of_nothing_changes_nothing() {
    for queue in [QueueConfig::default(), CODEL, FQ_CODEL, PIE] {
        let lossy = LinkConfig {
            loss: Loss::Bernoulli(200_000),
            jitter: Jitter { max: MS(3), reorders: true },
            queue,
            ..config(7_000_000)
        };
        let run = |again: bool| {
            let mut link = link(&lossy);
            let (mut done, mut arrivals) = (None, Vec::new());
            for id in 0..2_000 {
                let now = Ns(id * 1_500_001);
                while let Some(end) = done.filter(|&end| end <= now) {
                    let departure = link.depart(end);
                    arrivals.push((departure.packet.id, departure.arrival));
                    done = departure.next.map(|next| next.done);
                }
                if again {
                    assert_eq!(link.reconfigure(now, &lossy), None);
                }
                if let Offer::Started(end) = link.offer(now, packet(id, 1_500)) {
                    done = Some(end);
                }
            }
            (arrivals, link.take_dropped().map(|dropped| dropped.packet.id).collect::<Vec<_>>())
        };
        assert_eq!(run(true), run(false), "{queue:?}");
    }
}
