//! What happens in a run besides the traffic: its phases, the flows that come and go, and what the
//! scenario breaks or changes. Spans are shaded, moments are marked.

use super::figure::{Moment, Span};
use super::text::plain;
use crate::packet::HostId;
use crate::scenario::{
    FlowEvent, HostEvent, LinkConfig, LinkState, Rate, Scenario, What, units::format_duration,
};
use crate::time::Ns;
use std::collections::BTreeMap;

/// The story of one variant, within the first `end` of the run.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Story {
    pub(super) spans: Vec<Span>,
    pub(super) moments: Vec<Moment>,
}

/// What is out of order, by what it is that is: since when.
type Open = BTreeMap<(Subject, &'static str), Ns>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Flow(usize),
    Host(HostId),
    Link(usize),
}

impl Story {
    /// The story of `scenario`; `suffix` goes behind the names of its flows.
    pub(super) fn new(scenario: &Scenario, end: Ns, suffix: &str) -> Self {
        let mut story = Self::default();
        for phase in &scenario.phases {
            story.span(&phase.name, phase.from, phase.to, end, false);
        }
        let comes_or_goes: Vec<_> = scenario
            .flows
            .iter()
            .enumerate()
            .map(|(index, flow)| {
                (flow, scenario.start_of(index), flow.stop.unwrap_or(end).min(end))
            })
            .filter(|(_, start, stop)| stop.saturating_sub(*start).0 < end.0 / 100 * WHOLE_PERCENT)
            .collect();
        // More would only show that there are many: the flows themselves show when they send.
        if comes_or_goes.len() <= FLOWS_MAX {
            for (flow, start, stop) in comes_or_goes {
                let label = format!("{} sends{suffix}", flow.name);
                story.span(&label, start, stop, end, false);
            }
        }
        story.changes(scenario, end);
        story
    }

    /// Leaves the shades and marks without their words.
    pub(super) fn forget_labels(&mut self) {
        self.spans.iter_mut().for_each(|span| span.label.clear());
        self.moments.iter_mut().for_each(|moment| moment.label.clear());
    }

    fn span(&mut self, label: &str, from: Ns, to: Ns, end: Ns, fault: bool) {
        if from < end.min(to) {
            let (from_s, to_s) = (from.as_secs_f64(), to.min(end).as_secs_f64());
            self.spans.push(Span { label: label.to_owned(), from_s, to_s, fault });
        }
    }

    fn changes(&mut self, scenario: &Scenario, end: Ns) {
        let mut links: Vec<_> = scenario.links.iter().map(|link| link.config.clone()).collect();
        let mut open = Open::new();
        let initial = links.iter().enumerate();
        for (index, state) in initial.filter_map(|(index, link)| Some((index, broken(link)?))) {
            open.insert((Subject::Link(index), state), Ns::ZERO);
        }
        let mut moments = Vec::new();
        for change in scenario.changes.iter().filter(|change| change.at < end) {
            let (subject, faults, words) = match &change.what {
                What::Flow { flow, event } => {
                    let (fault, words) = of_flow(*event);
                    (Subject::Flow(*flow), vec![fault], words)
                }
                What::Host { host, event } => {
                    let (faults, words) = of_host(*event);
                    (Subject::Host(*host), faults, words)
                }
                What::Link { link, config } => {
                    let words = difference(&links[*link], config);
                    let now = broken(config);
                    links[*link] = (**config).clone();
                    let state = |name| (name, now == Some(name));
                    (Subject::Link(*link), vec![state("down"), state("stalled")], words)
                }
            };
            let name = subject.name(scenario);
            for (fault, begins) in faults {
                match (open.contains_key(&(subject, fault)), begins) {
                    (false, true) => drop(open.insert((subject, fault), change.at)),
                    (true, false) => {
                        let since = open.remove(&(subject, fault)).unwrap_or_default();
                        self.span(&format!("{name} {fault}"), since, change.at, end, true);
                    }
                    _ => {}
                }
            }
            if let Some(words) = words {
                moments.push((change.at, format!("{name} {words}")));
            }
        }
        for ((subject, fault), since) in open {
            let label = format!("{} {fault}", subject.name(scenario));
            self.span(&label, since, end, end, true);
        }
        self.add_moments(moments);
    }

    /// A few moments are labelled, some are marked, very many are left out.
    fn add_moments(&mut self, moments: Vec<(Ns, String)>) {
        let count = moments.len();
        if count > MARKED_MAX {
            return;
        }
        self.moments = moments
            .into_iter()
            .map(|(at, label)| {
                let label = if count <= LABELLED_MAX { label } else { String::new() };
                Moment { label, at_s: at.as_secs_f64() }
            })
            .collect();
    }
}

impl Subject {
    fn name(self, scenario: &Scenario) -> &str {
        match self {
            Self::Flow(flow) => scenario.flows.get(flow).map_or("flow", |flow| &flow.name),
            Self::Host(HostId::Left) => "left host",
            Self::Host(HostId::Right) => "right host",
            Self::Link(link) => scenario.links.get(link).map_or("link", |link| &link.name),
        }
    }
}

/// The name of a link's state when it does not work.
const fn broken(link: &LinkConfig) -> Option<&'static str> {
    match link.state {
        LinkState::Up => None,
        LinkState::Down => Some("down"),
        LinkState::Stalled => Some("stalled"),
    }
}

/// The fault that begins or ends with the event, and else the event in words.
fn of_flow(event: FlowEvent) -> ((&'static str, bool), Option<String>) {
    let speed = |verb: &str, bps: Option<u64>| match bps {
        Some(0) => None,
        Some(bps) => Some(format!("{verb} {}", rate(bps))),
        None => Some(format!("{verb} freely")),
    };
    match event {
        FlowEvent::NatRebind => (("moved", false), Some("gets a new address".to_owned())),
        FlowEvent::ReadRate(bps) => (("not read", bps == Some(0)), speed("reads", bps)),
        FlowEvent::WriteRate(bps) => (("not written", bps == Some(0)), speed("writes", bps)),
    }
}

fn of_host(event: HostEvent) -> (Vec<(&'static str, bool)>, Option<String>) {
    match event {
        HostEvent::ClockStep(us) => (Vec::new(), Some(format!("clock {:+} ms", us as f64 / 1e3))),
        HostEvent::ClockDrift(ppm) => (Vec::new(), Some(format!("clock drifts {ppm:+} ppm"))),
        HostEvent::Crash => (vec![("crashed", true)], None),
        HostEvent::Restart => (vec![("crashed", false)], None),
        HostEvent::Pause => (vec![("paused", true)], None),
        HostEvent::Resume => (vec![("paused", false)], None),
    }
}

/// What is new about a link, its state apart.
fn difference(before: &LinkConfig, after: &LinkConfig) -> Option<String> {
    let mut words = Vec::new();
    if before.rate != after.rate {
        words.push(match &after.rate {
            Rate::Constant(bps) => rate(*bps),
            Rate::Trace(trace) => format!("follows {}", trace.name),
            Rate::Unlimited => "without a rate".to_owned(),
        });
    }
    if before.delay != after.delay {
        words.push(format!("delay {}", format_duration(after.delay)));
    }
    let others = [
        ("loss", before.loss != after.loss),
        ("jitter", before.jitter != after.jitter),
        ("queue", before.queue != after.queue),
        ("policer", before.policer != after.policer),
        ("MTU", before.mtu != after.mtu),
        ("aggregation", before.aggregation != after.aggregation),
        ("reordering", before.reorder != after.reorder),
        ("duplication", before.duplicate_ppm != after.duplicate_ppm),
        (
            "corruption",
            (before.corrupt_header_ppm, before.corrupt_payload_ppm)
                != (after.corrupt_header_ppm, after.corrupt_payload_ppm),
        ),
    ];
    let changed = others.into_iter().filter(|(_, changed)| *changed);
    words.extend(changed.map(|(name, _)| format!("{name} changes")));
    (!words.is_empty()).then(|| words.join(", "))
}

/// A rate in the unit that suits it.
pub(super) fn rate(bps: u64) -> String {
    let value = bps as f64;
    match bps {
        1_000_000_000.. => format!("{} Gbit/s", plain(value / 1e9)),
        1_000_000.. => format!("{} Mbit/s", plain(value / 1e6)),
        1_000.. => format!("{} kbit/s", plain(value / 1e3)),
        _ => format!("{bps} bit/s"),
    }
}

/// Flows whose times are shaded.
const FLOWS_MAX: usize = 3;
/// A flow that sends for so much of the run is always there.
const WHOLE_PERCENT: u64 = 97;
/// Moments that have room for a label.
const LABELLED_MAX: usize = 6;
/// Moments that can be told apart.
const MARKED_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Change, FlowKind, FlowSpec, LinkSpec};

    fn scenario(changes: Vec<(u64, What)>) -> Scenario {
        let config = LinkConfig { rate: Rate::Constant(10_000_000), ..LinkConfig::default() };
        let changes = changes.into_iter().map(|(s, what)| Change { at: Ns::from_secs(s), what });
        Scenario {
            links: vec![LinkSpec { name: "uplink".to_owned(), config }],
            changes: changes.collect(),
            ..Scenario::default()
        }
    }

    fn link(config: LinkConfig) -> What {
        What::Link { link: 0, config: Box::new(config) }
    }

    #[test]
    fn what_breaks_and_is_mended_is_a_span_and_all_else_a_moment() {
        let up = LinkConfig { rate: Rate::Constant(10_000_000), ..LinkConfig::default() };
        let down = LinkConfig { state: LinkState::Down, ..up.clone() };
        let slow = LinkConfig { rate: Rate::Constant(2_500_000), ..up.clone() };
        let host = |event| What::Host { host: HostId::Right, event };
        let changes = vec![
            (10, link(down)),
            (12, link(up)),
            (20, link(slow)),
            (30, host(HostEvent::Pause)),
            (40, host(HostEvent::ClockStep(-1_500))),
        ];
        let story = Story::new(&scenario(changes), Ns::from_secs(60), "");
        let spans: Vec<_> =
            story.spans.iter().map(|span| (&*span.label, span.from_s, span.to_s)).collect();
        assert_eq!(spans, [("uplink down", 10.0, 12.0), ("right host paused", 30.0, 60.0)]);
        assert!(story.spans.iter().all(|span| span.fault));
        let moments: Vec<_> =
            story.moments.iter().map(|moment| (&*moment.label, moment.at_s)).collect();
        assert_eq!(moments, [("uplink 2.5 Mbit/s", 20.0), ("right host clock -1.5 ms", 40.0)]);
    }

    #[test]
    fn a_flow_that_sends_all_the_time_is_not_shaded() {
        let shaded = |start, stop| {
            let mut scenario = scenario(Vec::new());
            scenario.flows.push(FlowSpec {
                name: "bulk".to_owned(),
                kind: FlowKind::Reno { bytes: None },
                via: vec![0],
                back: None,
                start: Ns::from_millis(start),
                start_jitter: Ns::ZERO,
                stop: Some(Ns::from_millis(stop)),
            });
            !Story::new(&scenario, Ns::from_secs(60), "").spans.is_empty()
        };
        assert_eq!([shaded(0, 60_000), shaded(200, 59_500)], [false; 2]);
        assert_eq!([shaded(5_000, 60_000), shaded(0, 50_000)], [true; 2]);
    }

    #[test]
    fn many_moments_are_marked_without_a_label() {
        let rate = |bps| LinkConfig { rate: Rate::Constant(bps), ..LinkConfig::default() };
        let changes = (1..=20).map(|s| (s, link(rate(s * 1_000_000)))).collect();
        let story = Story::new(&scenario(changes), Ns::from_secs(60), "");
        assert_eq!(story.moments.len(), 20);
        assert!(story.moments.iter().all(|moment| moment.label.is_empty()));
    }
}
