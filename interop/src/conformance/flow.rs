//! The numbers of one connection as the scripted peer keeps them.

use std::collections::BTreeMap;

use super::packet::{Kind, Packet, WINDOW};
use crate::shim::Pattern;

/// One connection of the scripted peer. It makes packets and follows what is received; it repeats
/// nothing and answers nothing by itself.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// The socket of the runner that it uses.
    pub(crate) socket: usize,
    /// The id on packets to the implementation.
    pub(crate) send_id: u16,
    /// The id on packets from the implementation.
    pub(crate) recv_id: u16,
    /// The number of the peer's next DATA or FIN.
    pub(crate) seq: u16,
    /// The last packet of the implementation that was received in order.
    pub(crate) ack: u16,
    /// The window that the peer advertises.
    pub(crate) wnd: u32,
    /// Names the stream that the peer sends, see [`Pattern`].
    pub(crate) seed: u64,
    /// How many bytes of that stream have been put into packets.
    pub(crate) sent: u64,
    /// What was received in order and not taken yet.
    pub(crate) received: Vec<u8>,
    /// The implementation has ended its stream, and all before the end was received.
    pub(crate) ended: bool,
    /// What was received beyond a gap.
    pub(crate) held: BTreeMap<u16, (Kind, Vec<u8>)>,
}

impl Flow {
    /// A peer that connects with this id and first number; the SYN takes the number.
    pub(crate) const fn initiator(id: u16, syn_seq: u16) -> Self {
        Self {
            socket: 0,
            send_id: id.wrapping_add(1),
            recv_id: id,
            seq: syn_seq.wrapping_add(1),
            ack: 0,
            wnd: WINDOW,
            seed: 1,
            sent: 0,
            received: Vec::new(),
            ended: false,
            held: BTreeMap::new(),
        }
    }

    /// A peer that was connected to by `syn`, and whose first DATA has the number `seq`.
    pub(crate) const fn acceptor(syn: &Packet, seq: u16) -> Self {
        let mut flow = Self::initiator(0, 0);
        flow.send_id = syn.id;
        flow.recv_id = syn.id.wrapping_add(1);
        flow.seq = seq;
        flow.ack = syn.seq;
        flow
    }

    /// The SYN of an initiator.
    pub(crate) const fn syn(&self) -> Packet {
        let packet = Packet::new(Kind::Syn).id(self.recv_id).wnd(self.wnd);
        packet.seq(self.seq.wrapping_sub(1))
    }

    /// A packet of this connection; its number is the next one, which it does not use up.
    pub(crate) const fn packet(&self, kind: Kind) -> Packet {
        Packet::new(kind).id(self.send_id).seq(self.seq).ack(self.ack).wnd(self.wnd)
    }

    /// An acknowledgement of all that was received in order.
    pub(crate) const fn state(&self) -> Packet {
        self.packet(Kind::State)
    }

    /// The same, which also names what is held beyond a gap.
    pub(crate) fn selective_state(&self) -> Packet {
        let bit = |seq: &u16| usize::from(seq.wrapping_sub(self.ack).wrapping_sub(2));
        let bits: Vec<usize> = self.held.keys().map(bit).filter(|bit| *bit < SACK_BITS).collect();
        if bits.is_empty() { self.state() } else { self.state().sack(&bits) }
    }

    /// The next `len` bytes of the stream.
    pub(crate) fn data(&mut self, len: usize) -> Packet {
        let packet = self.packet(Kind::Data).payload(pattern(self.seed, self.sent, len));
        self.seq = self.seq.wrapping_add(1);
        self.sent += len as u64;
        packet
    }

    /// The end of the stream.
    pub(crate) const fn fin(&mut self) -> Packet {
        let packet = self.packet(Kind::Fin);
        self.seq = self.seq.wrapping_add(1);
        packet
    }

    pub(crate) const fn reset(&self) -> Packet {
        self.packet(Kind::Reset)
    }

    /// Takes note of a packet from the implementation: keeps its payload, and moves the ack to the
    /// end of what came in order.
    pub(crate) fn hear(&mut self, packet: &Packet) {
        let ahead = packet.seq.wrapping_sub(self.ack);
        if packet.kind.is_numbered() && (1..1 << 15).contains(&ahead) {
            self.held.insert(packet.seq, (packet.kind, packet.payload.clone()));
        }
        while let Some((kind, payload)) = self.held.remove(&self.ack.wrapping_add(1)) {
            self.ack = self.ack.wrapping_add(1);
            self.received.extend(payload);
            self.ended |= kind == Kind::Fin;
        }
    }
}

/// The bytes from `offset` on of the stream that a seed names.
pub(crate) fn pattern(seed: u64, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Pattern::starting_at(seed, offset).fill(&mut bytes);
    bytes
}

/// What the longest selective ack has room for.
const SACK_BITS: usize = 252 * 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_follow_the_handshake() {
        let mut flow = Flow::initiator(65_535, 65_535);
        assert_eq!((flow.syn().id, flow.syn().seq), (65_535, 65_535));
        let data = flow.data(10);
        assert_eq!((data.id, data.seq), (0, 0));
        assert_eq!(data.payload, pattern(1, 0, 10));
        assert_eq!(flow.data(5).payload, pattern(1, 10, 5));
        assert_eq!(flow.fin().seq, 2);

        let flow = Flow::acceptor(&Packet::new(Kind::Syn).id(7).seq(9), 100);
        let state = flow.state();
        assert_eq!((state.id, state.seq, state.ack), (7, 100, 9));
    }

    #[test]
    fn what_is_received_is_put_in_order() {
        let mut flow = Flow::initiator(1, 1);
        flow.ack = 65_534;
        flow.hear(&Packet::new(Kind::Data).seq(0).payload([2]));
        flow.hear(&Packet::new(Kind::State).seq(65_535).payload([9]));
        assert_eq!((flow.ack, flow.received.len()), (65_534, 0));
        assert_eq!(flow.selective_state(), flow.state().sack(&[0]));
        flow.hear(&Packet::new(Kind::Data).seq(65_535).payload([1]));
        flow.hear(&Packet::new(Kind::Data).seq(65_535).payload([1]));
        assert_eq!((flow.ack, flow.received.as_slice()), (0, &[1, 2][..]));
        flow.hear(&Packet::new(Kind::Fin).seq(1));
        assert_eq!((flow.ack, flow.ended), (1, true));
        assert_eq!(flow.selective_state(), flow.state());
    }
}
