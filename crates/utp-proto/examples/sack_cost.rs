//! What one acknowledgement costs the sender, for a tool that counts instructions.
//!
//! `cargo xtask instructions` runs it under callgrind and compares. By hand:
//!
//! ```sh
//! cargo build --release -p utp-proto --example sack_cost
//! valgrind --tool=callgrind --toggle-collect='*measured_ack*' \
//!     target/release/examples/sack_cost flipping 1024 2000
//! ```
//!
//! Arguments: the kind of ack (see [`Kind`]), the packets in flight, the acks. Only
//! `measured_ack` is of interest: it hands one datagram to the endpoint.
#![allow(clippy::unwrap_used, reason = "a program for measurements")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use utp_ledbat::FixedWindowFactory;
use utp_proto::{Config, ConnectionHandle, Endpoint, EndpointConfig, Entropy, Instant, RecvMeta};
use utp_wire::{ConnectionId, Header, Packet, PacketType, SeqNr, Timestamp, TimestampDiff};
use utp_wire::{EXTENSION_SELECTIVE_ACK, HEADER_LEN};

/// What the acks are like. Each of them but the first is made the same way from the one before.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Acks one packet more, without a mask.
    Plain,
    /// Acks nothing more; 255 bytes of alternating bits that are the others in every packet.
    Flipping,
    /// The same, and acks one packet more.
    Moving,
    /// Acks two packets more; of the older half of what is in flight every other one is missing.
    Holes,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, in_flight, acks] = &arguments[..] else { return usage() };
    let kind = match kind.as_str() {
        "plain" => Kind::Plain,
        "flipping" => Kind::Flipping,
        "moving" => Kind::Moving,
        "holes" => Kind::Holes,
        _ => return usage(),
    };
    let (Ok(in_flight), Ok(acks)) = (in_flight.parse(), acks.parse()) else { return usage() };
    if !(1..=16_384).contains(&in_flight) {
        return usage();
    }
    let mut sender = Sender::new(in_flight);
    for number in 0..acks {
        sender.ack(kind, number);
        sender.fill();
    }
    let stats = sender.endpoint.connection(sender.connection).unwrap().stats();
    println!("{kind:?} {in_flight} {acks}: {stats:?}");
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: sack_cost plain|flipping|moving|holes PACKETS_IN_FLIGHT ACKS");
    eprintln!("PACKETS_IN_FLIGHT is 1 to 16384");
    ExitCode::from(2)
}

/// What is counted.
#[inline(never)]
fn measured_ack(endpoint: &mut Endpoint, now: Instant, meta: RecvMeta, datagram: &[u8]) {
    let _disposition = black_box(endpoint.handle_datagram(now, meta, datagram));
}

struct Ids(u8);

impl Entropy for Ids {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(113);
            *byte = self.0;
        }
    }
}

/// An endpoint that sends as much as it may, and what its peer knows of it.
struct Sender {
    endpoint: Endpoint,
    connection: ConnectionHandle,
    meta: RecvMeta,
    now: Instant,
    id: ConnectionId,
    /// Cumulatively acked, and last sent.
    acked: SeqNr,
    sent: SeqNr,
    in_flight: u16,
    buf: Vec<u8>,
}

impl Sender {
    /// A connection with `in_flight` packets that nothing is known of.
    fn new(in_flight: u16) -> Self {
        let mut config = Config::default();
        config.controller = Arc::new(FixedWindowFactory(1 << 40));
        config.datagram_bytes_max_v4 = 150;
        config.send_buffer_bytes = u32::MAX;
        let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), Box::new(Ids(1)));
        let remote: SocketAddr = ([10, 0, 0, 2], 2).into();
        let now = Instant::from_micros(1_000_000);
        let connection = endpoint.connect(now, remote, Arc::new(config)).unwrap();
        let meta = RecvMeta { remote, local_ip: None, received_at: None };
        let mut sender = Self {
            endpoint,
            connection,
            meta,
            now,
            id: ConnectionId(0),
            acked: SeqNr(0),
            sent: SeqNr(0),
            in_flight: 0,
            buf: Vec::new(),
        };
        sender.transmit();
        sender.acked = sender.sent;
        // Long enough for all acks to come within one round trip.
        sender.now = sender.now.saturating_add(400_000);
        sender.receive(&[]);
        sender.transmit();
        sender.now = sender.now.saturating_add(400_000);
        // Whoever names packets that libutp would drop may be sent more than libutp holds.
        sender.acked = sender.sent;
        sender.receive(&[0xff; 255]);
        sender.in_flight = in_flight;
        sender.fill();
        sender
    }

    /// The peer acks as `kind` says.
    fn ack(&mut self, kind: Kind, number: usize) {
        let mut mask = [0; 255];
        match kind {
            Kind::Plain => self.acked = self.acked.next(),
            Kind::Flipping => mask = [if number.is_multiple_of(2) { 0x55 } else { 0xaa }; 255],
            Kind::Moving => {
                // As seen from the ack the bits stand still, but every packet has another number.
                self.acked = self.acked.next();
                mask = [0x55; 255];
            }
            Kind::Holes => {
                self.acked = self.acked.add(2);
                let named = usize::from(self.in_flight / 2 / 8).min(255);
                mask[..named].fill(0x55);
            }
        }
        let mask: &[u8] = if matches!(kind, Kind::Plain) { &[] } else { &mask };
        self.receive(mask);
    }

    fn receive(&mut self, mask: &[u8]) {
        self.now = self.now.saturating_add(10);
        let header = Header {
            packet_type: PacketType::State,
            connection_id: self.id,
            timestamp_microseconds: Timestamp(self.now.timestamp().0),
            timestamp_difference_microseconds: TimestampDiff(20_000),
            wnd_size: u32::MAX,
            seq_nr: SeqNr(1),
            ack_nr: self.acked,
        };
        let mut head = [0; HEADER_LEN];
        header.encode(if mask.is_empty() { 0 } else { EXTENSION_SELECTIVE_ACK }, &mut head);
        let mut datagram = head.to_vec();
        if !mask.is_empty() {
            datagram.extend([0, u8::try_from(mask.len()).unwrap()]);
            datagram.extend(mask);
        }
        measured_ack(&mut self.endpoint, self.now, self.meta, &datagram);
    }

    /// Sends until there is as much in flight as there should be.
    fn fill(&mut self) {
        loop {
            let outstanding = self.sent.distance_from(self.acked);
            let missing = usize::from(self.in_flight.saturating_sub(outstanding));
            self.write(missing * 130, usize::from(outstanding) * 130);
            while self.endpoint.poll_event().is_some() {}
            self.transmit();
            if self.sent.distance_from(self.acked) >= self.in_flight {
                return;
            }
            // Whatever paces it will let the rest go.
            self.now = self.endpoint.poll_timeout().unwrap().max(self.now);
            self.endpoint.handle_timeout(self.now);
        }
    }

    /// Lets `len` bytes wait for transmission beside the `outstanding` ones.
    fn write(&mut self, len: usize, outstanding: usize) {
        let mut connection = self.endpoint.connection_mut(self.connection).unwrap();
        let buffered = usize::try_from(connection.stats().send_buffered_bytes).unwrap();
        let len = (len + outstanding).saturating_sub(buffered);
        if len > 0 {
            assert_eq!(connection.write(self.now, &vec![1; len]), Ok(len));
        }
    }

    fn transmit(&mut self) {
        self.buf.clear();
        let one = NonZeroUsize::MIN;
        while let Some(transmit) = self.endpoint.poll_transmit(self.now, one, &mut self.buf) {
            let datagram = &self.buf[transmit.start..transmit.start + transmit.size];
            let header = Packet::decode(datagram).unwrap().header;
            match header.packet_type {
                PacketType::Syn => {
                    self.id = header.connection_id;
                    self.sent = header.seq_nr;
                }
                PacketType::Data if self.sent.precedes(header.seq_nr) => self.sent = header.seq_nr,
                _ => {}
            }
            self.buf.clear();
        }
    }
}
