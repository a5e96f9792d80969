//! First in, first out, limited in bytes and packets, dropping at the tail.

use super::backlog::{Backlog, Waiting};
use crate::link::Dropped;

#[derive(Debug)]
pub(in crate::link) struct Fifo {
    backlog: Backlog,
    bytes_max: u64,
    packets_max: u64,
}

impl Fifo {
    pub(super) fn new(bytes_max: Option<u64>, packets_max: Option<u64>) -> Self {
        Self {
            backlog: Backlog::default(),
            bytes_max: bytes_max.unwrap_or(u64::MAX),
            packets_max: packets_max.unwrap_or(u64::MAX),
        }
    }

    /// Appends a packet that fits whole.
    pub(super) fn push(&mut self, waiting: Waiting) -> Result<(), Dropped> {
        self.backlog.push_within(self.bytes_max, self.packets_max, waiting)
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        self.backlog.pop()
    }

    pub(super) const fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    pub(super) fn drain(&mut self) -> Vec<Waiting> {
        self.backlog.drain()
    }
}
