//! What the sender knows of each segment in flight, and how many are in the pipe (RFC 6675).
//!
//! One thing is taken from RFC 8985, as any current TCP has it: a repeated segment that is lost
//! again is found by what was sent after it and arrived, and does not wait for the timer.

use super::Ack;
use crate::time::Ns;
use std::collections::VecDeque;

/// Segments above a hole that make it a loss (RFC 6675 DupThresh).
const DUPLICATES: usize = 3;

/// The segments from the first unacknowledged one to the newest.
#[derive(Debug, Default)]
pub(super) struct Scoreboard {
    slots: VecDeque<Slot>,
    first: u32,
    pipe: u32,
    lost: u32,
    /// Everything below is known to be received, lost or repeated.
    judged_to: u32,
    /// No segment below waits to be repeated.
    repeated_to: u32,
    /// The highest segments that were selectively acknowledged, highest first; 0 is none, since
    /// the first segment of all can only be acknowledged in order.
    highest_sacked: [u32; DUPLICATES],
    /// Transmissions so far, repeats included; each has its number, from 1.
    transmissions: u64,
    /// The latest transmissions known to have arrived, latest first.
    latest_arrived: [u64; DUPLICATES],
    /// Repeats by number of transmission, with their segments.
    repeats: VecDeque<(u64, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    sent: Ns,
    transmission: u64,
    fate: Fate,
    /// Whether it was sent more than once, so that its round trip says nothing (Karn).
    ambiguous: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    InFlight,
    Lost,
    Sacked,
}

/// What an acknowledgment brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Acked {
    /// Segments newly covered by the cumulative acknowledgment.
    pub(super) cumulative: u32,
    /// When the earliest newly acknowledged segment that was sent only once had been sent.
    pub(super) sent: Option<Ns>,
    /// Number of the latest transmission among the repeats found lost again, 0 without one.
    pub(super) lost_repeat: u64,
}

impl Scoreboard {
    /// First unacknowledged segment.
    pub(super) const fn first(&self) -> u32 {
        self.first
    }

    /// One past the newest segment.
    pub(super) fn end(&self) -> u32 {
        self.first + self.outstanding()
    }

    /// Segments that are not cumulatively acknowledged.
    pub(super) fn outstanding(&self) -> u32 {
        u32::try_from(self.slots.len()).expect("segment numbers are 32 bits wide")
    }

    /// Segments believed to be on their way.
    pub(super) const fn pipe(&self) -> u32 {
        self.pipe
    }

    /// Transmissions so far, repeats included.
    pub(super) const fn transmissions(&self) -> u64 {
        self.transmissions
    }

    /// Whether a segment waits to be repeated.
    pub(super) const fn has_lost(&self) -> bool {
        self.lost > 0
    }

    /// A new segment leaves; its number is [`Scoreboard::end`] before the call.
    pub(super) fn send_new(&mut self, now: Ns) {
        self.transmissions += 1;
        let (transmission, fate) = (self.transmissions, Fate::InFlight);
        self.slots.push_back(Slot { sent: now, transmission, fate, ambiguous: false });
        self.pipe += 1;
    }

    /// The lowest lost segment leaves again.
    pub(super) fn repeat_lost(&mut self, now: Ns) -> Option<u32> {
        if self.lost == 0 {
            return None;
        }
        let mut seq = self.repeated_to.max(self.first);
        while self.slot(seq).fate != Fate::Lost {
            seq += 1;
        }
        self.transmissions += 1;
        let (transmission, fate) = (self.transmissions, Fate::InFlight);
        *self.slot_mut(seq) = Slot { sent: now, transmission, fate, ambiguous: true };
        self.repeats.push_back((transmission, seq));
        self.lost -= 1;
        self.pipe += 1;
        self.repeated_to = seq + 1;
        Some(seq)
    }

    /// Takes in an acknowledgment and judges what is lost by it.
    pub(super) fn handle_ack(&mut self, ack: &Ack) -> Acked {
        let mut acked = Acked::default();
        while self.first < ack.cumulative {
            let Some(slot) = self.slots.pop_front() else { break };
            match slot.fate {
                Fate::InFlight => self.pipe -= 1,
                Fate::Lost => self.lost -= 1,
                Fate::Sacked => {}
            }
            self.note_arrival(&slot, &mut acked);
            self.first += 1;
            acked.cumulative += 1;
        }
        for block in &ack.blocks {
            for seq in block.start.max(self.first)..block.end.min(self.end()) {
                self.sack(seq, &mut acked);
            }
        }
        self.judge();
        acked.lost_repeat = self.judge_repeats();
        acked
    }

    /// The retransmission timer expired: everything not received is lost.
    pub(super) fn lose_all(&mut self) {
        for slot in &mut self.slots {
            if slot.fate == Fate::InFlight {
                slot.fate = Fate::Lost;
                self.lost += 1;
            }
        }
        self.pipe = 0;
        self.judged_to = self.end();
        self.repeated_to = self.first;
    }

    fn sack(&mut self, seq: u32, acked: &mut Acked) {
        let slot = *self.slot(seq);
        match slot.fate {
            Fate::InFlight => self.pipe -= 1,
            Fate::Lost => self.lost -= 1,
            Fate::Sacked => return,
        }
        self.note_arrival(&slot, acked);
        self.slot_mut(seq).fate = Fate::Sacked;
        insert_highest(&mut self.highest_sacked, seq);
    }

    /// A segment arrived; of one that was repeated nobody knows which of its transmissions did.
    fn note_arrival(&mut self, slot: &Slot, acked: &mut Acked) {
        if slot.fate == Fate::Sacked || slot.ambiguous {
            return;
        }
        insert_highest(&mut self.latest_arrived, slot.transmission);
        acked.sent = Some(acked.sent.map_or(slot.sent, |sent| sent.min(slot.sent)));
    }

    /// A segment with [`DUPLICATES`] received above it is lost (RFC 6675 IsLost).
    fn judge(&mut self) {
        let end = self.highest_sacked[DUPLICATES - 1];
        for seq in self.judged_to.max(self.first)..end {
            let slot = self.slot_mut(seq);
            if slot.fate == Fate::InFlight {
                slot.fate = Fate::Lost;
                self.lost += 1;
                self.pipe -= 1;
            }
        }
        self.judged_to = self.judged_to.max(end);
    }

    /// A repeat is lost once [`DUPLICATES`] later transmissions have arrived (RFC 8985 section 2).
    ///
    /// Returns the number of the latest one, 0 without one.
    fn judge_repeats(&mut self) -> u64 {
        let mut latest = 0;
        let later = self.latest_arrived[DUPLICATES - 1];
        while let Some(&(transmission, seq)) =
            self.repeats.front().filter(|repeat| repeat.0 < later)
        {
            self.repeats.pop_front();
            if seq < self.first {
                continue;
            }
            let slot = self.slot_mut(seq);
            if slot.fate == Fate::InFlight && slot.transmission == transmission {
                slot.fate = Fate::Lost;
                self.lost += 1;
                self.pipe -= 1;
                self.repeated_to = self.repeated_to.min(seq);
                latest = transmission;
            }
        }
        latest
    }

    fn slot(&self, seq: u32) -> &Slot {
        &self.slots[(seq - self.first) as usize]
    }

    fn slot_mut(&mut self, seq: u32) -> &mut Slot {
        &mut self.slots[(seq - self.first) as usize]
    }
}

/// Inserts `value` into an array that is sorted, highest first, if it is high enough.
fn insert_highest<T: PartialOrd>(highest: &mut [T; DUPLICATES], mut value: T) {
    for high in highest {
        if value > *high {
            std::mem::swap(high, &mut value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Block;
    use super::*;

    fn sent(count: u32) -> Scoreboard {
        let mut board = Scoreboard::default();
        for seq in 0..count {
            board.send_new(Ns(u64::from(seq)));
        }
        board
    }

    fn ack(cumulative: u32, blocks: &[(u32, u32)]) -> Ack {
        let mut ack = Ack { cumulative, blocks: [Block::default(); 3] };
        for (block, &(start, end)) in ack.blocks.iter_mut().zip(blocks) {
            *block = Block { start, end };
        }
        ack
    }

    #[test]
    fn a_cumulative_ack_empties_the_pipe() {
        let mut board = sent(5);
        let acked = board.handle_ack(&ack(3, &[]));
        assert_eq!(acked, Acked { cumulative: 3, sent: Some(Ns(0)), lost_repeat: 0 });
        assert_eq!((board.first(), board.end(), board.pipe()), (3, 5, 2));
    }

    #[test]
    fn a_hole_is_lost_once_three_are_received_above_it() {
        let mut board = sent(8);
        board.handle_ack(&ack(2, &[(3, 5)]));
        assert!(!board.has_lost());
        assert_eq!(board.pipe(), 4);
        board.handle_ack(&ack(2, &[(3, 6)]));
        assert!(board.has_lost());
        assert_eq!(board.pipe(), 2);
        assert_eq!(board.repeat_lost(Ns(100)), Some(2));
        assert_eq!(board.pipe(), 3);
        assert_eq!(board.repeat_lost(Ns(100)), None);
    }

    #[test]
    fn every_hole_below_the_third_highest_is_lost() {
        let mut board = sent(12);
        board.handle_ack(&ack(1, &[(2, 3), (4, 5), (6, 7)]));
        // 1 has three received above it, 3 has two, 5 has one.
        assert_eq!(board.repeat_lost(Ns(100)), Some(1));
        assert_eq!(board.repeat_lost(Ns(100)), None);
        board.handle_ack(&ack(1, &[(8, 10), (6, 7), (4, 5)]));
        assert_eq!(board.repeat_lost(Ns(100)), Some(3));
        assert_eq!(board.repeat_lost(Ns(100)), Some(5));
        assert_eq!(board.repeat_lost(Ns(100)), None);
    }

    #[test]
    fn a_repeated_segment_gives_no_time_sample() {
        let mut board = sent(6);
        board.handle_ack(&ack(0, &[(1, 4)]));
        assert_eq!(board.repeat_lost(Ns(100)), Some(0));
        // Segment 0 is ambiguous and 1 to 3 were counted when they were received.
        let acked = board.handle_ack(&ack(4, &[]));
        assert_eq!(acked, Acked { cumulative: 4, sent: None, lost_repeat: 0 });
        assert_eq!(board.handle_ack(&ack(6, &[])).sent, Some(Ns(4)));
    }

    #[test]
    fn a_timeout_loses_all_but_what_was_received() {
        let mut board = sent(6);
        board.handle_ack(&ack(1, &[(3, 4)]));
        board.lose_all();
        assert_eq!(board.pipe(), 0);
        let repeated: Vec<u32> = std::iter::from_fn(|| board.repeat_lost(Ns(9))).collect();
        assert_eq!(repeated, [1, 2, 4, 5]);
        assert_eq!(board.pipe(), 4);
    }

    #[test]
    fn a_repeat_lost_again_is_found_by_what_was_sent_after_it() {
        let mut board = sent(8);
        board.handle_ack(&ack(2, &[(3, 6)]));
        assert_eq!(board.repeat_lost(Ns(100)), Some(2));
        for _ in 0..3 {
            board.send_new(Ns(101));
        }
        // 6 and 7 were sent before the repeat, 8 to 10 after it.
        board.handle_ack(&ack(2, &[(3, 10)]));
        assert_eq!(board.repeat_lost(Ns(200)), None);
        // The repeat was the ninth transmission.
        assert_eq!(board.handle_ack(&ack(2, &[(3, 11)])).lost_repeat, 9);
        assert_eq!(board.repeat_lost(Ns(200)), Some(2));
        assert_eq!((board.pipe(), board.repeat_lost(Ns(200))), (1, None));
    }

    #[test]
    fn old_and_absurd_acks_change_nothing() {
        let mut board = sent(4);
        board.handle_ack(&ack(3, &[]));
        board.handle_ack(&ack(1, &[(0, 2)]));
        assert_eq!((board.first(), board.end(), board.pipe()), (3, 4, 1));
        board.handle_ack(&ack(9, &[(5, 90)]));
        assert_eq!((board.first(), board.end(), board.pipe()), (4, 4, 0));
    }
}
