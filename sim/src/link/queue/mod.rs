//! The queue before a transmitter: which packets it takes, which it gives up, and which is next.

pub(super) mod backlog;
mod codel;
mod fifo;
mod fq_codel;
mod pie;

use super::Dropped;
use crate::packet::Packet;
use crate::rng::{Purpose, Stream, Streams};
use crate::scenario::Queue as Config;
use crate::time::Ns;
use backlog::Waiting;
use codel::Codel;
use fifo::Fifo;
use fq_codel::{FqCodel, Shape};
use pie::Pie;

/// Packets that wait; the one being transmitted is not among them.
#[derive(Debug)]
pub(super) struct Queue {
    discipline: Discipline,
    /// What makes the flow hash of this link its own.
    perturbation: u64,
    draws: Stream,
}

#[derive(Debug)]
enum Discipline {
    Codel(Codel),
    Fifo(Fifo),
    FqCodel(FqCodel),
    Pie(Pie),
}

impl Queue {
    pub(super) fn new(config: &Config, index: usize, streams: &Streams) -> Self {
        let perturbation = streams.link(index, Purpose::FlowHash).between(0, u64::MAX);
        Self {
            discipline: Discipline::new(Ns::ZERO, config, perturbation),
            perturbation,
            draws: streams.link(index, Purpose::QueueDrop),
        }
    }

    /// Goes on as `config` says. One of the same kind keeps what it has learnt; what waits stays in
    /// its order as far as there is room.
    pub(super) fn set(&mut self, now: Ns, config: &Config, dropped: &mut Vec<Dropped>) {
        let waiting = self.drain();
        match (&mut self.discipline, config) {
            (Discipline::Codel(codel), &Config::Codel { target, interval, bytes_max }) => {
                codel.set(codel::Aim { target, interval }, bytes_max);
            }
            (
                Discipline::FqCodel(queues),
                &Config::FqCodel { target, interval, quantum, flows, packets_max },
            ) => {
                let aim = codel::Aim { target, interval };
                queues.set(Shape { aim, quantum, flows, packets_max });
            }
            (Discipline::Pie(pie), &Config::Pie { target, update, burst, bytes_max }) => {
                pie.set(now, pie::Aim { target, update, burst }, bytes_max);
            }
            (discipline, config) => *discipline = Discipline::new(now, config, self.perturbation),
        }
        for waiting in waiting {
            // Nothing is dropped at random a second time.
            let taken = match &mut self.discipline {
                Discipline::Pie(pie) => pie.adopt(waiting),
                _ => self.push(waiting, dropped),
            };
            dropped.extend(taken.err());
        }
    }

    /// A packet comes while the transmitter is busy, and is taken or given back. Others that the
    /// queue gives up for it go to `dropped`.
    pub(super) fn push(
        &mut self,
        waiting: Waiting,
        dropped: &mut Vec<Dropped>,
    ) -> Result<(), Dropped> {
        match &mut self.discipline {
            Discipline::Codel(codel) => codel.push(waiting),
            Discipline::Fifo(fifo) => fifo.push(waiting),
            Discipline::FqCodel(queues) => {
                queues.push(waiting, dropped);
                Ok(())
            }
            Discipline::Pie(pie) => pie.push(waiting, &mut self.draws),
        }
    }

    /// The packet whose transmission begins at `now`; what is given up before it goes to `dropped`.
    pub(super) fn pop(&mut self, now: Ns, dropped: &mut Vec<Dropped>) -> Option<Packet> {
        let next = match &mut self.discipline {
            Discipline::Codel(codel) => codel.pop(now, dropped),
            Discipline::Fifo(fifo) => fifo.pop(),
            Discipline::FqCodel(queues) => queues.pop(now, dropped),
            Discipline::Pie(pie) => pie.pop(now),
        };
        next.map(|waiting| waiting.packet)
    }

    /// A packet comes to an idle transmitter and an empty queue, and goes on at once: limits and
    /// delays mean nothing to it. What it sends counts in its flow's turn.
    pub(super) fn pass(&mut self, now: Ns, packet: Packet, dropped: &mut Vec<Dropped>) -> Packet {
        let Discipline::FqCodel(queues) = &mut self.discipline else { return packet };
        queues.push(Waiting::new(now, packet), dropped);
        let next = queues.pop(now, dropped).expect("a packet that has not waited is not dropped");
        next.packet
    }

    /// Bytes of all packets that wait.
    pub(super) const fn bytes(&self) -> u64 {
        match &self.discipline {
            Discipline::Codel(codel) => codel.backlog().bytes(),
            Discipline::Fifo(fifo) => fifo.backlog().bytes(),
            Discipline::FqCodel(queues) => queues.bytes(),
            Discipline::Pie(pie) => pie.backlog().bytes(),
        }
    }

    /// Takes out all that waits, in the order in which it came.
    pub(super) fn drain(&mut self) -> Vec<Waiting> {
        match &mut self.discipline {
            Discipline::Codel(codel) => codel.drain(),
            Discipline::Fifo(fifo) => fifo.drain(),
            Discipline::FqCodel(queues) => queues.drain(),
            Discipline::Pie(pie) => pie.drain(),
        }
    }
}

impl Discipline {
    fn new(now: Ns, config: &Config, perturbation: u64) -> Self {
        match *config {
            Config::Codel { target, interval, bytes_max } => {
                Self::Codel(Codel::new(codel::Aim { target, interval }, bytes_max))
            }
            Config::Droptail { bytes_max, packets_max } => {
                Self::Fifo(Fifo::new(bytes_max, packets_max))
            }
            Config::FqCodel { target, interval, quantum, flows, packets_max } => {
                let aim = codel::Aim { target, interval };
                let shape = Shape { aim, quantum, flows, packets_max };
                Self::FqCodel(FqCodel::new(shape, perturbation))
            }
            Config::Pie { target, update, burst, bytes_max } => {
                Self::Pie(Pie::new(now, pie::Aim { target, update, burst }, bytes_max))
            }
        }
    }
}
