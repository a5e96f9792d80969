//! SYNs that were answered and whose initiators have not been heard since: a table of fixed size.
//!
//! What it remembers lets the first packets come in any order and keeps what the SYN said. Who did
//! not fit proves itself by its cookie alone (see `numbers.rs`), so that a full table changes
//! nothing on the wire. As long as everybody fits, a cookie alone proves nothing: it has 16 bits,
//! and a stray packet meets one of the eight that would do more often than one likes.

use utp_wire::{ConnectionId, Instant, SeqNr};

use super::key::{Key, reduce};
use crate::config::{COOKIE_EPOCH_US, HALF_OPEN_PER_NETWORK, HALF_OPEN_PRESSED_LIFE_US};
use crate::secret::{Purpose, Secret};

/// What is known of an initiator that has not proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// The id of its SYN, which we send with.
    pub(crate) id_send: ConnectionId,
    pub(crate) syn_seq_nr: SeqNr,
    /// The number of our SYN-ACK.
    pub(crate) first: SeqNr,
    /// Its SYN told that it holds more packets ahead of the stream than libutp does.
    pub(crate) holds_more: bool,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: Key,
    opening: Opening,
    created_at: Instant,
}

/// The table: a keyed hash chooses a few slots, of which any may serve.
#[derive(Debug)]
pub(super) struct HalfOpen {
    secret: Secret,
    /// Allocated as a whole with the first entry, given back after the last.
    slots: Vec<Option<Slot>>,
    capacity: usize,
    life_us: u64,
    live: usize,
    /// Entries of each network; networks share counters, which costs them no more than their place.
    per_network: Vec<u8>,
    /// Until when somebody may come with a cookie who is not, or no more, in the table.
    untracked_until: Option<Instant>,
    /// When the table was last more than three quarters full.
    pressed_at: Option<Instant>,
    /// No entry expires before.
    deadline: Option<Instant>,
}

/// Slots a key may be in.
const WAYS: usize = 8;

/// A cookie is taken in its epoch and the next.
const COOKIE_LIFE_US: u64 = 2 * COOKIE_EPOCH_US;

/// Counters of networks.
const COUNTERS: usize = 2_048;

impl HalfOpen {
    pub(super) fn new(secret: Secret, capacity: usize, life_us: u64) -> Self {
        Self {
            secret,
            slots: Vec::new(),
            capacity: capacity.div_ceil(WAYS) * WAYS,
            life_us,
            live: 0,
            per_network: Vec::new(),
            untracked_until: None,
            pressed_at: None,
            deadline: None,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.live
    }

    /// When [`Self::expire`] has something to do, at the earliest.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn get(&self, now: Instant, key: &Key) -> Option<Opening> {
        let at = self.find(key)?;
        let slot = self.slots[at].filter(|slot| self.expires_at(slot) > now)?;
        Some(slot.opening)
    }

    /// Remembers a SYN if there is room. A newer SYN with the same key takes the place of the old,
    /// which may have been the true one.
    pub(super) fn insert(&mut self, now: Instant, key: Key, opening: Opening) {
        if self.get(now, &key).is_some() {
            self.forget_before_its_time(now);
        }
        if !self.insert_if_room(now, key, opening) {
            self.forget_before_its_time(now);
        }
    }

    /// Whether a cookie may belong to somebody who is not in the table.
    pub(super) fn is_incomplete(&self, now: Instant) -> bool {
        self.untracked_until.is_some_and(|until| until > now)
    }

    /// Who was answered at `answered_at` has to prove itself by its cookie.
    fn forget_before_its_time(&mut self, answered_at: Instant) {
        let until = answered_at.saturating_add(COOKIE_LIFE_US);
        self.untracked_until = self.untracked_until.max(Some(until));
    }

    fn insert_if_room(&mut self, now: Instant, key: Key, opening: Opening) -> bool {
        if self.capacity == 0 {
            return false;
        }
        self.remove(&key);
        if self.slots.is_empty() {
            self.slots = vec![None; self.capacity];
            self.per_network = vec![0; COUNTERS];
        }
        let counter = self.counter(&key);
        if self.per_network[counter] >= HALF_OPEN_PER_NETWORK {
            return false;
        }
        let free = self.ways(&key).find(|at| self.slots[*at].is_none());
        let Some(at) = free else { return false };
        self.slots[at] = Some(Slot { key, opening, created_at: now });
        self.per_network[counter] += 1;
        self.live += 1;
        self.expire_by(now.saturating_add(self.life_us));
        if self.live * 4 > self.capacity * 3 {
            let before = self.pressed_at.replace(now);
            // Those that came since then live shorter now.
            let due = before.map_or(now, |at| at.saturating_add(HALF_OPEN_PRESSED_LIFE_US));
            self.expire_by(due);
        }
        true
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(at) = self.find(key) {
            self.clear(at);
            self.release_if_empty();
        }
    }

    /// Forgets what is too old.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.deadline.is_none_or(|at| at > now) {
            return;
        }
        self.deadline = None;
        for at in 0..self.slots.len() {
            let Some(slot) = &self.slots[at] else { continue };
            let expires_at = self.expires_at(slot);
            if expires_at <= now {
                let created_at = slot.created_at;
                self.forget_before_its_time(created_at);
                self.clear(at);
            } else {
                self.expire_by(expires_at);
            }
        }
        self.release_if_empty();
    }

    fn expires_at(&self, slot: &Slot) -> Instant {
        let pressed = self.pressed_at.is_some_and(|at| slot.created_at <= at);
        let life_us =
            if pressed { self.life_us.min(HALF_OPEN_PRESSED_LIFE_US) } else { self.life_us };
        slot.created_at.saturating_add(life_us)
    }

    fn expire_by(&mut self, at: Instant) {
        self.deadline = Some(self.deadline.map_or(at, |deadline| deadline.min(at)));
    }

    fn clear(&mut self, at: usize) {
        let Some(slot) = self.slots[at].take() else { return };
        let counter = self.counter(&slot.key);
        self.per_network[counter] -= 1;
        self.live -= 1;
    }

    fn release_if_empty(&mut self) {
        if self.live == 0 {
            self.slots = Vec::new();
            self.per_network = Vec::new();
            self.pressed_at = None;
            self.deadline = None;
        }
    }

    fn find(&self, key: &Key) -> Option<usize> {
        self.ways(key).find(|at| self.slots[*at].is_some_and(|slot| slot.key == *key))
    }

    fn ways(&self, key: &Key) -> std::ops::Range<usize> {
        if self.slots.is_empty() {
            return 0..0;
        }
        let sets = self.slots.len() / WAYS;
        let start = reduce(key.hash(&self.secret, Purpose::HalfOpen), sets) * WAYS;
        start..start + WAYS
    }

    fn counter(&self, key: &Key) -> usize {
        reduce(key.network_hash(&self.secret), COUNTERS)
    }
}
