//! What happens to a datagram between the two endpoints.

use std::cmp::Reverse;
use std::num::NonZeroUsize;

use utp_proto::{Instant, Transmit};
use utp_wire::{Packet, PacketType};

use super::Pair;

/// What the network does to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deliver,
    Drop,
    /// Delivered now and once more after the given time.
    Duplicate(u64),
    /// Delivered later by the given time.
    Delay(u64),
    /// Delivered with this bit of the header flipped.
    Flip(u16),
}

/// Random faults, per mille.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub loss: u64,
    pub duplication: u64,
    pub reordering: u64,
}

/// A datagram as the network saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub from: usize,
    pub packet_type: PacketType,
    pub connection_id: u16,
    pub seq_nr: u16,
    pub ack_nr: u16,
    pub len: usize,
    pub payload_len: usize,
    pub has_selective_ack: bool,
    pub dont_fragment: bool,
    /// The datagram, if the pair keeps them.
    pub bytes: Vec<u8>,
}

pub type Script = Box<dyn FnMut(&Seen) -> Fate>;

/// Arrival, order of sending, receiver, bytes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InFlight(pub u64, pub u64, pub usize, pub Vec<u8>);

/// A transmitter with a queue before it, first in, first out.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub bits_per_second: u64,
    /// Bytes that wait for transmission; a packet that finds less room is dropped.
    pub queue_bytes: u64,
    /// Beside its UDP payload each packet takes this, for the headers of IP and UDP.
    pub overhead_bytes: u64,
    /// When the last bit of the last packet is sent, in nanoseconds.
    free_at_ns: u64,
    pub dropped: u64,
}

impl Link {
    pub const fn new(bits_per_second: u64, queue_bytes: u64) -> Self {
        Self { bits_per_second, queue_bytes, overhead_bytes: 28, free_at_ns: 0, dropped: 0 }
    }

    /// Takes a packet; returns how long it is until its last bit is sent.
    fn take(&mut self, now: Instant, len: usize) -> Option<u64> {
        let now_ns = now.as_micros() * 1_000;
        let backlog_ns = self.free_at_ns.saturating_sub(now_ns);
        let bits = (len as u64 + self.overhead_bytes) * 8;
        let waiting_bits = backlog_ns * self.bits_per_second / 1_000_000_000;
        if backlog_ns > 0 && waiting_bits + bits > self.queue_bytes * 8 {
            self.dropped += 1;
            return None;
        }
        self.free_at_ns = now_ns + backlog_ns + bits * 1_000_000_000 / self.bits_per_second;
        Some((self.free_at_ns - now_ns) / 1_000)
    }
}

impl Pair {
    pub(super) fn transmit(&mut self, side: usize) -> bool {
        let mut sent = false;
        let mut buf = Vec::new();
        let max = NonZeroUsize::new(self.segments_max).expect("at least one");
        let now = self.clock(side);
        let mut next = None;
        loop {
            let polled =
                next.take().or_else(|| self.endpoints[side].poll_transmit(now, max, &mut buf));
            let Some(mut transmit) = polled else { break };
            sent = true;
            assert_eq!(transmit.destination, self.addresses[1 - side]);
            let size = transmit.segment_size.unwrap_or(transmit.size);
            while self.joins_batches && transmit.size % size == 0 {
                next = self.endpoints[side].poll_transmit(now, NonZeroUsize::MIN, &mut buf);
                let fits = |more: &Transmit| {
                    more.size <= size && more.dont_fragment == transmit.dont_fragment
                };
                let Some(more) = next.take_if(|more| fits(more)) else { break };
                transmit.segment_size = Some(size);
                transmit.size += more.size;
            }
            let bytes = buf[transmit.start..transmit.start + transmit.size].to_vec();
            let size = transmit.segment_size.unwrap_or(transmit.size);
            let host_bytes = self.paths[side].host_bytes;
            if transmit.dont_fragment && size > host_bytes {
                let (remote, segment_size) = (transmit.destination, transmit.segment_size);
                self.endpoints[side].handle_send_too_large(now, remote, &bytes, segment_size);
                continue;
            }
            for datagram in bytes.chunks(size) {
                self.send(side, datagram.to_vec(), transmit.dont_fragment);
            }
        }
        sent
    }

    fn send(&mut self, from: usize, mut datagram: Vec<u8>, dont_fragment: bool) {
        self.trace.add(self.now, from, &datagram);
        let packet = Packet::decode(&datagram).expect("what we send can be decoded");
        let seen = Seen {
            at: self.now,
            from,
            packet_type: packet.header.packet_type,
            connection_id: packet.header.connection_id.0,
            seq_nr: packet.header.seq_nr.0,
            ack_nr: packet.header.ack_nr.0,
            len: datagram.len(),
            payload_len: datagram.len() - packet.payload_offset,
            has_selective_ack: packet.selective_ack.is_some(),
            dont_fragment,
            bytes: if self.keep_bytes { datagram.clone() } else { Vec::new() },
        };
        let fate = match &mut self.script {
            Some(script) => script(&seen),
            None => self.draw_fate(),
        };
        if self.record {
            self.seen.push(seen);
        }
        let path = self.paths[from];
        if !path.carries(datagram.len(), dont_fragment) {
            if path.icmp && fate != Fate::Drop {
                let (now, remote) = (self.clock(from), self.addresses[1 - from]);
                path.tell(now, &mut self.endpoints[from], remote, &datagram);
            }
            return;
        }
        let mut at = self.now.as_micros() + self.latency_us;
        if let Some(link) = self.links[from].as_mut().filter(|_| fate != Fate::Drop) {
            let Some(after_us) = link.take(self.now, datagram.len()) else { return };
            at += after_us;
        }
        match fate {
            Fate::Deliver => self.enqueue(at, from, datagram),
            Fate::Drop => {}
            Fate::Delay(by) => self.enqueue(at + by, from, datagram),
            Fate::Flip(bit) => {
                datagram[usize::from(bit / 8)] ^= 1 << (bit % 8);
                self.enqueue(at, from, datagram);
            }
            Fate::Duplicate(by) => {
                self.enqueue(at, from, datagram.clone());
                self.enqueue(at + by, from, datagram);
            }
        }
    }

    fn draw_fate(&mut self) -> Fate {
        let faults = self.faults;
        if self.draws.chance(faults.loss) {
            Fate::Drop
        } else if self.draws.chance(faults.duplication) {
            Fate::Duplicate(self.draws.next() % 200_000)
        } else if self.draws.chance(faults.reordering) {
            Fate::Delay(self.draws.next() % 50_000)
        } else {
            Fate::Deliver
        }
    }

    fn enqueue(&mut self, at: u64, from: usize, datagram: Vec<u8>) {
        self.sequence += 1;
        self.network.push(Reverse(InFlight(at, self.sequence, 1 - from, datagram)));
    }
}
