//! The endpoint: owns every connection of a UDP socket, finds the one a packet belongs to, and
//! queues what has something to say.

mod admission;
mod budget;
mod deadlines;
mod filter;
mod half_open;
mod index;
mod key;
mod numbers;
mod receive;
mod reply;
mod reset;
mod shares;
mod stats;
mod tombstones;

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use slab::Slab;
use utp_wire::{ConnectionId, Header, Instant, PacketType, SeqNr};

use crate::budget::Budget;
use crate::config::{Config, EndpointConfig, STALE_MAX};
use crate::connection::{Clock, Connection, Counters, State};
use crate::error::ConnectError;
use crate::event::Event;
use crate::secret::Secret;
use crate::trace::{Subject, Trace, is_wanted_by_process};
pub use admission::Incoming;
use deadlines::Deadlines;
pub use filter::{SynFilter, SynInfo, Verdict};
use half_open::HalfOpen;
pub(crate) use half_open::Opening;
use index::Index;
use key::Key;
use numbers::FirstNumbers;
pub use receive::{Disposition, IcmpError, RecvMeta};
use reply::{Replies, Reply};
use reset::{Resets, reset_for};
use shares::Shares;
pub use stats::EndpointStats;
pub(crate) use tombstones::Remains;
use tombstones::Tombstones;

/// Source of connection ids and sequence numbers; must not be predictable in production.
pub trait Entropy: Send {
    /// Fills `bytes` with random ones.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// Names a connection of an endpoint. A handle of a connection that is gone names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionHandle {
    slot: u32,
    generation: u32,
}

impl ConnectionHandle {
    fn new(slot: usize, generation: u32) -> Self {
        Self { slot: narrow(slot), generation }
    }

    /// A small number, unique among the connections that exist and used again after they are gone.
    pub const fn index(self) -> usize {
        self.slot as usize
    }

    /// A number that no other connection of the endpoint has or had, until after four billion.
    pub const fn number(self) -> u32 {
        self.generation
    }

    #[cfg(test)]
    pub(crate) const fn for_test(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }
}

/// A slot in 32 bits, of which queues and maps hold one per connection. More connections than that
/// would not fit into any memory.
fn narrow(slot: usize) -> u32 {
    u32::try_from(slot).unwrap_or(u32::MAX)
}

/// Datagrams to send: `buf[start..start + size]` of the buffer given to
/// [`Endpoint::poll_transmit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// Where to.
    pub destination: SocketAddr,
    /// Which of this host's addresses to send from, where that is known to matter.
    pub source: Option<IpAddr>,
    /// Where the bytes begin in the buffer.
    pub start: usize,
    /// How many bytes there are.
    pub size: usize,
    /// If set, there are several datagrams of this size each, the last may be shorter.
    pub segment_size: Option<usize>,
    /// Whether the datagrams are to go whole or not at all. Unset only for one that was made when
    /// the path carried larger ones, which no other can replace.
    pub dont_fragment: bool,
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

/// Later than every deadline. An `Option` would take twice the room.
const UNARMED: Instant = Instant::from_micros(u64::MAX);

/// A connection and what the endpoint knows of it.
#[derive(Debug)]
struct Entry {
    connection: Connection,
    generation: u32,
    transmit_queued: bool,
    event_queued: bool,
    half_open: bool,
    waits_for_memory: bool,
    /// The id under which the index knows it.
    indexed: Option<ConnectionId>,
    /// Until when its initiator can prove itself, if it was accepted: its first packets would open
    /// it once more.
    cookie_ends_at: Instant,
    /// The earliest deadline in the heap, [`UNARMED`] if there is none.
    armed: Instant,
    /// Bytes left of its turn; below zero if the last packet was larger.
    turn: i32,
    /// It stands in the queue of those who wait for their share.
    waiting: bool,
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
            half_open: 0,
            stats: EndpointStats::default(),
            gone: Counters::default(),
            trace: None,
        }
    }

    /// Starts a connect. [`Event::Connected`] or [`Event::Closed`] follows.
    ///
    /// # Errors
    /// When no connection can be made at all; nothing is sent then.
    pub fn connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        config: Arc<Config>,
    ) -> Result<ConnectionHandle, ConnectError> {
        let now = self.advance(now);
        if remote.port() == 0 || remote.ip().is_unspecified() {
            return Err(ConnectError::InvalidRemote);
        }
        if self.entries.len() >= self.config.connections_max {
            return Err(ConnectError::TooManyConnections);
        }
        let id = self.free_id(remote).ok_or(ConnectError::IdsExhausted)?;
        let seq_nr = self.numbers.initiator(now, remote, id);
        let mut connection = Connection::connect(now, remote, id, seq_nr, config);
        connection.announce_holds_more(self.config.announce_holds_more);
        Ok(self.insert(connection))
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
        Some(ConnectionMut { endpoint: self, slot: handle.index() })
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
                if let Some(event) = entry.connection.pop_event() {
                    return Some((handle, event));
                }
                entry.event_queued = false;
            }
            self.event_queue.pop_front();
        }
        None
    }

    /// Appends the next datagrams to send to `buf`: at most `max_datagrams`, all to one
    /// destination, all of one size but for the last. `None` when nothing is to be sent now.
    ///
    /// Connections take turns by their [weights](Config::weight).
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: NonZeroUsize,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let now = self.advance(now);
        let start = buf.len();
        if let Some(reply) = self.replies.pop() {
            buf.extend_from_slice(reply.bytes());
            return Some(Transmit {
                destination: reply.destination,
                source: reply.source,
                start,
                size: reply.bytes().len(),
                segment_size: None,
                dont_fragment: true,
            });
        }
        let capped = self.shares.is_capped();
        while let Some(handle) = self.transmit_queue.pop_front() {
            let turn_bytes = self.shares.turn_bytes();
            let Some(entry) = self.entry_mut(handle).filter(|entry| entry.transmit_queued) else {
                continue;
            };
            entry.transmit_queued = false;
            // Under a cap data waits for its turn below; what else there is goes.
            let share = if capped { 0 } else { entry.begin_turn(turn_bytes) };
            if !capped && share <= 0 {
                entry.transmit_queued = true;
                self.transmit_queue.push_back(handle);
                continue;
            }
            let transmit = self.poll_connection(now, handle, share, max_datagrams, buf);
            if transmit.is_some() {
                return transmit;
            }
        }
        capped.then(|| self.poll_waiting(now, max_datagrams, buf)).flatten()
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

    /// A connection id to receive on. Neither it nor its neighbours are in use with this peer, so
    /// that no id of one connection is taken for that of another. Rather not one that something
    /// late may still come for, and 0xFFFF, which libutp cannot count beyond (quirk Q13), only when
    /// there is no other.
    // req: ID-04, ID-05
    fn free_id(&mut self, remote: SocketAddr) -> Option<ConnectionId> {
        let start = random(&mut *self.entropy);
        let now = self.now;
        let ids = || {
            let order = (0..=u16::MAX).map(|step| ConnectionId(start.wrapping_add(step)));
            order.filter(|id| self.is_free(remote, *id))
        };
        let usual = || ids().filter(|id| id.0 != u16::MAX);
        let rested = |id: &ConnectionId| {
            let key = Key::new(remote, *id);
            !self.tombstones.contains(now, &key) && self.openings.get(now, &key).is_none()
        };
        usual()
            .take(RESTED_IDS_TRIED)
            .find(rested)
            .or_else(|| usual().next())
            .or_else(|| ids().next())
    }

    fn is_free(&self, remote: SocketAddr, id: ConnectionId) -> bool {
        let near = [id.previous(), id, id.next()];
        near.iter().all(|near| self.index.get(remote, *near).is_none())
    }

    /// A connect goes on with another id and another first number.
    fn change_id(&mut self, now: Instant, slot: usize) {
        let Some(remote) = self.entries.get(slot).map(|entry| entry.connection.remote()) else {
            return;
        };
        let id = self.free_id(remote);
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let old = entry.indexed.take();
        // Without a free id the old one serves on.
        let id = id.or(old).unwrap_or(ConnectionId(0));
        let seq_nr = self.numbers.initiator(now, remote, id);
        entry.connection.set_initiator_ids(id, seq_nr);
        entry.connection.show_clock(Clock::new(&self.secret, remote, id));
        entry.indexed = Some(id);
        if let Some(old) = old {
            self.index.remove(remote, old, slot);
        }
        self.index.insert(remote, id, slot);
    }

    fn insert(&mut self, mut connection: Connection) -> ConnectionHandle {
        if self.is_traced() {
            connection.trace_mut().set_enabled(true);
            connection.trace_opened();
        }
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        connection.join_budget(&self.budget);
        let (remote, id) = (connection.remote(), connection.id_recv());
        connection.show_clock(Clock::new(&self.secret, remote, id));
        let slot = self.entries.insert(Entry {
            connection,
            generation,
            transmit_queued: false,
            event_queued: false,
            half_open: false,
            waits_for_memory: false,
            indexed: Some(id),
            cookie_ends_at: Instant::default(),
            armed: UNARMED,
            turn: 0,
            waiting: false,
        });
        self.index.insert(remote, id, slot);
        self.tombstones.remove(&Key::new(remote, id));
        self.sync(slot);
        ConnectionHandle::new(slot, generation)
    }

    /// After anything happened to a connection: queue it, arm its deadline, free it if it is spent.
    fn sync(&mut self, slot: usize) {
        self.queue_transmit(slot);
        self.sync_without_transmit(slot);
    }

    fn queue_transmit(&mut self, slot: usize) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        if !entry.transmit_queued {
            entry.transmit_queued = true;
            let generation = entry.generation;
            self.transmit_queue.push_back(ConnectionHandle::new(slot, generation));
        }
    }

    fn sync_without_transmit(&mut self, slot: usize) {
        self.balance(slot);
        self.queue_event(slot);
        let Some(entry) = self.entries.get_mut(slot) else { return };
        entry.connection.leave_to_tombstone();
        let connection = ConnectionHandle::new(slot, entry.generation);
        let subject = Subject { now: self.now, connection };
        entry.connection.trace_mut().flush(subject, &mut self.trace);
        let connection = &entry.connection;
        let half_open = connection.state() == State::SynReceived;
        if half_open != entry.half_open {
            entry.half_open = half_open;
            self.half_open = if half_open { self.half_open + 1 } else { self.half_open - 1 };
        }
        if let Some(deadline) = connection.deadline()
            && deadline < entry.armed
        {
            entry.armed = deadline;
            self.deadlines.push(deadline, slot, entry.generation);
        }
        if connection.state() == State::Closed {
            let (remote, spent) = (connection.remote(), connection.is_spent());
            if let Some(id) = entry.indexed.take() {
                self.index.remove(remote, id, slot);
                if let Some(remains) = connection.remains() {
                    let (key, cookie_ends_at) = (Key::new(remote, id), entry.cookie_ends_at);
                    self.tombstones.insert(self.now, key, &remains);
                    self.tombstones.keep_until(self.now, &key, cookie_ends_at);
                }
            }
            if spent {
                let entry = self.entries.remove(slot);
                self.gone.add(&entry.connection.counters());
            }
        }
        self.forget_stale();
    }

    fn queue_event(&mut self, slot: usize) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        if entry.connection.has_events() && !entry.event_queued {
            entry.event_queued = true;
            let generation = entry.generation;
            self.event_queue.push_back(ConnectionHandle::new(slot, generation));
        }
    }

    /// Connections that come and go leave entries in the queues behind. They are dropped when they
    /// are many, so that no peer can make the queues longer than the connections are, and when no
    /// connection is left, so that nothing is waited for then.
    fn forget_stale(&mut self) {
        let entries = &self.entries;
        let len_max = match entries.len() {
            0 => 0,
            live => 2 * live + STALE_MAX,
        };
        let lives = |handle: &ConnectionHandle| {
            entries.get(handle.index()).is_some_and(|entry| entry.generation == handle.generation)
        };
        if self.transmit_queue.len() > len_max {
            self.transmit_queue.retain(lives);
        }
        if self.event_queue.len() > len_max {
            self.event_queue.retain(lives);
        }
        if self.shares.waiting.len() > len_max {
            self.shares.waiting.retain(lives);
        }
        if self.memory_waiters.len() > len_max {
            self.memory_waiters.retain(lives);
        }
        if self.deadlines.len() > len_max {
            self.deadlines.retain(|at, slot, generation| {
                entries
                    .get(slot)
                    .is_some_and(|entry| entry.generation == generation && entry.armed == at)
            });
        }
    }

    fn entry_mut(&mut self, handle: ConnectionHandle) -> Option<&mut Entry> {
        self.entries.get_mut(handle.index()).filter(|entry| entry.generation == handle.generation)
    }

    fn send_reset(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        source: Option<IpAddr>,
        offending: &Header,
    ) {
        debug_assert!(offending.packet_type != PacketType::Reset, "a reset is never answered");
        let seq_nr = SeqNr(random(&mut *self.entropy));
        let header = reset_for(offending, seq_nr);
        let network = Key::new(remote, offending.connection_id).network_hash(&self.secret);
        let allowed = self.replies.has_room() && self.resets.take(now, network);
        if allowed && self.replies.push(Reply::new(remote, source, &header, None)) {
            self.stats.resets_sent += 1;
        } else {
            self.stats.resets_suppressed += 1;
        }
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

/// Free ids that are looked at for one that nothing late may come for.
const RESTED_IDS_TRIED: usize = 64;

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

/// A connection borrowed for reading and writing. When it is dropped the endpoint looks what has
/// changed, so that nothing written is ever forgotten.
#[derive(Debug)]
pub struct ConnectionMut<'a> {
    endpoint: &'a mut Endpoint,
    slot: usize,
}

impl Deref for ConnectionMut<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.endpoint.entries[self.slot].connection
    }
}

impl DerefMut for ConnectionMut<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.endpoint.entries[self.slot].connection
    }
}

impl Drop for ConnectionMut<'_> {
    fn drop(&mut self) {
        self.endpoint.sync(self.slot);
    }
}

#[cfg(test)]
mod tests;
