//! FQ-CoDel (RFC 8290): flows hashed into queues that take turns, each under CoDel, and those of
//! flows that have just begun to send first.

use super::backlog::{Backlog, Waiting};
use super::codel::{Aim, Control};
use crate::link::Dropped;
use crate::packet::{Body, HostId, Packet};
use crate::time::Ns;
use crate::trace::DropReason;
use std::collections::VecDeque;

/// Most packets that are dropped at once when there is no room (RFC 8290 section 4.1).
const BATCH_MAX: usize = 64;

/// What the scenario says of the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) aim: Aim,
    /// Bytes that a queue may send in a turn.
    pub(super) quantum: u32,
    /// Number of queues.
    pub(super) flows: u32,
    /// Most packets of all queues together.
    pub(super) packets_max: u64,
}

/// All queues, and the two lists of those that have packets or had some lately.
#[derive(Debug)]
pub(in crate::link) struct FqCodel {
    shape: Shape,
    /// What makes the hash of this link differ from that of another.
    perturbation: u64,
    queues: Vec<SubQueue>,
    /// Indices into `queues`, in the order of their turns.
    new: VecDeque<usize>,
    old: VecDeque<usize>,
    packets: u64,
    bytes: u64,
}

#[derive(Clone, Debug, Default)]
struct SubQueue {
    backlog: Backlog,
    control: Control,
    /// Bytes that it may still send in this turn.
    credit: i64,
    /// Whether it is in one of the lists.
    listed: bool,
}

impl FqCodel {
    pub(super) fn new(shape: Shape, perturbation: u64) -> Self {
        assert!(shape.flows > 0 && shape.quantum > 0, "no queue or no turn sends nothing");
        let count = usize::try_from(shape.flows).expect("it fits the memory");
        Self {
            shape,
            perturbation,
            queues: vec![SubQueue::default(); count],
            new: VecDeque::new(),
            old: VecDeque::new(),
            packets: 0,
            bytes: 0,
        }
    }

    /// Goes on with another shape; queues keep what their CoDel has learnt if their number stays.
    pub(super) fn set(&mut self, shape: Shape) {
        if shape.flows == self.shape.flows {
            self.shape = shape;
        } else {
            *self = Self::new(shape, self.perturbation);
        }
    }

    /// Takes the packet; if that is one too many, the queue with the most bytes loses packets.
    pub(super) fn push(&mut self, waiting: Waiting, dropped: &mut Vec<Dropped>) {
        let index = self.queue_of(&waiting.packet);
        let queue = &mut self.queues[index];
        self.packets += 1;
        self.bytes += u64::from(waiting.packet.bytes);
        queue.backlog.push(waiting);
        if !queue.listed {
            (queue.listed, queue.credit) = (true, i64::from(self.shape.quantum));
            self.new.push_back(index);
        }
        if self.packets > self.shape.packets_max {
            self.drop_batch(dropped);
        }
    }

    /// The next packet to send at `now`: of the first queue in turn that has credit left.
    pub(super) fn pop(&mut self, now: Ns, dropped: &mut Vec<Dropped>) -> Option<Waiting> {
        loop {
            let is_new = !self.new.is_empty();
            let index = *if is_new { self.new.front() } else { self.old.front() }?;
            let queue = &mut self.queues[index];
            if queue.credit <= 0 {
                queue.credit += i64::from(self.shape.quantum);
                self.unlist_first(is_new);
                self.old.push_back(index);
                continue;
            }
            let kept = dropped.len();
            let packet = queue.control.pop(self.shape.aim, &mut queue.backlog, now, dropped);
            let gone = packet.iter().map(|waiting| &waiting.packet);
            for packet in gone.chain(dropped[kept..].iter().map(|dropped| &dropped.packet)) {
                self.packets -= 1;
                self.bytes -= u64::from(packet.bytes);
            }
            if let Some(waiting) = packet {
                queue.credit -= i64::from(waiting.packet.bytes);
                return Some(waiting);
            }
            self.unlist_first(is_new);
            if is_new {
                // It waits a round before it may count as new again, or it could starve the old.
                self.old.push_back(index);
            } else {
                self.queues[index].listed = false;
            }
        }
    }

    /// Bytes of all queues.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes out all that waits, in the order in which it came.
    pub(super) fn drain(&mut self) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        for queue in &mut self.queues {
            waiting.extend(queue.backlog.drain());
            queue.listed = false;
        }
        self.new.clear();
        self.old.clear();
        (self.packets, self.bytes) = (0, 0);
        waiting.sort_by_key(|waiting| (waiting.since, waiting.packet.id));
        waiting
    }

    fn unlist_first(&mut self, is_new: bool) {
        if is_new {
            self.new.pop_front()
        } else {
            self.old.pop_front()
        };
    }

    /// Half of the packets of the fattest queue, from its head.
    fn drop_batch(&mut self, dropped: &mut Vec<Dropped>) {
        let mut fattest = 0;
        for (index, queue) in self.queues.iter().enumerate() {
            if queue.backlog.bytes() > self.queues[fattest].backlog.bytes() {
                fattest = index;
            }
        }
        let backlog = &mut self.queues[fattest].backlog;
        let batch = (backlog.len() / 2).clamp(1, BATCH_MAX);
        for waiting in std::iter::from_fn(|| backlog.pop()).take(batch) {
            self.packets -= 1;
            self.bytes -= u64::from(waiting.packet.bytes);
            dropped.push(waiting.dropped(DropReason::QueueFull));
        }
    }

    fn queue_of(&self, packet: &Packet) -> usize {
        let hash = mixed(five_tuple(packet) ^ self.perturbation);
        // The high half times the number of queues, without its low half: without a bias.
        let index = ((hash >> 32) * u64::from(self.shape.flows)) >> 32;
        usize::try_from(index).expect("an index below a count of 32 bits")
    }
}

/// Protocol, direction and ports; there is one address at each end.
fn five_tuple(packet: &Packet) -> u64 {
    let (protocol, source, destination) = match &packet.body {
        Body::Datagram(datagram) => (UDP, datagram.source, datagram.destination),
        body => {
            let protocol = if matches!(body, Body::Probe(_)) { UDP } else { TCP };
            (protocol, packet.to.peer().port(packet.flow), packet.to.port(packet.flow))
        }
    };
    let direction = u64::from(packet.to == HostId::Right);
    direction << 40 | protocol << 32 | u64::from(source) << 16 | u64::from(destination)
}

/// Every bit of the input moves every bit of the output: two rounds of xor, shift and multiply, as
/// the finishers of common hashes do.
const fn mixed(word: u64) -> u64 {
    let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

const TCP: u64 = 6;
const UDP: u64 = 17;

#[cfg(test)]
mod tests;
