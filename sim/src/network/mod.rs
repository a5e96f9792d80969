//! The network between the two hosts: links, routes, the flows that live inside, and the records.
//!
//! Packets of hosts come in through [`Network::inject`] and go out through the callback of
//! [`Network::run_until`], stamped with the exact nanosecond of their arrival, which lies in the
//! future of the hosts by at least the propagation delay. That lead is what lets an engine run each
//! host through a window of time on its own; see [`Network::min_path_delay`].

mod heap;
mod lie;
mod nat;
mod state;
mod transit;

use crate::flow::{Agent, Context, Outgoing};
use crate::packet::{Body, Datagram, Delivery, FLOWS_MAX, HostId, Packet};
use crate::record::{BUCKET, FlowRecord, QUEUE_SAMPLE_INTERVAL, Record};
use crate::rng::Streams;
use crate::scenario::{LinkConfig, Scenario, What};
use crate::time::Ns;
use crate::trace::{Sink, Step, Trace};
use heap::{Event, Heap};
use nat::Nat;
use state::{FlowState, LinkState, ideal, index_u16, indices};
use transit::Window;

/// The network of one run.
///
/// ```
/// use utp_sim::network::Network;
/// use utp_sim::scenario::{FlowKind, FlowSpec, LinkConfig, LinkSpec, Queue, Rate, Scenario};
/// use utp_sim::time::Ns;
///
/// let config = LinkConfig {
///     rate: Rate::Constant(10_000_000),
///     delay: Ns::from_millis(25),
///     queue: Queue::Droptail { bytes_max: Some(125_000), packets_max: None },
///     ..LinkConfig::default()
/// };
/// let tcp = FlowSpec {
///     name: "tcp".into(),
///     kind: FlowKind::Reno { bytes: Some(1_000_000) },
///     via: vec![0],
///     back: None,
///     start: Ns::ZERO,
///     start_jitter: Ns::ZERO,
///     stop: None,
/// };
/// let mut network = Network::new(&Scenario {
///     seed: 1,
///     duration: Ns::from_secs(2),
///     links: vec![LinkSpec { name: "uplink".into(), config }],
///     flows: vec![tcp],
///     ..Scenario::default()
/// });
/// network.run_until(Ns::from_secs(2), &mut |_, _, _| unreachable!("no host takes part"));
/// let record = network.finish();
/// assert!(record.flows[0].completed_at.is_some());
/// assert_eq!(record.flows[0].delivered_bytes.iter().sum::<u64>(), 1_000_000);
/// ```
#[derive(Debug)]
pub struct Network {
    now: Ns,
    links: Vec<LinkState>,
    /// Links with an index below have a name in the scenario and a record.
    links_named: usize,
    flows: Vec<FlowState>,
    nat: Nat,
    /// What links become during the run, and which; events name them by their index.
    changes: Vec<(u16, Box<LinkConfig>)>,
    min_path_delay: Option<Ns>,
    heap: Heap,
    outbox: Vec<Outgoing>,
    packets: u64,
    events: u64,
    trace: Trace,
    next_sample: Ns,
    late: u64,
    unroutable: u64,
}

impl Network {
    /// The network that `scenario` describes; flows of kind `utp` wait for a host's packets, all
    /// others run inside.
    ///
    /// # Panics
    ///
    /// When a flow names a link that is not there or there are more flows than
    /// [`FLOWS_MAX`]; a parsed scenario was checked for both.
    pub fn new(scenario: &Scenario) -> Self {
        assert!(scenario.flows.len() <= usize::from(FLOWS_MAX), "every flow needs its ports");
        let streams = Streams::new(scenario.seed);
        let mut links: Vec<(String, LinkConfig)> =
            scenario.links.iter().map(|spec| (spec.name.clone(), spec.config.clone())).collect();
        let links_named = links.len();
        let mut flows = Vec::new();
        for (index, spec) in scenario.flows.iter().enumerate() {
            let back = spec.back.as_ref().map_or_else(
                || {
                    links.push((String::new(), ideal(&spec.via, &scenario.links)));
                    indices(&[links.len() - 1])
                },
                |back| indices(back),
            );
            let route = [back, indices(&spec.via)];
            let start = scenario.start_of(index);
            flows.push(FlowState::new(spec, start, route, streams.flow(index)));
        }
        let mut network = Self {
            now: Ns::ZERO,
            min_path_delay: min_path_delay(&flows, &links, scenario),
            links: (0..links.len())
                .zip(links)
                .map(|(index, (name, config))| LinkState::new(name, &config, index, &streams))
                .collect(),
            links_named,
            nat: Nat::new(flows.len(), &scenario.changes),
            flows,
            changes: Vec::new(),
            heap: Heap::default(),
            outbox: Vec::new(),
            packets: 0,
            events: 0,
            trace: Trace::default(),
            next_sample: Ns::ZERO,
            late: 0,
            unroutable: 0,
        };
        for change in &scenario.changes {
            if let What::Link { link, config } = &change.what {
                let index = u32::try_from(network.changes.len()).expect("changes fit memory");
                network.changes.push((index_u16(*link), config.clone()));
                network.heap.push(change.at, Event::Change { index });
            }
        }
        for flow in 0..network.flows.len() {
            network.arm_timer(flow);
        }
        network
    }

    /// Shows every packet event from here on to `sink`.
    pub fn set_trace_sink(&mut self, sink: Sink) {
        self.trace.set_sink(sink);
    }

    /// The moment up to which everything has happened.
    pub const fn now(&self) -> Ns {
        self.now
    }

    /// The host `from` sends `datagram` at the moment `at`.
    ///
    /// Calls may come in any order of time as long as `at` is not before [`Network::now`]; a
    /// datagram with an earlier time enters now and counts as late. Calls for one flow and one
    /// moment come in the order in which its packets leave the host.
    pub fn inject(&mut self, at: Ns, from: HostId, datagram: Datagram) {
        let to = from.peer();
        let flow = from.flow_of_port(datagram.source).filter(|&flow| {
            usize::from(flow) < self.flows.len()
                && match to {
                    HostId::Left => self.nat.knows(flow, datagram.destination),
                    HostId::Right => datagram.destination == to.port(flow),
                }
        });
        let Some(flow) = flow else {
            self.unroutable += 1;
            return;
        };
        if at < self.now {
            self.late += 1;
        }
        let at = at.max(self.now);
        let bytes = datagram.bytes();
        let packet = unnumbered(at, flow, to, bytes, Body::Datagram(datagram));
        self.heap.push(at, Event::Send { packet });
    }

    /// Lets happen everything before `until`, and hands `deliver` what it has for hosts with the
    /// moments of arrival, each datagram as soon as its last bit has left the last transmitter.
    pub fn run_until(&mut self, until: Ns, deliver: &mut impl FnMut(Ns, HostId, Delivery)) {
        let window = &mut Window { until, deliver };
        while let Some((at, event)) = self.heap.pop_before(until) {
            self.handle(at, event, window);
        }
        // Samples fall on their moment before anything else does.
        if until > Ns::ZERO {
            self.sample_to(until - Ns(1));
        }
        self.now = self.now.max(until);
    }

    /// When [`Network::step`] has something to do next.
    pub fn next_event_at(&self) -> Option<Ns> {
        self.heap.next_at()
    }

    /// Lets the next event happen, and no other; as [`Network::run_until`] for an engine that looks
    /// at its hosts after every event, so that nothing can be too late for them.
    pub fn step(&mut self, deliver: &mut impl FnMut(Ns, HostId, Delivery)) {
        if let Some((at, event)) = self.heap.pop_before(Ns(u64::MAX)) {
            self.handle(at, event, &mut Window { until: Ns::ZERO, deliver });
        }
    }

    /// Events that have happened, as a measure of work.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Packets that have entered the network.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// The shortest time, over the whole run, between the announcement of an arrival at a host and
    /// the arrival: the longest window that hosts may run on their own. It is the least delay of
    /// the last link of a path. `None` when no flow has a host at its ends.
    pub const fn min_path_delay(&self) -> Option<Ns> {
        self.min_path_delay
    }

    /// Datagrams that should have been somewhere before the moment they were handled.
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// Datagrams whose ports belong to no flow.
    pub const fn unroutable(&self) -> u64 {
        self.unroutable
    }

    /// What the flow with index `flow` leaves behind, for the engine that runs its hosts.
    pub fn flow_record(&mut self, flow: usize) -> &mut FlowRecord {
        &mut self.flows[flow].record
    }

    /// Whether the flow with index `flow` has completed its transfer.
    pub fn is_complete(&self, flow: usize) -> bool {
        self.flows[flow].record.completed_at.is_some()
    }

    /// Ends the run at [`Network::now`] and returns all that is kept of it.
    pub fn finish(mut self) -> Record {
        for state in &mut self.links {
            if let Some(since) = state.link.busy_since() {
                state.record.busy(since, self.now);
            }
        }
        self.links.truncate(self.links_named);
        let mut record = Record {
            duration: self.now,
            links: self.links.into_iter().map(|state| state.record).collect(),
            flows: self.flows.into_iter().map(|state| state.record).collect(),
            trace_hash: self.trace.hash(),
        };
        record.trim();
        record
    }

    fn handle<F>(&mut self, at: Ns, event: Event, window: &mut Window<'_, F>)
    where
        F: FnMut(Ns, HostId, Delivery),
    {
        self.sample_to(at);
        self.now = at;
        self.events += 1;
        match event {
            Event::Change { index } => self.on_change(index),
            Event::Timer { flow } => self.on_timer(flow),
            Event::Depart { link } => self.on_depart(link, window),
            Event::Arrive { link, packet } => self.on_arrive(link, packet, window),
            Event::Send { packet } => self.on_send(packet, window),
        }
    }

    fn on_timer(&mut self, flow: u16) {
        let state = &mut self.flows[usize::from(flow)];
        if state.timer != Some(self.now) {
            // Another event for an earlier moment has replaced this one.
            return;
        }
        state.timer = None;
        self.call_agent(flow, |agent, context| agent.handle_timer(context));
    }

    /// A link becomes another one.
    fn on_change(&mut self, index: u32) {
        let (link, config) = &self.changes[index as usize];
        let link = *link;
        let started = self.links[usize::from(link)].link.reconfigure(self.now, config);
        self.note_dropped(link);
        if let Some(next) = started {
            self.note(Step::TxStart, link, &next);
            self.heap.push(next.done, Event::Depart { link });
        }
    }

    /// Calls the agent of `flow`, if it has one, and sends what it puts out.
    fn call_agent(&mut self, flow: u16, call: impl FnOnce(&mut Agent, &mut Context<'_>)) {
        let FlowState { agent: Some(agent), record, .. } = &mut self.flows[usize::from(flow)]
        else {
            return;
        };
        let mut outbox = std::mem::take(&mut self.outbox);
        call(agent, &mut Context { now: self.now, record, outbox: &mut outbox });
        for outgoing in outbox.drain(..) {
            let Outgoing { from, bytes, load } = outgoing;
            let packet = unnumbered(self.now, flow, from.peer(), bytes, load.into());
            self.heap.push(self.now, Event::Send { packet });
        }
        self.outbox = outbox;
        self.arm_timer(usize::from(flow));
    }

    /// Makes sure that an event for the agent's deadline is in the heap.
    ///
    /// A deadline that moved later leaves the earlier event in place, which then finds nothing to
    /// do and arms again: cheaper than an event for every acknowledgment.
    fn arm_timer(&mut self, flow: usize) {
        let state = &mut self.flows[flow];
        let Some(deadline) = state.agent.as_ref().and_then(Agent::deadline) else { return };
        if state.timer.is_none_or(|timer| deadline < timer) {
            let at = deadline.max(self.now);
            state.timer = Some(at);
            self.heap.push(at, Event::Timer { flow: index_u16(flow) });
        }
    }

    /// Takes the samples that are due up to and including `at`.
    fn sample_to(&mut self, at: Ns) {
        while self.next_sample <= at {
            let now = self.next_sample;
            self.next_sample += QUEUE_SAMPLE_INTERVAL;
            for state in &mut self.links[..self.links_named] {
                let waiting = state.link.waiting_time(now);
                state.record.queue_delay_us.push(waiting.as_micros_u32());
            }
            if !now.0.is_multiple_of(BUCKET.0) {
                continue;
            }
            for state in &mut self.flows {
                let FlowState { agent: Some(agent), record, .. } = state else { continue };
                agent.sample(&mut Context { now, record, outbox: &mut self.outbox });
            }
        }
    }
}

/// The least delay of the last links of all paths between hosts, with all that they become.
fn min_path_delay(
    flows: &[FlowState],
    links: &[(String, LinkConfig)],
    scenario: &Scenario,
) -> Option<Ns> {
    let of_hosts = flows.iter().filter(|flow| flow.agent.is_none());
    let last = of_hosts.flat_map(|flow| flow.route.iter().filter_map(|route| route.last()));
    let delays = last.map(|&last| {
        let last = usize::from(last);
        let later = scenario.changes.iter().filter_map(|change| match &change.what {
            What::Link { link, config } if *link == last => Some(config.delay),
            _ => None,
        });
        later.fold(links[last].1.delay, Ns::min)
    });
    delays.min()
}

/// A packet that gets its number at the moment of entering the network.
const fn unnumbered(sent: Ns, flow: u16, to: HostId, bytes: u32, body: Body) -> Packet {
    Packet { id: u64::MAX, flow, to, hop: 0, corrupt: false, bytes, sent, body }
}

#[cfg(test)]
mod tests;
