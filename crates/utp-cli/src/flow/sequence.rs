//! Which packet numbers of one side have passed.

use utp_wire::SeqNr;

/// The newest 4 096 numbers of one side, and which of them have passed.
///
/// ```
/// use utp_cli::flow::{Seen, Sequence};
/// use utp_wire::SeqNr;
///
/// let mut sequence = Sequence::default();
/// let seen = [7, 8, 10, 9, 8].map(|number| sequence.observe(SeqNr(number)));
/// assert_eq!(seen, [Seen::New, Seen::New, Seen::New, Seen::Late, Seen::Again]);
/// assert_eq!(sequence.missing(), 0);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    /// The newest number.
    newest: Option<SeqNr>,
    /// A bit for each number of the window, by the number modulo its size.
    passed: Vec<u64>,
    /// Numbers that left the window without having passed.
    gone: u64,
}

/// How a packet number relates to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It has passed before.
    Again,
    /// It is behind the newest and passes for the first time.
    Late,
    /// It is beyond all others.
    New,
}

impl Sequence {
    /// Notes a number.
    pub fn observe(&mut self, number: SeqNr) -> Seen {
        let Some(newest) = self.newest else {
            // What came before the capture counts as passed.
            self.passed = vec![u64::MAX; usize::from(WINDOW) / 64];
            self.newest = Some(number);
            return Seen::New;
        };
        let behind = newest.distance_from(number);
        if behind < WINDOW {
            return if self.mark(number) { Seen::Again } else { Seen::Late };
        }
        if number.precedes(newest) {
            // As old as this it has passed, or the capture has begun after it.
            return Seen::Again;
        }
        let ahead = number.distance_from(newest);
        for step in 1..=ahead {
            let next = newest.add(step);
            let (word, bit) = place(next);
            self.gone += u64::from(self.passed[word] & bit == 0);
            self.passed[word] &= !bit;
        }
        self.newest = Some(number);
        self.mark(number);
        Seen::New
    }

    /// The newest number, none before the first.
    pub const fn newest(&self) -> Option<SeqNr> {
        self.newest
    }

    /// How many numbers between the first and the newest have not passed so far.
    pub fn missing(&self) -> u64 {
        let waiting: u32 = self.passed.iter().map(|word| word.count_zeros()).sum();
        self.gone + u64::from(waiting)
    }

    /// Marks a number of the window, and tells whether it was marked.
    fn mark(&mut self, number: SeqNr) -> bool {
        let (word, bit) = place(number);
        let was = self.passed[word] & bit != 0;
        self.passed[word] |= bit;
        was
    }
}

/// The word of a number and its bit there.
fn place(number: SeqNr) -> (usize, u64) {
    let index = usize::from(number.0 % WINDOW);
    (index / 64, 1 << (index % 64))
}

/// Twice what the selective acks of uTP can speak of; a number further back is an old one. It
/// divides the circle of numbers.
const WINDOW: u16 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap() {
        let mut sequence = Sequence::default();
        for step in 0..200_000_u32 {
            #[expect(clippy::cast_possible_truncation, reason = "the numbers are a circle")]
            let number = SeqNr(step as u16);
            assert_eq!(sequence.observe(number), Seen::New, "{step}");
        }
        assert_eq!(sequence.missing(), 0);
    }

    #[test]
    fn what_never_passes_is_missing_within_the_window_and_behind_it() {
        let mut sequence = Sequence::default();
        sequence.observe(SeqNr(0xfff0));
        sequence.observe(SeqNr(2));
        assert_eq!(sequence.missing(), 17);
        assert_eq!(sequence.observe(SeqNr(0xffff)), Seen::Late);
        assert_eq!(sequence.missing(), 16);
        for number in 3..10_000 {
            sequence.observe(SeqNr(number));
        }
        assert_eq!(sequence.missing(), 16);
    }

    #[test]
    fn a_jump_over_the_window_misses_all_that_it_leaves_out() {
        let mut sequence = Sequence::default();
        sequence.observe(SeqNr(0));
        assert_eq!(sequence.observe(SeqNr(20_000)), Seen::New);
        assert_eq!(sequence.missing(), 19_999);
        assert_eq!(sequence.observe(SeqNr(0)), Seen::Again);
        assert_eq!(sequence.observe(SeqNr(19_999)), Seen::Late);
        assert_eq!(sequence.missing(), 19_998);
    }
}
