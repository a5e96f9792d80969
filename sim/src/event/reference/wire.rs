//! What can be told of a connection from the packets that pass: repeats, and when its end has
//! arrived.

use utp_wire::{Header, PacketType, SeqNr};

/// Looks on at the packets of a socket's newest connection.
#[derive(Debug, Default)]
pub(super) struct Wire {
    sent: Numbers,
    received: Numbers,
    /// The number of our FIN, until it is acknowledged.
    fin: Option<SeqNr>,
}

impl Wire {
    /// A packet goes out.
    pub(super) fn sends(&mut self, packet: &[u8]) {
        let Some(header) = header(packet) else { return };
        match header.packet_type {
            PacketType::Syn => *self = Self::default(),
            PacketType::Data | PacketType::Fin => {
                self.sent.note(header.seq_nr);
                if header.packet_type == PacketType::Fin {
                    self.fin = Some(header.seq_nr);
                }
            }
            PacketType::Reset | PacketType::State => {}
        }
    }

    /// A packet comes in; says whether it acknowledges our FIN.
    pub(super) fn receives(&mut self, packet: &[u8]) -> bool {
        let Some(header) = header(packet) else { return false };
        match header.packet_type {
            PacketType::Syn => *self = Self::default(),
            PacketType::Reset => {}
            PacketType::Data | PacketType::Fin => self.received.note(header.seq_nr),
            PacketType::State => {}
        }
        let acks = !matches!(header.packet_type, PacketType::Reset | PacketType::Syn);
        self.fin.take_if(|fin| acks && *fin == header.ack_nr).is_some()
    }

    /// Packets that were sent more than once, each counted as often as it was repeated.
    pub(super) const fn sent_again(&self) -> u32 {
        self.sent.again
    }

    /// Packets that arrived more than once, likewise.
    pub(super) const fn received_again(&self) -> u32 {
        self.received.again
    }
}

fn header(packet: &[u8]) -> Option<Header> {
    Header::decode(packet.first_chunk()?).ok().map(|(header, _)| header)
}

/// Which numbers have passed, in the half of the circle that lies behind the newest.
#[derive(Debug, Default)]
struct Numbers {
    newest: Option<u16>,
    passed: Vec<bool>,
    again: u32,
}

impl Numbers {
    fn note(&mut self, number: SeqNr) {
        let number = number.0;
        self.passed.resize(1 << 16, false);
        let newest = *self.newest.get_or_insert_with(|| number.wrapping_sub(1));
        let ahead = number.wrapping_sub(newest);
        if ahead < 1 << 15 {
            for step in 1..=ahead {
                self.passed[usize::from(newest.wrapping_add(step))] = false;
            }
            self.newest = Some(number);
        }
        if std::mem::replace(&mut self.passed[usize::from(number)], true) {
            self.again += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_pass_again_are_counted_also_across_the_wrap() {
        let mut numbers = Numbers::default();
        for number in [65_534, 65_535, 1, 0, 1, 65_535] {
            numbers.note(SeqNr(number));
        }
        assert_eq!(numbers.again, 2);
        for number in (2..=u16::MAX).chain(0..100) {
            numbers.note(SeqNr(number));
        }
        assert_eq!(numbers.again, 2, "a round later they are new");
    }
}
