//! Two different packets with one number: somebody else writes into the stream, or the peer is
//! broken. The stream then ends with an error, never with an end that looks clean.
//!
//! uTP cannot cut a packet again, so that every copy of a number is the same. While a packet is
//! held beyond a gap, another copy is compared byte by byte. Numbers that were delivered are not
//! compared, since stacks exist that do cut again when a probe's ack is lost. The exception are
//! packets that failed the timestamp gate (`gate.rs`) and were taken all the same: a keyed hash of
//! each is kept until the peer's own copy must have come.

use std::hash::{DefaultHasher, Hasher};

use utp_wire::{Header, Packet, PacketType, SeqNr};

use super::extension_bits::{PROBE_PAYLOAD, probes_life};
use super::{Connection, Passage, RemoteFin};
use crate::config::DOUBTS_MAX;
use crate::error::ConnectionError;

/// Packets that were taken although they failed the gate, in the order of their arrival.
///
/// A connection costs a pointer as long as there are none.
#[derive(Debug, Default)]
pub(super) struct Doubts(Option<Box<Memory>>);

#[derive(Debug, Default)]
struct Memory(Vec<Doubt>);

#[derive(Clone, Copy, Debug)]
struct Doubt {
    seq_nr: SeqNr,
    hash: u32,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copied {
    /// It is the first of its number.
    First,
    /// There was one like it, or a better one.
    Ignore,
    /// Both are the peer's, and they differ.
    Conflict,
}

impl Connection {
    /// Ends the connection: what was read is what came first, and nothing more is delivered.
    pub(super) fn on_conflict(&mut self) {
        self.reset_pending = true;
        self.close(ConnectionError::Conflict);
    }

    /// A packet `ahead` of the stream, compared with what is held.
    pub(super) fn compare_ahead(
        &mut self,
        header: &Header,
        ahead: u16,
        payload: &[u8],
        passage: Passage,
    ) -> Copied {
        let (seq_nr, fin) = (header.seq_nr, header.packet_type == PacketType::Fin);
        let Some((held, held_fin)) = self.recv_queue.held(seq_nr, ahead) else {
            return Copied::First;
        };
        let differs = held_fin != fin || (held != payload && !self.released);
        let doubted = self.doubts.contains(seq_nr);
        if passage == Passage::Genuine && doubted {
            // The peer's own copy takes the place of one that may be anybody's.
            self.doubts.remove(seq_nr);
            if differs {
                self.recv_queue.forget_held(seq_nr);
                if held_fin {
                    self.remote_fin.withdraw();
                }
                return Copied::First;
            }
        }
        if differs && !doubted && passage == Passage::Genuine || differs && self.is_gate_useless() {
            Copied::Conflict
        } else {
            Copied::Ignore
        }
    }

    /// A packet whose number was delivered. Says whether it proves that another than the peer's
    /// was.
    pub(super) fn contradicts_delivered(
        &self,
        packet: &Packet<'_>,
        payload: &[u8],
        passage: Passage,
    ) -> bool {
        let header = &packet.header;
        let believed = passage == Passage::Genuine || self.is_gate_useless();
        let fin = header.packet_type == PacketType::Fin;
        let is_end = self.remote_fin == RemoteFin::Reached(header.seq_nr);
        let hash = || hash(self.clock.secret(), payload, fin);
        let differs = self.doubts.get(header.seq_nr).is_some_and(|doubt| doubt.hash != hash());
        // A probe for life repeats a number that the peer knows to have arrived, without what it
        // brought. The last of them does not say what it is, and bears a byte of zero.
        let probes = !fin && probes_life(packet.extension_bits);
        let may_probe = !fin && payload == PROBE_PAYLOAD;
        believed && !self.released && !probes && ((differs && !may_probe) || (is_end && !fin))
    }

    /// A packet beyond the end of the stream. Says whether it proves that the end was not the
    /// peer's.
    pub(super) fn contradicts_end(
        &self,
        header: &Header,
        payload: &[u8],
        passage: Passage,
    ) -> bool {
        let data = header.packet_type == PacketType::Data && !payload.is_empty();
        passage == Passage::Genuine && data && !self.released
    }

    /// Remembers a packet that is taken, if it failed the gate. False if too many are held
    /// already: it must not be taken then.
    pub(super) fn note_doubt(&mut self, header: &Header, payload: &[u8], passage: Passage) -> bool {
        if passage == Passage::Genuine || self.released {
            return true;
        }
        let fin = header.packet_type == PacketType::Fin;
        let hash = hash(self.clock.secret(), payload, fin);
        let doubt = Doubt { seq_nr: header.seq_nr, hash };
        self.doubts.add(doubt, self.ack_nr, self.is_gate_useless())
    }
}

impl Doubts {
    fn all(&self) -> &[Doubt] {
        self.0.as_deref().map_or(&[], |memory| &memory.0)
    }

    fn get(&self, seq_nr: SeqNr) -> Option<&Doubt> {
        self.all().iter().find(|doubt| doubt.seq_nr == seq_nr)
    }

    fn contains(&self, seq_nr: SeqNr) -> bool {
        self.get(seq_nr).is_some()
    }

    /// How many of them are ahead of the stream.
    pub(super) fn ahead_of(&self, ack_nr: SeqNr) -> usize {
        self.all().iter().filter(|doubt| ack_nr.precedes(doubt.seq_nr)).count()
    }

    fn retain(&mut self, keep: impl Fn(&Doubt) -> bool) {
        if let Some(memory) = &mut self.0 {
            memory.0.retain(keep);
            if memory.0.is_empty() {
                self.0 = None;
            }
        }
    }

    fn remove(&mut self, seq_nr: SeqNr) {
        self.retain(|doubt| doubt.seq_nr != seq_nr);
    }

    /// When there is no room, that is all: a flood makes nothing be forgotten. Of a peer whose own
    /// packets fail, the oldest that was delivered has to go; what is held has to stay.
    fn add(&mut self, doubt: Doubt, ack_nr: SeqNr, useless: bool) -> bool {
        let all = &mut self.0.get_or_insert_default().0;
        if all.len() >= DOUBTS_MAX {
            let delivered = all.iter().position(|doubt| !ack_nr.precedes(doubt.seq_nr));
            let Some(oldest) = delivered.filter(|_| useless) else { return false };
            all.remove(oldest);
        }
        all.push(doubt);
        true
    }

    /// Forgets what was delivered: the peer's own copies have come, or never will.
    pub(super) fn release(&mut self, ack_nr: SeqNr) {
        self.retain(|doubt| ack_nr.precedes(doubt.seq_nr));
    }
}

/// A hash whose collisions nobody can aim who does not know `key`.
fn hash(key: u32, payload: &[u8], fin: bool) -> u32 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u32(key);
    hasher.write_u8(u8::from(fin));
    hasher.write(payload);
    (hasher.finish() >> 32) as u32
}
