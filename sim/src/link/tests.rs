//! Links against closed forms.

use super::*;
use crate::flow::cbr::Probe;
use crate::packet::{Body, HostId};
use crate::scenario::{
    Jitter, Loss, Mtu, Policer as PolicerConfig, Queue as QueueConfig, Rate, Reorder,
};

fn config(rate_bps: u64) -> LinkConfig {
    LinkConfig {
        rate: Rate::Constant(rate_bps),
        delay: Ns::from_millis(20),
        ..LinkConfig::default()
    }
}

fn droptail(bytes_max: u64) -> QueueConfig {
    QueueConfig::Droptail { bytes_max: Some(bytes_max), packets_max: None }
}

fn link(config: &LinkConfig) -> Link {
    Link::new(config, 0, &Streams::new(1))
}

pub(crate) fn packet(id: u64, bytes: u32) -> Packet {
    let body = Body::Probe(Probe { payload: bytes - 28 });
    Packet { id, flow: 0, to: HostId::Right, hop: 0, corrupt: false, bytes, sent: Ns::ZERO, body }
}

/// Offers packets of `sizes` at `now` and returns the arrivals, in the order of departures.
fn train(link: &mut Link, now: Ns, sizes: &[u32]) -> Vec<(u64, Ns)> {
    let mut done = None;
    for (id, &bytes) in (0..).zip(sizes) {
        if let Offer::Started(end) = link.offer(now, packet(id, bytes)) {
            done = Some(end);
        }
    }
    let mut arrivals = Vec::new();
    while let Some(end) = done {
        let departure = link.depart(end);
        arrivals.push((departure.packet.id, departure.arrival));
        done = departure.next.map(|next| next.done);
    }
    arrivals
}

#[test]
fn one_way_delay_on_an_idle_link_is_size_over_rate_plus_delay() {
    for rate_bps in [1_000_000, 7_000_000, 10_000_000, 999_999_937] {
        let mut link = link(&config(rate_bps));
        for bytes in 29..=1500 {
            let now = Ns::from_secs(u64::from(bytes)) + Ns(13);
            let arrivals = train(&mut link, now, &[bytes]);
            let exact = u64::from(bytes) * 8 * 1_000_000_000 / rate_bps;
            assert_eq!(arrivals, [(0, now + Ns(exact) + Ns::from_millis(20))]);
        }
    }
}

#[test]
fn packets_of_a_train_leave_back_to_back() {
    let mut link = link(&config(7_000_000));
    let now = Ns(5);
    let arrivals = train(&mut link, now, &[1500; 1000]);
    for (count, (id, arrival)) in (1..).zip(arrivals) {
        let exact = count * 1500 * 8 * 1_000_000_000 / 7_000_000;
        assert_eq!((id, arrival), (count - 1, now + Ns(exact) + Ns::from_millis(20)));
    }
}

#[test]
fn the_queue_takes_exactly_its_limit() {
    let mut link = link(&LinkConfig { queue: droptail(3_000), ..config(10_000_000) });
    // The first is being transmitted and does not wait.
    assert!(matches!(link.offer(Ns::ZERO, packet(0, 1500)), Offer::Started(_)));
    assert_eq!(link.offer(Ns::ZERO, packet(1, 1500)), Offer::Queued);
    assert_eq!(link.offer(Ns::ZERO, packet(2, 1401)), Offer::Queued);
    assert_eq!(link.queued_bytes(), 2_901);
    assert_eq!(link.offer(Ns::ZERO, packet(3, 100)), Offer::Dropped(DropReason::QueueFull));
    assert_eq!(link.offer(Ns::ZERO, packet(4, 99)), Offer::Queued);
    assert_eq!(link.offer(Ns::ZERO, packet(5, 29)), Offer::Dropped(DropReason::QueueFull));
    link.depart(Ns::from_micros(1_200));
    assert_eq!(link.queued_bytes(), 1_500);
}

#[test]
fn an_idle_link_takes_a_packet_larger_than_its_queue() {
    let mut link = link(&LinkConfig { queue: droptail(0), ..config(10_000_000) });
    assert!(matches!(link.offer(Ns::ZERO, packet(0, 1500)), Offer::Started(_)));
    assert_eq!(link.offer(Ns::ZERO, packet(1, 29)), Offer::Dropped(DropReason::QueueFull));
}

#[test]
fn waiting_time_is_what_the_next_packet_waits() {
    let mut link = link(&config(7_000_000));
    assert_eq!(link.waiting_time(Ns::ZERO), Ns::ZERO);
    for id in 0..10 {
        link.offer(Ns::ZERO, packet(id, 1_499));
    }
    let now = Ns(1_000_000);
    let foretold = link.waiting_time(now);
    assert_eq!(link.offer(now, packet(10, 29)), Offer::Queued);
    let mut end = Ns(1_499 * 8_000 / 7);
    let departure = loop {
        let departure = link.depart(end);
        if departure.packet.id == 10 {
            break departure;
        }
        end = departure.next.expect("ten packets wait").done;
    };
    assert_eq!(departure.started, now + foretold);
}

#[test]
fn loss_comes_before_the_queue() {
    let certain = LinkConfig { loss: Loss::Bernoulli(1_000_000), ..config(10_000_000) };
    let mut link = link(&certain);
    assert_eq!(link.offer(Ns::ZERO, packet(0, 1500)), Offer::Dropped(DropReason::Loss));
    assert_eq!(link.busy_since(), None);
}

#[test]
fn jitter_without_reordering_keeps_order_and_bounds() {
    let jitter = Ns::from_millis(10);
    let steady =
        LinkConfig { jitter: Jitter { max: jitter, reorders: false }, ..config(10_000_000) };
    let arrivals = train(&mut link(&steady), Ns::ZERO, &[1500; 2000]);
    let mut held_back = 0;
    for (pair, count) in arrivals.windows(2).zip(2..) {
        assert!(pair[0].1 <= pair[1].1);
        let earliest = Ns::from_micros(1_200 * count) + Ns::from_millis(20);
        assert!(pair[1].1 >= earliest);
        assert!(pair[1].1 <= earliest + jitter);
        held_back += u32::from(pair[0].1 == pair[1].1);
    }
    assert!(held_back > 100, "jitter of eight packet times holds many back: {held_back}");
}

#[test]
fn jitter_with_reordering_lets_packets_overtake() {
    let jitter = Ns::from_millis(10);
    let wild = LinkConfig { jitter: Jitter { max: jitter, reorders: true }, ..config(10_000_000) };
    let arrivals = train(&mut link(&wild), Ns::ZERO, &[1500; 2000]);
    let overtakers = arrivals.windows(2).filter(|pair| pair[1].1 < pair[0].1).count();
    assert!(overtakers > 500, "{overtakers}");
    let spread: Vec<u64> = (1..)
        .zip(&arrivals)
        .map(|(count, arrival)| (arrival.1 - Ns::from_micros(20_000 + 1_200 * count)).0)
        .collect();
    assert!(spread.iter().all(|&extra| extra <= jitter.0));
    let mean = spread.iter().sum::<u64>() / 2000;
    // Five standard errors of a uniform over 10 ms: 5 * 2.887 ms / sqrt(2000) is 0.32 ms.
    assert!(mean.abs_diff(5_000_000) < 330_000, "{mean}");
}

#[test]
fn elements_do_not_shift_each_others_draws() {
    let lossy = LinkConfig { loss: Loss::Bernoulli(100_000), ..config(10_000_000) };
    let all = LinkConfig {
        jitter: Jitter { max: Ns::from_millis(1), reorders: true },
        reorder: Some(Reorder { ppm: 100_000, delay: Ns::from_millis(5) }),
        corrupt_header_ppm: 100_000,
        corrupt_payload_ppm: 100_000,
        duplicate_ppm: 100_000,
        ..lossy.clone()
    };
    let lost = |config: &LinkConfig| {
        let mut link = link(config);
        (0..1_000)
            .map(|id| match link.offer(Ns::from_secs(id), packet(id, 100)) {
                Offer::Started(done) => {
                    link.depart(done);
                    false
                }
                offer => offer == Offer::Dropped(DropReason::Loss),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(lost(&lossy), lost(&all));
}

#[test]
fn a_datagram_that_may_be_fragmented_passes_a_link_that_it_does_not_fit() {
    let mtu = Some(Mtu { bytes: 1_000, icmp: true });
    let narrow = LinkConfig { mtu, ..config(10_000_000) };
    for dont_fragment in [false, true] {
        let payload = bytes::Bytes::from(vec![0; 1_472]);
        let overhead = crate::packet::UDP_OVERHEAD_V4;
        let datagram =
            crate::packet::Datagram { source: 1, destination: 2, overhead, dont_fragment, payload };
        let packet = Packet { body: Body::Datagram(datagram), ..packet(0, 1_500) };
        let mut link = link(&narrow);
        assert_eq!(link.refuses_size_of(&packet).is_some(), dont_fragment);
        let offer = link.offer(Ns::ZERO, packet);
        assert_eq!(offer == Offer::Dropped(DropReason::Mtu), dont_fragment, "{offer:?}");
    }
}

#[test]
fn a_packet_meets_the_elements_in_their_order() {
    // Each limit alone would drop the packet: the first in the order does.
    let mut config = LinkConfig {
        state: LinkState::Down,
        mtu: Some(Mtu { bytes: 1_000, icmp: false }),
        loss: Loss::Bernoulli(1_000_000),
        policer: Some(PolicerConfig { rate_bps: 1, burst_bytes: 1 }),
        queue: droptail(0),
        ..config(10_000_000)
    };
    let reason = |config: &LinkConfig| {
        let slow = LinkConfig { rate: Rate::Constant(1), ..LinkConfig::default() };
        let mut link = link(&slow);
        // Busy from here on, so that the queue is asked, too.
        link.offer(Ns::ZERO, packet(0, 1_500));
        link.reconfigure(Ns::ZERO, config);
        match link.offer(Ns::ZERO, packet(1, 1_500)) {
            Offer::Dropped(reason) => reason,
            offer => panic!("{offer:?}"),
        }
    };
    assert_eq!(reason(&config), DropReason::Down);
    config.state = LinkState::Up;
    assert_eq!(reason(&config), DropReason::Mtu);
    config.mtu = None;
    assert_eq!(reason(&config), DropReason::Loss);
    config.loss = Loss::None;
    assert_eq!(reason(&config), DropReason::Policer);
    config.policer = None;
    assert_eq!(reason(&config), DropReason::QueueFull);
}

#[test]
fn a_late_packet_does_not_hold_up_those_behind_it() {
    let reorder = Some(Reorder { ppm: 20_000, delay: Ns::from_millis(10) });
    let arrivals =
        train(&mut link(&LinkConfig { reorder, ..config(10_000_000) }), Ns::ZERO, &[1500; 10_000]);
    let mut late = 0;
    for (count, (_, arrival)) in (1..).zip(&arrivals) {
        let on_time = Ns::from_micros(1_200 * count) + Ns::from_millis(20);
        late += u64::from(*arrival > on_time);
        assert!(*arrival == on_time || *arrival == on_time + Ns::from_millis(10));
    }
    // Five standard deviations of a binomial: sqrt(1e4 * 0.02 * 0.98) is 14.
    assert!(late.abs_diff(200) < 70, "{late}");
}

mod changes;
