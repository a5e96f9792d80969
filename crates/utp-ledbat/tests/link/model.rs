//! A clean link in integer microseconds: one sender, a deep FIFO at the bottleneck, an
//! acknowledgement per arrival, no jitter. Just enough to see a controller steer; losses,
//! blackouts and foreign queues are scripted.

use std::collections::VecDeque;

use utp_ledbat::{Ack, Controller, ControllerFactory, DelaySample, Loss};
use utp_wire::Instant;

/// The payload of every packet: a datagram of 1402 bytes less the header of 20.
pub(crate) const PAYLOAD: u64 = 1_382;

/// A full packet on the wire: 1402 bytes and 28 of IP and UDP, 1144 us at 10 Mbit/s.
const WIRE_BITS: u64 = (1_402 + 28) * 8;

/// What the sender has to send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// More than fits.
    Bulk,
    /// A packet at every interval until the given time, then more than fits.
    PacketEvery { interval_us: u64, until_us: u64 },
    /// More than fits, but nothing between two times.
    BulkExcept { from_us: u64, to_us: u64 },
}

/// What happens on the path; everything off by default.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// The rate of the bottleneck; `None` sends every packet at once.
    pub(crate) bits_per_us: Option<u64>,
    pub(crate) one_way_us: u64,
    /// How many packets the bottleneck holds; one more is dropped.
    pub(crate) buffer_packets: u64,
    /// Whether packets that arrive in the same microsecond share an acknowledgement, as with a
    /// receiver that acknowledges once per burst.
    pub(crate) ack_per_burst: bool,
    /// The first packet sent at or after each of these times is dropped; ascending.
    pub(crate) drops_us: VecDeque<u64>,
    /// In a span, every so manieth packet is dropped: from, to, and that number.
    pub(crate) losses: (u64, u64, u64),
    /// Packets sent in this span are dropped.
    pub(crate) blackout_us: (u64, u64),
    /// Foreign data that stands in a queue of its own from a time on: time and delay.
    pub(crate) foreign_queue_us: (u64, u64),
    /// How fast the receiver's clock runs, in parts per million.
    pub(crate) receiver_clock_ppm: i64,
    /// How the receiver lies about delays.
    pub(crate) lie: Lie,
    /// How much the receiver falsely lowers the delay of its own packets with every packet.
    pub(crate) receiver_ratchet_us: u32,
}

impl Path {
    /// 10 Mbit/s, 25 ms each way.
    pub(crate) fn clean() -> Self {
        Self {
            bits_per_us: Some(10),
            one_way_us: 25_000,
            buffer_packets: u64::MAX,
            ack_per_burst: false,
            drops_us: VecDeque::new(),
            losses: (0, 0, 1),
            blackout_us: (0, 0),
            foreign_queue_us: (u64::MAX, 0),
            receiver_clock_ppm: 0,
            lie: Lie::None,
            receiver_ratchet_us: 0,
        }
    }
}

/// What a receiver says about delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// The truth.
    None,
    /// The delay of the sender's packets is always the same.
    Constant,
    /// The same, and the queue is said to be on the way back.
    Slewed,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    number: u64,
    sent_us: u64,
    arrives_us: u64,
}

/// A sender on a [`Path`].
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) controller: Box<dyn Controller>,
    pub(crate) now_us: u64,
    pub(crate) packets_acked: u64,
    /// How long the packet sent last waits at the bottleneck for the packets before it.
    pub(crate) queue_us: u64,
    pub(crate) path: Path,
    source: Source,
    source_next_us: u64,
    source_packets: u64,
    /// When the bottleneck has sent all it holds.
    link_free_us: u64,
    next_number: u64,
    in_flight: VecDeque<Packet>,
    dropped: VecDeque<Packet>,
    /// Losses of packets sent before the last cut are not reported.
    cut_us: u64,
    timer_us: u64,
    timeout_us: u64,
    ratcheted_us: u32,
}

impl Model {
    pub(crate) fn new(factory: &dyn ControllerFactory, path: Path, source: Source) -> Self {
        let payload = u16::try_from(PAYLOAD).expect("fits");
        let mut model = Self {
            controller: factory.build(Instant::from_micros(0), payload),
            now_us: 0,
            packets_acked: 0,
            queue_us: 0,
            path,
            source,
            source_next_us: 0,
            source_packets: 0,
            link_free_us: 0,
            next_number: 0,
            in_flight: VecDeque::new(),
            dropped: VecDeque::new(),
            cut_us: 0,
            timer_us: TIMEOUT_US_MIN,
            timeout_us: TIMEOUT_US_MIN,
            ratcheted_us: 0,
        };
        model.send();
        model
    }

    pub(crate) fn window(&self) -> u64 {
        self.controller.window_bytes()
    }

    /// How long the bottleneck takes to send a packet.
    pub(crate) fn serialise_us(&self) -> u64 {
        self.path.bits_per_us.map_or(0, |rate| WIRE_BITS / rate)
    }

    pub(crate) fn in_flight_bytes(&self) -> u64 {
        (self.in_flight.len() + self.dropped.len()) as u64 * PAYLOAD
    }

    /// Runs until `us`, calling `seen` after every event.
    pub(crate) fn run_until(&mut self, us: u64, mut seen: impl FnMut(&Self)) {
        while let Some(next_us) = self.next_event_us().filter(|next_us| *next_us <= us) {
            self.now_us = next_us;
            self.step();
            seen(self);
        }
        self.now_us = us;
    }

    /// Runs until a packet that is sent from now on has been acknowledged: one round trip.
    pub(crate) fn run_round(&mut self) {
        let number = self.next_number;
        loop {
            self.now_us = self.next_event_us().expect("a sender with data has a timer");
            let oldest = self.in_flight.front().map(|packet| packet.number);
            if oldest.is_some_and(|oldest| oldest >= number) {
                return;
            }
            self.step();
        }
    }

    fn next_event_us(&self) -> Option<u64> {
        let ack_us = self.in_flight.front().map(|packet| self.ack_us(packet));
        let source_us = match self.source {
            Source::Bulk | Source::BulkExcept { .. } if self.has_data() => None,
            Source::Bulk => None,
            Source::BulkExcept { to_us, .. } => Some(to_us),
            Source::PacketEvery { .. } => Some(self.source_next_us),
        };
        // A sender with neither data nor packets in flight waits for its source alone.
        let timer_us = (self.in_flight_bytes() > 0 || self.has_data()).then_some(self.timer_us);
        [ack_us, source_us, timer_us].into_iter().flatten().min()
    }

    fn ack_us(&self, packet: &Packet) -> u64 {
        packet.arrives_us + self.path.one_way_us
    }

    fn step(&mut self) {
        let due = |packet: &Packet| packet.arrives_us + self.path.one_way_us <= self.now_us;
        let acked = self.in_flight.iter().take_while(|packet| due(packet)).count();
        let acked = if self.path.ack_per_burst { acked } else { acked.min(1) };
        if acked > 0 {
            self.on_ack(acked);
        } else if self.timer_us <= self.now_us {
            self.on_timeout();
        }
        self.tick_source();
        self.send();
    }

    fn tick_source(&mut self) {
        if let Source::PacketEvery { interval_us, until_us } = self.source
            && self.source_next_us <= self.now_us
        {
            self.source_packets += 1;
            self.source_next_us += interval_us;
            if self.source_next_us > until_us {
                self.source = Source::Bulk;
            }
        }
    }

    fn has_data(&self) -> bool {
        match self.source {
            Source::Bulk => true,
            Source::PacketEvery { .. } => self.source_packets > 0,
            Source::BulkExcept { from_us, to_us } => !(from_us..to_us).contains(&self.now_us),
        }
    }

    fn send(&mut self) {
        let now = Instant::from_micros(self.now_us);
        while self.has_data() {
            if self.in_flight_bytes() + PAYLOAD > self.window() {
                self.controller.on_window_limited(now);
                return;
            }
            self.send_packet();
        }
    }

    fn send_packet(&mut self) {
        let now_us = self.now_us;
        let (foreign_from_us, foreign_us) = self.path.foreign_queue_us;
        let foreign_us = if now_us >= foreign_from_us { foreign_us } else { 0 };
        let (blackout_from_us, blackout_to_us) = self.path.blackout_us;
        let number = self.next_number;
        self.next_number += 1;
        self.source_packets = self.source_packets.saturating_sub(1);
        if self.in_flight_bytes() == 0 {
            self.timer_us = now_us + self.timeout_us;
        }
        let packet = Packet { number, sent_us: now_us, arrives_us: 0 };
        let dark = (blackout_from_us..blackout_to_us).contains(&now_us);
        let queue_us = self.link_free_us.saturating_sub(now_us);
        let full = queue_us / self.serialise_us().max(1) >= self.path.buffer_packets;
        let (lossy_from_us, lossy_to_us, every) = self.path.losses;
        let lossy = (lossy_from_us..lossy_to_us).contains(&now_us) && number.is_multiple_of(every);
        if dark || full || lossy || self.is_next_drop_due() {
            self.dropped.push_back(packet);
        } else {
            self.queue_us = queue_us;
            self.link_free_us = self.link_free_us.max(now_us) + self.serialise_us();
            let arrives_us = self.link_free_us + foreign_us + self.path.one_way_us;
            self.in_flight.push_back(Packet { arrives_us, ..packet });
        }
        let in_flight_bytes = self.in_flight_bytes();
        self.controller.on_sent(Instant::from_micros(now_us), PAYLOAD, in_flight_bytes);
    }

    /// Whether one of the drops is due; if several are, the packet stands for all of them.
    fn is_next_drop_due(&mut self) -> bool {
        let before = self.path.drops_us.len();
        self.path.drops_us.retain(|drop_us| *drop_us > self.now_us);
        self.path.drops_us.len() < before
    }

    fn on_ack(&mut self, acked: usize) {
        let now = Instant::from_micros(self.now_us);
        let in_flight_bytes = self.in_flight_bytes();
        let newest = self.in_flight.drain(..acked).next_back().expect("something is acknowledged");
        self.packets_acked += acked as u64;
        self.timeout_us = TIMEOUT_US_MIN;
        self.timer_us = self.now_us + self.timeout_us;

        let arrived = self.receiver_clock(newest.arrives_us).timestamp();
        let mut ours = arrived.since(Instant::from_micros(newest.sent_us).timestamp());
        let mut theirs = now.timestamp().since(arrived);
        self.ratcheted_us = self.ratcheted_us.wrapping_add(self.path.receiver_ratchet_us);
        theirs.0 = theirs.0.wrapping_sub(self.ratcheted_us);
        if self.path.lie != Lie::None {
            let true_us = ours.0;
            ours.0 = 1_000_000;
            if self.path.lie == Lie::Slewed {
                theirs.0 = theirs.0.wrapping_add(true_us);
            }
        }
        let sample = DelaySample { ours: Some(ours), theirs: Some(theirs) };
        self.controller.on_delay_sample(now, sample);
        self.controller.on_ack(&Ack {
            now,
            bytes_acked: acked as u64 * PAYLOAD,
            in_flight_bytes,
            rtt_us: u32::try_from(self.now_us - newest.sent_us).ok(),
            delay_sampled: true,
        });
        self.detect_loss(newest.number);
    }

    /// A packet is lost once three later ones have been acknowledged.
    fn detect_loss(&mut self, acked: u64) {
        let in_flight_bytes = self.in_flight_bytes();
        let mut lost = None;
        while self.dropped.front().is_some_and(|packet| packet.number + 3 <= acked) {
            lost = self.dropped.pop_front();
        }
        let Some(newest): Option<Packet> = lost else { return };
        let loss = Loss {
            now: Instant::from_micros(self.now_us),
            bytes_lost: in_flight_bytes - self.in_flight_bytes(),
            in_flight_bytes,
            srtt_us: None,
        };
        if newest.sent_us >= self.cut_us {
            self.cut_us = self.now_us;
            self.controller.on_loss(&loss);
        } else {
            self.controller.on_more_loss(&loss);
        }
    }

    fn receiver_clock(&self, us: u64) -> Instant {
        let ahead_us = CLOCK_OFFSET_US + us;
        Instant::from_micros(if self.path.receiver_clock_ppm < 0 {
            ahead_us - us * self.path.receiver_clock_ppm.unsigned_abs() / 1_000_000
        } else {
            ahead_us + us * self.path.receiver_clock_ppm.unsigned_abs() / 1_000_000
        })
    }

    fn on_timeout(&mut self) {
        let now = Instant::from_micros(self.now_us);
        self.cut_us = self.now_us;
        self.controller.on_timeout(now, self.in_flight_bytes());
        self.in_flight.clear();
        self.dropped.clear();
        self.timeout_us *= 2;
        self.timer_us = self.now_us + self.timeout_us;
    }
}

/// The clocks of both ends are far apart, and samples wrap where the queue passes 60 ms.
const CLOCK_OFFSET_US: u64 = u32::MAX as u64 - 86_000;

const TIMEOUT_US_MIN: u64 = 1_000_000;
