//! Records as series of equal steps: what the time series has a column of and a plot a line.

use crate::metrics::{View, round, slice};
use crate::record::QUEUE_SAMPLE_INTERVAL;
use crate::time::Ns;

/// One value per step, `None` where nothing was measured.
pub(super) type Series = Vec<Option<f64>>;

/// Mean time in the queue of a link, in milliseconds.
pub(super) fn queue_delay_ms(view: View<'_>, link: usize, step: Ns) -> Series {
    let samples = view.record.links.get(link).map_or(&[][..], |link| &link.queue_delay_us);
    let mean = |(from, to)| {
        let inside = slice(samples, from, to, QUEUE_SAMPLE_INTERVAL);
        mean_ms(inside.iter().copied())
    };
    steps(view, step).map(mean).collect()
}

/// Share of the time that a link was busy.
pub(super) fn utilisation(view: View<'_>, link: usize, step: Ns) -> Series {
    steps(view, step).map(|window| view.utilisation(link, Some(window))).collect()
}

/// Goodput of a flow in megabits per second, from its start on.
pub(super) fn goodput_mbps(view: View<'_>, flow: usize, step: Ns) -> Series {
    let start = view.scenario.start_of(flow);
    let goodput = |window: (Ns, Ns)| {
        if window.1 > start { view.goodput_mbps(flow, Some(window)) } else { None }
    };
    steps(view, step).map(goodput).collect()
}

/// Mean of samples in microseconds, in milliseconds.
pub(super) fn sampled_ms(view: View<'_>, samples: &[(Ns, u32)], step: Ns) -> Series {
    let mean = |(from, to)| mean_ms(inside(samples, from, to).map(|(_, us)| *us));
    steps(view, step).map(mean).collect()
}

/// The same for samples that may be negative.
pub(super) fn signed_ms(view: View<'_>, samples: &[(Ns, i32)], step: Ns) -> Series {
    let mean = |(from, to)| {
        let (count, sum) = inside(samples, from, to)
            .fold((0_u32, 0_i64), |(count, sum), (_, us)| (count + 1, sum + i64::from(*us)));
        (count > 0).then(|| round(sum as f64 / f64::from(count) / 1e3, 3))
    };
    steps(view, step).map(mean).collect()
}

/// The series of something that happens less often than a step is long: what is between two of its
/// values lies on the line from one to the other.
pub(super) fn joined(mut series: Series) -> Series {
    let mut last: Option<(usize, f64)> = None;
    for index in 0..series.len() {
        let Some(value) = series[index] else { continue };
        if let Some((from, before)) = last {
            let slope = (value - before) / (index - from) as f64;
            for (step, between) in series[from + 1..index].iter_mut().enumerate() {
                *between = Some(before + slope * (step + 1) as f64);
            }
        }
        last = Some((index, value));
    }
    series
}

/// The last sample of each step.
pub(super) fn last_sample(view: View<'_>, samples: &[(Ns, u64)], step: Ns) -> Vec<Option<u64>> {
    let last = |(from, to)| inside(samples, from, to).last().map(|(_, value)| *value);
    steps(view, step).map(last).collect()
}

/// The steps that the run covers; the last may be shorter.
fn steps(view: View<'_>, step: Ns) -> impl Iterator<Item = (Ns, Ns)> {
    let duration = view.record.duration;
    let count = duration.0.div_ceil(step.0);
    (0..count).map(move |index| (Ns(index * step.0), Ns((index + 1) * step.0).min(duration)))
}

/// The samples of `[from, to)`; samples are in order of time.
fn inside<T>(samples: &[(Ns, T)], from: Ns, to: Ns) -> impl Iterator<Item = &(Ns, T)> {
    let first = samples.partition_point(|(at, _)| *at < from);
    samples[first..].iter().take_while(move |(at, _)| *at < to)
}

fn mean_ms(samples_us: impl Iterator<Item = u32>) -> Option<f64> {
    let (count, sum) =
        samples_us.fold((0_u32, 0_u64), |(count, sum), us| (count + 1, sum + u64::from(us)));
    (count > 0).then(|| round(sum as f64 / f64::from(count) / 1e3, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_gaps_between_them_are_joined_and_nothing_is_added_at_the_ends() {
        let sparse = vec![None, Some(1.0), None, None, Some(4.0), Some(2.0), None];
        let whole = vec![None, Some(1.0), Some(2.0), Some(3.0), Some(4.0), Some(2.0), None];
        assert_eq!(joined(sparse), whole);
        assert_eq!(joined(vec![None; 3]), [None; 3]);
    }
}
