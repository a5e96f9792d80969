//! Floods from forged addresses: SYNs, with honest connects among them, and strays.

use std::time;

use utp_proto::{ConnectionHandle, EndpointConfig, Event, Instant, ReadError};
use utp_wire::PacketType;

use crate::heap::{self, Owner};
use crate::net::{Draws, Host, MS, Net, SECOND, packet};
use crate::report::Report;

const FORGED: u32 = 1_000_000;
/// The flood takes ten seconds.
const FORGED_EVERY_US: u64 = 10;
/// Forged packets that are handed in before the endpoint is drained.
const BATCH: u32 = 50;
const TICK_US: u64 = BATCH as u64 * FORGED_EVERY_US;

const HONEST: usize = 100;
const LATENCY_US: u64 = 10 * MS;
const HONEST_EVERY_US: u64 = 90 * MS;
const REQUEST: [u8; 1_000] = [7; 1_000];

/// A connect among the forged ones.
#[derive(Clone, Copy, Debug, Default)]
struct Honest {
    handle: Option<ConnectionHandle>,
    started_at: Instant,
    connected_us: Option<u64>,
    /// When the answer to its request was there.
    answered_us: Option<u64>,
    read: usize,
}

/// 10^6 SYNs from random addresses in ten seconds.
pub fn syns(report: &mut Report) {
    let host = |number: usize| {
        let owner = if number == 0 { Owner::First } else { Owner::Nobody };
        Host::new(number, owner, number as u64 + 1, EndpointConfig::default())
    };
    let mut net = Net::new(LATENCY_US, (0..=HONEST).map(host).collect());
    let mut honest = [Honest::default(); HONEST];
    let mut draws = Draws(1);
    let before = heap::live(Owner::First);
    heap::start_peak(Owner::First);
    let begin = net.now;
    let mut spent = Vec::new();
    for _ in 0..FORGED / BATCH {
        start_due(&mut net, &mut honest, begin);
        let batch: Vec<_> = (0..BATCH)
            .map(|_| {
                let syn = packet(PacketType::Syn, draws.number(), draws.number(), 0);
                (draws.address(), syn)
            })
            .collect();
        let now = net.now;
        let clock = time::Instant::now();
        for (from, syn) in &batch {
            net.hosts[0].receive(now, *from, syn);
        }
        net.drain(0);
        spent.push(clock.elapsed());
        net.step(TICK_US);
        serve(&mut net);
        run_honest(&mut net, &mut honest);
    }
    let growth = heap::peak(Owner::First) - before;
    report.at_most(
        "SYN flood, 1e6 forged in 10 s: memory growth in bytes",
        to_f64(growth),
        262_144.0,
    );
    let in_time = |honest: &&Honest| {
        honest.connected_us.is_some_and(|us| us <= 4 * LATENCY_US) && honest.read == REQUEST.len()
    };
    let succeeded = honest.iter().filter(in_time).count();
    report.at_least(
        "  honest connects within two round trips, with data, of 100",
        succeeded as f64,
        100.0,
    );
    let slowest = |of: fn(&Honest) -> Option<u64>| {
        honest.iter().filter_map(of).max().unwrap_or(0) as f64 / 1_000.0
    };
    report.note("  slowest connect in ms (a round trip is 20)", slowest(|one| one.connected_us));
    report.note("  slowest answer to a request, with the connect", slowest(|one| one.answered_us));
    let answered = net.hosts[0].endpoint.stats().syns_answered;
    report.at_least("  SYNs answered", answered as f64, f64::from(FORGED) + HONEST as f64);
    net.run(10 * SECOND, TICK_US);
    let half_open = net.hosts[0].endpoint.stats().half_open;
    report.at_most("  half-open left 10 s later", half_open as f64, 0.0);
    net.run(60 * SECOND, MS);
    let left = heap::live(Owner::First) - before;
    report.note("  bytes held a minute later", to_f64(left));
    report.note("  ns per SYN, with its answer", median_ns(spent));
}

/// Starts the connect whose time has come.
fn start_due(net: &mut Net, honest: &mut [Honest], begin: Instant) {
    for (number, one) in honest.iter_mut().enumerate() {
        let at = begin.saturating_add(500 * MS + number as u64 * HONEST_EVERY_US);
        if one.handle.is_none() && at <= net.now {
            let remote = net.hosts[0].address;
            one.started_at = net.now;
            one.handle = Some(net.hosts[number + 1].connect(net.now, remote));
        }
    }
}

/// The server answers every request with its copy, and closes after the client.
fn serve(net: &mut Net) {
    let now = net.now;
    let host = &mut net.hosts[0];
    while let Some((handle, event)) = host.events.pop_front() {
        if event != Event::Readable {
            continue;
        }
        host.call(|endpoint| {
            let Some(mut connection) = endpoint.connection_mut(handle) else { return };
            let end = loop {
                match connection.read_chunk(now, usize::MAX) {
                    Ok(bytes) => assert!(connection.write(now, &bytes).is_ok()),
                    Err(end) => break end,
                }
            };
            drop(connection);
            if end == ReadError::Finished {
                endpoint.release(now, handle);
            }
        });
    }
}

fn run_honest(net: &mut Net, honest: &mut [Honest]) {
    let now = net.now;
    for (number, one) in honest.iter_mut().enumerate() {
        let host = &mut net.hosts[number + 1];
        while let Some((handle, event)) = host.events.pop_front() {
            let elapsed_us = now.saturating_since(one.started_at);
            let Some(mut connection) = host.endpoint.connection_mut(handle) else { continue };
            if event == Event::Connected {
                one.connected_us = Some(elapsed_us);
                assert!(connection.write(now, &REQUEST).is_ok());
            }
            while let Ok(bytes) = connection.read_chunk(now, usize::MAX) {
                one.read += bytes.len();
            }
            drop(connection);
            if one.read == REQUEST.len() && one.answered_us.is_none() {
                one.answered_us = Some(elapsed_us);
                host.endpoint.release(now, handle);
            }
        }
    }
}

/// 10^6 packets that belong to nothing, in ten seconds.
pub fn strays(report: &mut Report) {
    let mut host = Host::new(0, Owner::First, 5, EndpointConfig::default());
    let mut draws = Draws(5);
    let mut now = Instant::from_micros(SECOND);
    let mut spent = Vec::new();
    let (mut resets, mut offered, mut before) = (0, 0, 0);
    let mut stray = move || {
        let types = [PacketType::Data, PacketType::Fin, PacketType::State];
        let bytes = packet(draws.pick(&types), draws.number(), draws.number(), draws.number());
        (draws.address(), bytes)
    };
    for batch in 0..=FORGED / BATCH {
        // The first batch has tables and queues made.
        if batch == 1 {
            before = heap::allocations(Owner::First);
            (spent, resets, offered) = (Vec::new(), 0, 0);
        }
        let strays: Vec<_> = (0..BATCH).map(|_| stray()).collect();
        let clock = time::Instant::now();
        for (from, bytes) in &strays {
            // One in 2^12 acknowledges a cookie by chance.
            offered += u32::from(host.offer(now, *from, bytes).is_some());
        }
        host.drain(now, |_, _| resets += 1);
        spent.push(clock.elapsed());
        now = now.saturating_add(TICK_US);
    }
    let allocations = heap::allocations(Owner::First) - before;
    report.at_most("strays, 1e6 in 10 s: resets", f64::from(resets), 1_050.0);
    report.at_most(
        "  allocations, without the copies of those that hit a cookie",
        to_f64(i64::try_from(allocations).unwrap() - i64::from(offered)),
        // Queues that grow once.
        16.0,
    );
    report.at_most("  strays that hit a cookie by chance", f64::from(offered), 1e6 / 4_096.0);
    report.note("  ns per stray", median_ns(spent));
}

fn to_f64(bytes: i64) -> f64 {
    bytes as f64
}

/// What a packet of the middle batch took: others had to share the processor.
fn median_ns(mut batches: Vec<time::Duration>) -> f64 {
    batches.sort_unstable();
    batches[batches.len() / 2].as_nanos() as f64 / f64::from(BATCH)
}
