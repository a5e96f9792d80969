//! Receivers that lie: what the right host says of what arrived is rewritten before it is sent.

use crate::scenario::Lie;
use crate::time::Ns;
use bytes::Bytes;
use utp_wire::{HEADER_LEN, Header, Packet, PacketType, SeqNr};

/// A receiver's lie and what it needs to know for it.
#[derive(Debug)]
pub(super) struct Liar {
    lie: Lie,
    /// The highest number that the sender has used.
    highest: Option<SeqNr>,
    /// Packets rewritten so far.
    told: u32,
    /// When the first of them was.
    since: Option<Ns>,
}

impl Liar {
    pub(super) const fn new(lie: Lie) -> Self {
        Self { lie, highest: None, told: 0, since: None }
    }

    /// The left host sends this, whether it arrives or not.
    pub(super) fn overhear(&mut self, datagram: &[u8]) {
        let Some(header) = datagram.first_chunk::<HEADER_LEN>() else { return };
        let Ok((header, _)) = Header::decode(header) else { return };
        match header.packet_type {
            PacketType::Syn => self.highest = Some(header.seq_nr),
            PacketType::Data | PacketType::Fin => {
                if self.highest.is_none_or(|highest| highest.precedes(header.seq_nr)) {
                    self.highest = Some(header.seq_nr);
                }
            }
            PacketType::State | PacketType::Reset => {}
        }
    }

    /// What the right host says instead of `datagram`; none if that stays as it is, since it
    /// acknowledges nothing or is not uTP.
    pub(super) fn rewrite(&mut self, now: Ns, datagram: &[u8]) -> Option<Bytes> {
        let packet = Packet::decode(datagram).ok()?;
        if matches!(packet.header.packet_type, PacketType::Syn | PacketType::Reset) {
            return None;
        }
        let since = *self.since.get_or_insert(now);
        self.told = self.told.wrapping_add(1);
        let mut header = packet.header;
        let reported = &mut header.timestamp_difference_microseconds;
        // Without a sample there is nothing to lie about.
        let measured = reported.is_sample();
        match self.lie {
            Lie::Ack => {
                header.ack_nr = self.highest?;
                return Some(without_extensions(&header, &packet, datagram));
            }
            Lie::Delay(us) if measured => reported.0 = us,
            Lie::Slew(ppm) if measured => {
                let gone_us = u128::from((now - since).0) * u128::from(ppm) / 1_000_000_000;
                reported.0 = reported.0.wrapping_sub(low_half(gone_us));
            }
            Lie::Delay(_) | Lie::Slew(_) => {}
            Lie::Ratchet(us) => {
                let stamp = &mut header.timestamp_microseconds.0;
                *stamp = stamp.wrapping_add(us.wrapping_mul(self.told)).max(1);
            }
        }
        let mut bytes = datagram.to_vec();
        let first_extension = bytes[1];
        let room = bytes.first_chunk_mut().expect("a decoded packet has a header");
        header.encode(first_extension, room);
        Some(Bytes::from(bytes))
    }
}

/// The packet with another header and nothing that names what is missing: a selective ack would
/// give the lie away. The other extensions go with it.
fn without_extensions(header: &Header, packet: &Packet<'_>, datagram: &[u8]) -> Bytes {
    let mut bytes = [0; HEADER_LEN];
    header.encode(0, &mut bytes);
    Bytes::from([&bytes, &datagram[packet.payload_offset..]].concat())
}

fn low_half(wide: u128) -> u32 {
    u32::try_from(wide & u128::from(u32::MAX)).expect("it was masked")
}

#[cfg(test)]
mod tests;
