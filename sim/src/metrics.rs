//! Numbers from a record: utilisation, delays, goodput, over a window of time or the whole run.
//!
//! Every value is rounded once, here, to the decimals it is shown with, so that tables, files and
//! expectations all speak of the same number. Windows are half open, `[from, to)`, and made of
//! whole buckets of 100 ms.

mod catalogue;

pub use catalogue::{Metric, catalogue};

use crate::record::{BUCKET, FlowRecord, LinkRecord, QUEUE_SAMPLE_INTERVAL, Record};
use crate::scenario::{Scenario, What};
use crate::time::Ns;
use serde::Serialize;

/// A span of virtual time, from and to; metrics take `None` for the whole run.
pub type Window = (Ns, Ns);

/// The distribution of a delay, in milliseconds with three decimals.
///
/// Quantiles are nearest-rank: always a value that occurred.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the usual names of statistics")]
pub struct Delays {
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// One run seen through its scenario: the metrics of its links and flows by index.
///
/// A metric is `None` when nothing was measured: the run ended before the window began, a link
/// without a rate has no utilisation, a transfer did not complete.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What was run.
    pub scenario: &'a Scenario,
    /// What came of it.
    pub record: &'a Record,
}

impl View<'_> {
    fn link(&self, link: usize) -> Option<&LinkRecord> {
        self.record.links.get(link)
    }

    fn flow(&self, flow: usize) -> Option<&FlowRecord> {
        self.record.flows.get(flow)
    }

    /// The part of the window that the run covered.
    fn covered(&self, window: Option<Window>) -> Option<Window> {
        let (from, to) = window.unwrap_or((Ns::ZERO, self.record.duration));
        let to = to.min(self.record.duration);
        (from < to).then_some((from, to))
    }

    /// When a flow was active: from its start to its stop, its completion or the end of the run.
    pub fn active(&self, flow: usize) -> Option<Window> {
        let spec = self.scenario.flows.get(flow)?;
        let end = self.flow(flow)?.completed_at.or(spec.stop).unwrap_or(self.record.duration);
        self.covered(Some((self.scenario.start_of(flow), end)))
    }

    /// Share of the time that the transmitter of a link was busy, four decimals.
    pub fn utilisation(&self, link: usize, window: Option<Window>) -> Option<f64> {
        self.scenario.links.get(link)?.config.rate.bps()?;
        let (from, to) = self.covered(window)?;
        let busy = sum(&self.link(link)?.busy_ns, from, to);
        Some(round(busy as f64 / (to - from).0 as f64, 4))
    }

    /// Time that a packet arriving at the link would wait.
    pub fn queue_delay_ms(&self, link: usize, window: Option<Window>) -> Option<Delays> {
        let (from, to) = self.covered(window)?;
        let samples = slice(&self.link(link)?.queue_delay_us, from, to, QUEUE_SAMPLE_INTERVAL);
        Delays::of(samples.to_vec())
    }

    /// Payload megabits per second that reached the receiving application, three decimals; over
    /// the time the flow was active when there is no window.
    pub fn goodput_mbps(&self, flow: usize, window: Option<Window>) -> Option<f64> {
        let (from, to) = match window {
            Some(_) => self.covered(window)?,
            None => self.active(flow)?,
        };
        let bytes = sum(&self.flow(flow)?.delivered_bytes, from, to);
        // Bits per nanosecond are gigabits per second.
        Some(round(bytes as f64 * 8.0 * 1e3 / (to - from).0 as f64, 3))
    }

    /// Payload bytes that reached the receiving application.
    pub fn bytes_delivered(&self, flow: usize, window: Option<Window>) -> Option<u64> {
        let (from, to) = self.covered(window)?;
        Some(sum(&self.flow(flow)?.delivered_bytes, from, to))
    }

    /// Part of the bytes that all flows together delivered, four decimals.
    pub fn share(&self, flow: usize, window: Option<Window>) -> Option<f64> {
        let own = self.bytes_delivered(flow, window)?;
        let all: Option<u64> =
            (0..self.record.flows.len()).map(|flow| self.bytes_delivered(flow, window)).sum();
        all.filter(|&all| all > 0).map(|all| round(own as f64 / all as f64, 4))
    }

    /// Smoothed round-trip time as the sender sees it.
    pub fn rtt_ms(&self, flow: usize, window: Option<Window>) -> Option<Delays> {
        self.samples(&self.flow(flow)?.rtt_us, window)
    }

    /// Delay of delivered packets from sender to receiver.
    pub fn one_way_delay_ms(&self, flow: usize, window: Option<Window>) -> Option<Delays> {
        self.samples(&self.flow(flow)?.one_way_delay_us, window)
    }

    /// Time from a request to the last byte of its response, by the moment that this arrives.
    pub fn response_ms(&self, flow: usize, window: Option<Window>) -> Option<Delays> {
        self.samples(&self.flow(flow)?.response_us, window)
    }

    fn samples(&self, samples: &[(Ns, u32)], window: Option<Window>) -> Option<Delays> {
        // What arrives in the very last instant of the run still belongs to it.
        let (from, to) = window.unwrap_or((Ns::ZERO, Ns(u64::MAX)));
        let inside = samples.iter().filter(|(at, _)| (from..to).contains(at));
        Delays::of(inside.map(|(_, us)| *us).collect())
    }

    /// Queueing delay of the path as the sender's congestion controller sees it.
    pub fn queuing_delay_ms(&self, flow: usize, window: Option<Window>) -> Option<Delays> {
        self.samples(&self.flow(flow)?.queuing_delay_us, window)
    }

    /// How far the base delay that the controller assumes is from the propagation delay of the
    /// path. The time that a packet takes to be transmitted is a part of it.
    pub fn base_error_ms(&self, flow: usize, window: Option<Window>) -> Option<Delays> {
        let samples = &self.flow(flow)?.base_delay_us;
        let error = |(at, base_us): &(Ns, i32)| {
            let path_us = i64::try_from(self.path_delay(flow, *at).as_micros()).unwrap_or(i64::MAX);
            let error_us = i64::from(*base_us).abs_diff(path_us);
            (*at, u32::try_from(error_us).unwrap_or(u32::MAX))
        };
        let errors: Vec<_> = samples.iter().map(error).collect();
        self.samples(&errors, window)
    }

    /// Propagation delay of the links that a flow's data takes at a moment.
    fn path_delay(&self, flow: usize, at: Ns) -> Ns {
        let via = self.scenario.flows.get(flow).map_or(&[][..], |flow| &flow.via);
        let delay = |&link: &usize| {
            let changes = self.scenario.changes.iter().take_while(|change| change.at <= at);
            let changed = changes.filter_map(|change| match &change.what {
                What::Link { link: of, config } if *of == link => Some(config.delay),
                _ => None,
            });
            let first = self.scenario.links.get(link).map(|link| link.config.delay);
            changed.last().or(first).unwrap_or_default()
        };
        via.iter().map(delay).fold(Ns::ZERO, |sum, delay| sum + delay)
    }

    /// Congestion window of the sender in bytes; the fields that [`Delays`] has for milliseconds.
    pub fn window_bytes(&self, flow: usize, window: Option<Window>) -> Option<Delays> {
        let samples = &self.flow(flow)?.window_bytes;
        let narrow = |&(at, bytes): &(Ns, u64)| (at, u32::try_from(bytes).unwrap_or(u32::MAX));
        let narrow: Vec<_> = samples.iter().map(narrow).collect();
        let Delays { mean, p50, p95, p99, max } = self.samples(&narrow, window)?;
        let whole = |thousands: f64| round(thousands * 1e3, 0);
        Some(Delays {
            mean: whole(mean),
            p50: whole(p50),
            p95: whole(p95),
            p99: whole(p99),
            max: whole(max),
        })
    }

    /// The longest time in which nothing reached the receiving application although the flow was
    /// active, in seconds, in steps of 100 ms.
    pub fn longest_stall_s(&self, flow: usize, window: Option<Window>) -> Option<f64> {
        let (from, to) = self.active(flow)?;
        let (within_from, within_to) = window.unwrap_or((from, to));
        let (from, to) = self.covered(Some((from.max(within_from), to.min(within_to))))?;
        let buckets = slice(&self.flow(flow)?.delivered_bytes, from, to, BUCKET);
        let runs = buckets.split(|bytes| *bytes > 0).map(<[u64]>::len);
        let longest = Ns(BUCKET.0 * runs.max().unwrap_or(0) as u64);
        Some(round(longest.as_secs_f64(), 1))
    }

    /// Jain's index of fairness of what the bulk flows delivered, four decimals: 1 when all had the
    /// same, and down to one over their number when one had everything. `None` for fewer than two.
    pub fn jain(&self, window: Option<Window>) -> Option<f64> {
        let flows = self.scenario.flows.iter().enumerate();
        let bulk = flows.filter(|(_, flow)| catalogue::is_bulk(&flow.kind));
        let bytes: Option<Vec<u64>> =
            bulk.map(|(flow, _)| self.bytes_delivered(flow, window)).collect();
        let bytes = bytes.filter(|bytes| bytes.len() >= 2)?;
        let (sum, squares) = bytes.iter().fold((0.0, 0.0), |(sum, squares), &bytes| {
            let bytes = bytes as f64;
            (sum + bytes, squares + bytes * bytes)
        });
        (squares > 0.0).then(|| round(sum * sum / (bytes.len() as f64 * squares), 4))
    }

    /// Seconds from the start of the run to the last byte of a sized transfer.
    pub fn completed_s(&self, flow: usize) -> Option<f64> {
        self.flow(flow)?.completed_at.map(|at| round(at.as_secs_f64(), 3))
    }
}

impl Delays {
    /// The distribution of delays in microseconds; `None` of no delays.
    pub fn of(mut samples_us: Vec<u32>) -> Option<Self> {
        samples_us.sort_unstable();
        let max = *samples_us.last()?;
        let sum: u64 = samples_us.iter().copied().map(u64::from).sum();
        let quantile = |percent: usize| {
            let rank = (samples_us.len() * percent).div_ceil(100);
            f64::from(samples_us[rank.saturating_sub(1)]) / 1e3
        };
        Some(Self {
            mean: round(sum as f64 / samples_us.len() as f64 / 1e3, 3),
            p50: quantile(50),
            p95: quantile(95),
            p99: quantile(99),
            max: f64::from(max) / 1e3,
        })
    }
}

/// To a number of decimals up to four, halves away from zero.
pub(crate) fn round(value: f64, decimals: usize) -> f64 {
    // A table, since the precision of `powi` differs between builds.
    let scale = [1.0, 1e1, 1e2, 1e3, 1e4][decimals];
    (value * scale).round() / scale
}

fn sum(buckets: &[u64], from: Ns, to: Ns) -> u64 {
    slice(buckets, from, to, BUCKET).iter().sum()
}

/// The elements of a series with one element per `step` that begin in `[from, to)`, and the one
/// that `from` falls into.
pub(crate) fn slice<T>(series: &[T], from: Ns, to: Ns, step: Ns) -> &[T] {
    let clamp = |index: u64| usize::try_from(index).map_or(series.len(), |i| i.min(series.len()));
    let (first, end) = (clamp(from.0 / step.0), clamp(to.0.div_ceil(step.0)));
    &series[first..end.max(first)]
}

#[cfg(test)]
mod tests;
