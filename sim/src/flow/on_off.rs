//! Bursts of a constant bit rate with silence between them, as a talker or a web page makes them.

mod exponential;

use super::cbr::{Probe, payload_after};
use super::{Context, Load, Outgoing};
use crate::packet::{HostId, UDP_OVERHEAD_V4};
use crate::rng::Stream;
use crate::time::Ns;

/// How an on-off flow sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Payload bits per second during a burst.
    pub rate_bps: u64,
    /// Time between packets of a burst.
    pub interval: Ns,
    /// Mean length of a burst.
    pub on: Ns,
    /// Mean length of the silence after it.
    pub off: Ns,
}

/// The sender of an on-off flow.
///
/// Packets are spaced by the time that the flow is on: a burst that ends within an interval leaves
/// the rest of it to the next burst. So the rate is exact over time, however short bursts are.
#[derive(Debug)]
pub struct OnOff {
    pattern: Pattern,
    /// Draws exponentially distributed lengths; without it they are all as long as the mean.
    random: Option<Stream>,
    stop: Ns,
    burst_start: Ns,
    burst_end: Ns,
    /// Time on until the next packet, counted from the start of the burst.
    next_packet: Ns,
    sent: u64,
}

impl OnOff {
    /// A flow whose first burst begins at `start` and whose last packet leaves before `stop`;
    /// lengths are drawn from `random`, or constant without it.
    ///
    /// # Panics
    ///
    /// When the pattern has no interval or no length of bursts.
    pub fn new(pattern: Pattern, random: Option<Stream>, start: Ns, stop: Option<Ns>) -> Self {
        assert!(pattern.interval > Ns::ZERO, "packets need an interval");
        assert!(pattern.on > Ns::ZERO, "bursts need a length");
        let mut flow = Self {
            pattern,
            random,
            stop: stop.unwrap_or(Ns(u64::MAX)),
            burst_start: start,
            burst_end: start,
            next_packet: Ns::ZERO,
            sent: 0,
        };
        flow.burst_end = start + flow.draw(pattern.on);
        flow
    }

    pub(super) fn deadline(&self) -> Option<Ns> {
        let next = self.burst_end.min(self.burst_start + self.next_packet);
        (next < self.stop).then_some(next)
    }

    pub(super) fn handle_timer(&mut self, context: &mut Context<'_>) {
        if self.deadline().is_none_or(|deadline| deadline > context.now) {
            return;
        }
        if context.now < self.burst_end {
            self.send(context);
            return;
        }
        let length = self.burst_end - self.burst_start;
        self.next_packet = self.next_packet.saturating_sub(length);
        self.burst_start = self.burst_end + self.draw(self.pattern.off);
        self.burst_end = self.burst_start + self.draw(self.pattern.on);
    }

    fn send(&mut self, context: &mut Context<'_>) {
        let Pattern { rate_bps, interval, .. } = self.pattern;
        let payload = payload_after(rate_bps, interval, self.sent);
        self.sent += 1;
        self.next_packet += interval;
        context.outbox.push(Outgoing {
            from: HostId::Left,
            bytes: payload + UDP_OVERHEAD_V4,
            load: Load::Probe(Probe { payload }),
        });
    }

    /// The length of a burst or a silence; at least a nanosecond, so that time goes on.
    fn draw(&mut self, mean: Ns) -> Ns {
        let length = match &mut self.random {
            Some(random) => exponential::draw(random, mean),
            None => mean,
        };
        length.clamp(Ns(1), LENGTH_MAX)
    }
}

/// Longer than any run, and short enough that a few of them can be added.
const LENGTH_MAX: Ns = Ns(u64::MAX / 8);

#[cfg(test)]
mod tests;
