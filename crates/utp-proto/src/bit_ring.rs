//! One bit for each sequence number of a span that moves along the circle, read 64 at a time.
//!
//! Owns where a bit is kept. Which numbers belong to the span is the owner's business, and that no
//! bit outside it is left set.

use utp_wire::SeqNr;

/// The bits. Nothing is allocated until [`Self::reserve`].
#[derive(Debug, Default)]
pub(crate) struct BitRing {
    /// A power of two long, or empty.
    words: Vec<u64>,
}

impl BitRing {
    /// How many numbers in a row have a bit of their own.
    pub(crate) const fn span(&self) -> usize {
        self.words.len() * 64
    }

    /// Makes room for `span` numbers from `first` on, the oldest that may have its bit set.
    pub(crate) fn reserve(&mut self, first: SeqNr, span: usize) {
        if span <= self.span() {
            return;
        }
        let mut grown = Self { words: vec![0; span.div_ceil(64).next_power_of_two()] };
        let mut from = first;
        for _ in 0..self.words.len() {
            grown.insert(from, self.word(from));
            from = from.add(64);
        }
        *self = grown;
    }

    /// Whether the bit of `seq_nr` is set; false without room for any.
    pub(crate) fn contains(&self, seq_nr: SeqNr) -> bool {
        self.words.get(self.index(seq_nr)).is_some_and(|word| (word >> shift(seq_nr)) & 1 == 1)
    }

    /// Sets or clears the bit of `seq_nr`, for which there is room.
    pub(crate) fn put(&mut self, seq_nr: SeqNr, bit: bool) {
        let at = self.index(seq_nr);
        let word = &mut self.words[at];
        *word = (*word & !(1 << shift(seq_nr))) | (u64::from(bit) << shift(seq_nr));
    }

    /// Sets the bits of the 64 numbers from `from` on that are set in `bits`.
    fn insert(&mut self, from: SeqNr, bits: u64) {
        let (low, high) = (self.index(from), self.index(from.add(64)));
        self.words[low] |= bits << shift(from);
        if shift(from) > 0 {
            self.words[high] |= bits >> (64 - shift(from));
        }
    }

    /// The bits of the 64 numbers from `from` on, that of `from` lowest. With a span of 64 they are
    /// the whole ring, turned.
    pub(crate) fn word(&self, from: SeqNr) -> u64 {
        let Some(low) = self.words.get(self.index(from)) else { return 0 };
        let high = self.words[self.index(from.add(64))];
        // In two steps: a shift by 64 is none.
        (low >> shift(from)) | (high << 1 << (63 - shift(from)))
    }

    /// Clears in `words`, the bits of the numbers from `from` on, those that are set here.
    pub(crate) fn clear_in(&self, from: SeqNr, words: &mut [u64]) {
        let mut at = self.index(from);
        let Some(mut low) = self.words.get(at).copied() else { return };
        for word in words {
            at = (at + 1) & (self.words.len() - 1);
            let high = self.words[at];
            *word &= !((low >> shift(from)) | (high << 1 << (63 - shift(from))));
            low = high;
        }
    }

    /// The first of the `len` numbers from `from` on whose bit is set.
    pub(crate) fn next_set(&self, from: SeqNr, len: u16) -> Option<SeqNr> {
        let mut at = 0;
        while at < len {
            let word = self.word(from.add(at));
            if word != 0 {
                let found = at.saturating_add(bit_number(word.trailing_zeros()));
                return (found < len).then(|| from.add(found));
            }
            at = at.saturating_add(64);
        }
        None
    }

    fn index(&self, seq_nr: SeqNr) -> usize {
        (usize::from(seq_nr.0) / 64) & self.words.len().wrapping_sub(1)
    }
}

/// The place of the bit of `seq_nr` in its word.
const fn shift(seq_nr: SeqNr) -> u32 {
    seq_nr.0 as u32 % 64
}

/// The number of a bit of a word as an offset of numbers.
pub(crate) const fn bit_number(bit: u32) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "a word has 64 bits")]
    let number = bit as u16;
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_a_full_span_is_kept_at_every_start_and_across_growth() {
        for start in [0u16, 1, 63, 64, 100, 0x7fff, 0xffc0, 0xffff] {
            let first = SeqNr(start);
            let mut ring = BitRing::default();
            assert!(!ring.contains(first) && ring.word(first) == 0);
            for offset in 0..16_384 {
                ring.reserve(first, usize::from(offset) + 1);
                ring.put(first.add(offset), offset % 3 == 0 || offset % 7 == 0);
            }
            assert_eq!(ring.span(), 16_384);
            for offset in 0..16_384 {
                let set = offset % 3 == 0 || offset % 7 == 0;
                assert_eq!(ring.contains(first.add(offset)), set, "{offset} from {start}");
            }
            for offset in 0..16_384 - 63 {
                let word = ring.word(first.add(offset));
                let mut words = [u64::MAX; 3];
                ring.clear_in(first.sub(128).add(offset), &mut words);
                assert_eq!(words[2], !word);
                for bit in [0, 1, 31, 62, 63] {
                    let at = offset + bit;
                    assert_eq!(word >> bit & 1 == 1, at % 3 == 0 || at % 7 == 0);
                }
            }
        }
    }

    #[test]
    fn the_next_bit_is_found_within_the_span_and_nowhere_else() {
        for start in [0u16, 5, 0xfff0] {
            let first = SeqNr(start);
            let mut ring = BitRing::default();
            assert_eq!(ring.next_set(first, 100), None);
            ring.reserve(first, 300);
            for at in [3u16, 64, 200] {
                ring.put(first.add(at), true);
            }
            let next = |from: u16, len| {
                ring.next_set(first.add(from), len).map(|found| found.distance_from(first))
            };
            assert_eq!([next(0, 300), next(3, 1), next(4, 60)], [Some(3), Some(3), None]);
            assert_eq!([next(4, 61), next(65, 200), next(201, 99)], [Some(64), Some(200), None]);
            assert_eq!([next(0, 0), next(0, 3), next(0, 4)], [None, None, Some(3)]);
        }
    }
}
