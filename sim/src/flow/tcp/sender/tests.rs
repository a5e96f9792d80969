//! The sender against acknowledgments written by hand.

use super::super::Block;
use super::*;

const RTT: Ns = Ns::from_millis(100);

fn ack(cumulative: u32, blocks: &[(u32, u32)]) -> Ack {
    let mut ack = Ack { cumulative, blocks: [Block::default(); 3] };
    for (block, &(start, end)) in ack.blocks.iter_mut().zip(blocks) {
        *block = Block { start, end };
    }
    ack
}

fn burst(sender: &mut Sender, now: Ns) -> Vec<u32> {
    std::iter::from_fn(|| sender.poll_transmit(now)).map(|segment| segment.seq).collect()
}

/// Acknowledges two by two up to `end`, sending what each lets go, and returns the newest sent.
fn ack_pairs(sender: &mut Sender, now: Ns, end: u32) -> u32 {
    let mut next = sender.board.first();
    while next < end {
        next = (next + 2).min(end);
        sender.handle_ack(now, &ack(next, &[]));
        burst(sender, now);
    }
    sender.board.end()
}

/// A sender in slow start with 40 segments in flight, 30 to 69.
fn with_forty_in_flight() -> Sender {
    let mut sender = Sender::new(Law::reno(), Supply::transfer(None));
    burst(&mut sender, Ns::ZERO);
    ack_pairs(&mut sender, RTT, 10);
    ack_pairs(&mut sender, RTT + RTT, 30);
    assert_eq!((sender.board.first(), sender.board.end()), (30, 70));
    sender
}

#[test]
fn slow_start_doubles_each_round_trip() {
    let mut sender = Sender::new(Law::reno(), Supply::transfer(None));
    assert_eq!(burst(&mut sender, Ns::ZERO), (0..10).collect::<Vec<_>>());
    let mut end = 10;
    let mut windows = Vec::new();
    for round in 1..6 {
        end = ack_pairs(&mut sender, Ns(RTT.0 * round), end);
        windows.push(sender.window);
    }
    assert_eq!(windows, [20, 40, 80, 160, 320]);
}

#[test]
fn congestion_avoidance_adds_one_segment_each_round_trip() {
    let mut sender = Sender::new(Law::reno(), Supply::transfer(None));
    sender.threshold = 10;
    burst(&mut sender, Ns::ZERO);
    let mut end = 10;
    for round in 1..=5_u32 {
        end = ack_pairs(&mut sender, Ns(RTT.0 * u64::from(round)), end);
        // The step comes with the ack that completes the window, or the first one after it.
        assert!(sender.window.abs_diff(10 + round) <= 1, "round {round}: {}", sender.window);
    }
}

#[test]
fn window_halves_at_a_loss_and_the_lost_segment_goes_first() {
    let mut sender = with_forty_in_flight();
    let now = Ns(RTT.0 * 3);
    sender.handle_ack(now, &ack(30, &[(31, 32)]));
    assert_eq!(burst(&mut sender, now), [70], "limited transmit lets new data go");
    sender.handle_ack(now, &ack(30, &[(31, 33)]));
    assert_eq!(burst(&mut sender, now), [71]);
    sender.handle_ack(now, &ack(30, &[(31, 34)]));
    assert_eq!(burst(&mut sender, now), [30]);
    assert_eq!(sender.window, 21);
    assert_eq!(sender.threshold, 21);
    // The pipe holds 39: nothing more leaves until it is below the window.
    for end in 35..=52 {
        sender.handle_ack(now, &ack(30, &[(31, end)]));
        assert!(burst(&mut sender, now).is_empty(), "up to {end}");
    }
    sender.handle_ack(now, &ack(30, &[(31, 53)]));
    assert_eq!(burst(&mut sender, now), [72]);
    // Leaving recovery keeps the window.
    sender.handle_ack(now + RTT, &ack(72, &[]));
    assert_eq!(sender.phase, Phase::Open);
    assert_eq!(sender.window, 21);
    assert_eq!(sender.timeouts(), 0);
}

#[test]
fn several_losses_of_a_window_cost_one_reduction_and_no_timeout() {
    let mut sender = with_forty_in_flight();
    let now = Ns(RTT.0 * 3);
    // 30, 35 and 40 are missing.
    let mut repeated = Vec::new();
    for received in (31..70).filter(|seq| seq % 5 != 0 || *seq > 40) {
        let runs = [(41, 70), (36, 40), (31, 35)];
        let so_far = runs.into_iter().filter(|&(start, _)| start <= received);
        let blocks: Vec<_> = so_far.map(|(start, end)| (start, end.min(received + 1))).collect();
        sender.handle_ack(now, &ack(30, &blocks));
        repeated.extend(burst(&mut sender, now).into_iter().filter(|&seq| seq < 70));
    }
    assert_eq!(repeated, [30, 35, 40]);
    assert_eq!(sender.window, 21);
    sender.handle_ack(now + RTT, &ack(35, &[(41, 70), (36, 40)]));
    sender.handle_ack(now + RTT, &ack(40, &[(41, 70)]));
    sender.handle_ack(now + RTT, &ack(72, &[]));
    assert_eq!((sender.window, sender.retransmissions(), sender.timeouts()), (21, 3, 0));
}

#[test]
fn a_repeat_lost_again_halves_the_window_again() {
    let mut sender = with_forty_in_flight();
    let now = Ns(RTT.0 * 3);
    sender.handle_ack(now, &ack(30, &[(31, 34)]));
    assert_eq!(burst(&mut sender, now), [30]);
    assert_eq!(sender.window, 20);
    // Everything else arrives, new data as well, and 30 still does not.
    sender.handle_ack(now, &ack(30, &[(31, 70)]));
    assert_eq!(burst(&mut sender, now).first(), Some(&70));
    sender.handle_ack(now + RTT, &ack(30, &[(31, 72)]));
    assert_eq!(sender.window, 20);
    sender.handle_ack(now + RTT, &ack(30, &[(31, 73)]));
    assert_eq!(burst(&mut sender, now + RTT), [30]);
    assert_eq!((sender.window, sender.threshold, sender.timeouts()), (10, 10, 0));
}

#[test]
fn a_timeout_restarts_from_one_segment_towards_half_the_flight() {
    let mut sender = with_forty_in_flight();
    let deadline = sender.poll_timeout().expect("data is in flight");
    // Samples of exactly 100 ms leave the smoothed time there and the variance at its minimum.
    assert_eq!(deadline, RTT + RTT + RTT + Ns::from_millis(200));
    sender.handle_timeout(deadline - Ns(1));
    assert_eq!(sender.timeouts(), 0);
    sender.handle_timeout(deadline);
    assert_eq!(burst(&mut sender, deadline), [30]);
    assert_eq!((sender.window, sender.threshold, sender.timeouts()), (1, 20, 1));
    let next = sender.poll_timeout().expect("data is in flight");
    assert_eq!(next, deadline + Ns::from_millis(600));
    sender.handle_timeout(next);
    assert_eq!(sender.threshold, 20, "a second expiry keeps the threshold");
    assert_eq!(burst(&mut sender, next), [30]);
    sender.handle_ack(next + RTT, &ack(31, &[]));
    assert_eq!(burst(&mut sender, next + RTT), [31, 32]);
}

#[test]
fn recovery_after_a_timeout_ends_with_the_data_that_was_in_flight() {
    let mut sender = with_forty_in_flight();
    let now = sender.poll_timeout().expect("data is in flight");
    sender.handle_timeout(now);
    burst(&mut sender, now);
    let end = ack_pairs(&mut sender, now + RTT, 69);
    assert!(matches!(sender.phase, Phase::Timeout(70)));
    assert!(end > 70);
    sender.handle_ack(now + RTT, &ack(70, &[]));
    assert_eq!(sender.phase, Phase::Open);
}

#[test]
fn a_stopped_sender_repairs_but_sends_nothing_new() {
    let mut sender = with_forty_in_flight();
    sender.stop();
    let now = Ns(RTT.0 * 3);
    sender.handle_ack(now, &ack(30, &[(31, 60)]));
    assert_eq!(burst(&mut sender, now), [30]);
    assert!(!sender.is_done());
    sender.handle_ack(now + RTT, &ack(70, &[]));
    assert!(sender.is_done());
    assert_eq!(sender.poll_timeout(), None);
}

#[test]
fn a_sized_transfer_ends_with_a_short_segment() {
    let mut sender = Sender::new(Law::reno(), Supply::transfer(Some(1448 * 2 + 7)));
    let segments: Vec<Segment> = std::iter::from_fn(|| sender.poll_transmit(Ns::ZERO)).collect();
    assert_eq!(segments.last(), Some(&Segment { seq: 2, bytes: 7 }));
    sender.handle_ack(RTT, &ack(3, &[]));
    assert!(sender.is_done());
    assert_eq!(sender.smoothed_rtt(), Some(RTT));
}

#[test]
fn messages_wait_for_each_other_and_the_window_restarts_after_an_idle_time() {
    let mut sender = Sender::new(Law::reno(), Supply::messages(40 * 1448));
    assert!(burst(&mut sender, Ns::ZERO).is_empty());
    sender.add_message(Ns::ZERO);
    burst(&mut sender, Ns::ZERO);
    ack_pairs(&mut sender, RTT, 10);
    ack_pairs(&mut sender, RTT + RTT, 30);
    sender.acknowledge_all(RTT + RTT + RTT);
    assert!(sender.is_done());
    assert!(sender.window > 30, "{}", sender.window);
    // Soon after it the window stands; later than a time-out, 300 ms here, it starts again.
    let before = sender.window;
    sender.add_message(Ns::from_millis(350));
    assert_eq!(sender.window, before);
    let sent = burst(&mut sender, Ns::from_millis(350)).len();
    assert!(sent > 30, "{sent}");
    sender.acknowledge_all(Ns::from_millis(450));
    sender.add_message(Ns::from_secs(2));
    assert_eq!(burst(&mut sender, Ns::from_secs(2)).len(), 10);
}
