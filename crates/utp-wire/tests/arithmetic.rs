//! The laws of the circular numbers and of the clock values.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use utp_wire::{ConnectionId, Instant, SeqNr, Timestamp, TimestampDiff};

/// Points on the circle around which a wrong comparison shows.
const BASES: [u16; 7] = [0, 1, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xffff];

// req: H-28
#[test]
fn of_two_numbers_at_most_one_precedes_and_only_equals_and_opposites_have_none() {
    for base in BASES.map(SeqNr) {
        for up in 0..=u16::MAX {
            let other = base.add(up);
            assert_eq!(base.precedes(other), (1..0x8000).contains(&up), "{base:?} {other:?}");
            assert_eq!(other.precedes(base), up > 0x8000, "{base:?} {other:?}");
        }
    }
}

// req: H-28
#[test]
fn order_holds_from_every_number_at_the_edges_of_what_may_be_in_flight() {
    // In flight, late, both together, and the last that has an order.
    let spans = [1, 2, 63, 64, 1_023, 1_024, 16_383, 16_384, 16_385, 32_766, 32_767];
    for base in (0..=u16::MAX).map(SeqNr) {
        for up in spans {
            let other = base.add(up);
            assert!(base.precedes(other) && !other.precedes(base), "{base:?} {other:?}");
            assert_eq!(other.distance_from(base), up);
            assert_eq!(other.sub(up), base);
        }
    }
}

#[test]
fn next_and_previous_wrap() {
    assert_eq!(SeqNr(0xffff).next(), SeqNr(0));
    assert_eq!(SeqNr(0).previous(), SeqNr(0xffff));
    assert_eq!(SeqNr(41).next(), SeqNr(42));
    assert_eq!(SeqNr(43).previous(), SeqNr(42));
    assert_eq!(ConnectionId(0xffff).next(), ConnectionId(0));
    assert_eq!(ConnectionId(0).previous(), ConnectionId(0xffff));
    assert_eq!(ConnectionId(41).next(), ConnectionId(42));
    assert_eq!(ConnectionId(43).previous(), ConnectionId(42));
}

#[test]
fn instant_carries_the_low_32_bits_of_its_clock() {
    assert_eq!(Instant::from_micros(0xffff_ffff).timestamp(), Timestamp(u32::MAX));
    assert_eq!(Instant::from_micros(0x1_0000_0000).timestamp(), Timestamp(0));
    assert_eq!(Instant::from_micros(0x0123_4567_89ab_cdef).timestamp(), Timestamp(0x89ab_cdef));
}

#[test]
fn instant_saturates_at_both_ends() {
    let (early, late) = (Instant::from_micros(100), Instant::from_micros(350));
    assert_eq!(late.saturating_since(early), 250);
    assert_eq!(early.saturating_since(late), 0);
    assert_eq!(early.saturating_add(250), late);
    assert_eq!(late.saturating_add(u64::MAX), Instant::from_micros(u64::MAX));
    assert_eq!(Instant::default().as_micros(), 0);
    assert!(early < late);
}

#[test]
fn only_zero_and_the_largest_signed_difference_are_no_sample() {
    for none in [0, 0x7fff_ffff] {
        assert!(!TimestampDiff(none).is_sample(), "{none}");
    }
    for sample in [1, 0x7fff_fffe, 0x8000_0000, u32::MAX] {
        assert!(TimestampDiff(sample).is_sample(), "{sample}");
    }
}

/// Is implemented twice for a type with an order, so that naming it is ambiguous.
trait NoOrderIf<Marker> {
    fn holds() {}
}

impl<T> NoOrderIf<()> for T {}

impl<T: PartialOrd> NoOrderIf<bool> for T {}

#[test]
fn what_wraps_has_no_order() {
    // This compiles only without the second implementation.
    <SeqNr as NoOrderIf<_>>::holds();
    <ConnectionId as NoOrderIf<_>>::holds();
    <Timestamp as NoOrderIf<_>>::holds();
    <TimestampDiff as NoOrderIf<_>>::holds();
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(0x7574_7001),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn seq_nr_moves_and_distances_agree(base: u16, up: u16) {
        let base = SeqNr(base);
        prop_assert_eq!(base.add(up).distance_from(base), up);
        prop_assert_eq!(base.distance_from(base.sub(up)), up);
        prop_assert_eq!(base.add(up).sub(up), base);
        prop_assert_eq!(base.next().previous(), base);
    }

    #[test]
    fn order_is_the_same_everywhere_on_the_circle(a: u16, b: u16, shift: u16) {
        let (a, b) = (SeqNr(a), SeqNr(b));
        prop_assert_eq!(a.precedes(b), a.add(shift).precedes(b.add(shift)));
    }

    #[test]
    fn order_is_transitive_within_half_the_circle(
        base: u16,
        (first, second) in (1..0x7fff_u16).prop_flat_map(|first| (Just(first), 1..=0x7fff - first)),
    ) {
        let a = SeqNr(base);
        let b = a.add(first);
        let c = b.add(second);
        prop_assert!(a.precedes(b) && b.precedes(c) && a.precedes(c));
    }

    #[test]
    fn clock_offset_cancels_out_of_two_delays(
        offset: u32,
        sent_us: u64,
        gap_us in 0..1_000_000_000_u64,
        base_us in 0..1_000_000_u64,
        queuing_us in 0..1_000_000_u64,
    ) {
        let delay = |sent: Instant, delay_us| {
            let arrived = sent.saturating_add(delay_us).timestamp().0.wrapping_add(offset);
            Timestamp(arrived).since(sent.timestamp())
        };
        let first = Instant::from_micros(sent_us >> 1);
        let base = delay(first, base_us);
        let queued = delay(first.saturating_add(gap_us), base_us + queuing_us);
        prop_assert_eq!(i64::from(queued.distance_from(base)), queuing_us as i64);
        prop_assert_eq!(i64::from(base.distance_from(queued)), -(queuing_us as i64));
    }
}
