//! Runs a plan.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use utp_ledbat::FixedWindowFactory;
use utp_proto::config::Gate;
use utp_proto::{Config, ConnectionHandle, EndpointConfig};

use crate::judge;
use crate::network::Network;
use crate::op::{ControllerChoice, Flips, Limits, Op, Plan, SideConfig};
use crate::pair::{App, Pair, Path};

const SECOND: u64 = 1_000_000;

/// Streams that one plan may open; more are not opened.
const STREAMS_MAX: u8 = 100;

/// Longest time without any progress after the faults have stopped.
const STILL_US_MAX: u64 = 120 * SECOND;

/// Longest time that all streams together may take after that; tiny windows on long paths are slow.
const LIVENESS_US_MAX: u64 = 4 * 3_600 * SECOND;

/// Time after which nothing is left of streams whose owners have left: what waits for a peer that
/// takes nothing is given up after 300 s, and lingers.
const SETTLE_US: u64 = 500 * SECOND;

/// What came of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Packets sent.
    pub packets: u64,
    /// Hash of all of them and of when they were sent.
    pub hash: u64,
    /// Ends of streams that both ended well.
    pub completed: u64,
    /// Ends of streams that failed.
    pub failed: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bits flipped in headers.
    pub flipped: u64,
    /// Virtual time.
    pub took_us: u64,
}

/// Both endpoints, their network, and who has left.
pub(crate) struct World {
    pub(crate) pair: Pair,
    pub(crate) network: Rc<RefCell<Network>>,
    pub(crate) flips: Flips,
    /// Ends whose owners have left.
    pub(crate) left: [Vec<App>; 2],
    /// Patterns of ends that were aborted.
    pub(crate) aborted: Vec<u8>,
}

/// Runs `plan` and judges it.
///
/// # Errors
/// What the run did that no run may do, in words.
///
/// # Panics
/// With the core, and when a byte is read that was not written.
pub fn run(plan: &Plan) -> Result<Report, String> {
    execute(plan, &mut World::new(plan, false))
}

/// [`run`], with a line for each packet.
///
/// # Panics
/// As [`run`]; `print` is called with what was sent until then in any case.
pub fn run_traced(plan: &Plan, print: &mut dyn FnMut(&str)) -> Result<Report, String> {
    let mut world = World::new(plan, true);
    let result =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| execute(plan, &mut world)));
    for line in world.network.borrow().lines.iter().flatten() {
        print(line);
    }
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn execute(plan: &Plan, world: &mut World) -> Result<Report, String> {
    let began = world.pair.now;
    for op in &plan.ops {
        world.note(op);
        world.apply(*op);
        judge::memory(world, plan)?;
        judge::wakes(world)?;
        judge::streams(world)?;
    }
    world.recover();
    world.run_to_the_end(plan)?;
    judge::streams(world)?;
    judge::acked(world)?;
    let mut report = judge::count(world);
    world.leave();
    world.settle();
    judge::wakes(world)?;
    judge::nothing_is_left(world)?;
    report.packets = world.pair.trace.packets;
    report.hash = world.pair.trace.hash;
    report.flipped = world.network.borrow().flipped;
    report.took_us = world.pair.now.saturating_since(began);
    Ok(report)
}

fn config(side: &SideConfig) -> Config {
    let mut config = Config::default();
    config.controller = match side.controller {
        ControllerChoice::Fixed(bytes) => Arc::new(FixedWindowFactory(bytes)),
        ControllerChoice::Libutp => Arc::new(utp_ledbat::Config::libutp()),
        ControllerChoice::Rfc6817 => Arc::new(utp_ledbat::Config::rfc6817()),
    };
    config.receive_buffer_bytes = side.receive_buffer_bytes;
    config.receive_buffer_max_bytes = side.receive_buffer_max_bytes;
    config.send_buffer_bytes = side.send_buffer_bytes;
    config.datagram_bytes_max_v4 = side.datagram_bytes;
    config.send_rate_max = side.rate_max;
    if side.gate_drops {
        config.timestamp_gate = Gate::Drop;
    }
    if !side.probes_idle_peers {
        config.idle_probe_us = None;
    }
    config
}

fn endpoint_config(limits: &Limits) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.half_open_max = limits.half_open_max;
    config.report_at_syn = limits.report_at_syn;
    config.announce_holds_more = limits.announce_holds_more;
    config.memory_max_bytes = limits.memory_max_bytes;
    config.resets_per_second = limits.resets_per_second;
    config
}

impl World {
    fn new(plan: &Plan, traced: bool) -> Self {
        let network = Rc::new(RefCell::new(Network::new(plan.seed, plan.flips, traced)));
        let [first, second] = [0, 1].map(|side| config(&plan.sides[side]));
        let mut pair = Pair::with_limits(plan.seed, first, endpoint_config(&plan.limits));
        pair.config_of_1 = Some(Arc::new(second));
        pair.record = false;
        pair.unchecked = plan.flips == Flips::All;
        pair.next_pattern = Some(1);
        pair.segments_max = plan.segments_max.max(1);
        pair.latency_us = plan.latency_us;
        pair.clocks_us = [0, 1].map(|side| plan.sides[side].clock_us);
        let shared = network.clone();
        pair.script = Some(Box::new(move |seen| shared.borrow_mut().fate(seen)));
        Self { pair, network, flips: plan.flips, left: Default::default(), aborted: Vec::new() }
    }

    fn note(&self, op: &Op) {
        if let Some(lines) = &mut self.network.borrow_mut().lines {
            lines.push(format!("{:>14} {op:?}", self.pair.now.as_micros()));
        }
    }

    /// The stream called `stream` on `side`.
    fn find(&self, side: usize, stream: u8) -> Option<ConnectionHandle> {
        let count = self.pair.apps[side].len();
        self.pair.apps[side].keys().nth(usize::from(stream) % count.max(1)).copied()
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Advance { us } => self.pair.run_for(us),
            Op::Answer { accept, refuse } => {
                self.pair.accept = accept;
                self.pair.refuse = refuse;
            }
            Op::Blackout { from, us } => {
                let until = self.pair.now.as_micros().saturating_add(us);
                for side in [0, 1] {
                    if from[side] {
                        self.network.borrow_mut().dark_until_us[side] = until;
                    }
                }
            }
            Op::ClockStep { side, us } => {
                let clock = &mut self.pair.clocks_us[usize::from(side)];
                *clock = clock.saturating_add_signed(us);
            }
            Op::Connect { side } => {
                if self.pair.next_pattern.is_some_and(|next| next < STREAMS_MAX) {
                    self.pair.connect_from(usize::from(side), 0, false);
                }
            }
            Op::Conditions { from, conditions } => {
                self.network.borrow_mut().conditions[usize::from(from)] = conditions;
            }
            Op::PathMtu { from, bytes, fragments, icmp } => {
                let path = &mut self.pair.paths[usize::from(from)];
                *path = Path { datagram_bytes: bytes.into(), fragments, icmp, ..*path };
            }
            Op::Latency { us } => self.pair.latency_us = us,
            Op::Abort { side, stream }
            | Op::Finish { side, stream }
            | Op::Pause { side, stream, .. }
            | Op::Release { side, stream }
            | Op::Resume { side, stream }
            | Op::Write { side, stream, .. } => {
                let side = usize::from(side);
                if let Some(handle) = self.find(side, stream) {
                    self.apply_to(side, handle, op);
                    self.pair.drain(side);
                }
            }
        }
    }

    fn apply_to(&mut self, side: usize, handle: ConnectionHandle, op: Op) {
        let now = self.pair.clock(side);
        let Some(app) = self.pair.apps[side].get_mut(&handle) else { return };
        match op {
            Op::Abort { .. } => {
                self.aborted.push(app.writes_pattern);
                if let Some(mut connection) = self.pair.endpoints[side].connection_mut(handle) {
                    connection.abort(now);
                }
            }
            Op::Finish { .. } => app.finish = true,
            Op::Pause { after, .. } => app.read_max = Some(app.read + u64::from(after)),
            Op::Release { .. } => {
                self.pair.endpoints[side].release(now, handle);
                self.left[side].extend(self.pair.apps[side].remove(&handle));
            }
            Op::Resume { .. } => app.read_max = None,
            Op::Write { bytes, .. } if !app.finish => app.to_write += u64::from(bytes),
            _ => {}
        }
    }

    /// The faults stop, readers read, writers finish.
    fn recover(&mut self) {
        self.network.borrow_mut().heal();
        self.pair.accept = true;
        for side in [0, 1] {
            for app in self.pair.apps[side].values_mut() {
                app.read_max = None;
                app.finish = true;
            }
            self.pair.drain(side);
        }
    }

    /// Runs until every stream has ended.
    fn run_to_the_end(&mut self, plan: &Plan) -> Result<(), String> {
        let began = self.pair.now;
        let mut moved_at = began;
        let mut mark = judge::progress(self);
        // Where a stream may stand still, it is left to the release of everything.
        // An end whose peer has vanished may wait for it for ever if it never asks.
        let asks = plan.sides.iter().all(|side| side.probes_idle_peers);
        let forged = matches!(self.flips, Flips::All | Flips::ButMeaning)
            && self.network.borrow().flipped > 0;
        let must_end = asks && !forged;
        loop {
            // What was accepted meanwhile behaves like the rest.
            self.recover();
            if judge::open(self).is_empty() {
                return Ok(());
            }
            self.pair.run_for(SECOND);
            judge::memory(self, plan)?;
            let now = judge::progress(self);
            if now != mark {
                (mark, moved_at) = (now, self.pair.now);
            }
            let still_us = self.pair.now.saturating_since(moved_at);
            let took_us = self.pair.now.saturating_since(began);
            if still_us > STILL_US_MAX || took_us > LIVENESS_US_MAX {
                return match must_end {
                    true => Err(format!("stands still: {:?}", judge::open(self))),
                    false => Ok(()),
                };
            }
        }
    }

    /// Waits for what was written before its owner left, as long as its peer still takes some.
    fn settle(&mut self) {
        let began = self.pair.now;
        let acked = |world: &Self| -> u64 {
            world.pair.endpoints.iter().map(|endpoint| endpoint.totals().bytes_acked).sum()
        };
        loop {
            let before = acked(self);
            self.pair.run_for(SETTLE_US);
            let left = self.pair.endpoints.iter().any(|endpoint| endpoint.stats().connections > 0);
            let took_us = self.pair.now.saturating_since(began);
            if !left {
                // What answers for those that are gone has its time, too.
                return self.pair.run_for(SETTLE_US);
            }
            if acked(self) == before || took_us > LIVENESS_US_MAX {
                return;
            }
        }
    }

    /// Every owner leaves.
    fn leave(&mut self) {
        for side in [0, 1] {
            for (handle, app) in std::mem::take(&mut self.pair.apps[side]) {
                let now = self.pair.clock(side);
                self.pair.endpoints[side].release(now, handle);
                self.left[side].push(app);
            }
            self.pair.drain(side);
        }
        self.pair.accept = false;
    }
}
