//! The deadlines of one connection: two that run while it is idle, and a table of the others.

use utp_wire::Instant;

/// What can fall due. The order is the order in which due timers are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The whole connect has taken too long.
    Connect,
    /// An initiator that has yet to prove itself was silent for too long: it never used the
    /// connection, or left us without the right to send it more.
    Unproven,
    /// The peer has been silent for long, or did not answer a probe.
    Idle,
    /// Send a packet so that NAT mappings and the peer see life.
    Keepalive,
    /// A finished connection may be forgotten.
    Linger,
    /// Neither side has said anything since the connect, or an initiator after its SYN.
    Opener,
    /// There is credit for packets that were held back to spread them in time.
    Pace,
    /// The peer's window has been shut (or tiny) for long enough to probe it.
    Persist,
    /// No ack for about two round trips: repeat the last packet, or send a new one.
    Probe,
    /// A packet sent before one that has arrived is now too late to be merely reordered.
    Reorder,
    /// Oldest packet not acknowledged in time.
    Rto,
    /// The peer has taken none of the bytes that wait for too long.
    Stalled,
    /// The congestion window is below one packet and nothing is in flight.
    Starved,
    /// SYN not answered.
    Syn,
}

/// All timers, in the order they are handled.
pub(crate) const TIMERS: [Timer; 14] = [
    Timer::Connect,
    Timer::Unproven,
    Timer::Idle,
    Timer::Keepalive,
    Timer::Linger,
    Timer::Opener,
    Timer::Pace,
    Timer::Persist,
    Timer::Probe,
    Timer::Reorder,
    Timer::Rto,
    Timer::Stalled,
    Timer::Starved,
    Timer::Syn,
];

/// The timers of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Timers {
    idle: Instant,
    keepalive: Instant,
    /// All others; nothing after [`Self::release`] until one is set.
    others: Option<Box<[Instant; TIMERS.len()]>>,
}

/// A timer that is not set. An `Option` would double the table.
const NEVER: Instant = Instant::from_micros(u64::MAX);

impl Default for Timers {
    fn default() -> Self {
        Self { idle: NEVER, keepalive: NEVER, others: None }
    }
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        match timer {
            Timer::Idle => self.idle = at,
            Timer::Keepalive => self.keepalive = at,
            _ => self.others.get_or_insert_with(|| Box::new([NEVER; _]))[timer as usize] = at,
        }
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        if self.is_set(timer) {
            self.set(timer, NEVER);
        }
    }

    pub(crate) fn get(&self, timer: Timer) -> Option<Instant> {
        let at = match timer {
            Timer::Idle => self.idle,
            Timer::Keepalive => self.keepalive,
            _ => self.others.as_ref()?[timer as usize],
        };
        Some(at).filter(|at| *at != NEVER)
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.get(timer).is_some()
    }

    /// Stops `timer` and says so if it is due.
    pub(crate) fn take_due(&mut self, timer: Timer, now: Instant) -> bool {
        let due = self.get(timer).is_some_and(|at| at <= now);
        if due {
            self.stop(timer);
        }
        due
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        let others = self.others.iter().flat_map(|others| others.iter());
        let first = others.copied().fold(self.idle.min(self.keepalive), Instant::min);
        Some(first).filter(|at| *at != NEVER)
    }

    /// Gives back the memory for timers that do not run while nothing flows.
    pub(crate) fn release(&mut self) {
        if self.others.iter().all(|others| others.iter().all(|at| *at == NEVER)) {
            self.others = None;
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
