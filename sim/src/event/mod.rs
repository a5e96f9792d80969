//! The engine that runs the protocol core alone: one loop over the events of the network and of two
//! hosts, each of which has a socket and an application for every flow.
//!
//! It does what the turmoil engine does, event for event, without a runtime: the core is driven in
//! the turns of the shipped adapter, applications and timers take theirs in the order of tokio's
//! scheduler. So packets are equal to the nanosecond while the timers are those of tokio, and it is
//! faster, keeps exact timers if it is told to, and has no shortest path.
//!
//! At one moment what the scenario makes happen comes first, then timers, then arrivals, and the
//! network after the hosts.

mod alarm;
mod cx;
mod driver;
mod host;
mod receiver;
#[cfg(feature = "reference")]
mod reference;
mod sender;
mod socket;
mod stream;
mod tasks;
mod timers;

use crate::app::Transfer;
use crate::clock::HostClock;
use crate::network::Network;
use crate::packet::HostId;
use crate::rng::Streams;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::script::Script;
use crate::taps::{DatagramTap, SharedProtocolSink, Taps};
use crate::time::Ns;
use anyhow::ensure;
use cx::World;
use host::Host;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Two hosts and the network between them.
///
/// ```
/// use std::ops::ControlFlow;
/// use utp_sim::{event::Engine, taps::Taps, time::Ns};
///
/// let text = r#"
///     summary  = "A transfer."
///     duration = "10s"
///     [link.uplink]
///     rate  = "10mbit"
///     delay = "25ms"
///     [[flow]]
///     name  = "flow"
///     kind  = "utp"
///     via   = "uplink"
/// "#;
/// let file = utp_sim::scenario::parse("transfer.toml".as_ref(), text)?;
/// let mut engine = Engine::new(&file.variants[0], Taps::default());
/// engine.run_until(Ns::from_secs(10), Ns::from_secs(1), &mut |_, _| ControlFlow::Continue(()))?;
/// let run = engine.finish()?;
/// assert_eq!(run.record.duration, Ns::from_secs(10));
/// assert!(run.record.flows[0].delivered_bytes.iter().sum::<u64>() > 10_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Engine {
    world: World,
    hosts: [Host; 2],
    /// When each host has something to do next, or earlier.
    next: [Ns; 2],
    script: Script,
    /// When somebody looks next.
    looked_at: Ns,
}

impl Engine {
    /// An engine for `scenario` at the start of its run.
    pub fn new(scenario: &Scenario, taps: Taps) -> Self {
        let Taps { packets, datagrams, protocol } = taps;
        let mut network = Network::new(scenario);
        if let Some(sink) = packets {
            network.set_trace_sink(sink);
        }
        let protocol = protocol.map(SharedProtocolSink::new);
        let transfers: Arc<[Transfer]> = Transfer::all(scenario).into();
        let streams = Streams::new(scenario.seed);
        let mut world = World {
            network,
            datagrams: DatagramTap::new(datagrams),
            completed: Vec::new(),
            buf: Vec::new(),
        };
        let hosts = HostId::ALL.map(|id| {
            let mut entropy = streams.host(id.index());
            let clock = HostClock::new(scenario, id, &mut entropy);
            let (transfers, protocol) = (Arc::clone(&transfers), protocol.clone());
            let mut host = Host::new(id, transfers, clock, scenario.timers, entropy, protocol);
            host.boot(Ns::ZERO);
            host.settle(Ns::ZERO, &mut world);
            host
        });
        let next = hosts.each_ref().map(Host::next_at);
        Self { world, hosts, next, script: Script::new(scenario), looked_at: Ns::ZERO }
    }

    /// Runs until `until`, or until `observe` breaks; it is called every `interval`, before what
    /// happens at that moment, with the moment and the network.
    ///
    /// # Errors
    ///
    /// When time stands still: without rates and delays a transfer would never end.
    pub fn run_until(
        &mut self,
        until: Ns,
        interval: Ns,
        observe: &mut dyn FnMut(Ns, &Network) -> ControlFlow<()>,
    ) -> anyhow::Result<()> {
        let mut standstill = Standstill::default();
        loop {
            let network_at = self.world.network.next_event_at().unwrap_or(until);
            let host_at = self.next[0].min(self.next[1]).min(self.script.next_at());
            let next = network_at.min(host_at).min(until);
            if self.looked_at <= next && self.looked_at < until {
                let now = self.looked_at;
                self.run_network(now);
                if observe(now, &self.world.network).is_break() {
                    return Ok(());
                }
                self.looked_at += interval;
                continue;
            }
            if next >= until {
                self.run_network(until);
                return Ok(());
            }
            standstill.check(next)?;
            if host_at == next {
                self.run_hosts(next);
            } else {
                let Self { world, hosts, next, .. } = self;
                world.network.step(&mut |at, host, delivery| {
                    let host = host.index();
                    hosts[host].announce(at, delivery);
                    next[host] = next[host].min(at);
                });
            }
        }
    }

    /// Ends the run and returns what is left of it.
    ///
    /// # Errors
    ///
    /// When a host has sent to a port that no flow has.
    pub fn finish(self) -> anyhow::Result<Run> {
        let network = self.world.network;
        let unroutable = network.unroutable();
        ensure!(unroutable == 0, "{unroutable} datagrams had ports of no flow");
        let events = network.events() + self.hosts.iter().map(Host::events).sum::<u64>();
        Ok(Run { events, packets: network.packets(), record: network.finish() })
    }

    fn run_hosts(&mut self, now: Ns) {
        while let Some((host, event)) = self.script.next(now) {
            let host = host.index();
            self.hosts[host].change(now, event);
            self.next[host] = now;
        }
        for (host, next) in self.hosts.iter_mut().zip(&mut self.next) {
            if *next <= now {
                host.run(now, &mut self.world);
                *next = host.next_at();
            }
        }
        for flow in self.world.completed.drain(..) {
            let sender = HostId::Left.index();
            self.hosts[sender].notify(now, flow);
            self.next[sender] = self.hosts[sender].next_at();
        }
    }

    /// Brings the network to a moment before which it has no event.
    fn run_network(&mut self, now: Ns) {
        self.world.network.run_until(now, &mut |_, _, _| {
            unreachable!("all events before that moment have happened");
        });
    }
}

/// Notices that events follow each other without end and without time going on.
#[derive(Default)]
struct Standstill {
    now: Ns,
    events: u32,
}

impl Standstill {
    fn check(&mut self, now: Ns) -> anyhow::Result<()> {
        if now > self.now {
            *self = Self { now, events: 0 };
        }
        self.events += 1;
        ensure!(
            self.events < EVENTS_AT_ONCE_MAX,
            "at {now} events follow each other without end: a path without rate and delay"
        );
        Ok(())
    }
}

/// Events of one moment that no sound scenario reaches.
const EVENTS_AT_ONCE_MAX: u32 = 2_000_000;
