//! The search for the path MTU (RFC 8899), without the packets: which size is known to arrive,
//! which is tried next, and when a size that used to arrive does no more.
//!
//! Sizes are UDP payloads, the uTP header included. When probes are sent is in `mtu.rs`.

use std::net::{IpAddr, SocketAddr};

use utp_wire::{Instant, SeqNr};

use crate::config::{BLACK_HOLE_LOSSES, BLACK_HOLE_TIMEOUTS, Config, DATAGRAM_BYTES_FLOOR_V4};
use crate::config::{DATAGRAM_BYTES_FLOOR_V6, DATAGRAM_BYTES_LIKELY, ICMP_DATAGRAM_BYTES_MIN};
use crate::config::{MTU_PROBES_MAX, MTU_SEARCH_STEP, MTU_SEARCH_US_MAX, MTU_SEARCH_US_MIN};

/// The search of one connection.
#[derive(Clone, Debug)]
pub(super) struct PathMtu {
    /// What it falls back to when the base does not arrive either.
    floor: u16,
    base: u16,
    max: u16,
    /// Packets of this size arrive; what new packets are cut to.
    low: u16,
    /// Packets of this size are taken not to arrive; above `low`.
    high: u16,
    /// Size a router named for a packet in flight; 0 for none. Acted upon once that packet is lost.
    hint: u16,
    /// Lost probes of the size that is being tried.
    tries: u8,
    /// The largest size that is left is tried before any other.
    top_first: bool,
    /// The search is over until `next_at`.
    resting: bool,
    /// Time-outs in a row.
    timeouts: u8,
    /// Times that large packets were lost in a row.
    losses: u8,
    v4: bool,
    probe: Option<Probe>,
    /// Nothing is probed before.
    next_at: Instant,
    /// The latest transmission of a large packet that is known to have arrived.
    large_arrived: u64,
}

/// A packet that was padded to a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) seq_nr: SeqNr,
    pub(super) size: u16,
}

impl PathMtu {
    pub(super) fn new(config: &Config, remote: SocketAddr) -> Self {
        let v4 = matches!(remote.ip().to_canonical(), IpAddr::V4(_));
        let (base, max) = config.datagram_bytes(v4);
        let least = if v4 { DATAGRAM_BYTES_FLOOR_V4 } else { DATAGRAM_BYTES_FLOOR_V6 };
        Self {
            // A size that is fixed by the user stays.
            floor: if base < max { base.min(least) } else { base },
            base,
            max,
            low: base,
            high: max + 1,
            hint: 0,
            tries: 0,
            top_first: true,
            resting: false,
            timeouts: 0,
            losses: 0,
            v4,
            probe: None,
            next_at: Instant::default(),
            large_arrived: 0,
        }
    }

    /// The size of a full datagram.
    pub(super) const fn size(&self) -> u16 {
        self.low
    }

    /// The payload of a full packet.
    pub(super) const fn payload_bytes(&self) -> u16 {
        self.low - HEADER_BYTES
    }

    pub(super) const fn is_v4(&self) -> bool {
        self.v4
    }

    /// The probe that waits for its ack or its loss.
    pub(super) const fn probe(&self) -> Option<Probe> {
        self.probe
    }

    /// Whether nothing is to be probed at `now`. Cheap: asked before every packet.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.probe.is_some() || now < self.next_at
    }

    /// The size to probe now. A search that has come to its end begins anew `pause_us` later.
    pub(super) fn next_size(&mut self, now: Instant, pause_us: u64) -> Option<u16> {
        if self.is_quiet(now) {
            return None;
        }
        if self.resting {
            self.search_below(self.max + 1);
        }
        let size = self.candidate();
        if size.is_none() {
            self.resting = true;
            self.next_at = now.saturating_add(pause_us.clamp(MTU_SEARCH_US_MIN, MTU_SEARCH_US_MAX));
        }
        size
    }

    fn candidate(&self) -> Option<u16> {
        let top = self.high - 1;
        if top <= self.low {
            return None;
        }
        if self.top_first {
            return Some(top);
        }
        let likely = DATAGRAM_BYTES_LIKELY[usize::from(!self.v4)];
        let worth = |size: &u16| *size >= self.low.saturating_add(MTU_SEARCH_STEP);
        if let Some(size) = likely.into_iter().filter(worth).find(|size| *size < self.high) {
            return Some(size);
        }
        let gap = self.high - self.low;
        (gap > MTU_SEARCH_STEP).then_some(self.low + gap / 2)
    }

    pub(super) fn on_probe_sent(&mut self, probe: Probe) {
        self.probe = Some(probe);
    }

    /// The probe has arrived as it was sent, padded.
    pub(super) fn on_probe_arrived(&mut self) {
        let Some(Probe { size, .. }) = self.probe.take() else { return };
        self.low = self.low.max(size);
        self.high = self.high.max(size.saturating_add(1));
        self.tries = 0;
    }

    /// The probe is lost, which has many reasons; the next waits until `next_at`.
    pub(super) fn on_probe_lost(&mut self, next_at: Instant) {
        let Some(Probe { size, .. }) = self.probe.take() else { return };
        self.tries += 1;
        self.next_at = next_at;
        if self.tries >= MTU_PROBES_MAX {
            self.exclude(size);
        }
    }

    /// This host cannot send datagrams of `size` bytes. Says whether full packets are smaller now.
    pub(super) fn on_send_failed(&mut self, size: u16) -> bool {
        if self.probe.is_some_and(|probe| probe.size >= size) {
            self.probe = None;
        }
        if size > self.low {
            self.exclude(size);
            return false;
        }
        let Some(low) = [self.base, self.floor].into_iter().find(|low| *low < size) else {
            return false;
        };
        self.low = low;
        self.resting = false;
        self.next_at = Instant::default();
        self.exclude(size);
        true
    }

    /// A router says that the datagram of `size` bytes, which is in flight, did not fit, and that
    /// `largest` would have. Says whether that was the probe, which is then lost.
    ///
    /// Anybody can send such a message. It may end a search early, but nothing that was seen to
    /// arrive is given up for it.
    pub(super) fn on_too_big(&mut self, size: u16, largest: u16) -> bool {
        if largest < ICMP_DATAGRAM_BYTES_MIN || largest >= size {
            return false;
        }
        if size <= self.low {
            self.hint = largest;
            return false;
        }
        let is_probe = self.probe.is_some_and(|probe| probe.size == size);
        if is_probe {
            self.probe = None;
            self.search_below(largest.max(self.low).saturating_add(1));
        }
        is_probe
    }

    /// A packet of `size` bytes that went out once, unfragmented, has arrived.
    pub(super) fn on_arrived(&mut self, size: u16, tx_nr: u64) {
        if size > self.hint {
            self.hint = 0;
        }
        if self.is_large(size) && tx_nr > self.large_arrived {
            self.large_arrived = tx_nr;
            self.losses = 0;
        }
    }

    /// Something has arrived: the time-outs in a row are over.
    pub(super) fn on_progress(&mut self) {
        self.timeouts = 0;
    }

    /// Whether the loss of a packet may be due to its size.
    pub(super) fn is_perhaps_too_large(&self, size: u16, tx_nr: u64) -> bool {
        self.is_large(size) && tx_nr > self.large_arrived
    }

    /// Packets that are perhaps too large were lost while others arrived. Says whether full packets
    /// are smaller now.
    pub(super) fn on_large_loss(&mut self) -> bool {
        self.losses += 1;
        (self.hint > 0 || self.losses >= BLACK_HOLE_LOSSES) && self.shrink(self.low)
    }

    /// The retransmission timer expired; the oldest packet has `size` bytes. Says whether full
    /// packets are smaller now.
    pub(super) fn on_timeout(&mut self, size: u16) -> bool {
        self.timeouts = self.timeouts.saturating_add(1);
        (self.hint > 0 || self.timeouts >= BLACK_HOLE_TIMEOUTS) && self.shrink(size)
    }

    /// Whether a packet may not arrive where the next smaller size does.
    fn is_large(&self, size: u16) -> bool {
        size > if self.low > self.base { self.base } else { self.floor }
    }

    /// The path swallows packets of `size` bytes, or seems to: back to a size that is safer. The
    /// largest size that seemed to arrive is the first to be tried again: an outage looks the same.
    fn shrink(&mut self, size: u16) -> bool {
        let bound = size.min(self.low);
        let hint = std::mem::take(&mut self.hint);
        let safer = [hint, self.base, self.floor].into_iter().find(|to| (1..bound).contains(to));
        self.timeouts = 0;
        self.losses = 0;
        let Some(low) = safer else { return false };
        let known = self.high - self.low <= MTU_SEARCH_STEP;
        self.search_below(if known { self.low + 1 } else { self.high });
        self.low = low;
        true
    }

    /// Begins a search among the sizes up to `high`.
    fn search_below(&mut self, high: u16) {
        self.high = high.min(self.max + 1);
        self.tries = 0;
        self.top_first = true;
        self.resting = false;
        self.next_at = Instant::default();
    }

    /// Takes `size` for too large.
    fn exclude(&mut self, size: u16) {
        self.high = self.high.min(size).max(self.low + 1);
        self.tries = 0;
        self.top_first = false;
    }
}

/// The uTP header.
pub(super) const HEADER_BYTES: u16 = 20;

#[cfg(test)]
mod tests;
