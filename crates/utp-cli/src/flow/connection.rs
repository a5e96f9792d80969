//! One connection: what either side sent, how it began and how it ended.

use std::net::SocketAddr;

use utp_wire::{ConnectionId, Header, Packet, PacketType, SeqNr};

use super::{Samples, Seen, Sequence};

/// A side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends the SYN.
    Initiator,
    /// Answers it.
    Acceptor,
}

/// A connection.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Who opened it, or who is taken for it as long as only one side was seen.
    pub initiator: SocketAddr,
    /// Whom the initiator connected to.
    pub acceptor: SocketAddr,
    /// The id of the SYN and of all packets to the initiator; those to the acceptor have the next.
    pub id: ConnectionId,
    /// When its first packet passed, in nanoseconds since 1970.
    pub first_ns: u64,
    /// When its last packet passed.
    pub last_ns: u64,
    /// How it began.
    pub handshake: Handshake,
    /// What the initiator sent.
    pub to_acceptor: Way,
    /// What the acceptor sent.
    pub to_initiator: Way,
}

/// How a connection began.
#[derive(Clone, Debug, Default)]
pub struct Handshake {
    /// When the first SYN passed; none when the connection is older than the capture.
    pub syn_ns: Option<u64>,
    /// The number of the SYN.
    pub syn_seq_nr: SeqNr,
    /// How often it passed.
    pub syns: u64,
    /// When the first answer passed that acknowledges it.
    pub answer_ns: Option<u64>,
}

/// What one side sent.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Packets.
    pub packets: u64,
    /// Packets of each type, by the number of the type on the wire.
    pub types: [u64; 5],
    /// Bytes of payload, those of packets that came again included.
    pub payload_bytes: u64,
    /// SYN, DATA and FIN whose number had passed before.
    pub resent: u64,
    /// The payload of those.
    pub resent_bytes: u64,
    /// SYN, DATA and FIN that passed for the first time after a later number.
    pub late: u64,
    /// Packets that carry a selective ack.
    pub selective_acks: u64,
    /// Packets of this connection whose extensions reach past their end.
    pub malformed: u64,
    /// Packets that told that there is no room to receive.
    pub closed_windows: u64,
    /// The last window that was told, in bytes.
    pub window: u32,
    /// Numbers of SYN, DATA and FIN.
    pub sequence: Sequence,
    /// Delays of what this side sent, as the other side measured and told.
    pub delays: Samples,
    /// How it ended its direction.
    pub fin: Option<Fin>,
    /// When it sent the first RESET.
    pub reset_ns: Option<u64>,
    /// Why it closed, by the extension of libtorrent.
    pub close_reason: Option<u16>,
}

/// The end of a direction.
#[derive(Clone, Copy, Debug)]
pub struct Fin {
    /// When it passed first.
    pub at_ns: u64,
    /// Its number.
    pub seq_nr: SeqNr,
    /// When the first acknowledgement of it passed.
    pub acked_ns: Option<u64>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Both sides sent a FIN and got its acknowledgement.
    Closed,
    /// One side did, or acknowledgements are missing.
    HalfClosed,
    /// Neither side has ended it.
    Open,
    /// A side sent a RESET.
    Reset,
}

impl Flow {
    /// A flow of which nothing has passed yet.
    pub fn new(initiator: SocketAddr, acceptor: SocketAddr, id: ConnectionId, at_ns: u64) -> Self {
        Self {
            initiator,
            acceptor,
            id,
            first_ns: at_ns,
            last_ns: at_ns,
            handshake: Handshake::default(),
            to_acceptor: Way::default(),
            to_initiator: Way::default(),
        }
    }

    /// What a side sent.
    pub const fn way(&self, sender: Role) -> &Way {
        match sender {
            Role::Initiator => &self.to_acceptor,
            Role::Acceptor => &self.to_initiator,
        }
    }

    /// Both directions, the one that `sender` sends into first.
    const fn ways(&mut self, sender: Role) -> (&mut Way, &mut Way) {
        match sender {
            Role::Initiator => (&mut self.to_acceptor, &mut self.to_initiator),
            Role::Acceptor => (&mut self.to_initiator, &mut self.to_acceptor),
        }
    }

    /// Packets in both directions.
    pub const fn packets(&self) -> u64 {
        self.to_acceptor.packets + self.to_initiator.packets
    }

    /// Exchanges the sides: the acceptor turned out to be the one who opened it.
    pub(super) fn turn(&mut self, id: ConnectionId) {
        std::mem::swap(&mut self.initiator, &mut self.acceptor);
        std::mem::swap(&mut self.to_acceptor, &mut self.to_initiator);
        self.id = id;
    }

    /// Takes a packet of `sender` with `payload_len` bytes of payload, and tells whether its number
    /// is new, if it has one.
    pub(super) fn handle(
        &mut self,
        at_ns: u64,
        sender: Role,
        packet: &Packet<'_>,
        payload_len: usize,
    ) -> Option<Seen> {
        let header = &packet.header;
        self.last_ns = self.last_ns.max(at_ns);
        self.handshake.handle(at_ns, sender, header);
        let (way, back) = self.ways(sender);
        way.packets += 1;
        way.types[header.packet_type as usize] += 1;
        way.selective_acks += u64::from(packet.selective_ack.is_some());
        way.close_reason = packet.close_reason.or(way.close_reason);
        if header.packet_type == PacketType::Reset {
            way.reset_ns = way.reset_ns.or(Some(at_ns));
            return None; // Its other fields are those of no connection.
        }
        way.window = header.wnd_size;
        way.closed_windows += u64::from(header.wnd_size == 0);
        if header.timestamp_difference_microseconds.is_sample() {
            back.delays.push(header.timestamp_difference_microseconds);
        }
        if let Some(fin) = &mut back.fin {
            let acks = !header.ack_nr.precedes(fin.seq_nr);
            fin.acked_ns = fin.acked_ns.or_else(|| acks.then_some(at_ns));
        }
        way.payload_bytes += payload_len as u64;
        if header.packet_type == PacketType::Fin && way.fin.is_none() {
            way.fin = Some(Fin { at_ns, seq_nr: header.seq_nr, acked_ns: None });
        }
        if header.packet_type == PacketType::State {
            return None; // It has the number of the packet that follows.
        }
        let seen = way.sequence.observe(header.seq_nr);
        match seen {
            Seen::Again => {
                way.resent += 1;
                way.resent_bytes += payload_len as u64;
            }
            Seen::Late => way.late += 1,
            Seen::New => {}
        }
        Some(seen)
    }

    /// Takes a packet of `sender` whose extensions are broken.
    pub(super) fn handle_malformed(&mut self, at_ns: u64, sender: Role) {
        self.last_ns = self.last_ns.max(at_ns);
        let (way, _) = self.ways(sender);
        way.packets += 1;
        way.malformed += 1;
    }

    /// How it ended.
    pub fn close(&self) -> Close {
        let ways = [&self.to_acceptor, &self.to_initiator];
        if ways.iter().any(|way| way.reset_ns.is_some()) {
            return Close::Reset;
        }
        let is_acked = |fin: Fin| fin.acked_ns.is_some();
        if ways.iter().all(|way| way.fin.is_some_and(is_acked)) {
            Close::Closed
        } else if ways.iter().any(|way| way.fin.is_some()) {
            Close::HalfClosed
        } else {
            Close::Open
        }
    }
}

impl Handshake {
    fn handle(&mut self, at_ns: u64, sender: Role, header: &Header) {
        match sender {
            Role::Initiator if header.packet_type == PacketType::Syn => {
                if self.syn_ns.is_none() {
                    (self.syn_ns, self.syn_seq_nr) = (Some(at_ns), header.seq_nr);
                }
                self.syns += 1;
            }
            Role::Acceptor if self.syn_ns.is_some() && self.answer_ns.is_none() => {
                let answers = header.packet_type != PacketType::Reset
                    && !header.ack_nr.precedes(self.syn_seq_nr);
                self.answer_ns = answers.then_some(at_ns);
            }
            _ => {}
        }
    }

    /// The time between the first SYN and its answer at the place of capture, in nanoseconds.
    pub fn round_trip_ns(&self) -> Option<u64> {
        Some(self.answer_ns?.saturating_sub(self.syn_ns?))
    }
}
