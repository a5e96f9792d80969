//! Owns what goes out in one call: datagrams that stand one behind the other in the buffer.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use utp_proto::Transmit;
use utp_wire::Instant;

use crate::transport::Datagrams;

/// Datagrams in the buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    pub(super) destination: SocketAddr,
    source: Option<IpAddr>,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) segment_size: Option<usize>,
    dont_fragment: bool,
    /// What the first time stamp says. None for what carries none of ours.
    pub(super) stamped_at: Option<Instant>,
    /// The transport took nothing the last time.
    pub(super) blocked: bool,
}

impl Batch {
    /// What the core gave out.
    pub(super) fn of_core(transmit: &Transmit, now: Instant) -> Self {
        Self {
            destination: transmit.destination,
            source: transmit.source,
            start: transmit.start,
            end: transmit.start + transmit.size,
            segment_size: transmit.segment_size,
            dont_fragment: transmit.dont_fragment,
            stamped_at: Some(now),
            blocked: false,
        }
    }

    /// One datagram that is not the core's.
    pub(super) fn raw(destination: SocketAddr, at: Range<usize>, dont_fragment: bool) -> Self {
        Self {
            destination,
            source: None,
            start: at.start,
            end: at.end,
            segment_size: None,
            dont_fragment,
            stamped_at: None,
            blocked: false,
        }
    }

    /// Takes the turn after the batch before it. What stands before it in the buffer is given up
    /// when that is much, so that the buffer does not grow for ever.
    pub(super) fn take_turn(&mut self, now: Instant, buf: &mut Vec<u8>) {
        if self.start >= SPENT_BYTES_MAX {
            buf.drain(..self.start);
            (self.start, self.end) = (0, self.end - self.start);
        }
        self.restamp(now, buf);
    }

    /// For how many datagrams there is room behind it; none if it is complete.
    pub(super) fn room(&self, datagrams_max: usize) -> Option<usize> {
        let (len, size) = (self.end - self.start, self.datagram_size());
        // Only the last may be shorter.
        if len % size > 0 {
            return None;
        }
        let room_bytes = BYTES_MAX.saturating_sub(len);
        let room = datagrams_max.saturating_sub(len / size).min(room_bytes / size);
        (room > 0).then_some(room)
    }

    /// Takes `more` in, if it stands behind this one in the buffer and can go with it. There is
    /// room.
    pub(super) fn join(&mut self, more: &Self) -> bool {
        let size = self.datagram_size();
        let fits = match more.segment_size {
            Some(segment_size) => segment_size == size,
            None => more.end - more.start <= size,
        };
        let path = |batch: &Self| (batch.destination, batch.source, batch.dont_fragment);
        if !fits || more.start != self.end || path(self) != path(more) {
            return false;
        }
        (self.segment_size, self.end) = (Some(size), more.end);
        true
    }

    /// The size of every datagram but the last.
    fn datagram_size(&self) -> usize {
        self.segment_size.unwrap_or(self.end - self.start).max(1)
    }

    pub(super) fn datagrams<'a>(&self, buf: &'a [u8]) -> Datagrams<'a> {
        Datagrams {
            destination: self.destination,
            source: self.source,
            contents: &buf[self.start..self.end],
            segment_size: self.segment_size,
            dont_fragment: self.dont_fragment,
        }
    }

    /// Puts the present time on datagrams that had to wait: a stamp measures the network only if
    /// it is taken at the moment of sending. Says whether there was anything to do.
    pub(super) fn restamp(&mut self, now: Instant, buf: &mut [u8]) -> bool {
        let Some(stamped_at) = self.stamped_at else { return false };
        let later_us = now.saturating_since(stamped_at);
        if later_us == 0 {
            return false;
        }
        self.stamped_at = Some(now);
        let datagrams = &mut buf[self.start..self.end];
        let segment_size = self.segment_size.unwrap_or(datagrams.len());
        // The stamps wrap, and so does what is added to them.
        let later_us = Instant::from_micros(later_us).timestamp().0;
        utp_wire::restamp(datagrams, segment_size, later_us);
        true
    }
}

/// The most that UDP carries, even in parts.
const BYTES_MAX: usize = 65_507;

/// Bytes in the buffer that have gone, beyond which what follows is moved.
const SPENT_BYTES_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn batch(at: Range<usize>, segment_size: Option<usize>) -> Batch {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        Batch { segment_size, stamped_at: Some(Instant::default()), ..Batch::raw(to, at, true) }
    }

    #[test]
    fn datagrams_of_one_size_to_one_peer_go_together_and_a_shorter_one_is_the_last() {
        let mut train = batch(0..1_000, None);
        assert_eq!(train.room(3), Some(2));
        assert!(train.join(&batch(1_000..2_000, None)));
        assert_eq!((train.segment_size, train.room(3)), (Some(1_000), Some(1)));
        assert!(train.join(&batch(2_000..2_020, None)));
        assert_eq!((train.start..train.end, train.room(9)), (0..2_020, None));

        let mut trains = batch(0..2_000, Some(1_000));
        assert!(trains.join(&batch(2_000..3_500, Some(1_000))));
        assert_eq!(trains.room(64), None);
    }

    #[test]
    fn what_differs_goes_by_itself() {
        let train = batch(0..1_000, None);
        let other = batch(1_000..2_000, None);
        let mut elsewhere = other;
        elsewhere.destination.set_port(2);
        let from = Batch { source: Some(Ipv4Addr::LOCALHOST.into()), ..other };
        let in_parts = Batch { dont_fragment: false, ..other };
        let larger = batch(1_000..2_001, None);
        let of_other_size = batch(1_000..3_000, Some(500));
        let behind_a_gap = batch(1_001..2_000, None);
        for more in [elsewhere, from, in_parts, larger, of_other_size, behind_a_gap] {
            assert!(!{ train }.join(&more), "{more:?}");
        }
    }

    #[test]
    fn no_batch_is_longer_than_a_datagram_can_be() {
        assert_eq!(batch(0..64_000, Some(1_000)).room(100), Some(1));
        assert_eq!(batch(0..65_000, Some(1_000)).room(100), None);
        assert_eq!(batch(0..65_507, None).room(2), None);
    }

    #[test]
    fn a_batch_that_waited_for_another_says_when_it_goes_and_gives_spent_bytes_back() {
        for spent in [1_000, SPENT_BYTES_MAX] {
            let mut buf = vec![0; spent + 40];
            for packet in buf[spent..].chunks_mut(20) {
                packet[0] = 0x21; // STATE, version 1
                packet[7] = 200; // sent at 200 us
            }
            let mut waiting = batch(spent..spent + 40, Some(20));
            waiting.take_turn(Instant::from_micros(5_000), &mut buf);
            let moved = if spent < SPENT_BYTES_MAX { spent } else { 0 };
            assert_eq!((waiting.start, buf.len()), (moved, moved + 40));
            for datagram in waiting.datagrams(&buf).iter() {
                assert_eq!(datagram[4..8], 5_200_u32.to_be_bytes());
            }
        }
    }
}
