//! The receiving half: what is there, what is missing, and when to say so.

use super::{Ack, Block, MSS, Segment};
use crate::time::Ns;
use std::collections::{BTreeMap, VecDeque};

/// A TCP receiver that acknowledges every second segment in order, and at once anything else.
#[derive(Debug, Default)]
pub struct Receiver {
    next: u32,
    /// Runs of segments above a gap: start to end.
    runs: BTreeMap<u32, u32>,
    /// A member of each run that grew lately, latest first.
    recent: VecDeque<u32>,
    /// A segment that is not full, and how much it falls short: the last one of a message.
    ///
    /// A message begins when the one before it has arrived, so that one is enough.
    short: Option<(u32, u32)>,
    unacknowledged: u32,
    at_once: bool,
    deadline: Option<Ns>,
    duplicates: u64,
}

impl Receiver {
    /// Takes in a segment and returns the bytes that it puts in order.
    pub fn handle_segment(&mut self, now: Ns, segment: Segment) -> u64 {
        let seq = segment.seq;
        if seq < self.next || self.run_of(seq).is_some() {
            self.duplicates += 1;
            self.at_once = true;
            return 0;
        }
        if segment.bytes < MSS {
            self.short = Some((seq, MSS - segment.bytes));
        }
        if seq != self.next {
            self.insert(seq);
            self.at_once = true;
            return 0;
        }
        // A segment that fills a gap is acknowledged at once (RFC 5681 section 4.2).
        self.at_once |= !self.runs.is_empty();
        let first = self.next;
        self.next += 1;
        if let Some(end) = self.runs.remove(&self.next) {
            self.next = end;
        }
        self.unacknowledged += 1;
        if self.unacknowledged >= SEGMENTS_PER_ACK {
            self.at_once = true;
        } else if self.deadline.is_none() {
            self.deadline = Some(now + ACK_DELAY);
        }
        self.bytes_between(first, self.next)
    }

    /// The acknowledgment to send now, if one is due.
    pub fn poll_ack(&mut self) -> Option<Ack> {
        if !self.at_once {
            return None;
        }
        self.at_once = false;
        self.unacknowledged = 0;
        self.deadline = None;
        self.recent.retain(|&seq| seq >= self.next);
        let mut blocks = [Block::default(); 3];
        for (block, &seq) in blocks.iter_mut().zip(&self.recent) {
            let (start, end) = self.run_of(seq).expect("recent segments lie in runs");
            *block = Block { start, end };
        }
        Some(Ack { cumulative: self.next, blocks })
    }

    /// Data that leaves in the other direction acknowledges what has arrived in order.
    pub fn acknowledge_with_data(&mut self) {
        if self.runs.is_empty() {
            self.at_once = false;
            self.unacknowledged = 0;
            self.deadline = None;
        }
    }

    /// When [`Receiver::handle_timeout`] wants to be called.
    pub const fn poll_timeout(&self) -> Option<Ns> {
        self.deadline
    }

    /// The time for delaying an acknowledgment is over; a call before the deadline does nothing.
    pub fn handle_timeout(&mut self, now: Ns) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.at_once = true;
        }
    }

    /// Segments that were there already when they arrived.
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Adds a segment above the gap; the runs it touches become one.
    fn insert(&mut self, seq: u32) {
        let mut start = seq;
        let mut end = seq + 1;
        if let Some(above) = self.runs.remove(&end) {
            end = above;
        }
        if let Some((below, _)) = self.runs.range(..seq).next_back().filter(|run| *run.1 == seq) {
            start = *below;
        }
        self.runs.insert(start, end);
        self.recent.retain(|member| !(start..end).contains(member));
        self.recent.push_front(seq);
        self.recent.truncate(3);
    }

    fn run_of(&self, seq: u32) -> Option<(u32, u32)> {
        let (&start, &end) = self.runs.range(..=seq).next_back()?;
        (seq < end).then_some((start, end))
    }

    fn bytes_between(&self, start: u32, end: u32) -> u64 {
        let missing = match self.short {
            Some((seq, missing)) if (start..end).contains(&seq) => missing,
            _ => 0,
        };
        u64::from(end - start) * u64::from(MSS) - u64::from(missing)
    }
}

/// RFC 5681 section 4.2: at least every second full segment.
const SEGMENTS_PER_ACK: u32 = 2;

/// How long a single segment waits for its acknowledgment; the minimum of Linux.
const ACK_DELAY: Ns = Ns::from_millis(40);

#[cfg(test)]
mod tests {
    use super::*;

    fn full(seq: u32) -> Segment {
        Segment { seq, bytes: MSS }
    }

    fn blocks(ack: &Ack) -> Vec<(u32, u32)> {
        let filled = ack.blocks.iter().filter(|block| block.end > 0);
        filled.map(|block| (block.start, block.end)).collect()
    }

    #[test]
    fn every_second_segment_is_acknowledged() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.handle_segment(Ns::ZERO, full(0)), u64::from(MSS));
        assert_eq!(receiver.poll_ack(), None);
        receiver.handle_segment(Ns::ZERO, full(1));
        assert_eq!(receiver.poll_ack().map(|ack| ack.cumulative), Some(2));
        assert_eq!(receiver.poll_ack(), None);
        assert_eq!(receiver.poll_timeout(), None);
    }

    #[test]
    fn a_single_segment_is_acknowledged_after_the_delay() {
        let mut receiver = Receiver::default();
        receiver.handle_segment(Ns(5), full(0));
        let deadline = Ns(5) + Ns::from_millis(40);
        assert_eq!(receiver.poll_timeout(), Some(deadline));
        receiver.handle_timeout(deadline - Ns(1));
        assert_eq!(receiver.poll_ack(), None);
        receiver.handle_timeout(deadline);
        assert_eq!(receiver.poll_ack().map(|ack| ack.cumulative), Some(1));
    }

    #[test]
    fn segments_above_a_gap_are_reported_latest_first() {
        let mut receiver = Receiver::default();
        let mut last = None;
        for seq in [1, 3, 5, 4, 9, 7] {
            assert_eq!(receiver.handle_segment(Ns::ZERO, full(seq)), 0);
            last = receiver.poll_ack();
        }
        let ack = last.expect("segments out of order are acknowledged at once");
        assert_eq!(ack.cumulative, 0);
        assert_eq!(blocks(&ack), [(7, 8), (9, 10), (3, 6)]);
    }

    #[test]
    fn a_filled_gap_delivers_the_run_and_is_acknowledged_at_once() {
        let mut receiver = Receiver::default();
        for seq in [1, 2, 4] {
            receiver.handle_segment(Ns::ZERO, full(seq));
            receiver.poll_ack();
        }
        assert_eq!(receiver.handle_segment(Ns::ZERO, full(0)), 3 * u64::from(MSS));
        let ack = receiver.poll_ack().expect("a filled gap is acknowledged at once");
        assert_eq!((ack.cumulative, blocks(&ack)), (3, vec![(4, 5)]));
    }

    #[test]
    fn duplicates_are_counted_and_acknowledged_at_once() {
        let mut receiver = Receiver::default();
        for seq in [0, 2, 2, 0] {
            receiver.handle_segment(Ns::ZERO, full(seq));
        }
        assert_eq!(receiver.duplicates(), 2);
        assert_eq!(receiver.poll_ack().map(|ack| ack.cumulative), Some(1));
    }

    #[test]
    fn a_short_last_segment_counts_for_its_bytes_also_out_of_order() {
        let mut receiver = Receiver::default();
        receiver.handle_segment(Ns::ZERO, Segment { seq: 1, bytes: 10 });
        assert_eq!(receiver.handle_segment(Ns::ZERO, full(0)), u64::from(MSS) + 10);
    }

    #[test]
    fn data_the_other_way_takes_the_place_of_a_delayed_acknowledgment_but_not_of_a_report() {
        let mut receiver = Receiver::default();
        receiver.handle_segment(Ns::ZERO, full(0));
        receiver.acknowledge_with_data();
        assert_eq!((receiver.poll_timeout(), receiver.poll_ack()), (None, None));
        receiver.handle_segment(Ns::ZERO, full(2));
        receiver.acknowledge_with_data();
        let ack = receiver.poll_ack().expect("a gap is reported");
        assert_eq!((ack.cumulative, blocks(&ack)), (1, vec![(2, 3)]));
    }
}
