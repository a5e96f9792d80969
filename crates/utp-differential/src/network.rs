//! What the network does to each packet, and a record of all of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use utp_wire::{Packet, PacketType};

use crate::draws::Draws;
use crate::script::{Change, Conditions, Script};

/// A packet, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// When it was sent, in microseconds.
    pub at_us: u64,
    /// The side that sent it.
    pub from: usize,
    /// What it is.
    pub packet_type: PacketType,
    /// Fields of its header.
    pub connection_id: u16,
    /// The same.
    pub seq_nr: u16,
    /// The same.
    pub ack_nr: u16,
    /// The same.
    pub wnd_size: u32,
    /// Bytes of the stream that it carries.
    pub payload_bytes: usize,
    /// When it arrives, or would: never, once or twice.
    pub arrivals_us: Vec<u64>,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>11} {} {:?} id {} seq {} ack {} wnd {} len {}",
            self.at_us,
            ["initiator ->", "<- acceptor "][self.from],
            self.packet_type,
            self.connection_id,
            self.seq_nr,
            self.ack_nr,
            self.wnd_size,
            self.payload_bytes,
        )?;
        match &self.arrivals_us[..] {
            [] => f.write_str(" lost"),
            [at] => write!(f, " arrives {at}"),
            many => write!(f, " arrives {many:?}"),
        }
    }
}

/// Arrival, order of sending, receiver, bytes.
type InFlight = (u64, u64, usize, Vec<u8>);

/// Both directions, named by the side that sends.
pub(crate) struct Network {
    pub(crate) log: Vec<Passed>,
    /// A hash of all that was sent and when.
    pub(crate) hash: u64,
    conditions: [Conditions; 2],
    /// Nothing gets through before this time.
    dark_until_us: [u64; 2],
    latency_us: u64,
    draws: Draws,
    in_flight: BinaryHeap<Reverse<InFlight>>,
}

impl Network {
    pub(crate) fn new(script: &Script) -> Self {
        Self {
            log: Vec::new(),
            hash: 0,
            conditions: [Conditions::default(); 2],
            dark_until_us: [0; 2],
            latency_us: script.latency_us,
            draws: Draws(script.seed ^ 0x006e_6574),
            in_flight: BinaryHeap::new(),
        }
    }

    pub(crate) fn change(&mut self, now_us: u64, change: Change) {
        match change {
            Change::Blackout { from, us } => {
                for side in [0, 1] {
                    if from[side] {
                        let until_us = &mut self.dark_until_us[side];
                        *until_us = (*until_us).max(now_us + us);
                    }
                }
            }
            Change::Conditions { from, conditions } => self.conditions[from] = conditions,
            Change::Latency { us } => self.latency_us = us,
        }
    }

    /// No faults any more.
    pub(crate) fn heal(&mut self) {
        self.conditions = [Conditions::default(); 2];
        self.dark_until_us = [0; 2];
    }

    pub(crate) fn next_arrival_us(&self) -> Option<u64> {
        self.in_flight.peek().map(|Reverse((at_us, ..))| *at_us)
    }

    /// The next datagram that has arrived, and for whom.
    pub(crate) fn receive(&mut self, now_us: u64) -> Option<(usize, Vec<u8>)> {
        self.next_arrival_us().filter(|at_us| *at_us <= now_us)?;
        self.in_flight.pop().map(|Reverse((_, _, to, datagram))| (to, datagram))
    }

    pub(crate) fn send(&mut self, now_us: u64, from: usize, datagram: Vec<u8>) {
        self.add_to_hash(now_us, from, &datagram);
        let packet = Packet::decode(&datagram).expect("both stacks send what can be decoded");
        let arrivals_us = self.fate(now_us, from);
        let header = packet.header;
        self.log.push(Passed {
            at_us: now_us,
            from,
            packet_type: header.packet_type,
            connection_id: header.connection_id.0,
            seq_nr: header.seq_nr.0,
            ack_nr: header.ack_nr.0,
            wnd_size: header.wnd_size,
            payload_bytes: datagram.len() - packet.payload_offset,
            arrivals_us: arrivals_us.clone(),
        });
        for at_us in arrivals_us {
            self.in_flight.push(Reverse((
                at_us,
                self.log.len() as u64,
                1 - from,
                datagram.clone(),
            )));
        }
    }

    fn fate(&mut self, now_us: u64, from: usize) -> Vec<u64> {
        let conditions = self.conditions[from];
        // Every packet takes the same number of draws, so that the fates of those behind it do not
        // depend on its own.
        let [lost, twice, late] = [conditions.loss, conditions.duplication, conditions.reordering]
            .map(|per_mille| self.draws.chance(per_mille.into()));
        let late_us = self.draws.next() % (conditions.late_us + 1);
        if lost || now_us < self.dark_until_us[from] {
            return Vec::new();
        }
        let at_us = now_us + self.latency_us;
        match (twice, late) {
            (true, _) => vec![at_us, at_us + late_us],
            (false, true) => vec![at_us + late_us],
            (false, false) => vec![at_us],
        }
    }

    fn add_to_hash(&mut self, at_us: u64, from: usize, datagram: &[u8]) {
        self.mix(at_us << 1 | from as u64);
        for chunk in datagram.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
