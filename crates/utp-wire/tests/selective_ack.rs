//! The selective ack: positions of bits, lengths of masks, the builder against a set.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use utp_wire::{SELECTIVE_ACK_LEN_MAX, SelectiveAck, SelectiveAckBuilder, SeqNr};

fn builder(indices: impl IntoIterator<Item = usize>) -> SelectiveAckBuilder {
    let mut builder = SelectiveAckBuilder::new();
    indices.into_iter().for_each(|index| builder.set(index));
    builder
}

/// The extension without its two bytes of head, which are checked.
fn encoded_mask(builder: &SelectiveAckBuilder) -> Vec<u8> {
    let mut out = [0xee; SELECTIVE_ACK_LEN_MAX];
    let len = builder.encode(77, &mut out);
    assert_eq!(len, 2 + builder.mask_len());
    assert_eq!([usize::from(out[0]), usize::from(out[1])], [77, builder.mask_len()]);
    assert!(out[len..].iter().all(|&byte| byte == 0xee), "bytes past the extension are untouched");
    out[2..len].to_vec()
}

#[test]
fn mask_is_as_long_as_the_packets_held_need_in_words() {
    for (held, len) in
        [(1, 4), (8, 4), (9, 4), (31, 4), (32, 4), (33, 8), (64, 8), (512, 64), (2_016, 252)]
    {
        let mask = encoded_mask(&builder(0..held));
        assert_eq!(mask.len(), len, "{held} held");
        let view = SelectiveAck::new(&mask);
        assert_eq!(view.count(), held);
        assert!(view.set_bits().eq(0..held));
        assert_eq!(view.highest_set(), Some(held - 1));
    }
}

#[test]
fn bits_stand_lowest_first_in_ascending_bytes() {
    for (index, len, byte, value) in [
        (0, 4, 0, 0x01),
        (1, 4, 0, 0x02),
        (7, 4, 0, 0x80),
        (8, 4, 1, 0x01),
        (9, 4, 1, 0x02),
        (31, 4, 3, 0x80),
        (32, 8, 4, 0x01),
        (511, 64, 63, 0x80),
        (2_015, 252, 251, 0x80),
    ] {
        let mut expected = vec![0; len];
        expected[byte] = value;
        assert_eq!(encoded_mask(&builder([index])), expected, "bit {index}");
    }
}

// req: SK-01, SK-03
#[test]
fn every_length_of_mask_is_written_and_read_back_whole() {
    for held in 0..=2_020_usize {
        let mut bits = SelectiveAckBuilder::new();
        let mut words = SelectiveAckBuilder::new();
        for index in 0..held {
            bits.set(index);
        }
        for index in 0..held.div_ceil(64) {
            let left = held - index * 64;
            words.set_word(index, if left < 64 { (1 << left) - 1 } else { u64::MAX });
        }
        let reported = held.min(2_016);
        for builder in [bits, words] {
            let mask = encoded_mask(&builder);
            assert_eq!(mask.len(), reported.div_ceil(32).max(1) * 4, "{held} held");
            assert!(mask.len() <= SELECTIVE_ACK_LEN_MAX - 2);
            let view = SelectiveAck::new(&mask);
            assert!(view.set_bits().eq(0..reported), "{held} held");
            assert_eq!(view.highest_set(), reported.checked_sub(1));
        }
        // The farthest alone.
        if let Some(index) = reported.checked_sub(1) {
            let mask = encoded_mask(&builder([index]));
            assert_eq!(mask.len(), reported.div_ceil(32) * 4);
            assert!(SelectiveAck::new(&mask).set_bits().eq([index]));
        }
    }
}

#[test]
fn words_past_the_mask_are_not_reported() {
    for (index, word) in [(32, 1), (1_000, u64::MAX), (usize::MAX, 1), (31, 1 << 32)] {
        let mut builder = SelectiveAckBuilder::new();
        builder.set_word(index, word);
        assert!(builder.is_empty(), "word {index}");
    }
}

#[test]
fn packets_beyond_the_mask_are_not_reported() {
    for index in [2_016, 2_017, 2_047, 2_048, 4096, usize::MAX] {
        let builder = builder([index]);
        assert!(builder.is_empty());
        assert_eq!(encoded_mask(&builder), [0; 4]);
    }
    assert_eq!(encoded_mask(&builder([3, 2_016])), [0b1000, 0, 0, 0]);
}

#[test]
fn builder_with_nothing_held_is_empty_and_writes_one_zero_word() {
    let builder = SelectiveAckBuilder::default();
    assert!(builder.is_empty());
    assert_eq!(builder.mask_len(), 4);
    assert_eq!(encoded_mask(&builder), [0; 4]);
}

#[test]
fn buffer_too_short_for_the_extension_is_left_alone() {
    for held in [1, 33, 512, 2_016] {
        let builder = builder(0..held);
        let mut out = [0xee; SELECTIVE_ACK_LEN_MAX];
        for len in 0..2 + builder.mask_len() {
            assert_eq!(builder.encode(0, &mut out[..len]), 0);
            assert!(out.iter().all(|&byte| byte == 0xee));
        }
        assert_eq!(builder.encode(0, &mut out[..2 + builder.mask_len()]), 2 + builder.mask_len());
    }
}

#[test]
fn masks_of_any_length_are_read_to_their_last_bit_and_not_past_it() {
    for len in [0, 1, 2, 3, 5, 255] {
        let mask = vec![0xff; len];
        let view = SelectiveAck::new(&mask);
        assert_eq!(view.as_bytes(), mask);
        assert_eq!(view.count(), len * 8);
        assert!(view.set_bits().eq(0..len * 8));
        assert_eq!(view.highest_set(), (len * 8).checked_sub(1));
        assert!((0..len * 8).all(|index| view.is_set(index)));
        for past in [len * 8, len * 8 + 1, len * 8 + 8, usize::MAX] {
            assert!(!view.is_set(past));
        }
    }
}

#[test]
fn mask_without_a_bit_names_no_packet() {
    let view = SelectiveAck::new(&[0; 37]);
    assert_eq!(view.count(), 0);
    assert_eq!(view.highest_set(), None);
    assert_eq!(view.set_bits().next(), None);
    assert_eq!(view.seq_nrs(SeqNr(9)).next(), None);
}

#[test]
fn view_ends_where_an_extension_must() {
    let view = SelectiveAck::new(&[1; 300]);
    assert_eq!(view.as_bytes().len(), 255);
    assert_eq!(view.count(), 255);
}

#[test]
fn seq_nrs_begin_two_after_the_ack_and_wrap() {
    let view = SelectiveAck::new(&[0b1000_0011, 0b1]);
    let seq_nrs: Vec<_> = view.seq_nrs(SeqNr(0xfffd)).collect();
    assert_eq!(seq_nrs, [SeqNr(0xffff), SeqNr(0), SeqNr(6), SeqNr(7)]);

    let mut longest = [0; 255];
    longest[254] = 0x80;
    assert!(SelectiveAck::new(&longest).seq_nrs(SeqNr(0)).eq([SeqNr(2 + 2039)]));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(0x7574_7002),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_set_is_read_back(indices in prop::collection::vec(0..2_100_usize, 0..80)) {
        let builder = builder(indices.iter().copied());
        let expected: BTreeSet<_> = indices.into_iter().filter(|&index| index < 2_016).collect();
        let mask = encoded_mask(&builder);
        prop_assert!(SelectiveAck::new(&mask).set_bits().eq(expected.iter().copied()));
        prop_assert_eq!(builder.is_empty(), expected.is_empty());
        let highest = expected.last().copied().unwrap_or(0);
        prop_assert_eq!(builder.mask_len(), (highest + 1).div_ceil(32) * 4);
    }

    #[test]
    fn every_way_to_read_a_mask_tells_the_same(
        mask in prop::collection::vec(prop_oneof![2 => Just(0_u8), 1 => any::<u8>()], 0..=255),
        ack_nr: u16,
    ) {
        let view = SelectiveAck::new(&mask);
        let set: Vec<_> = (0..2048).filter(|&index| view.is_set(index)).collect();
        for &index in &set {
            prop_assert_ne!(mask[index / 8] & 1 << (index % 8), 0);
        }
        prop_assert!(view.set_bits().eq(set.iter().copied()));
        let in_words = view.words().enumerate().flat_map(|(index, word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| index * 64 + bit)
        });
        prop_assert!(in_words.eq(set.iter().copied()));
        prop_assert_eq!(view.count(), set.len());
        prop_assert_eq!(view.highest_set(), set.last().copied());
        let ack_nr = SeqNr(ack_nr);
        let distances = view.seq_nrs(ack_nr).map(|seq_nr| seq_nr.distance_from(ack_nr));
        prop_assert!(distances.map(usize::from).eq(set.iter().map(|index| index + 2)));
    }
}
