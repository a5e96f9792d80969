//! One host that sends to two others through one queue, in virtual time. The second of them may lie
//! in what it acknowledges and in what it reports.

#![allow(unreachable_pub, reason = "a module of an example and of a test")]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use utp_proto::{
    Config, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Entropy, Instant, RecvMeta,
};
use utp_wire::{HEADER_LEN, Header, Packet, PacketType, SeqNr, Timestamp, TimestampDiff};

const BITS_PER_SECOND: u64 = 10_000_000;
const ONE_WAY_US: u64 = 25_000;
pub const SECOND: u64 = 1_000_000;
/// Headers of IP and UDP.
const OVERHEAD_BYTES: u64 = 28;
const SAMPLE_US: u64 = 10_000;
pub const JITTER_US: u32 = 200;

/// How the second receiver acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// What has arrived.
    Honest,
    /// Each ack is sent ten times.
    Tenfold,
    /// Everything up to what has arrived, whatever is missing before it.
    HidingLosses,
    /// With each packet that arrives, everything that was sent until then.
    AllInFlight,
    /// Everything, so long after it was sent.
    After(u64),
    /// What has arrived, and from [`LATE_US`] on everything, so long after it was sent.
    Late(u64),
}

/// When a receiver begins to lie that was honest at first.
pub const LATE_US: u64 = 10 * SECOND;

/// What the second receiver reports as the delay of what it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// What it measures.
    Honest,
    /// Always this, and up to so much more.
    Constant(u32, u32),
    /// So many per cent of the changes.
    Scaled(u32),
}

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// What the second receiver acknowledges.
    pub acks: Acks,
    /// What it reports.
    pub report: Report,
    /// An honest stream shares the link.
    pub shared: bool,
    /// The longest that a packet waits for the link; one that would have to wait longer is dropped.
    pub queue_us: u64,
    /// How long it runs before it is looked at.
    pub warm_up_us: u64,
    /// And how long from then on.
    pub measured_us: u64,
}

/// What came of it after the warm-up.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Bits per second sent to each receiver, whether the queue had room or not.
    pub sent: [u64; 2],
    /// Those that went through.
    pub carried: [u64; 2],
    /// How long the link is busy with what waits for it, half of the time at the most.
    pub queue_p50_us: u64,
    /// The same for all but a twentieth of the time.
    pub queue_p95_us: u64,
    /// The sender has found out the second receiver, after so many packets of data to it.
    pub found_out_after: Option<u64>,
}

/// SplitMix64.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for Draws {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next().to_le_bytes()[0]);
    }
}

/// The sender is host 0.
const SENDER: usize = 0;
const LIAR: usize = 2;

/// Arrival, order of sending, from, to, bytes.
type Flying = Reverse<(u64, u64, usize, usize, Vec<u8>)>;

struct Network {
    setting: Setting,
    now: Instant,
    hosts: [Endpoint; 3],
    streams: [Vec<ConnectionHandle>; 3],
    flying: BinaryHeap<Flying>,
    order: u64,
    /// When the last bit of what the queue has taken is sent.
    free_at_ns: u64,
    sent_bits: [u64; 3],
    carried_bits: [u64; 3],
    /// Packets of data sent to the second receiver.
    data_to_liar: u64,
    draws: Draws,
    /// The first packet of the liar, when it was sent, and what it reported.
    template: Option<(Header, u64)>,
    first_report: Option<u32>,
    /// The last number sent to the liar, and the last that arrived.
    sent_to: Option<SeqNr>,
    arrived_to: Option<SeqNr>,
}

/// Moves `mark` on to `seq_nr` if that comes later; returns it.
fn later(mark: &mut Option<SeqNr>, seq_nr: SeqNr) -> SeqNr {
    let later = mark.filter(|mark| !mark.precedes(seq_nr)).unwrap_or(seq_nr);
    *mark = Some(later);
    later
}

fn address(host: usize) -> SocketAddr {
    ([10, 0, 0, u8::try_from(host).unwrap_or(0)], 1_000).into()
}

/// Runs a setting.
pub fn run(setting: Setting) -> Outcome {
    let limits = Arc::new(EndpointConfig::default());
    let host = |seed| Endpoint::new(limits.clone(), Box::new(Draws(seed)));
    let mut network = Network {
        setting,
        now: Instant::from_micros(SECOND),
        hosts: [host(1), host(2), host(3)],
        streams: [const { Vec::new() }; 3],
        flying: BinaryHeap::new(),
        order: 0,
        free_at_ns: 0,
        sent_bits: [0; 3],
        carried_bits: [0; 3],
        data_to_liar: 0,
        draws: Draws(4),
        template: None,
        first_report: None,
        sent_to: None,
        arrived_to: None,
    };
    for receiver in if setting.shared { 1..=LIAR } else { LIAR..=LIAR } {
        let config = Arc::new(Config::default());
        let stream = network.hosts[SENDER].connect(network.now, address(receiver), config);
        network.streams[SENDER].push(stream.expect("there is room"));
    }
    network.advance(setting.warm_up_us);
    network.measure()
}

impl Network {
    fn measure(&mut self) -> Outcome {
        let before = (self.sent_bits, self.carried_bits);
        let mut queue_us = Vec::new();
        for _ in 0..self.setting.measured_us / SAMPLE_US {
            self.advance(SAMPLE_US);
            queue_us.push(self.free_at_ns.saturating_sub(self.now.as_micros() * 1_000) / 1_000);
        }
        queue_us.sort_unstable();
        let per_second = |after: [u64; 3], before: [u64; 3]| {
            [1, LIAR].map(|to| (after[to] - before[to]) * SECOND / self.setting.measured_us)
        };
        let liar = self.streams[SENDER].last().expect("there is one");
        let stats = self.hosts[SENDER].connection(*liar).expect("it is open").stats();
        Outcome {
            sent: per_second(self.sent_bits, before.0),
            carried: per_second(self.carried_bits, before.1),
            queue_p50_us: queue_us[queue_us.len() / 2],
            queue_p95_us: queue_us[queue_us.len() * 95 / 100],
            found_out_after: (stats.false_acks > 0).then_some(self.data_to_liar),
        }
    }

    fn advance(&mut self, us: u64) {
        let end = self.now.saturating_add(us);
        self.settle();
        loop {
            let arrival = self.flying.peek().map(|flying| Instant::from_micros(flying.0.0));
            let timeouts = [0, 1, 2].map(|host: usize| self.hosts[host].poll_timeout());
            let next = timeouts.into_iter().chain([arrival]).flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            while let Some(Reverse((at, ..))) = self.flying.peek()
                && *at <= self.now.as_micros()
            {
                let Some(Reverse((_, _, from, to, datagram))) = self.flying.pop() else { break };
                self.arrive(from, to, &datagram);
            }
            for host in &mut self.hosts {
                host.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    fn arrive(&mut self, from: usize, to: usize, datagram: &[u8]) {
        let acks = self.acks();
        let header = Packet::decode(datagram).expect("all can be decoded").header;
        if to == LIAR && header.packet_type == PacketType::Data {
            let arrived = later(&mut self.arrived_to, header.seq_nr);
            match acks {
                Acks::HidingLosses => self.forge(arrived, self.now.as_micros() + ONE_WAY_US),
                Acks::AllInFlight => {
                    let sent = later(&mut self.sent_to, header.seq_nr);
                    self.forge(sent, self.now.as_micros() + ONE_WAY_US);
                }
                _ => {}
            }
        }
        let meta = RecvMeta { remote: address(from), local_ip: None, received_at: None };
        let now = self.now;
        if let Disposition::Incoming(incoming) = self.hosts[to].handle_datagram(now, meta, datagram)
        {
            let accepted = self.hosts[to].accept(now, incoming, Arc::new(Config::default()));
            self.streams[to].push(accepted.expect("there is room"));
        }
    }

    /// Applications and transmits, until nothing is left to do.
    fn settle(&mut self) {
        for host in 0..self.hosts.len() {
            loop {
                while self.hosts[host].poll_event().is_some() {}
                self.run_applications(host);
                if !self.transmit(host) {
                    break;
                }
            }
        }
    }

    fn run_applications(&mut self, host: usize) {
        for stream in &self.streams[host] {
            let Some(mut connection) = self.hosts[host].connection_mut(*stream) else { continue };
            if host == SENDER {
                while connection.write(self.now, &[0; 16_384]).is_ok_and(|written| written > 0) {}
            } else {
                while connection.read_chunk(self.now, usize::MAX).is_ok() {}
            }
        }
    }

    fn transmit(&mut self, from: usize) -> bool {
        let mut buf = Vec::new();
        let mut sent = false;
        let segments = NonZeroUsize::new(10).expect("it is not zero");
        while let Some(transmit) = self.hosts[from].poll_transmit(self.now, segments, &mut buf) {
            sent = true;
            let bytes = &buf[transmit.start..transmit.start + transmit.size];
            for datagram in bytes.chunks(transmit.segment_size.unwrap_or(transmit.size)) {
                match from {
                    SENDER => self.send(transmit.destination, datagram.to_vec()),
                    _ => self.answer(from, datagram.to_vec()),
                }
            }
        }
        sent
    }

    /// A packet of the sender goes through the queue.
    fn send(&mut self, destination: SocketAddr, datagram: Vec<u8>) {
        let to = if destination == address(LIAR) { LIAR } else { 1 };
        let now_us = self.now.as_micros();
        let header = Packet::decode(&datagram).expect("what we send can be decoded").header;
        if to == LIAR && header.packet_type == PacketType::Data {
            self.data_to_liar += 1;
            let sent = later(&mut self.sent_to, header.seq_nr);
            if let Acks::After(us) = self.acks() {
                self.forge(sent, now_us + us);
            }
        }
        let bits = (datagram.len() as u64 + OVERHEAD_BYTES) * 8;
        self.sent_bits[to] += bits;
        let backlog_ns = self.free_at_ns.saturating_sub(now_us * 1_000);
        let bits_ns = bits * 1_000_000_000 / BITS_PER_SECOND;
        if backlog_ns + bits_ns > self.setting.queue_us * 1_000 {
            return;
        }
        self.carried_bits[to] += bits;
        self.free_at_ns = now_us * 1_000 + backlog_ns + bits_ns;
        self.fly(self.free_at_ns / 1_000 + ONE_WAY_US, SENDER, to, datagram);
    }

    /// A packet of a receiver, as it is or as a liar has it.
    fn answer(&mut self, from: usize, mut datagram: Vec<u8>) {
        let at = self.now.as_micros() + ONE_WAY_US;
        let mut copies = 1;
        if from == LIAR {
            let header = Packet::decode(&datagram).expect("what we send can be decoded").header;
            let handshake = self.template.is_none();
            self.template.get_or_insert((header, at));
            let forges = !matches!(self.acks(), Acks::Honest | Acks::Tenfold);
            if forges && !handshake {
                return;
            }
            if self.acks() == Acks::Tenfold {
                copies = 10;
            }
            let reported = self.report(header.timestamp_difference_microseconds.0);
            datagram[8..12].copy_from_slice(&reported.to_be_bytes());
        }
        for _ in 0..copies {
            self.fly(at, from, SENDER, datagram.clone());
        }
    }

    /// How the second receiver acknowledges now.
    fn acks(&self) -> Acks {
        match self.setting.acks {
            Acks::Late(us) if self.now.as_micros() >= SECOND + LATE_US => Acks::After(us),
            Acks::Late(_) => Acks::Honest,
            acks => acks,
        }
    }

    /// What is reported in place of what was measured.
    fn report(&mut self, measured: u32) -> u32 {
        match self.setting.report {
            Report::Honest => measured,
            Report::Constant(us, jitter_us) => us + self.jitter(jitter_us),
            Report::Scaled(_) if measured == 0 => 0,
            Report::Scaled(percent) => {
                let first = *self.first_report.get_or_insert(measured);
                let change = measured.wrapping_sub(first).cast_signed();
                first.wrapping_add_signed(change / 100 * percent.cast_signed())
            }
        }
    }

    fn jitter(&mut self, us: u32) -> u32 {
        u32::try_from(self.draws.next() % u64::from(us + 1)).unwrap_or(0)
    }

    /// An ack of everything up to `ack_nr` comes to the sender at `at`.
    fn forge(&mut self, ack_nr: SeqNr, at: u64) {
        let Some((first, first_at)) = self.template else { return };
        let elapsed = u32::try_from((at - first_at) % (1 << 32)).unwrap_or(0);
        let report = self.report(0);
        let header = Header {
            timestamp_microseconds: Timestamp(first.timestamp_microseconds.0.wrapping_add(elapsed)),
            timestamp_difference_microseconds: TimestampDiff(report),
            wnd_size: 1 << 30,
            ack_nr,
            ..first
        };
        let mut datagram = [0; HEADER_LEN];
        header.encode(0, &mut datagram);
        self.fly(at, LIAR, SENDER, datagram.to_vec());
    }

    fn fly(&mut self, at: u64, from: usize, to: usize, datagram: Vec<u8>) {
        self.order += 1;
        self.flying.push(Reverse((at, self.order, from, to, datagram)));
    }
}

/// What an early liar reports: an empty path, with the jitter of a real one.
pub const EMPTY_PATH: Report = Report::Constant(25_000, JITTER_US);
