//! Which packets pass, and which clocks are believed.

use utp_wire::{ConnectionId, SeqNr, Timestamp};

use super::*;

const SECOND: u64 = 1_000_000;
const HOUR: u64 = 3_600 * SECOND;

/// The peer's clock is `PEER` ahead, packets take 20 ms.
const PEER: u32 = 3_000_000_000;

/// Clocks after a handshake at one second, and what a packet of the peer at `at` shows.
struct Peer {
    clocks: Clocks,
    /// By how much the peer's clock has been set since.
    step: u32,
}

impl Peer {
    fn new() -> Self {
        let mut peer = Self { clocks: Clocks::default(), step: 0 };
        let (theirs, header) = peer.packet(SECOND, 20_000);
        let ours = Some(header.timestamp_difference_microseconds);
        peer.clocks.track = Some(Track { theirs, ours, at_s: 1 });
        peer
    }

    fn packet(&self, at: u64, delay_us: u32) -> (TimestampDiff, Header) {
        let now = Instant::from_micros(at).timestamp();
        let ahead = PEER.wrapping_add(self.step);
        let stamp = now.0.wrapping_add(ahead).wrapping_sub(delay_us);
        let header = Header {
            packet_type: PacketType::Data,
            connection_id: ConnectionId(1),
            timestamp_microseconds: Timestamp(stamp),
            timestamp_difference_microseconds: TimestampDiff(ahead.wrapping_add(20_000)),
            wnd_size: 0,
            seq_nr: SeqNr(0),
            ack_nr: SeqNr(0),
        };
        (now.since(Timestamp(stamp)), header)
    }

    fn judge(&mut self, at: u64, delay_us: u32) -> Judgement {
        let (theirs, header) = self.packet(at, delay_us);
        self.clocks.judge(Instant::from_micros(at), &header, theirs, true)
    }
}

#[test]
fn an_honest_peer_passes_through_silence_wraps_and_queues() {
    let mut peer = Peer::new();
    for at in [2 * SECOND, 30 * SECOND, 2 * HOUR, 5 * HOUR, 77 * HOUR, 24 * 40 * HOUR] {
        assert_eq!(peer.judge(at, 20_000), Judgement::Pass, "at {at}");
    }
    // A queue that grows to a minute, and is gone at once.
    let mut at = 24 * 41 * HOUR;
    for delay_s in 0..60 {
        at += SECOND;
        assert_eq!(peer.judge(at, delay_s * 1_000_000), Judgement::Pass, "{delay_s} s");
    }
    let back: Vec<Judgement> = (0..4).map(|nr| peer.judge(at + nr * 1_000, 20_000)).collect();
    let expected = [Judgement::Fail, Judgement::Fail, Judgement::Rebase, Judgement::Pass];
    assert_eq!(back, expected);
}

#[test]
fn crystals_that_drift_for_hours_of_silence_pass() {
    for ppm in [-500_i64, 500] {
        let mut peer = Peer::new();
        for hours in [1, 10, 100] {
            let drift = i64::try_from(hours * HOUR / SECOND).expect("small") * ppm;
            peer.step = u32::try_from(drift.rem_euclid(1 << 32)).expect("reduced");
            assert_eq!(peer.judge(SECOND + hours * HOUR, 20_000), Judgement::Pass, "{hours} h");
        }
    }
}

// req: TM-14
#[test]
fn the_third_packet_of_a_clock_that_was_set_is_believed() {
    for step_s in [-86_400_i64, -3_600, -60, 60, 3_600, 86_400] {
        let mut peer = Peer::new();
        peer.step = u32::try_from((step_s * 1_000_000).rem_euclid(1 << 32)).expect("reduced");
        let all: Vec<Judgement> =
            (2..6).map(|second| peer.judge(second * SECOND, 20_000)).collect();
        let expected = [Judgement::Fail, Judgement::Fail, Judgement::Rebase, Judgement::Pass];
        assert_eq!(all, expected, "{step_s} s");
    }
}

#[test]
fn a_peer_reports_the_old_difference_until_it_has_heard_us() {
    let mut peer = Peer::new();
    let (_, old) = peer.packet(SECOND, 20_000);
    peer.step = 3_600_000_000;
    let mut judge = |at: u64, ours: Option<TimestampDiff>| {
        let (theirs, mut header) = peer.packet(at, 20_000);
        header.timestamp_difference_microseconds =
            ours.unwrap_or(header.timestamp_difference_microseconds);
        peer.clocks.judge(Instant::from_micros(at), &header, theirs, true)
    };
    let stale = Some(old.timestamp_difference_microseconds);
    assert_eq!(judge(2 * SECOND, stale), Judgement::Fail);
    assert_eq!(judge(3 * SECOND, stale), Judgement::Fail);
    assert_eq!(judge(4 * SECOND, stale), Judgement::Rebase);
    assert_eq!(judge(5 * SECOND, stale), Judgement::Pass, "still on its way");
    assert_eq!(judge(6 * SECOND, None), Judgement::Pass);
}

#[test]
fn failures_that_disagree_or_come_too_far_apart_never_add_up() {
    let mut peer = Peer::new();
    for nr in 0..1_000_u32 {
        peer.step = 1_000_000_000 + nr % 7 * 100_000_000;
        assert_eq!(peer.judge(u64::from(nr + 2) * SECOND, 20_000), Judgement::Fail);
    }
    peer.step = 1_000_000_000;
    for nr in 0..10 {
        assert_eq!(peer.judge(2_000 * SECOND + nr * 31 * SECOND, 20_000), Judgement::Fail);
    }
    // The peer itself speaks in between.
    for nr in 0..10 {
        let at = 4_000 * SECOND + nr * SECOND;
        peer.step = 1_000_000_000;
        assert_eq!(peer.judge(at, 20_000), Judgement::Fail);
        assert_eq!(peer.judge(at + 1, 20_000), Judgement::Fail);
        peer.step = 0;
        assert_eq!(peer.judge(at + 2, 20_000), Judgement::Pass);
    }
}

#[test]
fn without_a_stamp_only_a_peer_that_never_stamps_passes() {
    let mut peer = Peer::new();
    let (_, mut header) = peer.packet(2 * SECOND, 20_000);
    header.timestamp_microseconds = Timestamp(0);
    let now = Instant::from_micros(2 * SECOND);
    let theirs = now.timestamp().since(Timestamp(0));
    for _ in 0..5 {
        assert_eq!(peer.clocks.judge(now, &header, theirs, true), Judgement::Fail);
    }
    let mut open = Clocks::default();
    assert_eq!(open.judge(now, &header, theirs, true), Judgement::Pass);
}

#[test]
fn one_blind_packet_of_many_thousands_passes() {
    let mut state = 1_u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    let mut passed = 0;
    for _ in 0..1_000_000 {
        let mut peer = Peer::new();
        let (_, mut header) = peer.packet(2 * SECOND, 20_000);
        header.timestamp_microseconds = Timestamp(random());
        header.timestamp_difference_microseconds = TimestampDiff(random());
        let now = Instant::from_micros(2 * SECOND);
        let theirs = now.timestamp().since(header.timestamp_microseconds);
        passed += u32::from(peer.clocks.judge(now, &header, theirs, true) == Judgement::Pass);
    }
    // 2^-7.7 times 2^-8.7 of a million are 11.
    assert!(passed < 30, "{passed} of 1 000 000");
}
