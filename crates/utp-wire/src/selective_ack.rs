//! Owns the selective ack mask: the view of a received one and the builder of one to send.
//!
//! Bit `i` stands for packet `ack_nr + 2 + i`, the low bit of the first byte being bit 0.
//! `ack_nr + 1` is missing by definition and has no bit.

use crate::SeqNr;

/// A received selective ack (BEP-29, "selective ACK").
///
/// The mask may have any length from 0 to 255 bytes. BEP-29 asks for multiples of four, but not
/// all peers hold to it.
///
/// ```
/// use utp_wire::{SelectiveAck, SeqNr};
///
/// let selective_ack = SelectiveAck::new(&[0b0000_0101, 0x80]);
/// assert!(selective_ack.is_set(2));
/// assert_eq!(selective_ack.highest_set(), Some(15));
/// assert!(selective_ack.seq_nrs(SeqNr(100)).eq([SeqNr(102), SeqNr(104), SeqNr(117)]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SelectiveAck<'a> {
    mask: &'a [u8],
}

impl<'a> SelectiveAck<'a> {
    /// A view of `mask`, of which bytes beyond the 255th are left out: no extension is longer.
    #[must_use]
    pub const fn new(mask: &'a [u8]) -> Self {
        match mask.split_at_checked(u8::MAX as usize) {
            Some((mask, _)) => Self { mask },
            None => Self { mask },
        }
    }

    /// The bytes of the mask.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.mask
    }

    /// Whether packet `ack_nr + 2 + index` is held; false past the end of the mask.
    #[must_use]
    pub const fn is_set(self, index: usize) -> bool {
        index / 8 < self.mask.len() && self.mask[index / 8] >> (index % 8) & 1 != 0
    }

    /// The mask 64 bits at a time: bit `i` of word `n` is the bit of index `64 * n + i`. What lies
    /// past the end of the mask is zero.
    pub fn words(
        self,
    ) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator + Clone + use<'a> {
        self.mask.chunks(8).map(little_endian)
    }

    /// The indices of the bits that are set, ascending.
    pub fn set_bits(self) -> impl Iterator<Item = usize> + Clone + use<'a> {
        SetBits { word: 0, word_start: 0, next_start: 0, rest: self.mask }
    }

    /// The number of bits that are set.
    #[must_use]
    pub fn count(self) -> usize {
        self.mask.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// The numbers of the packets held, ascending from `ack_nr`, which is that of the same packet.
    pub fn seq_nrs(self, ack_nr: SeqNr) -> impl Iterator<Item = SeqNr> + Clone + use<'a> {
        #[expect(clippy::cast_possible_truncation, reason = "an index is below 255 * 8")]
        self.set_bits().map(move |index| ack_nr.add(2).add(index as u16))
    }

    /// The index of the highest bit that is set.
    #[must_use]
    pub fn highest_set(self) -> Option<usize> {
        let (index, word) = self.words().enumerate().rfind(|(_, word)| *word != 0)?;
        Some(index * 64 + word.ilog2() as usize)
    }
}

/// Walks the set bits a word at a time, so that it costs little where there are none.
#[derive(Clone, Debug)]
struct SetBits<'a> {
    /// The bits of the current word that are yet to come.
    word: u64,
    /// The index of the current word's bit 0, and of the bit 0 of the word after it.
    word_start: usize,
    next_start: usize,
    /// The mask from the next word on.
    rest: &'a [u8],
}

impl Iterator for SetBits<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.word == 0 {
            if self.rest.is_empty() {
                return None;
            }
            let (chunk, rest) = self.rest.split_at(self.rest.len().min(8));
            (self.word, self.rest) = (little_endian(chunk), rest);
            self.word_start = self.next_start;
            self.next_start += 64;
        }
        let bit = self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(self.word_start + bit)
    }
}

/// Up to eight bytes as a word: the bit order of the mask is that of a little endian number.
#[inline]
fn little_endian(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        None => bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

/// Collects the packets held beyond a gap and writes them as an extension.
///
/// The mask has room for 2 016 packets, in a fixed array.
///
/// ```
/// use utp_wire::SelectiveAckBuilder;
///
/// let mut held = SelectiveAckBuilder::new();
/// held.set(9);
/// let mut out = [0xff; 8];
/// assert_eq!(held.encode(0, &mut out), 6);
/// assert_eq!(out, [0, 4, 0, 0b10, 0, 0, 0xff, 0xff]);
/// ```
#[derive(Clone, Debug)]
pub struct SelectiveAckBuilder {
    mask: [u8; MASK_LEN_MAX],
    /// The smallest multiple of four that holds the highest bit; zero if there is none.
    len: usize,
}

impl SelectiveAckBuilder {
    /// A builder with no bit set.
    #[must_use]
    pub const fn new() -> Self {
        Self { mask: [0; MASK_LEN_MAX], len: 0 }
    }

    /// Notes that packet `ack_nr + 2 + index` is held.
    ///
    /// An index of 2 016 or more is ignored: that packet is reported once the gap has moved up.
    pub const fn set(&mut self, index: usize) {
        self.set_word(index / 64, 1 << (index % 64));
    }

    /// Notes 64 packets at once: where bit `i` of `word` is set, packet
    /// `ack_nr + 2 + 64 * index + i` is held.
    ///
    /// Bits of packets that [`Self::set`] would ignore are ignored.
    pub const fn set_word(&mut self, index: usize, word: u64) {
        if index >= MASK_LEN_MAX.div_ceil(8) {
            return;
        }
        let start = index * 8;
        let bytes = word.to_le_bytes();
        let mut at = 0;
        while at < bytes.len() && start + at < MASK_LEN_MAX {
            self.mask[start + at] |= bytes[at];
            at += 1;
        }
        let room = MASK_LEN_MAX - start;
        let kept = if room < 8 { word & ((1 << (room * 8)) - 1) } else { word };
        if kept != 0 {
            let len = start + (kept.ilog2() as usize / 32 + 1) * 4;
            if self.len < len {
                self.len = len;
            }
        }
    }

    /// Whether no bit is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of the mask on the wire: the smallest multiple of four that holds the highest
    /// bit, and at least four (BEP-29).
    #[must_use]
    pub const fn mask_len(&self) -> usize {
        if self.len == 0 { 4 } else { self.len }
    }

    /// Writes the extension to the front of `out` and returns its length, `2 + mask_len()`.
    ///
    /// `next_extension` is the type of the extension after it, zero for none. The type of this
    /// one, [`EXTENSION_SELECTIVE_ACK`], goes into the element before it.
    /// [`SELECTIVE_ACK_LEN_MAX`] bytes are always enough; if `out` is too short, nothing is written
    /// and zero returned.
    ///
    /// [`EXTENSION_SELECTIVE_ACK`]: crate::EXTENSION_SELECTIVE_ACK
    pub fn encode(&self, next_extension: u8, out: &mut [u8]) -> usize {
        let mask = &self.mask[..self.mask_len()];
        let Some((head, tail)) = out.split_first_chunk_mut() else { return 0 };
        let Some(body) = tail.get_mut(..mask.len()) else { return 0 };
        #[expect(clippy::cast_possible_truncation, reason = "a mask has 252 bytes at the most")]
        let len = mask.len() as u8;
        *head = [next_extension, len];
        body.copy_from_slice(mask);
        2 + mask.len()
    }
}

impl Default for SelectiveAckBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// The most bytes that [`SelectiveAckBuilder::encode`] writes.
pub const SELECTIVE_ACK_LEN_MAX: usize = 2 + MASK_LEN_MAX;

/// The longest multiple of four whose length has room in one byte: 2 016 packets beyond a gap. The
/// mask is as long as it needs to be, so that it takes this only on paths where as much is held.
const MASK_LEN_MAX: usize = 252;
