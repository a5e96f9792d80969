//! Who may send how much: turns by weight, and the rate cap of the whole endpoint.
//!
//! Turns are those of deficit round robin: each adds to what a connection may send in proportion to
//! its weight, and what a packet overdraws is taken from its next turn. Every connection that has
//! something to send so gets turns, however small its weight is. Acks and control packets need
//! none.

use std::collections::VecDeque;
use std::num::{NonZeroU32, NonZeroUsize};

use utp_wire::Instant;

use super::{ConnectionHandle, Endpoint, Entry, Transmit};
use crate::config::{PACING_LATE_US_MAX, TURN_BYTES, TURN_BYTES_CAPPED};
use crate::connection::Burst;
use crate::connection::bucket::{credit_of, earned, quantum};

/// The cap, and who waits for it.
#[derive(Debug)]
pub(super) struct Shares {
    /// Bytes per second.
    cap: Option<NonZeroU32>,
    /// In millionths of a byte; below zero after a packet that was larger than what was left.
    credit: i64,
    filled_at: Instant,
    /// When there is credit again for those who wait.
    wake_at: Option<Instant>,
    /// That time has come; nobody has been looked at since.
    woken: bool,
    /// Connections that have data and no credit, in the order of their turns.
    pub(super) waiting: VecDeque<ConnectionHandle>,
}

impl Shares {
    pub(super) const fn new(cap: Option<NonZeroU32>) -> Self {
        Self {
            cap,
            credit: credit_of(PACKET_BYTES),
            filled_at: Instant::from_micros(0),
            wake_at: None,
            woken: false,
            waiting: VecDeque::new(),
        }
    }

    pub(super) const fn set_cap(&mut self, cap: Option<NonZeroU32>) {
        self.cap = cap;
        self.wake_at = None;
    }

    pub(super) const fn is_capped(&self) -> bool {
        self.cap.is_some()
    }

    /// What a turn adds for each unit of weight, in bytes.
    pub(super) const fn turn_bytes(&self) -> i32 {
        if self.is_capped() { TURN_BYTES_CAPPED } else { TURN_BYTES }
    }

    /// Bytes of data that may go now; the last packet may be larger than what is left.
    pub(super) fn available(&mut self, now: Instant) -> i32 {
        let Some(cap) = self.cap.map(|cap| u64::from(cap.get())) else { return i32::MAX };
        let late_us = self.wake_at.map_or(0, |at| now.saturating_since(at));
        let late_us = late_us.min(PACING_LATE_US_MAX);
        let full = quantum(cap, PACKET_BYTES).saturating_add(earned(cap, late_us));
        let gained = earned(cap, now.saturating_since(self.filled_at));
        self.filled_at = now;
        self.wake_at = None;
        if self.credit < full {
            self.credit = self.credit.saturating_add(gained).min(full);
        }
        let bytes = self.credit.max(0).unsigned_abs().div_ceil(1_000_000);
        i32::try_from(bytes).unwrap_or(i32::MAX)
    }

    /// Data went out.
    pub(super) fn charge(&mut self, bytes: u32) {
        if self.is_capped() {
            self.credit = self.credit.saturating_sub(credit_of(u64::from(bytes)));
        }
    }

    /// Asks to be called when there is credit for those who wait.
    pub(super) fn sleep(&mut self, now: Instant) {
        let Some(cap) = self.cap.map(|cap| u64::from(cap.get())) else { return };
        if self.waiting.is_empty() {
            return;
        }
        let missing = (quantum(cap, PACKET_BYTES) / 2).saturating_sub(self.credit).max(1);
        self.woken = false;
        self.wake_at = Some(now.saturating_add(missing.unsigned_abs().div_ceil(cap)));
    }

    pub(super) const fn wake_at(&self) -> Option<Instant> {
        if self.woken { None } else { self.wake_at }
    }

    /// Once there is credit it is of no use to be called again before somebody may send.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.woken |= self.wake_at.is_some_and(|at| at <= now);
    }
}

impl Entry {
    /// Begins a turn if the last one is over. Returns what may be sent in it, nothing if the last
    /// one was overdrawn by more than a turn.
    pub(super) fn begin_turn(&mut self, turn_bytes: i32) -> i32 {
        if self.turn <= 0 {
            self.turn += turn_bytes * i32::from(self.connection.weight());
        }
        self.turn
    }
}

impl Endpoint {
    /// The datagrams of those who wait for a share of the rate cap.
    pub(super) fn poll_waiting(
        &mut self,
        now: Instant,
        max_datagrams: NonZeroUsize,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let available = self.shares.available(now);
        while available > 0
            && let Some(handle) = self.shares.waiting.pop_front()
        {
            let turn_bytes = self.shares.turn_bytes();
            let Some(entry) = self.entry_mut(handle).filter(|entry| entry.waiting) else {
                continue;
            };
            entry.waiting = false;
            let share = entry.begin_turn(turn_bytes).min(available);
            if share <= 0 {
                entry.waiting = true;
                self.shares.waiting.push_back(handle);
                continue;
            }
            let transmit = self.poll_connection(now, handle, share, max_datagrams, buf);
            if transmit.is_some() {
                return transmit;
            }
        }
        self.shares.sleep(now);
        None
    }

    /// Asks one connection for datagrams, of which about `share` bytes may be data.
    pub(super) fn poll_connection(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        share: i32,
        max_datagrams: NonZeroUsize,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let (slot, start) = (handle.index(), buf.len());
        let capped = self.shares.is_capped();
        let entry = self.entries.get_mut(slot)?;
        if entry.connection.wants_draw() {
            let mut bytes = [0; 4];
            self.entropy.fill(&mut bytes);
            entry.connection.take_draw(u32::from_le_bytes(bytes));
        }
        let burst = entry.connection.poll_transmit(now, max_datagrams, share, buf);
        let (destination, source) = (entry.connection.remote(), entry.connection.local_ip());
        let used = share.saturating_sub(entry.connection.share_left());
        entry.turn = entry.turn.saturating_sub(used);
        let wants_more = entry.connection.wants_share() || (burst.is_some() && share > 0);
        if !wants_more && burst.is_none() && !entry.waiting {
            // Who has nothing to send saves nothing up.
            entry.turn = entry.turn.min(0);
        }
        let goes_on = entry.turn > 0;
        if capped && wants_more && !entry.waiting {
            entry.waiting = true;
            let waiting = &mut self.shares.waiting;
            if goes_on { waiting.push_front(handle) } else { waiting.push_back(handle) }
        }
        let first = !capped && goes_on && !entry.transmit_queued;
        self.shares.charge(used.max(0).unsigned_abs());
        let Some(burst) = burst else {
            self.sync_without_transmit(slot);
            return None;
        };
        if first && let Some(entry) = self.entries.get_mut(slot) {
            entry.transmit_queued = true;
            self.transmit_queue.push_front(handle);
        }
        // It may have more to send.
        self.sync(slot);
        let Burst { size, segment_size, dont_fragment } = burst;
        Some(Transmit {
            connection: Some(handle),
            destination,
            source,
            start,
            size,
            segment_size,
            dont_fragment,
        })
    }

    /// Limits what all connections together send to so many bytes of UDP payload per second, in
    /// DATA and FIN packets, headers and repeats included; `None` lifts the limit.
    ///
    /// It is shared out by the [weights](crate::Config::weight) of those who have data. Acks and
    /// control packets always pass. A batch is about what a millisecond is worth, or two packets.
    pub fn set_send_rate_max(&mut self, bytes_per_second: Option<NonZeroU32>) {
        self.shares.set_cap(bytes_per_second);
        // Whoever waited for the old cap looks at the new one.
        for handle in std::mem::take(&mut self.shares.waiting) {
            if let Some(entry) = self.entry_mut(handle) {
                entry.waiting = false;
                self.sync(handle.index());
            }
        }
    }
}

/// UDP payload of the largest packet on a path as wide as Ethernet.
const PACKET_BYTES: u64 = 1_472;
