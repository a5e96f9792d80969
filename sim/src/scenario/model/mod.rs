//! A validated scenario: what the engines run. Parsing and checking live beside this file.

mod flow;
mod host;
mod link;

pub use flow::{Controller, FlowKind, FlowSpec, Lie, QuicController, Stack, UtpFlow};
pub use host::{Change, FlowEvent, HostConfig, HostEvent, What};
pub use link::{
    Aggregation, DeliveryTrace, Jitter, LinkConfig, LinkSpec, LinkState, Loss, Mtu, Policer, Queue,
    Rate, Reorder,
};

use crate::rng::Streams;
use crate::time::Ns;
use std::path::PathBuf;

/// One scenario file: its base scenario and the variants that change some of its keys.
#[derive(Clone, Debug)]
pub struct ScenarioFile {
    /// The file's stem, the name of its results folder.
    pub name: String,
    /// Where it was read from.
    pub path: PathBuf,
    /// First 16 hexadecimal digits of the SHA-256 of the file, line endings as `\n`: says in every
    /// output which text it came from.
    pub digest: String,
    /// One line that says what the scenario shows.
    pub summary: String,
    /// The file itself.
    pub text: String,
    /// The base scenario first, named `default`, then the variants in the order of the file. With a
    /// sweep these at its first point, then at the next: the values of the last swept key change
    /// fastest.
    pub variants: Vec<Scenario>,
    /// Variants were made in code, so that no command gives the same from the file.
    pub is_changed: bool,
}

impl ScenarioFile {
    /// The base scenario once for each of the controllers, which all its uTP flows then have and
    /// which names the variant.
    #[must_use]
    pub fn with_controllers(mut self, controllers: impl IntoIterator<Item = Controller>) -> Self {
        let base = self.variants.into_iter().next().unwrap_or_default();
        let variant = |controller: Controller| {
            let mut scenario = base.clone();
            scenario.variant = controller.name().to_owned();
            for flow in &mut scenario.flows {
                if let FlowKind::Utp(utp) = &mut flow.kind {
                    utp.controller = controller.clone();
                }
            }
            scenario
        };
        self.variants = controllers.into_iter().map(variant).collect();
        self.is_changed = true;
        self
    }

    /// What runs it.
    pub fn engine(&self) -> Engine {
        self.variants.first().map_or_else(Engine::default, |scenario| scenario.engine)
    }
}

/// What runs a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Discrete events that drive the protocol core.
    Event,
    /// Turmoil hosts that run the shipped tokio adapter.
    #[default]
    Turmoil,
}

impl Engine {
    /// Its name in scenario files and outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Turmoil => "turmoil",
        }
    }
}

/// When a timer of the transport runs out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timers {
    /// At its nanosecond; on the event engine only.
    Exact,
    /// At the first whole millisecond from then on, as tokio's timers do.
    #[default]
    Tokio,
}

/// One runnable scenario.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// `default` or the variant's name.
    pub variant: String,
    /// The swept keys and what each is set to, as written in the file; empty without a sweep.
    pub point: Vec<(String, String)>,
    /// What runs it.
    pub engine: Engine,
    /// Seed of every random stream of the run.
    pub seed: u64,
    /// Simulated time after which the run ends.
    pub duration: Ns,
    /// End as soon as every sized transfer has completed, before `duration`.
    pub stop_when_complete: bool,
    /// When timers of the transport run out.
    pub timers: Timers,
    /// The hosts, left and right.
    pub hosts: [HostConfig; 2],
    /// Links in the order of the file. On the turmoil engine the last one of every path between
    /// hosts takes at least 1 ms.
    pub links: Vec<LinkSpec>,
    /// In the order of the file.
    pub flows: Vec<FlowSpec>,
    /// What happens during the run, in order of time; at one moment in the order of the file.
    pub changes: Vec<Change>,
    /// Spans to mark in the plots.
    pub phases: Vec<Phase>,
    /// What must hold.
    pub expectations: Vec<Expectation>,
}

impl Scenario {
    /// When the flow with index `flow` starts: what the file says, and where it lets the seed have
    /// a say, a moment drawn from it. The start of the run for a flow that is not there.
    pub fn start_of(&self, flow: usize) -> Ns {
        let Some(spec) = self.flows.get(flow) else { return Ns::ZERO };
        let jitter = match spec.start_jitter {
            Ns::ZERO => 0,
            Ns(max) => Streams::new(self.seed).start(flow).below(max.saturating_add(1)),
        };
        spec.start + Ns(jitter)
    }
}

/// A span of time to mark in the plots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Label.
    pub name: String,
    /// First moment.
    pub from: Ns,
    /// Last moment.
    pub to: Ns,
}

/// A bound on a metric over a window of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Dotted name, for instance `links.uplink.queue_delay_ms.p95`.
    pub metric: String,
    /// From and to; the whole run when absent.
    pub window: Option<(Ns, Ns)>,
    /// Smallest value that passes.
    pub min: Option<f64>,
    /// Largest value that passes.
    pub max: Option<f64>,
    /// Line in the file, for messages.
    pub line: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_with_jitter_is_drawn_from_the_seed_and_lies_in_its_range() {
        let controller = Controller::named("libutp").expect("it exists");
        let flow = FlowSpec {
            name: "late".to_owned(),
            kind: FlowKind::Utp(UtpFlow::new(controller)),
            via: vec![0],
            back: None,
            start: Ns::from_secs(3),
            start_jitter: Ns::from_secs(1),
            stop: None,
        };
        let exact = FlowSpec { start_jitter: Ns::ZERO, ..flow.clone() };
        let flows = vec![exact, flow.clone(), flow];
        let starts = |seed| {
            let scenario = Scenario { seed, flows: flows.clone(), ..Scenario::default() };
            [0, 1, 2, 3].map(|flow| scenario.start_of(flow))
        };
        for seed in 0..50 {
            let [exact, first, second, none] = starts(seed);
            assert_eq!((exact, none), (Ns::from_secs(3), Ns::ZERO));
            for drawn in [first, second] {
                assert!((Ns::from_secs(3)..=Ns::from_secs(4)).contains(&drawn), "{drawn}");
            }
            assert_ne!(first, second);
        }
        assert_eq!(starts(7), starts(7));
        assert_ne!(starts(7), starts(8));
    }
}
