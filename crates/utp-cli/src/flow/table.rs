//! Finds the flow of a packet by addresses and connection id, and bounds how many there are.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;

use utp_wire::{ConnectionId, Header, PacketType, SeqNr};

use super::{Flow, Role};

/// All flows, by the order in which they were first seen.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<u64, Entry>,
    /// The newest flow of each name.
    by_name: HashMap<Name, u64>,
    /// What may become a flow, the oldest first; some have become one.
    doubtful: VecDeque<u64>,
    recognised: usize,
    next: u64,
    /// Packets of what had to make room.
    pub(super) dropped: Dropped,
}

#[derive(Debug)]
struct Entry {
    flow: Flow,
    kind: Kind,
}

/// What a flow is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Only one side was seen, and no SYN: it may be anything.
    Doubtful,
    /// It is one.
    Recognised,
    /// It is one for which there is no room.
    Surplus,
}

/// Packets that belong to no flow in the end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dropped {
    pub(super) doubtful: u64,
    pub(super) surplus: u64,
}

/// What tells flows apart: who opened it to whom, with which id.
type Name = (SocketAddr, SocketAddr, ConnectionId);

impl Table {
    /// The flow of a packet and the side that sent it; none if it begins one.
    ///
    /// As long as only one side of a flow was seen it has two names, since either side may have
    /// opened it, and its sender is taken for the initiator. A packet of the other side settles it.
    pub(super) fn find(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        header: &Header,
    ) -> Option<(u64, Role)> {
        let (order, role) = self.named(from, to, header)?;
        let entry = self.entries.get_mut(&order).expect("a name is removed with its entry");
        if entry.kind == Kind::Doubtful {
            let (initiator, acceptor) = (entry.flow.initiator, entry.flow.acceptor);
            if from == initiator {
                return Some((order, Role::Initiator));
            }
            // The id of the first side's packets.
            let first_id = entry.flow.id.next();
            let other_name = match role {
                Role::Acceptor => (acceptor, initiator, first_id),
                Role::Initiator => {
                    entry.flow.turn(first_id);
                    (initiator, acceptor, first_id.previous())
                }
            };
            let has_room = self.recognised < FLOWS_MAX;
            entry.kind = if has_room { Kind::Recognised } else { Kind::Surplus };
            self.recognised += usize::from(has_room);
            self.forget(other_name, order);
        }
        Some((order, role))
    }

    /// Adds a flow that begins with a packet of `flow.initiator`, and makes room for it.
    pub(super) fn add(&mut self, flow: Flow, header: &Header) -> u64 {
        let kind = match header.packet_type {
            PacketType::Syn if self.recognised < FLOWS_MAX => Kind::Recognised,
            PacketType::Syn => Kind::Surplus,
            _ => Kind::Doubtful,
        };
        let order = self.next;
        self.next += 1;
        self.by_name.insert((flow.initiator, flow.acceptor, flow.id), order);
        if kind == Kind::Doubtful {
            self.by_name.insert((flow.acceptor, flow.initiator, header.connection_id), order);
        }
        if kind == Kind::Recognised {
            self.recognised += 1;
        } else {
            while self.doubtful.len() >= FLOWS_MAX {
                self.drop_oldest();
            }
            self.doubtful.push_back(order);
        }
        self.entries.insert(order, Entry { flow, kind });
        order
    }

    /// The flow with this place in the order of being seen.
    pub(super) fn flow_mut(&mut self, order: u64) -> &mut Flow {
        &mut self.entries.get_mut(&order).expect("the order of a flow that was found").flow
    }

    /// The flows that are some, in order; the packets of all others are in `dropped` now.
    pub(super) fn finish(&mut self) -> Vec<(u64, Flow)> {
        let mut flows = Vec::new();
        for (order, entry) in std::mem::take(&mut self.entries) {
            match entry.kind {
                Kind::Recognised => flows.push((order, entry.flow)),
                Kind::Doubtful | Kind::Surplus => self.dropped.count(&entry),
            }
        }
        flows
    }

    fn named(&self, from: SocketAddr, to: SocketAddr, header: &Header) -> Option<(u64, Role)> {
        let id = header.connection_id;
        let by_initiator = |id| Some((*self.by_name.get(&(from, to, id))?, Role::Initiator));
        let by_acceptor = |id| Some((*self.by_name.get(&(to, from, id))?, Role::Acceptor));
        if header.packet_type == PacketType::Syn {
            return by_initiator(id).filter(|(order, _)| {
                let handshake = &self.entries[order].flow.handshake;
                // Another number is another connection, whose initiator has drawn an old id.
                handshake.syn_ns.is_none() || handshake.syn_seq_nr == header.seq_nr
            });
        }
        let found = match (by_initiator(id.previous()), by_acceptor(id)) {
            // One connection opened from either side, and they have an id in common.
            (Some(one), Some(other)) => Some(self.nearer(header.seq_nr, one, other)),
            (one, other) => one.or(other),
        };
        // A RESET may carry the id of the packet that it answers.
        let answers = || by_initiator(id).or_else(|| by_acceptor(id.previous()));
        let is_reset = header.packet_type == PacketType::Reset;
        found.or_else(|| if is_reset { answers() } else { None })
    }

    /// Of two flows the one whose numbers are nearer, the first if both are as near.
    fn nearer(&self, number: SeqNr, one: (u64, Role), other: (u64, Role)) -> (u64, Role) {
        let distance = |(order, role): (u64, Role)| {
            let newest = self.entries[&order].flow.way(role).sequence.newest();
            newest.map_or(u16::MAX, |newest| {
                number.distance_from(newest).min(newest.distance_from(number))
            })
        };
        if distance(other) < distance(one) { other } else { one }
    }

    fn drop_oldest(&mut self) {
        let Some(order) = self.doubtful.pop_front() else { return };
        if self.entries.get(&order).is_none_or(|entry| entry.kind == Kind::Recognised) {
            return;
        }
        let entry = self.entries.remove(&order).expect("it was there");
        self.dropped.count(&entry);
        let Flow { initiator, acceptor, id, .. } = entry.flow;
        self.forget((initiator, acceptor, id), order);
        self.forget((acceptor, initiator, id.next()), order);
    }

    /// Removes a name, unless a newer flow has it.
    fn forget(&mut self, name: Name, order: u64) {
        if self.by_name.get(&name) == Some(&order) {
            self.by_name.remove(&name);
        }
    }
}

impl Dropped {
    const fn count(&mut self, entry: &Entry) {
        match entry.kind {
            Kind::Surplus => self.surplus += entry.flow.packets(),
            Kind::Doubtful | Kind::Recognised => self.doubtful += entry.flow.packets(),
        }
    }
}

/// The most flows that are followed, and the most that may turn out to be one.
///
/// Each takes up to 18 KB: 2 048 delays and the numbers of 4 096 packets for both directions.
pub const FLOWS_MAX: usize = 8_192;
