//! Packets that arrived beyond a gap, until the gap fills.
//!
//! What it costs follows what is held: a bit and a place of two bytes for each number of the span,
//! and the payload with a slot of a slab for each packet that is there. So one packet far ahead
//! costs its peer as much as any other, and a selective ack is read off the bits 64 at a time.

use slab::Slab;
use utp_wire::{SelectiveAckBuilder, SeqNr};

use crate::bit_ring::BitRing;
use crate::config::HELD_PACKETS_MAX;

/// The packets. Nothing is allocated until the first, and again after [`Self::release`].
#[derive(Debug, Default)]
pub(crate) struct HeldPackets {
    rings: Option<Box<Rings>>,
    bytes: usize,
    count: u16,
}

/// What is only needed while there are gaps.
#[derive(Debug, Default)]
struct Rings {
    /// Which numbers are held.
    bits: BitRing,
    /// Where the payload of each is, a place for each bit.
    places: Vec<u16>,
    payloads: Slab<Box<[u8]>>,
    /// The one that is a FIN; there is one end at the most.
    fin: Option<SeqNr>,
}

impl HeldPackets {
    /// Nothing is held, and there is no memory for anything.
    pub(crate) const AT_REST: Self = Self { rings: None, bytes: 0, count: 0 };

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) const fn len(&self) -> usize {
        self.count as usize
    }

    /// Payload bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether `seq_nr`, `ahead` of the next expected number, is held.
    pub(crate) fn contains(&self, seq_nr: SeqNr, ahead: u16) -> bool {
        // Beyond the span a number would be taken for a nearer one.
        self.rings.as_deref().is_some_and(|rings| {
            usize::from(ahead) < rings.bits.span() && rings.bits.contains(seq_nr)
        })
    }

    /// The payload of `seq_nr`, `ahead` of the next expected number, if it is held, and whether it
    /// is a FIN.
    pub(crate) fn get(&self, seq_nr: SeqNr, ahead: u16) -> Option<(&[u8], bool)> {
        let rings = self.rings.as_deref().filter(|_| self.contains(seq_nr, ahead))?;
        let payload = rings.payloads.get(usize::from(rings.places[rings.index(seq_nr)]))?;
        Some((payload, rings.fin == Some(seq_nr)))
    }

    /// Holds a packet that is not held, `ahead` of the next expected one (1 to
    /// [`HELD_PACKETS_MAX`]).
    pub(crate) fn insert(&mut self, seq_nr: SeqNr, ahead: u16, payload: &[u8], fin: bool) {
        debug_assert!((1..=HELD_PACKETS_MAX).contains(&ahead), "the caller checks the span");
        debug_assert!(!self.contains(seq_nr, ahead), "the caller checks for duplicates");
        let rings = self.rings.get_or_insert_default();
        rings.reserve(seq_nr.sub(ahead), usize::from(ahead) + 1);
        let place = rings.payloads.insert(payload.into());
        let at = rings.index(seq_nr);
        rings.places[at] = u16::try_from(place).expect("a slab is no larger than it ever was full");
        rings.bits.put(seq_nr, true);
        if fin {
            rings.fin = Some(seq_nr);
        }
        self.count += 1;
        self.bytes += payload.len();
    }

    /// Removes the packet `seq_nr` if it is held; says whether it is a FIN. The number is in the
    /// span.
    pub(crate) fn remove(&mut self, seq_nr: SeqNr) -> Option<(Box<[u8]>, bool)> {
        if self.count == 0 {
            return None;
        }
        let rings = self.rings.as_deref_mut()?;
        if !rings.bits.contains(seq_nr) {
            return None;
        }
        rings.bits.put(seq_nr, false);
        let place = rings.places[rings.index(seq_nr)];
        let payload = rings.payloads.remove(usize::from(place));
        let fin = rings.fin.take_if(|fin| *fin == seq_nr).is_some();
        self.count -= 1;
        self.bytes -= payload.len();
        Some((payload, fin))
    }

    /// Forgets every packet.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets what the packets brought, not that they were there.
    pub(crate) fn discard_payloads(&mut self) {
        self.bytes = 0;
        for (_, payload) in self.rings.iter_mut().flat_map(|rings| &mut rings.payloads) {
            *payload = Box::default();
        }
    }

    /// Gives the memory back if nothing is held.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.rings = None;
        }
    }

    /// Names what is held beyond `ack_nr + 1`, as far as the mask reaches.
    pub(crate) fn selective_ack(&self, ack_nr: SeqNr) -> SelectiveAckBuilder {
        let mut mask = SelectiveAckBuilder::new();
        let Some(rings) = self.rings.as_deref() else { return mask };
        let mut left = u32::from(self.count);
        let mut from = ack_nr.add(if cfg!(canary = "mask-shift") { 1 } else { 2 });
        for index in 0..rings.bits.span().div_ceil(64).min(SELECTIVE_ACK_WORDS) {
            // The span begins with `ack_nr + 1`, which is missing: where the last word goes round,
            // it meets a bit that is not set.
            let word = rings.bits.word(from);
            mask.set_word(index, word);
            left -= word.count_ones();
            if left == 0 {
                break;
            }
            from = from.add(64);
        }
        mask
    }
}

impl Rings {
    fn index(&self, seq_nr: SeqNr) -> usize {
        usize::from(seq_nr.0) & (self.places.len() - 1)
    }

    /// Makes room for `span` numbers from `expected` on, the next number of the stream.
    fn reserve(&mut self, expected: SeqNr, span: usize) {
        let before = self.places.len();
        if span <= before {
            return;
        }
        self.bits.reserve(expected, span);
        let len = self.bits.span();
        let mut places = vec![0; len];
        let mut left = u16::try_from(before).unwrap_or(u16::MAX);
        let mut from = expected;
        while let Some(seq_nr) = self.bits.next_set(from, left) {
            places[usize::from(seq_nr.0) & (len - 1)] = self.places[self.index(seq_nr)];
            left -= seq_nr.distance_from(from) + 1;
            from = seq_nr.next();
        }
        self.places = places;
    }
}

/// What the longest mask has room for.
const SELECTIVE_ACK_WORDS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_survive_growth_across_the_wrap() {
        let aheads = [1u16, 15, 16, 40, 63, 64, 300, 1_023, 1_024, HELD_PACKETS_MAX];
        for expected in [SeqNr(65_500), SeqNr(0), SeqNr(50_000)] {
            let mut held = HeldPackets::default();
            for ahead in aheads {
                let fin = ahead == HELD_PACKETS_MAX;
                held.insert(expected.add(ahead), ahead, &vec![7; usize::from(ahead)], fin);
            }
            for ahead in 0..=HELD_PACKETS_MAX {
                assert_eq!(held.contains(expected.add(ahead), ahead), aheads.contains(&ahead));
            }
            for ahead in aheads {
                let (bytes, fin) = held.remove(expected.add(ahead)).expect("held");
                assert_eq!(bytes.len(), usize::from(ahead));
                assert_eq!(fin, ahead == HELD_PACKETS_MAX);
            }
            assert!(held.is_empty() && held.bytes() == 0);
        }
    }

    // req: SK-01, SK-03
    #[test]
    fn the_mask_names_what_is_held_and_nothing_else() {
        let ack_nr = SeqNr(65_534);
        let mut held = HeldPackets::default();
        for ahead in [1u16, 3, 31, 32, 33] {
            held.insert(ack_nr.add(1).add(ahead), ahead, &[1], false);
        }
        let mut out = [0; 66];
        let len = held.selective_ack(ack_nr).encode(0, &mut out);
        assert_eq!(&out[..len], &[0, 8, 0b101, 0, 0, 0b1100_0000, 1, 0, 0, 0]);
    }

    // req: SK-01, WR-03
    #[test]
    fn the_mask_is_right_for_every_distance_it_reaches_and_every_size_of_the_ring() {
        for ack_nr in [SeqNr(0), SeqNr(65_000), SeqNr(0xfffe), SeqNr(0x7fc0)] {
            for ahead in 1..=2_100u16 {
                let mut held = HeldPackets::default();
                held.insert(ack_nr.next().add(ahead), ahead, &[], false);
                let mut out = [0; utp_wire::SELECTIVE_ACK_LEN_MAX];
                let mask = held.selective_ack(ack_nr);
                let len = mask.encode(0, &mut out);
                let view = utp_wire::SelectiveAck::new(&out[2..len]);
                let named = usize::from(ahead) - 1;
                assert_eq!(view.highest_set(), (named < 2_016).then_some(named), "{ahead} ahead");
                assert_eq!(view.count(), usize::from(named < 2_016));
            }
        }
    }
}
