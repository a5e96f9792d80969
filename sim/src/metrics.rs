//! Numbers from a record: utilisation, delays, goodput, over a window of time or the whole run.
//!
//! Every value is rounded once, here, to the decimals it is shown with, so that tables, files and
//! expectations all speak of the same number. Windows are half open, `[from, to)`, and made of
//! whole buckets of 100 ms.

use crate::record::{BUCKET, FlowRecord, LinkRecord, QUEUE_SAMPLE_INTERVAL, Record};
use crate::scenario::{FlowKind, Scenario};
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

/// A quantity that an expectation can bound, by its dotted name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// For instance `links.uplink.queue_delay_ms.p95`.
    pub name: String,
    subject: usize,
    quantity: Quantity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    BytesDelivered,
    CompletedS,
    DroppedPackets,
    GoodputMbps,
    LostPackets,
    OneWayDelayMs(Statistic),
    QueueDelayMs(Statistic),
    ResponseMs(Statistic),
    Retransmissions,
    RttMs(Statistic),
    Sha256Ok,
    Share,
    SpuriousRetransmissions,
    Timeouts,
    Utilisation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Statistic {
    Mean,
    P50,
    P95,
    P99,
    Max,
}

impl Metric {
    /// Whether it can be taken over a part of the run; counters cover the whole run only.
    pub fn takes_window(&self) -> bool {
        !matches!(
            self.quantity,
            Quantity::CompletedS
                | Quantity::DroppedPackets
                | Quantity::LostPackets
                | Quantity::Retransmissions
                | Quantity::Sha256Ok
                | Quantity::SpuriousRetransmissions
                | Quantity::Timeouts
        )
    }

    /// Its value in one run; `None` when nothing was measured.
    pub fn value(&self, view: View<'_>, window: Option<Window>) -> Option<f64> {
        let of = self.subject;
        match self.quantity {
            Quantity::BytesDelivered => view.bytes_delivered(of, window).map(|bytes| bytes as f64),
            Quantity::CompletedS => view.completed_s(of),
            Quantity::DroppedPackets => view.link(of).map(|link| link.dropped_packets as f64),
            Quantity::GoodputMbps => view.goodput_mbps(of, window),
            Quantity::LostPackets => view.link(of).map(|link| link.lost_packets as f64),
            Quantity::OneWayDelayMs(statistic) => {
                view.one_way_delay_ms(of, window).map(|delays| statistic.of(&delays))
            }
            Quantity::QueueDelayMs(statistic) => {
                view.queue_delay_ms(of, window).map(|delays| statistic.of(&delays))
            }
            Quantity::ResponseMs(statistic) => {
                view.response_ms(of, window).map(|delays| statistic.of(&delays))
            }
            Quantity::Retransmissions => view.flow(of).map(|flow| flow.retransmissions as f64),
            Quantity::RttMs(statistic) => {
                view.rtt_ms(of, window).map(|delays| statistic.of(&delays))
            }
            Quantity::Sha256Ok => view.flow(of)?.sha256_ok.map(|ok| f64::from(u8::from(ok))),
            Quantity::Share => view.share(of, window),
            Quantity::SpuriousRetransmissions => {
                view.flow(of).map(|flow| flow.spurious_retransmissions as f64)
            }
            Quantity::Timeouts => view.flow(of).map(|flow| flow.timeouts as f64),
            Quantity::Utilisation => view.utilisation(of, window),
        }
    }
}

impl Statistic {
    fn of(self, delays: &Delays) -> f64 {
        match self {
            Self::Mean => delays.mean,
            Self::P50 => delays.p50,
            Self::P95 => delays.p95,
            Self::P99 => delays.p99,
            Self::Max => delays.max,
        }
    }
}

/// Every metric that a run of this scenario has.
pub fn catalogue(scenario: &Scenario) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for (subject, link) in scenario.links.iter().enumerate() {
        let rate = link.config.rate.bps().map(|_| ("utilisation", Quantity::Utilisation));
        let counters = [
            ("dropped_packets", Quantity::DroppedPackets),
            ("lost_packets", Quantity::LostPackets),
        ];
        let delays = statistics("queue_delay_ms", Quantity::QueueDelayMs);
        let own = named(rate.into_iter().chain(counters)).chain(delays);
        metrics.extend(own.map(|(name, quantity)| {
            let name = format!("links.{}.{name}", link.name);
            Metric { name, subject, quantity }
        }));
    }
    for (subject, flow) in scenario.flows.iter().enumerate() {
        metrics.extend(flow_quantities(&flow.kind).into_iter().map(|(name, quantity)| {
            let name = format!("flows.{}.{name}", flow.name);
            Metric { name, subject, quantity }
        }));
    }
    metrics
}

fn flow_quantities(kind: &FlowKind) -> Vec<(String, Quantity)> {
    let every = [
        ("bytes_delivered", Quantity::BytesDelivered),
        ("goodput_mbps", Quantity::GoodputMbps),
        ("share", Quantity::Share),
    ];
    let mut quantities: Vec<_> = named(every).collect();
    if let FlowKind::Cbr { .. } | FlowKind::OnOff { .. } = kind {
        quantities.extend(statistics("one_way_delay_ms", Quantity::OneWayDelayMs));
        return quantities;
    }
    quantities.extend(named([
        ("retransmissions", Quantity::Retransmissions),
        ("spurious_retransmissions", Quantity::SpuriousRetransmissions),
        ("timeouts", Quantity::Timeouts),
    ]));
    quantities.extend(statistics("rtt_ms", Quantity::RttMs));
    if let FlowKind::RequestResponse { .. } = kind {
        quantities.extend(statistics("response_ms", Quantity::ResponseMs));
    }
    if kind.bytes().is_some() {
        quantities.push(("completed_s".to_owned(), Quantity::CompletedS));
        if matches!(kind, FlowKind::Utp(_)) {
            quantities.push(("sha256_ok".to_owned(), Quantity::Sha256Ok));
        }
    }
    quantities
}

fn named<'a>(
    quantities: impl IntoIterator<Item = (&'a str, Quantity)>,
) -> impl Iterator<Item = (String, Quantity)> {
    quantities.into_iter().map(|(name, quantity)| (name.to_owned(), quantity))
}

fn statistics(
    name: &str,
    of: fn(Statistic) -> Quantity,
) -> impl Iterator<Item = (String, Quantity)> {
    [
        ("mean", Statistic::Mean),
        ("p50", Statistic::P50),
        ("p95", Statistic::P95),
        ("p99", Statistic::P99),
        ("max", Statistic::Max),
    ]
    .into_iter()
    .map(move |(statistic, value)| (format!("{name}.{statistic}"), of(value)))
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
