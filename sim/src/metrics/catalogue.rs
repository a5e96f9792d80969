//! The metrics that expectations, summaries and sweeps know by name.

use super::{Delays, View, Window};
use crate::scenario::{FlowKind, Scenario};
use crate::trace::DropReason;

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
    BaseErrorMs(Statistic),
    BytesDelivered,
    CompletedS,
    DroppedPackets,
    Drops(DropReason),
    Failures,
    GoodputMbps,
    Jain,
    LongestStallS,
    LostPackets,
    OneWayDelayMs(Statistic),
    QueueDelayMs(Statistic),
    QueuingDelayMs(Statistic),
    ResponseMs(Statistic),
    Retransmissions,
    RttMs(Statistic),
    Sha256Ok,
    Share,
    SpuriousRetransmissions,
    Timeouts,
    Utilisation,
    WindowBytes(Statistic),
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
                | Quantity::Drops(_)
                | Quantity::Failures
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
        let one = |delays: Option<Delays>, statistic: Statistic| {
            delays.map(|delays| statistic.of(&delays))
        };
        match self.quantity {
            Quantity::BaseErrorMs(statistic) => one(view.base_error_ms(of, window), statistic),
            Quantity::BytesDelivered => view.bytes_delivered(of, window).map(|bytes| bytes as f64),
            Quantity::CompletedS => view.completed_s(of),
            Quantity::DroppedPackets => view.link(of).map(|link| link.dropped_packets as f64),
            Quantity::Drops(reason) => {
                let drops = view.link(of).map(|link| link.drops.get(reason.name()));
                drops.map(|count| count.copied().unwrap_or(0) as f64)
            }
            Quantity::Failures => view.flow(of).map(|flow| flow.failures as f64),
            Quantity::GoodputMbps => view.goodput_mbps(of, window),
            Quantity::Jain => view.jain(window),
            Quantity::LongestStallS => view.longest_stall_s(of, window),
            Quantity::LostPackets => view.link(of).map(|link| link.lost_packets as f64),
            Quantity::OneWayDelayMs(statistic) => one(view.one_way_delay_ms(of, window), statistic),
            Quantity::QueueDelayMs(statistic) => one(view.queue_delay_ms(of, window), statistic),
            Quantity::QueuingDelayMs(statistic) => {
                one(view.queuing_delay_ms(of, window), statistic)
            }
            Quantity::ResponseMs(statistic) => one(view.response_ms(of, window), statistic),
            Quantity::Retransmissions => view.flow(of).map(|flow| flow.retransmissions as f64),
            Quantity::RttMs(statistic) => one(view.rtt_ms(of, window), statistic),
            Quantity::Sha256Ok => view.flow(of)?.sha256_ok.map(|ok| f64::from(u8::from(ok))),
            Quantity::Share => view.share(of, window),
            Quantity::SpuriousRetransmissions => {
                view.flow(of).map(|flow| flow.spurious_retransmissions as f64)
            }
            Quantity::Timeouts => view.flow(of).map(|flow| flow.timeouts as f64),
            Quantity::WindowBytes(statistic) => one(view.window_bytes(of, window), statistic),
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
        let drops = DropReason::ALL
            .map(|reason| (format!("drops.{}", reason.name()), Quantity::Drops(reason)));
        let own = named(rate.into_iter().chain(counters)).chain(delays).chain(drops);
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
    if scenario.flows.iter().filter(|flow| is_bulk(&flow.kind)).count() >= 2 {
        metrics.push(Metric { name: "jain".to_owned(), subject: 0, quantity: Quantity::Jain });
    }
    metrics
}

/// Whether a flow sends as much as it can.
pub(super) const fn is_bulk(kind: &FlowKind) -> bool {
    match kind {
        FlowKind::Cubic { .. } | FlowKind::Quic { .. } | FlowKind::Reno { .. } => true,
        FlowKind::Utp(_) => true,
        FlowKind::Cbr { .. } | FlowKind::OnOff { .. } | FlowKind::RequestResponse { .. } => false,
    }
}

fn flow_quantities(kind: &FlowKind) -> Vec<(String, Quantity)> {
    let every = [
        ("bytes_delivered", Quantity::BytesDelivered),
        ("goodput_mbps", Quantity::GoodputMbps),
        ("longest_stall_s", Quantity::LongestStallS),
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
    quantities.extend(statistics("window_bytes", Quantity::WindowBytes));
    if let FlowKind::Utp(_) = kind {
        quantities.push(("failures".to_owned(), Quantity::Failures));
        quantities.extend(statistics("base_error_ms", Quantity::BaseErrorMs));
        quantities.extend(statistics("queuing_delay_ms", Quantity::QueuingDelayMs));
    }
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
