//! The endpoint: owns every connection of a UDP socket, finds the one a packet belongs to, and
//! queues what has something to say.

mod admission;
mod budget;
mod connect;
mod deadlines;
mod deferred_acks;
mod entries;
mod filter;
mod half_open;
mod handle;
mod index;
mod key;
mod numbers;
mod receive;
mod reply;
mod reset;
mod shares;
mod stats;
mod tombstones;
mod transmit;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use slab::Slab;
use utp_wire::{Instant, SeqNr};

use crate::budget::{Budget, QueueAccount};
use crate::config::EndpointConfig;
use crate::connection::{Connection, Counters};
use crate::event::Event;
use crate::secret::Secret;
use crate::trace::{Trace, is_wanted_by_process};
pub use admission::Incoming;
use deadlines::Deadlines;
use entries::{Entry, UNARMED};
pub use filter::{SynFilter, SynInfo, Verdict};
use half_open::HalfOpen;
pub(crate) use half_open::Opening;
pub use handle::{ConnectionHandle, ConnectionMut};
use index::Index;
use numbers::FirstNumbers;
pub use receive::{Disposition, IcmpError, RecvMeta};
use reply::Replies;
use reset::Resets;
use shares::Shares;
pub use stats::EndpointStats;
pub(crate) use tombstones::Remains;
use tombstones::Tombstones;
pub use transmit::Transmit;

/// Source of connection ids and sequence numbers; must not be predictable in production.
pub trait Entropy: Send {
    /// Fills `bytes` with random ones.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// All connections of one UDP socket. See the [crate documentation](crate) for the run loop.
pub struct Endpoint {
    config: Arc<EndpointConfig>,
    entropy: Box<dyn Entropy>,
    now: Instant,
    entries: Slab<Entry>,
    generation: u32,
    secret: Secret,
    index: Index,
    deadlines: Deadlines,
    transmit_queue: VecDeque<ConnectionHandle>,
    event_queue: VecDeque<ConnectionHandle>,
    numbers: FirstNumbers,
    openings: HalfOpen,
    tombstones: Tombstones,
    replies: Replies,
    resets: Resets,
    refusing: bool,
    shares: Shares,
    /// Connections whose acks wait for the end of a batch.
    ack_waiters: VecDeque<ConnectionHandle>,
    /// Connections accepted at their SYN that wait for data.
    half_open: usize,
    budget: Arc<Budget>,
    /// Connections whose writes wait for the memory of others.
    memory_waiters: VecDeque<ConnectionHandle>,
    next_cull_at: Instant,
    stats: EndpointStats,
    /// What the connections counted that are gone.
    gone: Counters,
    trace: Option<Box<dyn Trace>>,
}

impl Endpoint {
    /// An endpoint without connections.
    pub fn new(config: Arc<EndpointConfig>, mut entropy: Box<dyn Entropy>) -> Self {
        let mut key = [0; 16];
        entropy.fill(&mut key);
        let secret = Secret::new(key);
        let origin = SeqNr(random(&mut *entropy));
        Self {
            numbers: FirstNumbers::new(secret, origin),
            openings: HalfOpen::new(secret, config.half_open_max, config.half_open_life_us),
            tombstones: Tombstones::new(secret),
            replies: Replies::default(),
            refusing: false,
            shares: Shares::new(config.send_rate_max),
            resets: Resets::new(config.resets_per_second, config.resets_burst),
            budget: Arc::new(Budget::new(config.memory_max_bytes)),
            memory_waiters: VecDeque::new(),
            next_cull_at: Instant::default(),
            config,
            entropy,
            now: Instant::default(),
            entries: Slab::new(),
            generation: 0,
            secret,
            index: Index::new(secret),
            deadlines: Deadlines::default(),
            transmit_queue: VecDeque::new(),
            event_queue: VecDeque::new(),
            ack_waiters: VecDeque::new(),
            half_open: 0,
            stats: EndpointStats::default(),
            gone: Counters::default(),
            trace: None,
        }
    }

    /// An account for what a driver holds of a stream that this endpoint has not taken yet.
    pub fn queue_account(&self) -> QueueAccount {
        QueueAccount::new(&self.budget)
    }

    /// The connection behind `handle`, unless it is gone.
    pub fn connection(&self, handle: ConnectionHandle) -> Option<&Connection> {
        self.entries
            .get(handle.index())
            .filter(|entry| entry.generation == handle.generation)
            .map(|entry| &entry.connection)
    }

    /// The connection behind `handle`, to read from and write to.
    pub fn connection_mut(&mut self, handle: ConnectionHandle) -> Option<ConnectionMut<'_>> {
        self.connection(handle)?;
        Some(ConnectionMut::new(self, handle.index()))
    }

    /// The application is done with the connection: what was written is still delivered, then the
    /// FIN; what arrives is discarded. It is freed when that is done or given up. No event follows.
    /// A connect that was not answered yet is dropped with what was written.
    pub fn release(&mut self, now: Instant, handle: ConnectionHandle) {
        let now = self.advance(now);
        if let Some(mut connection) = self.connection_mut(handle) {
            connection.release(now);
        }
    }

    /// Acts on every deadline that has passed. Calling it early does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        self.openings.expire(now);
        self.tombstones.expire(now);
        self.shares.handle_timeout(now);
        while let Some((at, slot, generation)) = self.deadlines.pop_due(now) {
            let Some(entry) = self.entries.get_mut(slot) else { continue };
            // An entry that was overtaken must not be pushed again beside its successor.
            if entry.generation != generation || entry.armed != at {
                continue;
            }
            entry.armed = UNARMED;
            entry.connection.handle_timeout(now);
            if entry.connection.wants_new_id() {
                self.change_id(now, slot);
            }
            self.sync(slot);
        }
    }

    /// Tells that nothing could be sent since `since`, for instance because the buffer of the
    /// socket was full, and that it can again. Such a time is no loss and no silence of a peer.
    ///
    /// A driver calls it for stalls that are long beside a round trip, and calls no
    /// [`Self::handle_timeout`] in one. It looks at every connection and what it has in flight.
    pub fn handle_stall(&mut self, now: Instant, since: Instant) {
        let now = self.advance(now);
        let slots: Vec<usize> = self.entries.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            if let Some(entry) = self.entries.get_mut(slot) {
                entry.connection.on_stall(now, since);
                self.sync(slot);
            }
        }
    }

    /// The next thing that happened to a connection.
    pub fn poll_event(&mut self) -> Option<(ConnectionHandle, Event)> {
        while let Some(&handle) = self.event_queue.front() {
            if let Some(entry) = self.entry_mut(handle).filter(|entry| entry.event_queued) {
                let waited = entry.connection.waits_for_writer();
                if let Some(event) = entry.connection.pop_event() {
                    if waited && event == Event::Writable {
                        self.queue_transmit(handle.index());
                    }
                    return Some((handle, event));
                }
                entry.event_queued = false;
            }
            self.event_queue.pop_front();
        }
        None
    }

    /// When [`Self::handle_timeout`] wants to be called, at the latest.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        let tables = earlier(self.openings.deadline(), self.tombstones.deadline());
        let connections = earlier(self.deadlines.peek(), self.shares.wake_at());
        earlier(tables, connections)
    }

    /// Whether there is nothing left to do: no connection exists, and none that ended lately may
    /// have to answer something yet. What is remembered of them only so that nothing late opens
    /// them again does not count.
    pub fn is_idle(&self) -> bool {
        self.entries.is_empty() && self.tombstones.owes_nothing()
    }

    /// Counters, as of now.
    pub fn stats(&self) -> EndpointStats {
        EndpointStats {
            connections: self.entries.len(),
            half_open: self.openings.len() + self.half_open,
            memory_bytes: self.budget.used(),
            ..self.stats
        }
    }

    /// What all connections have counted together, those included that are gone. It looks at each
    /// that exists.
    pub fn totals(&self) -> Counters {
        let mut totals = self.gone;
        for (_, entry) in &self.entries {
            totals.add(&entry.connection.counters());
        }
        totals
    }

    /// Tells `trace` everything that happens to any connection from now on, or nobody any more.
    pub fn set_trace(&mut self, trace: Option<Box<dyn Trace>>) {
        self.trace = trace;
        let enabled = self.is_traced();
        for (_, entry) in &mut self.entries {
            entry.connection.trace_mut().set_enabled(enabled);
        }
    }

    fn is_traced(&self) -> bool {
        self.trace.is_some() || is_wanted_by_process()
    }

    /// Time never runs backwards here, whatever the driver's clock does.
    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}

/// The earlier of two moments. Drivers ask after every datagram: the minimum of an iterator over
/// options costs as much as the rest of the question.
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn random(entropy: &mut dyn Entropy) -> u16 {
    let mut bytes = [0; 2];
    entropy.fill(&mut bytes);
    u16::from_le_bytes(bytes)
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
