//! A constant bit rate: packets at fixed intervals whatever the network does, as a voice call.

use super::{Context, Load, Outgoing};
use crate::packet::{HostId, UDP_OVERHEAD_V4};
use crate::time::Ns;

/// One packet of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Payload bytes.
    pub payload: u32,
}

/// The sender's clock.
#[derive(Debug)]
pub struct Cbr {
    rate_bps: u64,
    interval: Ns,
    start: Ns,
    stop: Ns,
    sent: u64,
}

impl Cbr {
    /// `rate_bps` counts payload; packet `n` leaves at `start + n * interval`, the last before
    /// `stop`.
    ///
    /// # Panics
    ///
    /// When `interval` is zero.
    pub fn new(rate_bps: u64, interval: Ns, start: Ns, stop: Option<Ns>) -> Self {
        assert!(interval > Ns::ZERO, "packets need an interval");
        Self { rate_bps, interval, start, stop: stop.unwrap_or(Ns(u64::MAX)), sent: 0 }
    }

    /// When the next packet leaves.
    pub fn deadline(&self) -> Option<Ns> {
        let next = self.start + Ns(self.sent * self.interval.0);
        (next < self.stop).then_some(next)
    }

    pub(super) fn handle_timer(&mut self, context: &mut Context<'_>) {
        if self.deadline().is_none_or(|deadline| deadline > context.now) {
            return;
        }
        let payload = payload_after(self.rate_bps, self.interval, self.sent);
        self.sent += 1;
        context.outbox.push(Outgoing {
            from: HostId::Left,
            bytes: payload + UDP_OVERHEAD_V4,
            load: Load::Probe(Probe { payload }),
        });
    }
}

/// Notes the arrival of a packet that left at `sent`.
pub(super) fn handle_probe(context: &mut Context<'_>, sent: Ns, probe: &Probe) {
    let delay = context.now - sent;
    context.record.one_way_delay_us.push((context.now, delay.as_micros_u32()));
    context.record.deliver(context.now, u64::from(probe.payload));
}

/// Payload of the packet after `packets` others, in whole bytes that add up to the rate.
pub(super) fn payload_after(rate_bps: u64, interval: Ns, packets: u64) -> u32 {
    let total = |packets: u64| {
        u128::from(packets) * u128::from(interval.0) * u128::from(rate_bps) / 8_000_000_000
    };
    // The difference of two rounded totals, so that the rate has no bias.
    let payload = total(packets + 1) - total(packets);
    u32::try_from(payload).unwrap_or(u32::MAX - UDP_OVERHEAD_V4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FlowRecord;

    fn drain(mut cbr: Cbr, until: Ns) -> Vec<(Ns, u32)> {
        let mut record = FlowRecord::default();
        let mut outbox = Vec::new();
        let mut sent = Vec::new();
        while let Some(now) = cbr.deadline().filter(|&at| at < until) {
            cbr.handle_timer(&mut Context { now, record: &mut record, outbox: &mut outbox });
            sent.extend(outbox.drain(..).map(|packet| (now, packet.bytes)));
        }
        sent
    }

    #[test]
    fn a_voice_call_sends_160_bytes_every_20_ms() {
        let cbr = Cbr::new(64_000, Ns::from_millis(20), Ns(7), None);
        let sent = drain(cbr, Ns::from_secs(1));
        assert_eq!(sent.len(), 50);
        for (count, packet) in (0..).zip(sent) {
            assert_eq!(packet, (Ns(7) + Ns::from_millis(20 * count), 160 + 28));
        }
    }

    #[test]
    fn an_uneven_rate_has_no_bias() {
        let cbr = Cbr::new(100_001, Ns(7_777_777), Ns::ZERO, None);
        let sent = drain(cbr, Ns(7_777_777 * 10_000));
        let payload: u64 = sent.iter().map(|&(_, bytes)| u64::from(bytes - 28)).sum();
        assert_eq!(payload, 7_777_777 * 10_000 * 100_001 / 8_000_000_000);
    }

    #[test]
    fn nothing_is_sent_from_stop_on() {
        let stop = Some(Ns::from_millis(60));
        let cbr = Cbr::new(64_000, Ns::from_millis(20), Ns::ZERO, stop);
        let sent = drain(cbr, Ns::from_secs(1));
        assert_eq!(sent.last().map(|&(at, _)| at), Some(Ns::from_millis(40)));
    }

    #[test]
    fn a_timer_call_before_the_deadline_sends_nothing() {
        let mut cbr = Cbr::new(64_000, Ns::from_millis(20), Ns(5), None);
        let mut record = FlowRecord::default();
        let mut outbox = Vec::new();
        cbr.handle_timer(&mut Context { now: Ns(4), record: &mut record, outbox: &mut outbox });
        assert_eq!(outbox, []);
    }

    #[test]
    fn arrivals_leave_delay_and_payload() {
        let mut record = FlowRecord::default();
        let mut outbox = Vec::new();
        let now = Ns(30_123_456);
        let mut context = Context { now, record: &mut record, outbox: &mut outbox };
        handle_probe(&mut context, Ns(100_000), &Probe { payload: 160 });
        assert_eq!(record.one_way_delay_us, [(now, 30_023)]);
        assert_eq!(record.delivered_bytes, [160]);
    }
}
