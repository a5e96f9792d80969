//! What the endpoint knows of each connection, and what it does after anything happened to one: it
//! stands in the queues, its deadline is armed, and it is freed when it is spent.

use utp_wire::{ConnectionId, Instant};

use super::key::Key;
use super::{ConnectionHandle, Endpoint};
use crate::config::STALE_MAX;
use crate::connection::{Clock, Connection, State};
use crate::trace::Subject;

/// Later than every deadline. An `Option` would take twice the room.
pub(super) const UNARMED: Instant = Instant::from_micros(u64::MAX);

/// A connection and what the endpoint knows of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) connection: Connection,
    pub(super) generation: u32,
    pub(super) transmit_queued: bool,
    pub(super) event_queued: bool,
    pub(super) half_open: bool,
    pub(super) waits_for_memory: bool,
    pub(super) ack_waits: bool,
    /// The id under which the index knows it.
    pub(super) indexed: Option<ConnectionId>,
    /// Until when its initiator can prove itself, if it was accepted: its first packets would open
    /// it once more.
    pub(super) cookie_ends_at: Instant,
    /// The earliest deadline in the heap, [`UNARMED`] if there is none.
    pub(super) armed: Instant,
    /// Bytes left of its turn; below zero if the last packet was larger.
    pub(super) turn: i32,
    /// It stands in the queue of those who wait for their share.
    pub(super) waiting: bool,
}

impl Endpoint {
    pub(super) fn insert(&mut self, mut connection: Connection) -> ConnectionHandle {
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
            ack_waits: false,
            indexed: Some(id),
            cookie_ends_at: Instant::default(),
            armed: UNARMED,
            turn: 0,
            waiting: false,
        });
        self.index.insert(remote, id, slot);
        self.tombstones.supersede(self.now, &Key::new(remote, id));
        self.sync(slot);
        ConnectionHandle::new(slot, generation)
    }

    /// After anything happened to a connection: queue it, arm its deadline, free it if it is spent.
    pub(super) fn sync(&mut self, slot: usize) {
        let Some(entry) = self.entries.get(slot) else { return };
        if !entry.connection.only_defers_ack() {
            self.queue_transmit(slot);
        }
        self.sync_without_transmit(slot);
    }

    pub(super) fn queue_transmit(&mut self, slot: usize) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        if !entry.transmit_queued {
            entry.transmit_queued = true;
            let generation = entry.generation;
            self.transmit_queue.push_back(ConnectionHandle::new(slot, generation));
        }
    }

    pub(super) fn sync_without_transmit(&mut self, slot: usize) {
        self.balance(slot);
        self.note_deferred_ack(slot);
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
        let mut stale = false;
        if let Some(deadline) = connection.deadline()
            && deadline < entry.armed
        {
            entry.armed = deadline;
            self.deadlines.push(deadline, slot, entry.generation);
            stale = true;
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
                stale = true;
            }
        }
        if stale {
            self.forget_stale();
        }
    }

    pub(super) fn queue_event(&mut self, slot: usize) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        entry.connection.tell_window_room();
        if entry.connection.has_events() && !entry.event_queued {
            entry.event_queued = true;
            let generation = entry.generation;
            self.event_queue.push_back(ConnectionHandle::new(slot, generation));
        }
    }

    /// Connections that come and go leave entries in the queues behind. They are dropped when they
    /// are many, so that no peer can make the queues longer than the connections are, and when no
    /// connection is left, so that nothing is waited for then. It is looked for when a connection
    /// goes and when a deadline overtakes another: nothing else leaves any behind.
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
        if self.ack_waiters.len() > len_max {
            self.ack_waiters.retain(lives);
        }
        if self.deadlines.len() > len_max {
            self.deadlines.retain(|at, slot, generation| {
                entries
                    .get(slot)
                    .is_some_and(|entry| entry.generation == generation && entry.armed == at)
            });
        }
    }

    pub(super) fn entry_mut(&mut self, handle: ConnectionHandle) -> Option<&mut Entry> {
        self.entries.get_mut(handle.index()).filter(|entry| entry.generation == handle.generation)
    }
}
