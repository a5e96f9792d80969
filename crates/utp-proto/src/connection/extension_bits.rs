//! What is told in extension 2. SYN and SYN-ACK: that this side holds more packets ahead of the
//! stream than libutp, which drops what is more than 1 023 beyond the last it has in order. A probe
//! for life: that it is one, and not the packet whose number it bears.

use utp_wire::{
    EXTENSION_BIT_HOLDS_MORE, EXTENSION_BIT_PROBES_LIFE, EXTENSION_BITS, HEADER_LEN, Header,
    Instant, PacketType, SeqNr,
};

use super::path_mtu::HEADER_BYTES;
use super::{Burst, Connection, NewId};

/// The body of extension 2.
pub(crate) const fn holds_more_bits() -> [u8; 8] {
    EXTENSION_BIT_HOLDS_MORE.to_be_bytes()
}

/// Whether extension 2 of a packet says it.
pub(crate) fn tells_of_holding_more(bits: Option<[u8; 8]>) -> bool {
    bits.is_some_and(|bits| u64::from_be_bytes(bits) & EXTENSION_BIT_HOLDS_MORE != 0)
}

/// Whether extension 2 says that the packet brings nothing and asks for an ack.
pub(super) fn probes_life(bits: Option<[u8; 8]>) -> bool {
    bits.is_some_and(|bits| u64::from_be_bytes(bits) & EXTENSION_BIT_PROBES_LIFE != 0)
}

impl Connection {
    /// Whether the SYN shall tell. With another id it does not: an acceptor that drops what has
    /// extensions hears the second.
    pub(crate) const fn announce_holds_more(&mut self, announce: bool) {
        self.announces_holding_more = announce;
    }

    /// Sends a SYN, or the answer to one.
    pub(super) fn emit_opening(
        &mut self,
        now: Instant,
        header: &Header,
        out: &mut Vec<u8>,
    ) -> Burst {
        if !self.announces_holding_more || self.new_id == NewId::Used {
            return self.emit(now, header, out);
        }
        self.emit_with_bits(now, header, holds_more_bits(), out)
    }

    /// Sends DATA with the number `seq_nr` that the peer has already, so that it acks it, and one
    /// byte, since stacks exist that drop DATA without payload. Nobody reads that byte. With
    /// `probes_life` it says what it is, as a packet of ours with that number may have brought
    /// something else.
    pub(super) fn emit_repeated(
        &mut self,
        now: Instant,
        seq_nr: SeqNr,
        probes_life: bool,
        out: &mut Vec<u8>,
    ) -> Burst {
        let header = self.header(now, PacketType::Data, seq_nr);
        let burst = if probes_life {
            self.emit_with_bits(now, &header, EXTENSION_BIT_PROBES_LIFE.to_be_bytes(), out)
        } else {
            self.emit(now, &header, out)
        };
        out.extend_from_slice(&PROBE_PAYLOAD);
        Burst::single(burst.size + 1)
    }

    fn emit_with_bits(
        &mut self,
        now: Instant,
        header: &Header,
        bits: [u8; 8],
        out: &mut Vec<u8>,
    ) -> Burst {
        self.trace_sent(header, 0);
        self.append_header(now, header, EXTENSION_BITS, out);
        out.extend_from_slice(&[0, 8]);
        out.extend_from_slice(&bits);
        Burst::single(HEADER_LEN + 2 + 8)
    }

    /// The answer to our SYN carried this.
    pub(super) fn hear_extension_bits(&mut self, bits: Option<[u8; 8]>) {
        self.peer_holds_more = self.announces_holding_more && tells_of_holding_more(bits);
    }
}

/// What a repeated packet bears in place of what went with its number.
pub(super) const PROBE_PAYLOAD: [u8; 1] = [0];

/// The size of a repeated packet that does not say what it is.
pub(super) const REPEATED_LEN: u16 = HEADER_BYTES + 1;
