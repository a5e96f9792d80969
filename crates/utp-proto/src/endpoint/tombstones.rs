//! What is left of connections that ended: enough to answer what still comes for them, in a table
//! of fixed size.
//!
//! A finished connection answers a late FIN or DATA with a STATE, since the ack of the first copy
//! may have been lost; one that ended otherwise with a reset, within the limits for resets. Neither
//! lets late copies of the packets that opened it open another (RFC 9293 calls this TIME-WAIT), as
//! long as the cookie in them is good, not even when the peer uses the name again before that. In
//! a table that is full the oldest gives way all the same: to distrust cookies then would let one
//! peer that opens and closes shut out all others.

use utp_wire::{Instant, SeqNr};

use super::key::{Key, reduce};
use crate::config::TOMBSTONES_MAX;
use crate::secret::{Purpose, Secret};

/// One connection that is gone: 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tombstone {
    key: Key,
    /// The number that its next packet would have had.
    pub(super) next: SeqNr,
    /// The last number that it received.
    pub(super) ack_nr: SeqNr,
    /// The SYN that it accepted; any number if it was the initiator.
    syn_seq_nr: SeqNr,
    pub(super) ending: Ending,
    pub(super) initiator: bool,
    /// 0 marks a free place.
    expires_tick: u32,
}

/// How one ended, which decides what answers for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Both directions, or all that anybody wanted of them, were finished: a STATE.
    Finished,
    /// Otherwise: a reset.
    Failed,
    /// Its peer has used the name again, and what comes is of the new connection: nothing. Only
    /// the packets that opened the old one are still told by their SYN's number.
    Superseded,
}

/// What is to be remembered of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remains {
    pub(crate) next: SeqNr,
    pub(crate) ack_nr: SeqNr,
    pub(crate) syn_seq_nr: Option<SeqNr>,
    pub(crate) finished: bool,
    /// How long it matters, in microseconds.
    pub(crate) life_us: u64,
}

/// The table: a keyed hash chooses a few places; the one that expires first gives way.
#[derive(Debug)]
pub(super) struct Tombstones {
    secret: Secret,
    /// Grows up to its limit while tombstones are many, given back when the last has expired.
    places: Vec<Tombstone>,
    last_expires_tick: u32,
    /// Until when somebody may have to be answered; 0 after that. Those that stay longer only keep
    /// cookies from opening something.
    answers_until_tick: u32,
}

/// Places a key may be in.
const WAYS: usize = 8;

const FREE: Tombstone = Tombstone {
    key: Key::NONE,
    next: SeqNr(0),
    ack_nr: SeqNr(0),
    syn_seq_nr: SeqNr(0),
    ending: Ending::Failed,
    initiator: false,
    expires_tick: 0,
};

impl Tombstone {
    fn answers_for(&self, key: &Key) -> bool {
        self.key == *key && self.ending != Ending::Superseded
    }
}

impl Tombstones {
    pub(super) const fn new(secret: Secret) -> Self {
        Self { secret, places: Vec::new(), last_expires_tick: 0, answers_until_tick: 0 }
    }

    /// Whether no more answers are owed, though some may be remembered for their cookies.
    pub(super) const fn owes_nothing(&self) -> bool {
        self.answers_until_tick == 0
    }

    /// When [`Self::expire`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let tick =
            if self.owes_nothing() { self.last_expires_tick } else { self.answers_until_tick };
        let at = Instant::from_micros(u64::from(tick) * TICK_US);
        (!self.places.is_empty()).then_some(at)
    }

    pub(super) fn insert(&mut self, now: Instant, key: Key, remains: &Remains) {
        let now_tick = tick(now);
        let life_ticks = u32::try_from(remains.life_us.div_ceil(TICK_US)).unwrap_or(u32::MAX);
        let tombstone = Tombstone {
            key,
            next: remains.next,
            ack_nr: remains.ack_nr,
            syn_seq_nr: remains.syn_seq_nr.unwrap_or_default(),
            ending: if remains.finished { Ending::Finished } else { Ending::Failed },
            initiator: remains.syn_seq_nr.is_none(),
            expires_tick: now_tick.saturating_add(life_ticks).max(1),
        };
        self.answer_until(tombstone.expires_tick);
        if self.places.is_empty() {
            self.places = vec![FREE; TOMBSTONES_MIN];
        }
        loop {
            let ways = self.ways(&key);
            let oldest = ways
                .clone()
                .find(|at| self.places[*at].answers_for(&key))
                .or_else(|| ways.min_by_key(|at| self.places[*at].expires_tick));
            let Some(at) = oldest else { return };
            let place = self.places[at];
            let taken = !place.answers_for(&key) && place.expires_tick > now_tick;
            if !taken || self.places.len() >= TOMBSTONES_MAX {
                self.places[at] = tombstone;
                return;
            }
            self.grow(now_tick);
        }
    }

    /// The tombstone that answers for `key`.
    pub(super) fn get_mut(&mut self, now: Instant, key: &Key) -> Option<&mut Tombstone> {
        let now_tick = tick(now);
        let at = self.ways(key).find(|at| {
            let place = &self.places[*at];
            place.answers_for(key) && place.expires_tick > now_tick
        })?;
        Some(&mut self.places[at])
    }

    /// Whether a packet that would open a connection by the SYN `syn_seq_nr` is a late copy of one
    /// that opened a connection that is gone.
    // req: ID-09
    pub(super) fn is_late_copy(&self, now: Instant, key: &Key, syn_seq_nr: SeqNr) -> bool {
        self.all(now, key).any(|place| !place.initiator && place.syn_seq_nr == syn_seq_nr)
    }

    /// Another connection with the name begins: from now on nothing of the old one is answered.
    pub(super) fn supersede(&mut self, now: Instant, key: &Key) {
        if let Some(tombstone) = self.get_mut(now, key) {
            match tombstone.initiator {
                true => *tombstone = FREE,
                false => tombstone.ending = Ending::Superseded,
            }
        }
    }

    pub(super) fn contains(&self, now: Instant, key: &Key) -> bool {
        self.all(now, key).next().is_some()
    }

    fn all(&self, now: Instant, key: &Key) -> impl Iterator<Item = &Tombstone> {
        let now_tick = tick(now);
        let places = self.ways(key).map(|at| &self.places[at]);
        places.filter(move |place| place.key == *key && place.expires_tick > now_tick)
    }

    /// Keeps one for another while: its peer still repeats itself.
    pub(super) fn prolong(&mut self, now: Instant, key: &Key, life_us: u64) {
        let life_ticks = u32::try_from(life_us.div_ceil(TICK_US)).unwrap_or(u32::MAX);
        let expires_tick = tick(now).saturating_add(life_ticks);
        if let Some(tombstone) = self.get_mut(now, key) {
            tombstone.expires_tick = tombstone.expires_tick.max(expires_tick);
            self.answer_until(expires_tick);
        }
    }

    /// Keeps one until `until` at least, even if nobody asks.
    pub(super) fn keep_until(&mut self, now: Instant, key: &Key, until: Instant) {
        let until_tick = u32::try_from(until.as_micros().div_ceil(TICK_US)).unwrap_or(u32::MAX);
        if let Some(tombstone) = self.get_mut(now, key) {
            tombstone.expires_tick = tombstone.expires_tick.max(until_tick);
            self.last_expires_tick = self.last_expires_tick.max(until_tick);
        }
    }

    /// Gives the memory back when nothing is left in it.
    pub(super) fn expire(&mut self, now: Instant) {
        let now_tick = tick(now);
        if self.answers_until_tick <= now_tick {
            self.answers_until_tick = 0;
        }
        if self.last_expires_tick <= now_tick {
            self.places = Vec::new();
            self.last_expires_tick = 0;
        }
    }

    fn answer_until(&mut self, tick: u32) {
        self.answers_until_tick = self.answers_until_tick.max(tick);
        self.last_expires_tick = self.last_expires_tick.max(tick);
    }

    fn grow(&mut self, now_tick: u32) {
        let len = (self.places.len() * 4).min(TOMBSTONES_MAX);
        let old = std::mem::replace(&mut self.places, vec![FREE; len]);
        for tombstone in old.into_iter().filter(|place| place.expires_tick > now_tick) {
            let free = self.ways(&tombstone.key).min_by_key(|at| self.places[*at].expires_tick);
            if let Some(at) = free {
                self.places[at] = tombstone;
            }
        }
    }

    fn ways(&self, key: &Key) -> std::ops::Range<usize> {
        if self.places.is_empty() {
            return 0..0;
        }
        let sets = self.places.len() / WAYS;
        let start = reduce(key.hash(&self.secret, Purpose::Tombstone), sets) * WAYS;
        start..start + WAYS
    }
}

fn tick(now: Instant) -> u32 {
    u32::try_from(now.as_micros() / TICK_US).unwrap_or(u32::MAX)
}

/// The unit of expiries: 32 bits hold 13 years of it.
const TICK_US: u64 = 100_000;

/// Places to begin with: two kilobytes.
const TOMBSTONES_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use utp_wire::ConnectionId;

    use super::*;

    #[test]
    fn a_tombstone_has_32_bytes() {
        assert_eq!(size_of::<Tombstone>(), 32);
    }

    fn table() -> Tombstones {
        Tombstones::new(Secret::new([7; 16]))
    }

    fn key(number: u32) -> Key {
        let [a, b, c, d] = number.to_be_bytes();
        Key::new(([10, a, b, 1], 1).into(), ConnectionId(u16::from_be_bytes([c, d])))
    }

    fn remains(life_us: u64) -> Remains {
        let (next, ack_nr) = (SeqNr(1), SeqNr(2));
        Remains { next, ack_nr, syn_seq_nr: None, finished: true, life_us }
    }

    fn at_s(seconds: u32) -> Instant {
        Instant::from_micros(u64::from(seconds) * 1_000_000)
    }

    // req: CL-05
    #[test]
    fn the_table_grows_with_what_it_holds_and_no_further_than_its_limit() {
        let mut table = table();
        let mut sizes = Vec::new();
        for number in 0..100_000 {
            table.insert(at_s(1), key(number), &remains(30_000_000));
            sizes.push(table.places.len());
        }
        sizes.dedup();
        assert_eq!(sizes, [64, 256, 1_024, TOMBSTONES_MAX]);
        table.expire(at_s(30));
        assert!(!table.places.is_empty() && !table.owes_nothing());
        table.expire(at_s(31));
        assert_eq!(table.places.capacity(), 0, "everything is given back");
        assert!(table.owes_nothing());
    }

    #[test]
    fn nothing_is_lost_while_the_table_grows() {
        let mut table = table();
        for number in 0..200 {
            table.insert(at_s(1), key(number), &remains(30_000_000));
        }
        assert!((0..200).all(|number| table.contains(at_s(30), &key(number))));
        assert!((0..200).all(|number| !table.contains(at_s(31), &key(number))));
        assert!((256..=1_024).contains(&table.places.len()));
    }

    #[test]
    fn the_one_that_expires_first_gives_way_in_a_full_table() {
        const INSERTED: u32 = 40_000;
        let mut table = table();
        for second in 0..INSERTED {
            table.insert(at_s(second), key(second), &remains(u64::from(u32::MAX) * TICK_US / 2));
        }
        // The places that a key may be in hold the last eight of all that may be there.
        let mut newest: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for second in (0..INSERTED).rev() {
            let kept = newest.entry(table.ways(&key(second)).start).or_default();
            if kept.len() < WAYS {
                kept.push(second);
            }
            let is_kept = kept.contains(&second);
            assert_eq!(table.contains(at_s(INSERTED), &key(second)), is_kept, "{second}");
        }
    }

    #[test]
    fn the_same_name_has_one_tombstone_the_last() {
        let mut table = table();
        table.insert(at_s(1), key(1), &remains(1_000_000));
        table.insert(at_s(1), key(1), &Remains { next: SeqNr(9), ..remains(5_000_000) });
        let tombstone = table.get_mut(at_s(5), &key(1)).expect("the second");
        assert_eq!(tombstone.next, SeqNr(9));
        table.supersede(at_s(1), &key(1));
        assert!(table.get_mut(at_s(1), &key(1)).is_none(), "no other is left");
    }
}
