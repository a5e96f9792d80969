//! The scavenger table: what a background transport should do, with a column for each law.

use super::quantity::Quantity::{self, Growth, Metric, Ratio, RecoverS, YieldS};

/// The columns: names of variants in the scenario files and of the laws they run.
pub(super) const COLUMNS: [(&str, &str); 4] = [
    ("default", "utp"),
    ("rfc6817", "rfc6817-strict"),
    ("libutp", "libutp-strict"),
    ("ledbatpp", "ledbat++"),
];

/// A row: the same number of each law.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// What is measured, and in which unit.
    pub(super) label: &'static str,
    /// The scenario it is measured in.
    pub(super) scenario: &'static str,
    /// The point of a sweep, key and value; `None` without a sweep.
    pub(super) point: Option<(&'static str, &'static str)>,
    /// The number.
    pub(super) quantity: Quantity,
    /// Decimals to show.
    pub(super) decimals: usize,
    /// By what the number is multiplied, for percentages.
    pub(super) scale: f64,
}

const fn row(label: &'static str, scenario: &'static str, quantity: Quantity) -> Row {
    Row { label, scenario, point: None, quantity, decimals: 1, scale: 1.0 }
}

const fn percent(label: &'static str, scenario: &'static str, quantity: Quantity) -> Row {
    Row { scale: 100.0, ..row(label, scenario, quantity) }
}

const fn ratio(label: &'static str, scenario: &'static str, quantity: Quantity) -> Row {
    Row { decimals: 3, ..row(label, scenario, quantity) }
}

const UTILISATION: &str = "links.bottleneck.utilisation";
const DELAY_P50: &str = "links.bottleneck.queue_delay_ms.p50";
const DELAY_P95: &str = "links.bottleneck.queue_delay_ms.p95";
const SHARE: &str = "flows.utp.share";
const LATE: &str = "flows.late.goodput_mbps";
const EARLY: &str = "flows.early.goodput_mbps";

/// The rows in the order of the table.
pub(super) const ROWS: [Row; 24] = [
    percent("utilisation alone, %", "basic", Metric(UTILISATION, Some((60, 180)))),
    row("added delay alone, p95, ms", "basic", Metric(DELAY_P95, Some((60, 180)))),
    row(
        "drift of the delay from minute 5 to 60, ms",
        "drift-hour",
        Growth(DELAY_P50, (240, 360), (3480, 3600)),
    ),
    percent("share when first, Reno, %", "yield-late-reno", Metric(SHARE, Some((60, 150)))),
    percent("share when first, CUBIC, %", "yield-late-cubic", Metric(SHARE, Some((60, 150)))),
    percent("share when second, Reno, %", "tcp-first-reno", Metric(SHARE, Some((60, 180)))),
    percent("share when second, CUBIC, %", "tcp-first-cubic", Metric(SHARE, Some((60, 180)))),
    percent("share, 48 ms of buffer, CUBIC, %", "small-buffer-cubic", second_minute(SHARE)),
    percent("share behind CoDel, CUBIC, %", "codel", Metric(SHARE, Some((90, 180)))),
    percent("share behind PIE, CUBIC, %", "pie", Metric(SHARE, Some((90, 180)))),
    row("time to yield to Reno, s", "yield-late-reno", YieldS("utp", (30, 150))),
    row("time to yield to CUBIC, s", "yield-late-cubic", YieldS("utp", (30, 150))),
    row("time to recover after Reno, s", "yield-late-reno", RecoverS("bottleneck", (150, 200))),
    row("time to recover after CUBIC, s", "yield-late-cubic", RecoverS("bottleneck", (150, 200))),
    ratio("Jain's index, five staggered flows", "fairness-staggered", jain()),
    ratio("Jain's index, five flows at once", "fairness-same", jain()),
    ratio("latecomer over incumbent, 30 to 60 s", "latecomer", Ratio(LATE, EARLY, (60, 90))),
    percent(
        "share of the short path (20 and 120 ms), %",
        "rtt-unfair",
        Metric("flows.near.share", Some((200, 300))),
    ),
    percent("utilisation after +120 ms, %", "route-up-big", Metric(UTILISATION, Some((60, 300)))),
    percent("utilisation, +500 ppm, %", "clock-fast", Metric(UTILISATION, Some((600, 1200)))),
    row("added delay, +500 ppm, p50, ms", "clock-fast", Metric(DELAY_P50, Some((900, 1200)))),
    percent("utilisation, -500 ppm, %", "clock-slow", Metric(UTILISATION, Some((600, 1200)))),
    row("added delay, -500 ppm, p50, ms", "clock-slow", Metric(DELAY_P50, Some((900, 1200)))),
    Row {
        point: Some(("link.bottleneck.loss", "1%")),
        decimals: 2,
        ..row("goodput at 1 % loss, Mbit/s", "loss-sweep", goodput())
    },
];

const fn second_minute(metric: &'static str) -> Quantity {
    Metric(metric, Some((60, 180)))
}

const fn jain() -> Quantity {
    Metric("jain", Some((240, 300)))
}

const fn goodput() -> Quantity {
    Metric("flows.utp.goodput_mbps", Some((60, 180)))
}
