//! One direction of a cable: all that happens to a packet between one end and the other.
//!
//! A [`Link`] is a state machine without a clock or a heap. Its driver offers packets, and calls
//! [`Link::depart`] at the moment the link has named as the end of the current transmission. A
//! packet meets the elements in the order of the fields of [`LinkConfig`].

mod aggregation;
mod damage;
mod loss;
mod opportunities;
mod policer;
mod propagation;
mod queue;
mod serialiser;

use crate::packet::{Body, Packet};
use crate::rng::{Purpose, Streams};
use crate::scenario::{LinkConfig, LinkState, Mtu};
use crate::time::Ns;
use crate::trace::DropReason;
use aggregation::Aggregation;
use damage::Damage;
use loss::Lottery;
use policer::Policer;
use propagation::Propagation;
use queue::Queue;
use queue::backlog::Waiting;
use serialiser::Serialiser;

/// A link and the packets in its queue and transmitter.
///
/// ```
/// use utp_sim::link::{Link, Offer};
/// use utp_sim::packet::{Body, HostId, Packet};
/// use utp_sim::flow::cbr::Probe;
/// use utp_sim::rng::Streams;
/// use utp_sim::scenario::{LinkConfig, Rate};
/// use utp_sim::time::Ns;
///
/// let config = LinkConfig {
///     rate: Rate::Constant(10_000_000),
///     delay: Ns::from_millis(25),
///     ..LinkConfig::default()
/// };
/// let mut link = Link::new(&config, 0, &Streams::new(1));
/// let packet = Packet {
///     id: 0,
///     flow: 0,
///     to: HostId::Right,
///     hop: 0,
///     corrupt: false,
///     bytes: 1500,
///     sent: Ns::ZERO,
///     body: Body::Probe(Probe { payload: 1472 }),
/// };
/// // 1500 bytes at 10 Mbit/s take 1.2 ms, and 25 ms more to cross.
/// let Offer::Started(done) = link.offer(Ns::ZERO, packet) else { panic!("the link is idle") };
/// assert_eq!(done, Ns::from_micros(1_200));
/// assert_eq!(link.depart(done).arrival, Ns::from_micros(26_200));
/// ```
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    /// Packets that were offered so far.
    offered: u64,
    loss: Lottery,
    policer: Option<Policer>,
    queue: Queue,
    serialiser: Serialiser,
    transmission: Option<Transmission>,
    aggregation: Aggregation,
    propagation: Propagation,
    damage: Damage,
    dropped: Vec<Dropped>,
}

/// What became of a packet that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is gone.
    Dropped(DropReason),
    /// It waits behind others.
    Queued,
    /// Its transmission began and ends at this moment: call [`Link::depart`] then.
    Started(Ns),
}

/// A packet that the link gave up after it had taken it.
#[derive(Debug)]
pub struct Dropped {
    /// The packet.
    pub packet: Packet,
    /// Why.
    pub reason: DropReason,
}

/// A packet that left the transmitter.
#[derive(Debug)]
pub struct Departure {
    /// The packet, as it will arrive.
    pub packet: Packet,
    /// When its transmission began.
    pub started: Ns,
    /// When it reaches the far end.
    pub arrival: Ns,
    /// Whether it arrives twice, the copy right behind.
    pub duplicated: bool,
    /// The packet that follows and the end of its transmission, if one waited.
    pub next: Option<Started>,
}

/// A transmission that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Number of the packet.
    pub id: u64,
    /// Index of its flow.
    pub flow: u16,
    /// Its bytes on the link.
    pub bytes: u32,
    /// When its transmission ends.
    pub done: Ns,
}

impl Started {
    pub(crate) const fn of(packet: &Packet, done: Ns) -> Self {
        Self { id: packet.id, flow: packet.flow, bytes: packet.bytes, done }
    }
}

#[derive(Debug)]
struct Transmission {
    packet: Packet,
    started: Ns,
    done: Ns,
}

impl Link {
    /// An idle link; `index` names its random streams.
    pub fn new(config: &LinkConfig, index: usize, streams: &Streams) -> Self {
        Self {
            offered: 0,
            loss: Lottery::new(config.loss.clone(), streams.link(index, Purpose::Loss)),
            policer: config.policer.map(|policer| Policer::new(policer, Ns::ZERO)),
            queue: Queue::new(&config.queue, index, streams),
            serialiser: Serialiser::new(&config.rate),
            transmission: None,
            aggregation: Aggregation::new(
                config.aggregation,
                streams.link(index, Purpose::Aggregation),
            ),
            propagation: Propagation::new(config, index, streams),
            damage: Damage::new(config, index, streams),
            dropped: Vec::new(),
            config: config.clone(),
        }
    }

    /// A packet reaches the near end at `now`.
    pub fn offer(&mut self, now: Ns, packet: Packet) -> Offer {
        let number = self.offered;
        self.offered += 1;
        if self.config.state == LinkState::Down {
            return Offer::Dropped(DropReason::Down);
        }
        if self.refuses_size_of(&packet).is_some() {
            return Offer::Dropped(DropReason::Mtu);
        }
        if self.loss.takes(number) {
            return Offer::Dropped(DropReason::Loss);
        }
        if self.policer.as_mut().is_some_and(|policer| !policer.passes(now, packet.bytes)) {
            return Offer::Dropped(DropReason::Policer);
        }
        if self.transmission.is_some() || self.config.state == LinkState::Stalled {
            return match self.queue.push(Waiting::new(now, packet), &mut self.dropped) {
                Ok(()) => Offer::Queued,
                Err(refused) => Offer::Dropped(refused.reason),
            };
        }
        self.serialiser.restart();
        let packet = self.queue.pass(now, packet, &mut self.dropped);
        Offer::Started(self.begin(now, packet).done)
    }

    /// Ends the current transmission at `now`, the moment it was said to end, and begins the next.
    ///
    /// # Panics
    ///
    /// When no transmission ends at `now`: the driver has lost count.
    pub fn depart(&mut self, now: Ns) -> Departure {
        let Transmission { mut packet, started, done } =
            self.transmission.take().expect("a transmission was begun before it ended");
        assert_eq!(done, now, "a transmission ends when it was said to end");
        let next = self.begin_next(now);
        if next.is_none() {
            self.serialiser.restart();
        }
        let arrival = self.propagation.arrival(self.aggregation.release(now));
        self.damage.corrupt(&mut packet);
        let duplicated = self.damage.duplicates();
        Departure { packet, started, arrival, duplicated, next }
    }

    /// Behaves as `config` says from `now` on, and says which transmission begins thereby.
    ///
    /// A packet that is being transmitted ends as it was said to, and what has left the transmitter
    /// arrives as it was said to. Packets that wait stay in their order; a queue of another kind
    /// takes over those that it has room for. Random draws go on where they were.
    pub fn reconfigure(&mut self, now: Ns, config: &LinkConfig) -> Option<Started> {
        self.loss.set(&config.loss);
        match (&mut self.policer, config.policer) {
            (Some(policer), Some(changed)) => policer.set(changed, now),
            (policer, changed) => *policer = changed.map(|changed| Policer::new(changed, now)),
        }
        if self.config.queue != config.queue {
            self.queue.set(now, &config.queue, &mut self.dropped);
        }
        self.serialiser.set(&config.rate);
        self.aggregation.set(config.aggregation, now);
        self.propagation.set(config);
        self.damage.set(config);
        self.config = config.clone();
        if config.state == LinkState::Down {
            let lost = self.queue.drain().into_iter();
            self.dropped.extend(lost.map(|waiting| waiting.dropped(DropReason::Down)));
        }
        if self.transmission.is_some() {
            return None;
        }
        self.serialiser.restart();
        self.begin_next(now)
    }

    /// Whether [`Link::take_dropped`] has anything to return.
    pub const fn has_dropped(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// Packets given up since the last call, in order: by a queue that manages itself, or because
    /// the link changed.
    pub fn take_dropped(&mut self) -> std::vec::Drain<'_, Dropped> {
        self.dropped.drain(..)
    }

    /// How long a packet offered at `now` would wait before its own first bit, if it waited behind
    /// all others and nothing stopped the link.
    pub fn waiting_time(&self, now: Ns) -> Ns {
        let from = self.transmission.as_ref().map_or(now, |transmission| transmission.done);
        self.serialiser.end(from, self.queue.bytes()).saturating_sub(now)
    }

    /// Bytes that wait behind the packet being transmitted.
    pub fn queued_bytes(&self) -> u64 {
        self.queue.bytes()
    }

    /// When the current transmission began, if there is one.
    pub fn busy_since(&self) -> Option<Ns> {
        self.transmission.as_ref().map(|transmission| transmission.started)
    }

    /// The propagation delay for packets that leave from now on.
    pub const fn delay(&self) -> Ns {
        self.propagation.delay()
    }

    /// The limit that a packet offered now would be dropped for, if it is too large.
    pub fn refuses_size_of(&self, packet: &Packet) -> Option<Mtu> {
        if matches!(&packet.body, Body::Datagram(datagram) if !datagram.dont_fragment) {
            return None;
        }
        let mtu = self.config.mtu.filter(|mtu| packet.bytes > mtu.bytes);
        mtu.filter(|_| self.config.state != LinkState::Down)
    }

    fn begin_next(&mut self, now: Ns) -> Option<Started> {
        if self.config.state == LinkState::Stalled {
            return None;
        }
        let packet = self.queue.pop(now, &mut self.dropped)?;
        Some(self.begin(now, packet))
    }

    fn begin(&mut self, now: Ns, packet: Packet) -> Started {
        let done = self.serialiser.next(now, packet.bytes);
        let started = Started::of(&packet, done);
        self.transmission = Some(Transmission { packet, started: now, done });
        started
    }
}

#[cfg(test)]
pub(crate) mod tests;
