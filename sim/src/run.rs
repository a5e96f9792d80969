//! From a scenario to its record: builds network and hosts, and runs them to the end.

use crate::app::Transfer;
use crate::network::Network;
use crate::packet::HostId;
use crate::pool::{self, Work};
use crate::record::{BUCKET, Record};
use crate::scenario::{Engine, Scenario, ScenarioFile};
use crate::taps::Taps;
use crate::time::Ns;
use crate::turmoil::TICK;
use crate::{event, turmoil};
use anyhow::ensure;
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::Notify;

/// Runs `scenario` and returns what it leaves behind. `progress` hears of simulated time, about
/// once per simulated 100 ms.
///
/// ```
/// let text = r#"
///     summary  = "A small transfer."
///     duration = "20s"
///     stop_when_complete = true
///     [link.uplink]
///     rate  = "10mbit"
///     delay = "10ms"
///     [[flow]]
///     name  = "file"
///     kind  = "utp"
///     via   = "uplink"
///     bytes = 200_000
/// "#;
/// let file = utp_sim::scenario::parse("small.toml".as_ref(), text)?;
/// let record = utp_sim::run::run(&file.variants[0], &|_| {})?;
/// assert_eq!(record.flows[0].sha256_ok, Some(true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As for [`run_tapped`].
pub fn run(scenario: &Scenario, progress: &dyn Fn(Ns)) -> anyhow::Result<Record> {
    run_tapped(scenario, progress, Taps::default()).map(|run| run.record)
}

/// Runs every variant of `file`, as many side by side as there are cores, and returns what they
/// leave behind in their order. On a terminal a bar shows how far they are.
///
/// # Errors
///
/// The first variant that fails, as for [`run_tapped`].
pub fn run_file(file: &ScenarioFile) -> anyhow::Result<Vec<Record>> {
    pool::run_all(&file.name, pool::cores(), &file.variants, &run_tapped, &Records)
}

/// Nobody looks on, and the record is all that is kept.
struct Records;

impl Work for Records {
    type Kept = Record;

    fn taps(&self, _: usize) -> anyhow::Result<Taps> {
        Ok(Taps::default())
    }

    fn keep(&self, _: usize, run: Run) -> anyhow::Result<Record> {
        Ok(run.record)
    }
}

/// What a run leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The raw material of all outputs.
    pub record: Record,
    /// Events that were handled on the way, as a measure of work: those of the network and, on the
    /// event engine, those of the hosts.
    pub events: u64,
    /// Packets that have entered the network.
    pub packets: u64,
}

/// As [`run`], with sinks for what happens, see [`Taps`].
///
/// # Errors
///
/// When the scenario is not one the engine can run exactly (a path between hosts shorter than 1 ms
/// on turmoil, a path without rate and delay on the event engine, a duration that is no whole
/// number of milliseconds), or when the run turns out not to have been exact. A uTP connection that
/// fails is no error: it is noted in the record, and another one follows.
pub fn run_tapped(scenario: &Scenario, progress: &dyn Fn(Ns), taps: Taps) -> anyhow::Result<Run> {
    let whole = scenario.duration.0.is_multiple_of(TICK.0);
    ensure!(whole, "a run lasts whole milliseconds, not {}", scenario.duration);
    let mut completion = Completion::new(scenario);
    let interval = completion.interval();
    let mut observe = |now: Ns, network: &Network| {
        if now.0.is_multiple_of(BUCKET.0) {
            progress(now);
        }
        completion.observe(network)
    };
    match scenario.engine {
        Engine::Event => {
            let mut engine = event::Engine::new(scenario, taps);
            engine.run_until(scenario.duration, interval, &mut observe)?;
            engine.finish()
        }
        Engine::Turmoil => run_on_turmoil(scenario, taps, &mut observe),
    }
}

/// Runs the shipped adapter, if any flow needs it.
fn run_on_turmoil(
    scenario: &Scenario,
    taps: Taps,
    observe: &mut Observe<'_>,
) -> anyhow::Result<Run> {
    let transfers = Transfer::all(scenario);
    if transfers.is_empty() {
        return Ok(run_without_hosts(scenario, taps, observe));
    }
    let mut engine = turmoil::Engine::new(scenario, taps)?;
    let completions: Vec<_> = transfers.iter().map(|_| Arc::new(Notify::new())).collect();
    for host in HostId::ALL {
        let (transfers, completions) = (transfers.clone(), completions.clone());
        engine.add_host(host, move |host| {
            for (transfer, complete) in transfers.iter().zip(&completions) {
                turmoil::start(transfer, host, complete);
            }
        });
    }
    engine.run_until(scenario.duration, observe)?;
    engine.finish()
}

/// Looks on at intervals and may end the run.
type Observe<'a> = dyn FnMut(Ns, &Network) -> ControlFlow<()> + 'a;

fn run_without_hosts(scenario: &Scenario, taps: Taps, observe: &mut Observe<'_>) -> Run {
    let mut network = Network::new(scenario);
    if let Some(sink) = taps.packets {
        network.set_trace_sink(sink);
    }
    while network.now() < scenario.duration && observe(network.now(), &network).is_continue() {
        let until = network.now() + TICK;
        network.run_until(until, &mut |_, _, _| unreachable!("no flow has a host"));
    }
    let (events, packets) = (network.events(), network.packets());
    Run { events, packets, record: network.finish() }
}

/// Tells when a run that ends with its transfers can end.
struct Completion {
    sized: Vec<usize>,
    enabled: bool,
    seen: bool,
}

impl Completion {
    fn new(scenario: &Scenario) -> Self {
        let numbered = scenario.flows.iter().enumerate();
        let sized = numbered.filter(|(_, flow)| flow.kind.bytes().is_some());
        let sized: Vec<usize> = sized.map(|(flow, _)| flow).collect();
        let enabled = scenario.stop_when_complete && !sized.is_empty();
        Self { sized, enabled, seen: false }
    }

    /// How often to observe: once in a window of turmoil's, if that decides about the end.
    const fn interval(&self) -> Ns {
        if self.enabled { TICK } else { BUCKET }
    }

    /// Breaks one window after the last completion, so that senders can leave their last counts.
    fn observe(&mut self, network: &Network) -> ControlFlow<()> {
        if !self.enabled {
            return ControlFlow::Continue(());
        }
        if self.seen {
            return ControlFlow::Break(());
        }
        self.seen = self.sized.iter().all(|&flow| network.is_complete(flow));
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests;
