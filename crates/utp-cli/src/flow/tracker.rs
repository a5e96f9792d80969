//! From frames to flows.

use utp_wire::{DecodeError, HEADER_LEN, Header, Packet, PacketType};

use super::table::Table;
use super::{Flow, Role, Seen};
use crate::capture::Frame;
use crate::datagram::{self, Content, Datagram};

/// Follows all uTP connections of a capture.
///
/// The example of the crate shows it at work.
#[derive(Debug, Default)]
pub struct Tracker {
    counts: Counts,
    table: Table,
    /// When the newest frame passed, for those without a stamp.
    now_ns: u64,
    first_ns: Option<u64>,
}

/// What became of the frames. Each is in one of these, `fragmented` and `cut` apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub frames: u64,
    /// Packets of the flows.
    pub utp: u64,
    /// Packets of flows that there was no room for, see [`super::FLOWS_MAX`].
    pub beyond_flows_max: u64,
    /// UDP datagrams that belong to no flow.
    pub other_udp: u64,
    /// Fragments behind the first of their datagram.
    pub fragments: u64,
    /// Something else than UDP over IP.
    pub not_udp: u64,
    /// Headers below uTP that do not fit together, or are cut.
    pub malformed: u64,
    /// Frames of a link whose headers are not known.
    pub unknown_link: u64,
    /// UDP datagrams of which a first fragment is here, counted as what it begins as.
    pub fragmented: u64,
    /// UDP datagrams that were captured in part, likewise.
    pub cut: u64,
}

/// A uTP packet of a flow, or of what may become one.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The flow, by the order of being seen; see [`Findings::number`].
    pub order: u64,
    /// When it passed, in nanoseconds since 1970.
    pub at_ns: u64,
    /// The datagram around it.
    pub datagram: Datagram<'a>,
    /// Its header and extensions. Of one that is malformed or cut only the header is.
    pub packet: Packet<'a>,
    /// Bytes of payload on the way.
    pub payload_len: usize,
    /// Whether its extensions reach past its end.
    pub is_malformed: bool,
    /// Whether its number has passed before, for types that have one of their own.
    pub seen: Option<Seen>,
}

/// All that was found in a capture.
#[derive(Clone, Debug)]
pub struct Findings {
    /// What became of the frames.
    pub counts: Counts,
    /// When the first frame passed, in nanoseconds since 1970.
    pub first_ns: u64,
    /// When the last one passed.
    pub last_ns: u64,
    /// The connections, in the order in which they began.
    pub flows: Vec<Flow>,
    orders: Vec<u64>,
}

impl Findings {
    /// The number of a flow, from 1; none of what turned out to be none.
    pub fn number(&self, order: u64) -> Option<usize> {
        self.orders.binary_search(&order).ok().map(|index| index + 1)
    }
}

impl Tracker {
    /// Takes the next frame, and shows the uTP packet in it, if there may be one.
    pub fn handle<'a>(&mut self, frame: &Frame<'a>) -> Option<Observed<'a>> {
        self.counts.frames += 1;
        self.now_ns = frame.at_ns.unwrap_or(self.now_ns);
        self.first_ns = self.first_ns.or(Some(self.now_ns));
        match datagram::read(frame.link, frame.bytes) {
            Content::Fragment => self.counts.fragments += 1,
            Content::Malformed => self.counts.malformed += 1,
            Content::Other => self.counts.not_udp += 1,
            Content::Udp(datagram) => {
                self.counts.fragmented += u64::from(datagram.is_fragmented);
                self.counts.cut += u64::from(!datagram.is_whole() && !datagram.is_fragmented);
                let observed = self.handle_datagram(datagram);
                self.counts.other_udp += u64::from(observed.is_none());
                return observed;
            }
            Content::UnknownLink => self.counts.unknown_link += 1,
        }
        None
    }

    /// What was found.
    pub fn finish(mut self) -> Findings {
        let (orders, flows): (Vec<u64>, Vec<Flow>) = self.table.finish().into_iter().unzip();
        self.counts.utp = flows.iter().map(Flow::packets).sum();
        self.counts.other_udp += self.table.dropped.doubtful;
        self.counts.beyond_flows_max = self.table.dropped.surplus;
        let first_ns = self.first_ns.unwrap_or(0);
        Findings { counts: self.counts, first_ns, last_ns: self.now_ns, flows, orders }
    }

    fn handle_datagram<'a>(&mut self, datagram: Datagram<'a>) -> Option<Observed<'a>> {
        let (packet, is_malformed) = decode(&datagram)?;
        let payload_len = payload_len(&datagram, &packet);
        let (header, at_ns) = (&packet.header, self.now_ns);
        let (source, destination) = (datagram.source, datagram.destination);
        let found = self.table.find(source, destination, header);
        let (order, sender) = match found {
            Some(found) => found,
            None if is_malformed || !may_begin(&packet, payload_len) => return None,
            None => {
                let is_syn = header.packet_type == PacketType::Syn;
                let id = header.connection_id;
                let id = if is_syn { id } else { id.previous() };
                let flow = Flow::new(source, destination, id, at_ns);
                (self.table.add(flow, header), Role::Initiator)
            }
        };
        let flow = self.table.flow_mut(order);
        let seen = match is_malformed {
            true => {
                flow.handle_malformed(at_ns, sender);
                None
            }
            false => flow.handle(at_ns, sender, &packet, payload_len),
        };
        Some(Observed { order, at_ns, datagram, packet, payload_len, is_malformed, seen })
    }
}

/// The packet in a datagram, and whether it is malformed; none if it is no uTP at all.
fn decode<'a>(datagram: &Datagram<'a>) -> Option<(Packet<'a>, bool)> {
    let bytes = datagram.payload;
    match Packet::decode(bytes) {
        Ok(packet) => Some((packet, false)),
        Err(DecodeError::ExtensionPastEnd) => {
            let (header, _) = Header::decode(bytes.first_chunk()?).ok()?;
            let packet = Packet {
                header,
                selective_ack: None,
                extension_bits: None,
                close_reason: None,
                payload_offset: HEADER_LEN,
            };
            // What the capture has cut off may be what is missing.
            Some((packet, datagram.is_whole()))
        }
        Err(_) => None,
    }
}

/// Bytes of payload on the way. Where extensions are cut off, those of a DATA count as payload, and
/// other types have none.
fn payload_len(datagram: &Datagram<'_>, packet: &Packet<'_>) -> usize {
    let is_cut = packet.payload_offset == HEADER_LEN && !datagram.is_whole();
    match packet.header.packet_type {
        PacketType::Data => datagram.len - packet.payload_offset,
        _ if is_cut => 0,
        _ => datagram.len - packet.payload_offset,
    }
}

/// Whether a flow may begin with this packet. A SYN has no payload: one in some hundred packets of
/// QUIC looks like a SYN that has.
const fn may_begin(packet: &Packet<'_>, payload_len: usize) -> bool {
    !matches!(packet.header.packet_type, PacketType::Syn) || payload_len == 0
}
