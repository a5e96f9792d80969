//! One transfer over a path with a given fault, and what it took.

#![allow(dead_code, reason = "every user needs another part")]
#![allow(unreachable_pub, reason = "a module of test binaries")]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use utp_ledbat::FixedWindowFactory;
use utp_proto::{Config, ConnectionError, Stats};
use utp_wire::PacketType;

use crate::pair::{Draws, Fate, Pair};

pub const MS: u64 = 1_000;
pub const SECOND: u64 = 1_000_000;

/// A path, and what goes wrong on it.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    bytes: u64,
    latency_us: u64,
    /// Bytes per second of the way of the data; 0 is without a limit.
    rate: u64,
    loss_per_mille: u64,
    /// How many of 1 000 packet times are lost, and how many in a row on average.
    bursts: (u64, u64),
    /// Which DATA or FIN packet is lost, counted from 1.
    dropped: u64,
    /// How many of 1 000 packets are overtaken, and by how many.
    reordered: (u64, u64),
    copies_per_mille: u64,
    /// When, and by how much, what is on its way then arrives later.
    spike: (u64, u64),
    /// How many of them there are, and the time from one to the next.
    spikes: (u64, u64),
    /// When it begins, and for how long nothing arrives.
    blackout: (u64, u64),
    /// A constant congestion window in bytes, or LEDBAT.
    window: Option<u64>,
    seed: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub complete: bool,
    pub closed: Option<ConnectionError>,
    pub took_us: u64,
    pub stats: Stats,
    /// Of the receiver.
    pub read: u64,
    pub acks: u64,
    /// How many bursts have lost anything.
    pub bursts: u64,
}

impl Path {
    pub const fn new(bytes: u64) -> Self {
        Self {
            bytes,
            latency_us: 10_000,
            rate: 0,
            loss_per_mille: 0,
            bursts: (0, 1),
            dropped: 0,
            reordered: (0, 0),
            copies_per_mille: 0,
            spike: (0, 0),
            spikes: (1, SECOND),
            blackout: (0, 0),
            window: None,
            seed: 1,
        }
    }

    pub const fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    pub const fn latency(self, latency_us: u64) -> Self {
        Self { latency_us, ..self }
    }

    pub const fn rate(self, rate: u64) -> Self {
        Self { rate, ..self }
    }

    pub const fn window(self, bytes: u64) -> Self {
        Self { window: Some(bytes), ..self }
    }

    pub const fn loss(self, loss_per_mille: u64) -> Self {
        Self { loss_per_mille, ..self }
    }

    /// Losses come in bursts of a mean length, and make up a part of all packet times.
    pub const fn bursts(self, per_mille: u64, mean: u64) -> Self {
        Self { bursts: (per_mille, mean), ..self }
    }

    pub const fn drop_packet(self, dropped: u64) -> Self {
        Self { dropped, ..self }
    }

    pub const fn reorder(self, per_mille: u64, places: u64) -> Self {
        Self { reordered: (per_mille, places), ..self }
    }

    pub const fn copies(self, copies_per_mille: u64) -> Self {
        Self { copies_per_mille, ..self }
    }

    pub const fn spike(self, at_us: u64, by_us: u64) -> Self {
        Self { spike: (at_us, by_us), ..self }
    }

    /// The spike comes so many times.
    pub const fn times(self, times: u64, every_us: u64) -> Self {
        Self { spikes: (times, every_us), ..self }
    }

    pub const fn blackout(self, at_us: u64, for_us: u64) -> Self {
        Self { blackout: (at_us, for_us), ..self }
    }

    /// How long a spike lasts that there is at this time.
    fn left_of_spike(&self, at_us: u64) -> Option<u64> {
        let ((first_us, by_us), (times, every_us)) = (self.spike, self.spikes);
        let since_us = at_us.checked_sub(first_us)?;
        let within_us = since_us % every_us;
        (since_us / every_us < times && within_us < by_us).then(|| by_us - within_us)
    }
}

/// Sends so many bytes from side 0 to side 1, and both ends.
pub fn run(path: Path) -> Outcome {
    let mut config = Config::default();
    if let Some(bytes) = path.window {
        config.controller = Arc::new(FixedWindowFactory(bytes));
    }
    let mut pair = Pair::with_config(path.seed, config);
    pair.record = false;
    pair.latency_us = path.latency_us;
    pair.accepts.finish = true;
    let start = pair.now;
    let acks = Rc::new(Cell::new(0));
    let counted = acks.clone();
    let struck = Rc::new(Cell::new(0));
    let mut bursts = [0, 1].map(|side| Bursts::new(path, side, struck.clone()));
    let mut draws = Draws(path.seed ^ 0xfa17);
    let mut numbered = 0;
    let mut link_free_us = 0;
    let mut blocked_until = [0; 2];
    pair.script = Some(Box::new(move |seen| {
        let at_us = seen.at.saturating_since(start);
        let is_data =
            matches!(seen.packet_type, PacketType::Data | PacketType::Fin) && seen.from == 0;
        numbered += u64::from(is_data);
        counted.set(counted.get() + u64::from(seen.from == 1));
        let (dark_us, dark_for_us) = path.blackout;
        let dark = (dark_us..dark_us + dark_for_us).contains(&at_us);
        let burst = bursts[seen.from].takes(at_us);
        if dark
            || burst
            || draws.chance(path.loss_per_mille)
            || (is_data && numbered == path.dropped)
        {
            return Fate::Drop;
        }
        let mut late_us = 0;
        if is_data && path.rate > 0 {
            let serialised_us = (seen.len as u64 + 28) * SECOND / path.rate;
            link_free_us = at_us.max(link_free_us) + serialised_us;
            late_us = link_free_us - at_us;
            if draws.chance(path.reordered.0) {
                late_us += path.reordered.1 * serialised_us + serialised_us / 2;
            }
        }
        // Whatever is sent while the path is blocked arrives once it is free, as fast as 10 Mbit/s
        // carry it, and what is sent later after it.
        if let Some(left_us) = path.left_of_spike(at_us) {
            late_us += left_us;
            blocked_until[seen.from] = (at_us + late_us).max(blocked_until[seen.from]) + PACKET_US;
        }
        late_us = late_us.max(blocked_until[seen.from].saturating_sub(at_us));
        if draws.chance(path.copies_per_mille) {
            return Fate::Duplicate(draws.next() % 30_000);
        }
        Fate::Delay(late_us)
    }));
    let handle = pair.connect(path.bytes, true);
    pair.run_until(3_000 * SECOND, |pair| {
        let app = pair.app(0, handle);
        app.closed.is_some() || (app.finished && app.end_of_stream)
    });
    let app = pair.app(0, handle);
    let receiver = pair.apps[1].values().next();
    Outcome {
        complete: app.finished && receiver.is_some_and(|app| app.read == path.bytes),
        closed: app.closed,
        took_us: pair.now.saturating_since(start),
        stats: pair.endpoints[0].connection(handle).expect("it is not released").stats(),
        read: receiver.map_or(0, |app| app.read),
        acks: acks.get(),
        bursts: struck.get(),
    }
}

/// A way that is good and bad in turns, each for a random time (Gilbert and Elliott), and loses all
/// that is sent while it is bad. The turns go by time and not by packets: a sender that waits for
/// longer and longer would never outlive one otherwise.
struct Bursts {
    draws: Draws,
    /// Packet times that a bad turn and a good one last on average; none if there are no bursts.
    means: Option<[u64; 2]>,
    bad: bool,
    /// Something was lost in this turn.
    struck: bool,
    ends_at_us: u64,
    count: Rc<Cell<u64>>,
}

impl Bursts {
    fn new(path: Path, side: u64, count: Rc<Cell<u64>>) -> Self {
        let (per_mille, mean) = path.bursts;
        Self {
            draws: Draws(path.seed ^ (0xb0b5 + side)),
            means: (per_mille > 0).then(|| [mean, mean * (1_000 - per_mille) / per_mille]),
            bad: true,
            struck: false,
            ends_at_us: 0,
            count,
        }
    }

    fn takes(&mut self, at_us: u64) -> bool {
        let Some([bad, good]) = self.means else { return false };
        while self.ends_at_us <= at_us {
            (self.bad, self.struck) = (!self.bad, false);
            let mean = if self.bad { bad } else { good };
            let mut packets = 1;
            while !self.draws.next().is_multiple_of(mean) {
                packets += 1;
            }
            self.ends_at_us += packets * PACKET_US;
        }
        if self.bad && !std::mem::replace(&mut self.struck, true) {
            self.count.set(self.count.get() + 1);
        }
        self.bad
    }
}

/// What a full packet takes at 10 Mbit/s.
pub const PACKET_US: u64 = 1_200;
