//! What a cell of a table is: one number from one run.

use crate::metrics::{View, Window, catalogue, round};
use crate::record::BUCKET;
use crate::time::Ns;

/// A span of a run in whole seconds, from and to.
pub(super) type Seconds = (u64, u64);

/// A number that a run gives.
#[derive(Clone, Copy, Debug)]
pub(super) enum Quantity {
    /// A metric of an expectation, over a span or the whole run.
    Metric(&'static str, Option<Seconds>),
    /// How much a metric grows from the first span to the second.
    Growth(&'static str, Seconds, Seconds),
    /// A metric over another of the same span.
    Ratio(&'static str, &'static str, Seconds),
    /// Seconds from the start of the span to the end of its last second in which the flow had at
    /// least a tenth of what all flows delivered.
    YieldS(&'static str, Seconds),
    /// Seconds from the start of the span to the end of its first second in which the link was
    /// busy for at least nine tenths of the time with a queue shorter than 200 ms.
    RecoverS(&'static str, Seconds),
}

impl Quantity {
    /// The metrics that it is made of.
    #[cfg(test)]
    pub(super) fn metrics(self) -> Vec<String> {
        match self {
            Self::Metric(name, _) | Self::Growth(name, ..) => vec![name.to_owned()],
            Self::Ratio(over, under, _) => vec![over.to_owned(), under.to_owned()],
            Self::YieldS(flow, _) => vec![format!("flows.{flow}.share")],
            Self::RecoverS(link, _) => ["utilisation", "queue_delay_ms.p50"]
                .map(|metric| format!("links.{link}.{metric}"))
                .into(),
        }
    }

    /// Its value in one run; `None` when nothing was measured.
    pub(super) fn value(self, view: View<'_>) -> Option<f64> {
        match self {
            Self::Metric(name, span) => metric(view, name, span.map(window)),
            Self::Growth(name, first, second) => {
                let first = metric(view, name, Some(window(first)))?;
                Some(round(metric(view, name, Some(window(second)))? - first, 3))
            }
            Self::Ratio(over, under, span) => {
                let under = metric(view, under, Some(window(span)))?;
                let over = metric(view, over, Some(window(span)))?;
                (under > 0.0).then(|| round(over / under, 3))
            }
            Self::YieldS(flow, span) => {
                let share = format!("flows.{flow}.share");
                let held = |second| {
                    let share = metric(view, &share, Some(second_at(second)));
                    share.is_some_and(|share| share >= 0.1)
                };
                let last = (span.0..span.1).rev().find(|&second| held(second));
                Some(last.map_or(0.0, |last| seconds(last + 1 - span.0)))
            }
            Self::RecoverS(link, span) => {
                let busy = format!("links.{link}.utilisation");
                let delay = format!("links.{link}.queue_delay_ms.p50");
                let back = |second| {
                    let at = Some(second_at(second));
                    metric(view, &busy, at).is_some_and(|busy| busy >= 0.9)
                        && metric(view, &delay, at).is_some_and(|delay| delay < 200.0)
                };
                let first = (span.0..span.1).find(|&second| back(second))?;
                Some(seconds(first + 1 - span.0))
            }
        }
    }
}

fn metric(view: View<'_>, name: &str, window: Option<Window>) -> Option<f64> {
    let metrics = catalogue(view.scenario);
    metrics.iter().find(|metric| metric.name == name)?.value(view, window)
}

fn window((from, to): Seconds) -> Window {
    (Ns::from_secs(from), Ns::from_secs(to))
}

fn second_at(second: u64) -> Window {
    (Ns::from_secs(second), Ns::from_secs(second + 1))
}

fn seconds(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

// Windows are made of whole buckets.
const _: () = assert!(1_000_000_000 % BUCKET.0 == 0, "a second is made of whole buckets");
