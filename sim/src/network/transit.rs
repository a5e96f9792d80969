//! A packet's way through the network: into it, from link to link, and out of it.

use super::heap::Event;
use super::{Network, state::FlowState};
use crate::link::{Offer, Started};
use crate::packet::{Body, Datagram, Delivery, HostId, Packet, TooBig};
use crate::time::Ns;
use crate::trace::{DropReason, Event as TraceEvent, Step};

/// How far the network may go, and who takes what it has for hosts.
pub(super) struct Window<'a, F> {
    pub(super) until: Ns,
    pub(super) deliver: &'a mut F,
}

/// Most bytes of a datagram that a router quotes: with the headers 576 bytes (RFC 1812
/// section 4.3.2.3).
const QUOTED_MAX: usize = 520;

impl Network {
    /// A packet enters the network.
    pub(super) fn on_send<F>(&mut self, mut packet: Packet, window: &mut Window<'_, F>)
    where
        F: FnMut(Ns, HostId, Delivery),
    {
        packet.id = self.packets;
        self.packets += 1;
        let FlowState { route, liar, .. } = &mut self.flows[usize::from(packet.flow)];
        let link = route[packet.to.index()][0];
        if let Body::Datagram(datagram) = &mut packet.body {
            if packet.to == HostId::Right {
                datagram.source = self.nat.outside(packet.flow, self.now);
            }
            if let Some(liar) = liar {
                if packet.to == HostId::Right {
                    liar.overhear(&datagram.payload);
                } else if let Some(lie) = liar.rewrite(self.now, &datagram.payload) {
                    datagram.payload = lie;
                    packet.bytes = datagram.bytes();
                }
            }
        }
        self.offer(link, packet, Step::Sent, window);
    }

    /// A link's transmission ends.
    pub(super) fn on_depart<F>(&mut self, link: u16, window: &mut Window<'_, F>)
    where
        F: FnMut(Ns, HostId, Delivery),
    {
        let state = &mut self.links[usize::from(link)];
        let departure = state.link.depart(self.now);
        state.record.busy(departure.started, self.now);
        self.note(Step::TxDone, link, &Started::of(&departure.packet, self.now));
        self.note_dropped(link);
        if let Some(next) = departure.next {
            self.note(Step::TxStart, link, &next);
            self.heap.push(next.done, Event::Depart { link });
        }
        if departure.duplicated {
            let copy = departure.packet.clone();
            self.cross(link, copy, departure.arrival, window);
        }
        self.cross(link, departure.packet, departure.arrival, window);
    }

    /// A packet reaches the far end of `link`, and its destination or the next link.
    pub(super) fn on_arrive<F>(&mut self, link: u16, mut packet: Packet, window: &mut Window<'_, F>)
    where
        F: FnMut(Ns, HostId, Delivery),
    {
        let there = Started::of(&packet, self.now);
        if let Some(next) = self.link_after(&packet) {
            self.note(Step::Delivered, link, &there);
            packet.hop += 1;
            self.offer(next, packet, Step::Forwarded, window);
            return;
        }
        if let Some(reason) = self.refusal(&packet, self.now) {
            self.links[usize::from(link)].count(reason);
            self.note(Step::Dropped(reason), link, &there);
            return;
        }
        self.note(Step::Delivered, link, &there);
        self.call_agent(packet.flow, |agent, context| {
            agent.handle_packet(context, &packet);
        });
    }

    /// What `link` gave up since it was asked last.
    pub(super) fn note_dropped(&mut self, link: u16) {
        let state = &mut self.links[usize::from(link)];
        if !state.link.has_dropped() {
            return;
        }
        let dropped: Vec<_> = state.link.take_dropped().collect();
        for dropped in dropped {
            self.links[usize::from(link)].count(dropped.reason);
            let packet = Started::of(&dropped.packet, self.now);
            self.note(Step::Dropped(dropped.reason), link, &packet);
        }
    }

    fn offer<F>(&mut self, link: u16, packet: Packet, step: Step, window: &mut Window<'_, F>)
    where
        F: FnMut(Ns, HostId, Delivery),
    {
        let offered = Started::of(&packet, self.now);
        self.note(step, link, &offered);
        self.warn(link, &packet, window);
        let state = &mut self.links[usize::from(link)];
        match state.link.offer(self.now, packet) {
            Offer::Dropped(reason) => {
                state.count(reason);
                self.note(Step::Dropped(reason), link, &offered);
                self.note_dropped(link);
            }
            Offer::Queued => {
                self.note(Step::Enqueued, link, &offered);
                self.note_dropped(link);
            }
            Offer::Started(done) => {
                self.note(Step::Enqueued, link, &offered);
                self.note(Step::TxStart, link, &offered);
                if done > self.now {
                    self.heap.push(done, Event::Depart { link });
                } else {
                    self.on_depart(link, window);
                }
            }
        }
    }

    /// The packet left the transmitter and reaches the far end at `arrival`.
    fn cross<F>(&mut self, link: u16, mut packet: Packet, arrival: Ns, window: &mut Window<'_, F>)
    where
        F: FnMut(Ns, HostId, Delivery),
    {
        if self.link_after(&packet).is_none() && self.refusal(&packet, arrival).is_none() {
            let Packet { to, flow, body, .. } = &mut packet;
            if let Body::Datagram(datagram) = body {
                let announced = Datagram {
                    source: datagram.source,
                    // Behind the middlebox a host has the port it has opened.
                    destination: to.port(*flow),
                    overhead: datagram.overhead,
                    dont_fragment: datagram.dont_fragment,
                    payload: std::mem::take(&mut datagram.payload),
                };
                self.late += u64::from(arrival < window.until);
                (window.deliver)(arrival, *to, Delivery::Datagram(announced));
            }
        }
        self.heap.push(arrival, Event::Arrive { link, packet });
    }

    /// Tells the sender of a packet that is too large for `link`, if it is one that tells.
    ///
    /// The message takes the time of the way back, but waits in no queue.
    fn warn<F>(&mut self, link: u16, packet: &Packet, window: &mut Window<'_, F>)
    where
        F: FnMut(Ns, HostId, Delivery),
    {
        let Body::Datagram(datagram) = &packet.body else { return };
        let link = &self.links[usize::from(link)].link;
        let Some(mtu) = link.refuses_size_of(packet).filter(|mtu| mtu.icmp) else { return };
        let sender = packet.to.peer();
        let back = &self.flows[usize::from(packet.flow)].route[sender.index()];
        let at =
            back.iter().fold(self.now, |at, &link| at + self.links[usize::from(link)].link.delay());
        let quoted = datagram.payload.len().min(QUOTED_MAX);
        let message = TooBig {
            source: sender.port(packet.flow),
            destination: datagram.destination,
            mtu: mtu.bytes,
            quoted: datagram.payload.slice(..quoted),
        };
        self.late += u64::from(at < window.until);
        (window.deliver)(at, sender, Delivery::TooBig(message));
    }

    fn link_after(&self, packet: &Packet) -> Option<u16> {
        let route = &self.flows[usize::from(packet.flow)].route[packet.to.index()];
        route.get(usize::from(packet.hop) + 1).copied()
    }

    /// Why a packet that arrives at the end of its path at `at` reaches nobody.
    fn refusal(&self, packet: &Packet, at: Ns) -> Option<DropReason> {
        match &packet.body {
            Body::Datagram(datagram) => {
                let gone = packet.to == HostId::Left
                    && datagram.destination != self.nat.outside(packet.flow, at);
                gone.then_some(DropReason::Nat)
            }
            _ => packet.corrupt.then_some(DropReason::Corrupt),
        }
    }

    pub(super) fn note(&mut self, step: Step, link: u16, packet: &Started) {
        let queued_bytes = self.links[usize::from(link)].link.queued_bytes();
        self.trace.record(&TraceEvent {
            at: self.now,
            step,
            link,
            flow: packet.flow,
            packet: packet.id,
            bytes: packet.bytes,
            queued_bytes,
        });
    }
}
