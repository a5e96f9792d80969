//! Runs a script over two stacks.

use std::fmt;

use crate::app::{App, Seen};
use crate::network::{Network, Passed};
use crate::script::Script;
use crate::stack::{self, Kind, Stack};

const SECOND: u64 = 1_000_000;

/// Longest time in which no application gets anywhere, after the faults have stopped. libutp ends a
/// connection after 31 s without an ack, and waits 15 s before a window that is shut; ours takes
/// 115 s to find that a peer has vanished from an idle connection, and 60 s between two probes of a
/// window that is shut.
const STILL_US_MAX: u64 = 200 * SECOND;

/// The two stacks, that of the initiator first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair(pub [Kind; 2]);

impl Pair {
    /// Both orders, and what they are compared with.
    pub const ALL: [Self; 4] = [
        Self([Kind::Ours, Kind::Libutp]),
        Self([Kind::Libutp, Kind::Ours]),
        Self([Kind::Ours, Kind::Ours]),
        Self([Kind::Libutp, Kind::Libutp]),
    ];
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}->{}", self.0[0], self.0[1]))
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The stacks.
    pub pair: Pair,
    /// What each application did and saw; none for an acceptor that heard of no stream.
    pub seen: [Option<Seen>; 2],
    /// Whether each stack saw that its peer has the stream, too.
    pub proven: [bool; 2],
    /// Streams of the acceptor that carried anything, or were shown to be wanted.
    pub streams: usize,
    /// Every packet.
    pub log: Vec<Passed>,
    /// A hash of all packets and of when they were sent.
    pub hash: u64,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

struct World<'a> {
    script: &'a Script,
    now_us: u64,
    network: Network,
    stacks: [Box<dyn Stack>; 2],
    apps: [Vec<App<'a>>; 2],
    /// Faults that have begun.
    faults: usize,
}

/// Runs `script` over the stacks of `pair`.
///
/// # Panics
/// With our core.
#[must_use]
pub fn run(script: &Script, pair: Pair) -> Outcome {
    let mut world = World::new(script, pair);
    let mut moved_at_us = 0;
    loop {
        if world.turn() {
            moved_at_us = world.now_us;
        }
        let still_us = world.now_us.saturating_sub(moved_at_us.max(script.healed_at_us));
        if world.is_over() || still_us > STILL_US_MAX {
            return world.outcome(pair);
        }
        world.now_us = world.next_us();
    }
}

impl<'a> World<'a> {
    fn new(script: &'a Script, pair: Pair) -> Self {
        let mut stacks = [0, 1].map(|side| stack::new(pair.0[side], script, side));
        let id = stacks[0].connect(script.sides[0].clock_us);
        Self {
            script,
            now_us: 0,
            network: Network::new(script),
            stacks,
            apps: [vec![App::new(&script.sides[0], 0, id)], Vec::new()],
            faults: 0,
        }
    }

    fn clock_us(&self, side: usize) -> u64 {
        self.now_us + self.script.sides[side].clock_us
    }

    /// The next moment at which anything happens.
    fn next_us(&mut self) -> u64 {
        let timeouts = [0, 1].map(|side| {
            let at_us = self.stacks[side].next_timeout_us()?;
            Some(at_us.saturating_sub(self.script.sides[side].clock_us))
        });
        let wakes = self.apps.iter().flatten().map(App::wakes_at_us);
        let fault = self.script.faults.get(self.faults).map(|fault| fault.at_us);
        let healed = Some(self.script.healed_at_us).filter(|at_us| *at_us > self.now_us);
        let others = [self.network.next_arrival_us(), fault, healed];
        let next = timeouts.into_iter().chain(wakes).chain(others).flatten().min();
        // Something is always due while an application waits.
        next.unwrap_or(self.now_us + STILL_US_MAX + 1).max(self.now_us)
    }

    /// Everything that is due. Says whether an application got anywhere.
    fn turn(&mut self) -> bool {
        while let Some(fault) = self.script.faults.get(self.faults)
            && fault.at_us <= self.now_us
        {
            self.network.change(self.now_us, fault.change);
            self.faults += 1;
        }
        if self.now_us >= self.script.healed_at_us {
            self.network.heal();
        }
        while let Some((to, datagram)) = self.network.receive(self.now_us) {
            let clock_us = self.clock_us(to);
            self.stacks[to].handle_datagram(clock_us, &datagram);
        }
        for side in [0, 1] {
            let clock_us = self.clock_us(side);
            self.stacks[side].handle_timeout(clock_us);
        }
        let mut moved = false;
        while self.run_apps() {
            moved = true;
        }
        moved
    }

    fn run_apps(&mut self) -> bool {
        let mut moved = false;
        for side in [0, 1] {
            let (now_us, clock_us) = (self.now_us, self.clock_us(side));
            let stack = &mut self.stacks[side];
            while let Some(id) = stack.accept() {
                self.apps[side].push(App::new(&self.script.sides[side], side, id));
                moved = true;
            }
            for app in &mut self.apps[side] {
                moved |= app.run(now_us, stack.as_mut());
            }
            let network = &mut self.network;
            stack.flush(clock_us, &mut |datagram| network.send(now_us, side, datagram));
        }
        moved
    }

    /// The application whose stream is that of the initiator: an acceptor may have been left with
    /// others that nobody wants any more.
    fn app(&self, side: usize) -> Option<&App<'a>> {
        let apps = &self.apps[side];
        let proven = apps.iter().find(|app| self.stacks[side].is_proven(app.id));
        // Of others the newest may still be wanted; of those that were left the first was.
        let waiting = apps.iter().rfind(|app| !app.is_over());
        proven.or(waiting).or_else(|| apps.first())
    }

    fn is_over(&self) -> bool {
        [0, 1].iter().all(|side| self.app(*side).is_some_and(App::is_over))
    }

    fn outcome(self, pair: Pair) -> Outcome {
        let app = |side: usize| self.app(side);
        let proven =
            [0, 1].map(|side| app(side).is_some_and(|app| self.stacks[side].is_proven(app.id)));
        let used = |app: &&App<'_>| app.seen.read > 0 || self.stacks[1].is_proven(app.id);
        Outcome {
            pair,
            seen: [0, 1].map(|side| app(side).map(|app| app.seen.clone())),
            proven,
            streams: self.apps[1].iter().filter(used).count(),
            hash: self.network.hash,
            took_us: self.now_us,
            log: self.network.log,
        }
    }
}
