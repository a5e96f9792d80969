//! Packets made up blindly against live streams: the attacker knows both addresses and the
//! connection id, and guesses numbers, acks and clocks.
//!
//! ```sh
//! cargo run --release -p utp-proto --example blind_injection
//! ```
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]
#![allow(unreachable_pub, reason = "a test includes this file")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use utp_proto::{
    Config, ConnectionError, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Entropy,
    Gate, Instant, ReadError, RecvMeta,
};
use utp_wire::{ConnectionId, HEADER_LEN, Header, Packet, PacketType, SeqNr};
use utp_wire::{Timestamp, TimestampDiff};

/// What came of an attack on several streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Forged packets handed in while a stream lived.
    pub forged: u64,
    /// Those whose payload went into the stream at once.
    pub delivered: u64,
    /// Those that were held beyond a gap.
    pub stored: u64,
    /// Streams whose every byte came, and then the end.
    pub intact: u32,
    /// Streams that ended with `Conflict`.
    pub conflicts: u32,
    /// Streams that ended as if they were whole, and were not.
    pub wrong: u32,
    /// Streams that ended in another way.
    pub other: u32,
}

#[allow(dead_code, reason = "a test includes this file")]
fn main() {
    for (name, gate) in [("drops", Gate::Drop), ("counts", Gate::Count)] {
        let outcome = attack(gate, 20_000_000, 1_000_000);
        let Outcome { forged, delivered, stored, intact, conflicts, wrong, other } = outcome;
        println!(
            "gate {name}: {forged} blind packets, {delivered} delivered, {stored} stored; streams: \
             {intact} intact, {conflicts} ended with Conflict, {wrong} wrong, {other} otherwise"
        );
    }
}

/// Forges `packets` packets against streams in both directions, each attacked with `per_stream` of
/// them while it sends.
pub fn attack(gate: Gate, packets: u64, per_stream: u64) -> Outcome {
    let mut outcome = Outcome::default();
    let mut draws = Draws(gate as u64 + 1);
    while outcome.forged < packets {
        let mut world = World::new(gate, draws.next());
        let left = (packets - outcome.forged).min(per_stream);
        world.run(left, &mut draws, &mut outcome);
    }
    outcome
}

/// SplitMix64.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for Draws {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next().to_le_bytes()[0];
        }
    }
}

/// A stream between two endpoints, 10 ms apart. Side 1 is attacked.
struct World {
    now: Instant,
    endpoints: [Endpoint; 2],
    handles: [Option<ConnectionHandle>; 2],
    wire: VecDeque<(Instant, usize, Vec<u8>)>,
    config: Arc<Config>,
    /// The id that side 1 receives on.
    id: u16,
    read: u64,
    good: bool,
    end: Option<ReadError>,
}

const ADDRESSES: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)), 1),
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)), 2),
];
const LATENCY_US: u64 = 10_000;
/// A forged packet comes every so many microseconds.
const FORGED_EVERY_US: u64 = 10;
/// So much is written in each millisecond and direction.
const WRITE_BYTES: u64 = 700;

fn pattern(offset: u64) -> u8 {
    (offset.wrapping_mul(0x9e37_79b9) >> 16).to_le_bytes()[0]
}

impl World {
    fn new(gate: Gate, seed: u64) -> Self {
        let mut config = Config::default();
        config.timestamp_gate = gate;
        config.controller = Arc::new(utp_ledbat::FixedWindowFactory(64 << 10));
        let endpoint = |side| {
            let limits = Arc::new(EndpointConfig::default());
            Endpoint::new(limits, Box::new(Draws(seed.wrapping_add(side))))
        };
        let mut world = Self {
            now: Instant::from_micros(1_000_000),
            endpoints: [endpoint(0), endpoint(1)],
            handles: [None, None],
            wire: VecDeque::new(),
            config: Arc::new(config),
            id: 0,
            read: 0,
            good: true,
            end: None,
        };
        let config = world.config.clone();
        let handle = world.endpoints[0].connect(world.now, ADDRESSES[1], config).unwrap();
        world.handles[0] = Some(handle);
        world
    }

    fn run(&mut self, forged: u64, draws: &mut Draws, outcome: &mut Outcome) {
        let mut written = [0; 2];
        let mut left = forged;
        for tick in 0_u64.. {
            self.now = self.now.saturating_add(FORGED_EVERY_US);
            let attacking = tick > 10_000 && left > 0;
            if attacking {
                left -= 1;
                outcome.forged += 1;
                self.forge(draws, outcome);
            }
            if tick % 100 == 0 {
                for side in [0, 1] {
                    self.write(side, &mut written[side], tick > 10_000 && left == 0);
                }
                self.exchange();
            }
            if self.end.is_some() || (tick > 10_000 && self.endpoints[1].stats().connections == 0) {
                break;
            }
        }
        match self.end {
            Some(ReadError::Finished) if self.good && self.read == written[0] => {
                outcome.intact += 1;
            }
            Some(ReadError::Finished) => outcome.wrong += 1,
            Some(ReadError::Closed(ConnectionError::Conflict)) => outcome.conflicts += 1,
            _ => outcome.other += 1,
        }
    }

    fn write(&mut self, side: usize, written: &mut u64, finish: bool) {
        let Some(handle) = self.handles[side] else { return };
        let Some(mut connection) = self.endpoints[side].connection_mut(handle) else { return };
        let data: Vec<u8> = (*written..*written + WRITE_BYTES).map(pattern).collect();
        if let Ok(len) = connection.write(self.now, &data) {
            *written += len as u64;
        }
        if finish {
            connection.finish(self.now);
        }
    }

    fn forge(&mut self, draws: &mut Draws, outcome: &mut Outcome) {
        let Some(handle) = self.handles[1] else { return };
        let (kind, numbers, clocks) = (draws.next(), draws.next(), draws.next());
        let header = Header {
            packet_type: match kind % 4 {
                0 => PacketType::State,
                1 => PacketType::Fin,
                _ => PacketType::Data,
            },
            connection_id: ConnectionId(self.id),
            timestamp_microseconds: Timestamp((clocks >> 32) as u32),
            timestamp_difference_microseconds: TimestampDiff((clocks & 0xffff_ffff) as u32),
            wnd_size: (kind >> 32) as u32,
            seq_nr: SeqNr((numbers & 0xffff) as u16),
            ack_nr: SeqNr((numbers >> 16 & 0xffff) as u16),
        };
        let mut bytes = [0xee; HEADER_LEN + 100];
        header.encode(0, bytes.first_chunk_mut().unwrap());
        let before = self.endpoints[1].connection(handle).map(|c| c.stats());
        self.receive(1, &bytes);
        let after = self.endpoints[1].connection(handle).map(|c| c.stats());
        if let (Some(before), Some(after)) = (before, after) {
            outcome.delivered += u64::from(after.bytes_received != before.bytes_received);
            let held = after.reordered_received - before.reordered_received;
            outcome.stored += u64::from(held);
        }
    }

    fn receive(&mut self, side: usize, bytes: &[u8]) {
        let meta = RecvMeta { remote: ADDRESSES[1 - side], local_ip: None, received_at: None };
        let disposition = self.endpoints[side].handle_datagram(self.now, meta, bytes);
        if let Disposition::Incoming(incoming) = disposition {
            let config = self.config.clone();
            self.handles[side] = self.endpoints[side].accept(self.now, incoming, config).ok();
            // The SYN carries the id before the one that is received on.
            let header = Packet::decode(bytes).unwrap().header;
            let from_syn = header.packet_type == PacketType::Syn;
            self.id = header.connection_id.0.wrapping_add(u16::from(from_syn));
        }
    }

    /// Delivers what is due, reads, and sends.
    fn exchange(&mut self) {
        while self.wire.front().is_some_and(|(at, ..)| *at <= self.now) {
            let (_, side, bytes) = self.wire.pop_front().unwrap();
            self.receive(side, &bytes);
        }
        for side in [0, 1] {
            self.endpoints[side].handle_timeout(self.now);
            while self.endpoints[side].poll_event().is_some() {}
            self.read(side);
            let mut buf = Vec::new();
            let one = NonZeroUsize::MIN;
            while self.endpoints[side].poll_transmit(self.now, one, &mut buf).is_some() {
                let at = self.now.saturating_add(LATENCY_US);
                self.wire.push_back((at, 1 - side, std::mem::take(&mut buf)));
            }
        }
    }

    fn read(&mut self, side: usize) {
        let Some(handle) = self.handles[side] else { return };
        let Some(mut connection) = self.endpoints[side].connection_mut(handle) else { return };
        loop {
            match connection.read_chunk(self.now, usize::MAX) {
                Ok(bytes) if side == 1 => {
                    for byte in bytes {
                        self.good &= byte == pattern(self.read);
                        self.read += 1;
                    }
                }
                Ok(_) => {}
                Err(ReadError::Blocked) => break,
                Err(end) => {
                    if side == 1 {
                        self.end = Some(end);
                    }
                    break;
                }
            }
        }
    }
}
