//! Looks at a stream's statistics at intervals and keeps them in the flow's record.

use super::TICK;
use super::host::Host;
use crate::packet::HostId;
use crate::record::BUCKET;
use crate::time::Ns;
use std::pin::Pin;
use tokio::time::Sleep;
use utp_tokio::UtpStream;

/// The sampler of one end of a flow.
pub(super) struct Sampler {
    host: Host,
    flow: u16,
    /// When the run ends at the latest.
    end: Ns,
    next: Pin<Box<Sleep>>,
}

impl Sampler {
    /// Samples at every edge of a bucket, and once more in the last window of the run.
    pub(super) fn new(host: &Host, flow: u16, end: Ns) -> Self {
        let first = host.instant(next_sample(host.now(), end));
        let next = Box::pin(tokio::time::sleep_until(first));
        Self { host: host.clone(), flow, end, next }
    }

    /// Ready when a sample is due.
    pub(super) fn due(&mut self) -> Pin<&mut Sleep> {
        self.next.as_mut()
    }

    /// Takes a sample, due or not.
    pub(super) async fn sample(&mut self, stream: &UtpStream) {
        // The first look asks the driver for fresh numbers, which it leaves in its next turn.
        let _stale = stream.stats();
        tokio::task::yield_now().await;
        let stats = stream.stats();
        let now = self.host.now();
        let sender = self.host.id() == HostId::Left;
        self.host.record(self.flow, |record| {
            if !sender {
                record.spurious_retransmissions = stats.duplicates_received.into();
                return;
            }
            record.retransmissions = stats.retransmissions.into();
            record.timeouts = stats.timeouts.into();
            if record.completed_at.is_some() || !now.0.is_multiple_of(BUCKET.0) {
                return;
            }
            record.window_bytes.push((now, stats.window_bytes));
            if stats.rtt_us > 0 {
                record.rtt_us.push((now, stats.rtt_us));
            }
        });
        self.next.as_mut().reset(self.host.instant(next_sample(now, self.end)));
    }
}

/// The first moment for a sample after `now`.
fn next_sample(now: Ns, end: Ns) -> Ns {
    let edge = Ns((now.0 / BUCKET.0 + 1) * BUCKET.0);
    let last = end.saturating_sub(TICK);
    if now < last { edge.min(last) } else { edge }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_fall_on_bucket_edges_and_on_the_last_window() {
        let end = Ns::from_millis(350);
        let mut now = Ns::from_millis(30);
        let mut samples = Vec::new();
        while now < end {
            now = next_sample(now, end);
            samples.push(now);
        }
        assert_eq!(samples, [100, 200, 300, 349, 400].map(Ns::from_millis));
    }
}
