//! One direction of a cable with a bottleneck: loss, queue, transmitter, jitter, propagation.
//!
//! A [`Link`] is a state machine without a clock or a heap. Its driver offers packets, and calls
//! [`Link::depart`] at the moment the link has named as the end of the current transmission.

mod loss;
mod propagation;
mod queue;
mod serialiser;

use crate::packet::Packet;
use crate::rng::{Purpose, Streams};
use crate::scenario::{LinkConfig, Loss, Queue};
use crate::time::Ns;
use crate::trace::DropReason;
use loss::Bernoulli;
use propagation::Propagation;
use queue::Fifo;
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
    loss: Bernoulli,
    queue: Fifo,
    serialiser: Serialiser,
    propagation: Propagation,
    transmission: Option<Transmission>,
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

/// A packet that left the transmitter.
#[derive(Debug)]
pub struct Departure {
    /// The packet.
    pub packet: Packet,
    /// When its transmission began.
    pub started: Ns,
    /// When it reaches the far end.
    pub arrival: Ns,
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

#[derive(Debug)]
struct Transmission {
    packet: Packet,
    started: Ns,
    done: Ns,
}

impl Link {
    /// An idle link; `index` names its random streams.
    pub fn new(config: &LinkConfig, index: usize, streams: &Streams) -> Self {
        let bytes_max = match config.queue {
            Queue::Droptail { bytes_max, .. } => bytes_max,
            _ => None,
        };
        let loss_ppm = match config.loss {
            Loss::Bernoulli(ppm) => ppm,
            _ => 0,
        };
        Self {
            loss: Bernoulli::new(loss_ppm, streams.link(index, Purpose::Loss)),
            queue: Fifo::new(bytes_max),
            serialiser: Serialiser::new(config.rate.bps()),
            propagation: Propagation::new(config, streams.link(index, Purpose::Jitter)),
            transmission: None,
        }
    }

    /// A packet reaches the near end at `now`.
    pub fn offer(&mut self, now: Ns, packet: Packet) -> Offer {
        if self.loss.takes_next() {
            return Offer::Dropped(DropReason::Loss);
        }
        if self.transmission.is_some() {
            return match self.queue.push(packet) {
                Ok(()) => Offer::Queued,
                Err(_full) => Offer::Dropped(DropReason::QueueFull),
            };
        }
        self.serialiser.restart();
        Offer::Started(self.begin(now, packet).done)
    }

    /// Ends the current transmission at `now`, the moment it was said to end, and begins the next.
    ///
    /// # Panics
    ///
    /// When no transmission ends at `now`: the driver has lost count.
    pub fn depart(&mut self, now: Ns) -> Departure {
        let Transmission { packet, started, done } =
            self.transmission.take().expect("a transmission was begun before it ended");
        assert_eq!(done, now, "a transmission ends when it was said to end");
        let next = self.queue.pop().map(|waiting| self.begin(now, waiting));
        Departure { packet, started, arrival: self.propagation.arrival(now), next }
    }

    /// How long a packet offered at `now` would wait before its own first bit.
    pub fn waiting_time(&self, now: Ns) -> Ns {
        let Some(transmission) = &self.transmission else { return Ns::ZERO };
        transmission.done.saturating_sub(now) + self.serialiser.span(self.queue.bytes())
    }

    /// Bytes that wait behind the packet being transmitted.
    pub const fn queued_bytes(&self) -> u64 {
        self.queue.bytes()
    }

    /// When the current transmission began, if there is one.
    pub fn busy_since(&self) -> Option<Ns> {
        self.transmission.as_ref().map(|transmission| transmission.started)
    }

    fn begin(&mut self, now: Ns, packet: Packet) -> Started {
        let done = now + self.serialiser.next(packet.bytes);
        let started = Started { id: packet.id, flow: packet.flow, bytes: packet.bytes, done };
        self.transmission = Some(Transmission { packet, started: now, done });
        started
    }
}

#[cfg(test)]
mod tests;
