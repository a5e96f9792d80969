//! The engine that runs the shipped adapter: two turmoil hosts around one exact network.
//!
//! turmoil gives each host a runtime with a virtual clock and steps both through windows of
//! [`TICK`]. Its own links are not used. Sockets hand datagrams to [`crate::network`]; between
//! steps the engine moves them there and back, and in each host a pump moves the clock to the exact
//! nanosecond of every arrival. Since a host runs through a whole window before the other does,
//! nothing sent in a window may arrive in it: every path has to take at least a tick.

mod alarm;
mod host;
mod pump;
mod runtime;
mod shared;
mod socket;
mod transfer;

pub use host::Host;
pub use runtime::SimRuntime;
pub use socket::SimSocket;
pub(crate) use transfer::start;

use crate::clock::HostClock;
use crate::network::Network;
use crate::packet::HostId;
use crate::rng::Streams;
use crate::run::Run;
use crate::scenario::{HostEvent, Scenario};
use crate::script::Script;
use crate::taps::{DatagramTap, SharedProtocolSink, Taps};
use crate::time::Ns;
use anyhow::{Context as _, anyhow, ensure};
use host::Machine;
use shared::Shared;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;

/// The window that hosts run through on their own. turmoil's clocks are right for 1 ms only.
pub const TICK: Ns = Ns::from_millis(1);

/// Two hosts and the network between them.
///
/// ```
/// use std::{ops::ControlFlow, time::Duration};
/// use utp_sim::{packet::HostId, taps::Taps, time::Ns, turmoil::Engine};
///
/// let text = r#"
///     summary  = "A socket."
///     duration = "1s"
///     [link.uplink]
///     delay = "25ms"
///     [[flow]]
///     name = "flow"
///     kind = "utp"
///     via  = "uplink"
/// "#;
/// let file = utp_sim::scenario::parse("socket.toml".as_ref(), text)?;
/// let mut engine = Engine::new(&file.variants[0], Taps::default())?;
/// for id in HostId::ALL {
///     engine.add_host(id, |host| {
///         let host = host.clone();
///         host.clone().spawn(async move {
///             tokio::time::sleep(Duration::from_millis(7)).await;
///             assert_eq!(host.now(), Ns::from_millis(7));
///         });
///     });
/// }
/// engine.run_until(Ns::from_secs(1), &mut |_, _| ControlFlow::Continue(()))?;
/// assert_eq!(engine.finish()?.record.duration, Ns::from_secs(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Engine {
    sim: turmoil::Sim<'static>,
    shared: Arc<Shared>,
    protocol: Option<SharedProtocolSink>,
    machines: Vec<Arc<Machine>>,
    scenario: Scenario,
    script: Script,
    now: Ns,
}

impl Engine {
    /// An engine for `scenario`, without hosts yet.
    ///
    /// # Errors
    ///
    /// When a path between hosts is shorter than [`TICK`].
    pub fn new(scenario: &Scenario, taps: Taps) -> anyhow::Result<Self> {
        let mut network = Network::new(scenario);
        if let Some(delay) = network.min_path_delay() {
            ensure!(
                delay >= TICK,
                "a path takes {delay}, the turmoil engine needs at least {TICK}"
            );
        }
        let sim = turmoil::Builder::new()
            .tick_duration(TICK.as_duration())
            .simulation_duration(LONGEST)
            .epoch(SystemTime::UNIX_EPOCH)
            .rng_seed(scenario.seed)
            .build();
        let Taps { packets, datagrams, protocol } = taps;
        if let Some(sink) = packets {
            network.set_trace_sink(sink);
        }
        Ok(Self {
            sim,
            shared: Arc::new(Shared::new(network, DatagramTap::new(datagrams))),
            protocol: protocol.map(SharedProtocolSink::new),
            machines: Vec::new(),
            scenario: scenario.clone(),
            script: Script::new(scenario),
            now: Ns::ZERO,
        })
    }

    /// Adds a host whose `software` is called at the start of the run, and again whenever the
    /// scenario brings it back from a crash, to spawn tasks. Both hosts must be added before the
    /// first step, the left one first.
    pub fn add_host(&mut self, id: HostId, software: impl Fn(&Host) + 'static) {
        let mut entropy = Streams::new(self.scenario.seed).host(id.index());
        let machine = Arc::new(Machine {
            id,
            shared: Arc::clone(&self.shared),
            window: Notify::new(),
            clock: HostClock::new(&self.scenario, id, &mut entropy),
            entropy: Mutex::new(entropy),
            protocol: self.protocol.clone(),
        });
        self.machines.push(Arc::clone(&machine));
        let software = Rc::new(software);
        self.sim.host(host::name(id), move || {
            let (machine, software) = (Arc::clone(&machine), Rc::clone(&software));
            async move {
                let host = Host::boot(machine);
                software(&host);
                pump::pump(host).await;
                Ok(())
            }
        });
    }

    /// Runs the hosts until `until`, a whole number of ticks, or until `observe` breaks; it is
    /// called before each window with the moment and the network.
    ///
    /// # Errors
    ///
    /// When a host's task failed or turmoil did.
    pub fn run_until(
        &mut self,
        until: Ns,
        observe: &mut dyn FnMut(Ns, &Network) -> ControlFlow<()>,
    ) -> anyhow::Result<()> {
        while self.now < until {
            {
                let mut world = self.shared.lock();
                world.exchange(self.now);
                if let Some(failure) = world.take_failure() {
                    return Err(failure.context(format!("a host failed at {}", self.now)));
                }
                if observe(self.now, &world.network).is_break() {
                    return Ok(());
                }
            }
            while let Some((id, event)) = self.script.next(self.now) {
                self.change_host(id, event);
            }
            for machine in &self.machines {
                machine.window.notify_one();
            }
            self.sim.step().map_err(|error| anyhow!("{error}")).context("turmoil failed")?;
            self.now += TICK;
        }
        Ok(())
    }

    /// Makes a host crash or come back.
    fn change_host(&mut self, id: HostId, event: HostEvent) {
        match event {
            HostEvent::Crash => self.sim.crash(host::name(id)),
            HostEvent::Restart => {
                self.shared.lock().forget_arrivals(id);
                self.sim.bounce(host::name(id));
            }
            _ => {}
        }
    }

    /// Ends the run and returns what is left of it.
    ///
    /// # Errors
    ///
    /// When a datagram was somewhere too late, so that the run was not exact.
    pub fn finish(self) -> anyhow::Result<Run> {
        let Self { sim, shared, machines, now, .. } = self;
        {
            let mut world = shared.lock();
            world.exchange(now);
            let late = world.late();
            ensure!(late == 0, "{late} datagrams were handled after their time");
            let unroutable = world.network.unroutable();
            ensure!(unroutable == 0, "{unroutable} datagrams had ports of no flow");
        }
        // The hosts hold the world, too, until their runtimes are gone.
        drop((sim, machines));
        let shared = Arc::into_inner(shared).context("a host outlived its runtime")?;
        let network = shared.into_network();
        let (events, packets) = (network.events(), network.packets());
        Ok(Run { events, packets, record: network.finish() })
    }
}

/// A bound on simulated time that no scenario reaches.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;
