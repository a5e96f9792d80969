//! The queue before a transmitter: which packets it takes, which it gives up, and which is next.

pub(super) mod backlog;
mod codel;
mod fifo;

use super::Dropped;
use crate::packet::Packet;
use crate::scenario::Queue as Config;
use crate::time::Ns;
use backlog::Waiting;
use codel::{Aim, Codel};
use fifo::Fifo;

/// Packets that wait; the one being transmitted is not among them.
#[derive(Debug)]
pub(super) enum Queue {
    Codel(Codel),
    Fifo(Fifo),
}

impl Queue {
    pub(super) fn new(config: &Config) -> Self {
        match *config {
            Config::Codel { target, interval, bytes_max } => {
                Self::Codel(Codel::new(Aim { target, interval }, bytes_max))
            }
            Config::Droptail { bytes_max, packets_max } => {
                Self::Fifo(Fifo::new(bytes_max, packets_max))
            }
            _ => Self::Fifo(Fifo::new(None, None)),
        }
    }

    /// Goes on as `config` says. One of the same kind keeps what it has learnt; what waits stays in
    /// its order as far as there is room.
    pub(super) fn set(&mut self, config: &Config, dropped: &mut Vec<Dropped>) {
        let waiting = self.drain();
        match (&mut *self, config) {
            (Self::Codel(codel), Config::Codel { target, interval, bytes_max }) => {
                codel.set(Aim { target: *target, interval: *interval }, *bytes_max);
            }
            _ => *self = Self::new(config),
        }
        for waiting in waiting {
            if let Err(refused) = self.push(waiting, dropped) {
                dropped.push(refused);
            }
        }
    }

    /// A packet comes while the transmitter is busy, and is taken or given back. Others that the
    /// queue gives up for it go to `dropped`.
    pub(super) fn push(
        &mut self,
        waiting: Waiting,
        _dropped: &mut Vec<Dropped>,
    ) -> Result<(), Dropped> {
        match self {
            Self::Codel(codel) => codel.push(waiting),
            Self::Fifo(fifo) => fifo.push(waiting),
        }
    }

    /// The packet whose transmission begins at `now`; what is given up before it goes to `dropped`.
    pub(super) fn pop(&mut self, now: Ns, dropped: &mut Vec<Dropped>) -> Option<Packet> {
        let next = match self {
            Self::Codel(codel) => codel.pop(now, dropped),
            Self::Fifo(fifo) => fifo.pop(),
        };
        next.map(|waiting| waiting.packet)
    }

    /// Bytes of all packets that wait.
    pub(super) const fn bytes(&self) -> u64 {
        match self {
            Self::Codel(codel) => codel.backlog().bytes(),
            Self::Fifo(fifo) => fifo.backlog().bytes(),
        }
    }

    /// Takes out all that waits, in the order in which it came.
    pub(super) fn drain(&mut self) -> Vec<Waiting> {
        match self {
            Self::Codel(codel) => codel.drain(),
            Self::Fifo(fifo) => fifo.drain(),
        }
    }
}
