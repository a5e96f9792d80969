//! Connections without end between two endpoints: what fails, and what is left of them.

use utp_proto::{ConnectionHandle, Endpoint, EndpointConfig, Event, Instant, ReadError};

use crate::heap::{self, Owner};
use crate::net::{Host, Net, SECOND};
use crate::report::Report;

const CYCLES: u32 = 1_000_000;
const OWNERS: [Owner; 2] = [Owner::First, Owner::Second];
const STEP_US: u64 = 100;
/// More than any cycle takes.
const STEPS_MAX: u32 = 100_000;

/// 10^6 connections, one after the other, all to one peer.
pub fn open_and_close(report: &mut Report) {
    let before = OWNERS.map(heap::live);
    let host = |number: usize| {
        Host::new(number, OWNERS[number], 6 + number as u64, EndpointConfig::default())
    };
    let mut net = Net::new(0, vec![host(0), host(1)]);
    let fresh = OWNERS.map(heap::live);
    OWNERS.into_iter().for_each(heap::start_peak);
    let failed: u32 = (0..CYCLES).map(|cycle| u32::from(!one(&mut net, cycle))).sum();
    report.at_most("open and close, 1e6 to one peer: failures", f64::from(failed), 0.0);
    for (owner, fresh) in OWNERS.into_iter().zip(fresh) {
        let what = format!("  most bytes held by the {owner:?} endpoint meanwhile");
        report.note(&what, (heap::peak(owner) - fresh) as f64);
    }
    for number in [0, 1] {
        let bytes = tombstone_bytes(&mut net, number);
        let what = format!("  bytes of tombstones of the {:?} endpoint", OWNERS[number]);
        report.at_most(&what, bytes as f64, 131_072.0);
    }
    let stats = |number: usize| net.hosts[number].endpoint.stats();
    let left = stats(0).connections + stats(1).connections;
    report.at_most("  connections left", left as f64, 0.0);
    let busy = net.hosts.iter_mut().filter(|host| !host.endpoint.is_idle()).count();
    report.at_most("  endpoints that wait for something", busy as f64, 0.0);
    for (owner, fresh) in OWNERS.into_iter().zip(fresh) {
        let what = format!("  bytes that the {owner:?} endpoint holds more than at first");
        report.at_most(&what, (heap::live(owner) - fresh) as f64, 1_048_576.0);
    }
    for (number, host) in net.hosts.drain(..).enumerate() {
        heap::charged(OWNERS[number], || drop(host.endpoint));
    }
    let leaked: i64 = OWNERS.into_iter().zip(before).map(|(of, was)| heap::live(of) - was).sum();
    report.at_most("  bytes left when both are dropped", leaked as f64, 0.0);
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Both sides finish.
    Finished,
    InitiatorAborts,
    AcceptorAborts,
}

/// One connection: a request, and an end. Says whether all went well.
fn one(net: &mut Net, cycle: u32) -> bool {
    let end = match cycle % 3 {
        0 => End::Finished,
        1 => End::InitiatorAborts,
        _ => End::AcceptorAborts,
    };
    let remote = net.hosts[1].address;
    let now = net.now;
    let handle = net.hosts[0].connect(now, remote);
    let (mut connected, mut read) = (false, 0);
    for _ in 0..STEPS_MAX {
        net.step(STEP_US);
        let now = net.now;
        while let Some((_, event)) = net.hosts[0].events.pop_front() {
            if event == Event::Connected {
                connected = true;
                net.hosts[0].call(|endpoint| ask(endpoint, now, handle, end));
            }
        }
        while let Some((accepted, _)) = net.hosts[1].events.pop_front() {
            read += net.hosts[1].call(|endpoint| serve(endpoint, now, accepted, end));
        }
        if end == End::InitiatorAborts && read > 0 {
            net.hosts[0].call(|endpoint| abort(endpoint, now, handle));
        }
        if net.hosts.iter().all(|host| host.endpoint.stats().connections == 0) {
            break;
        }
    }
    net.hosts[1].accepted.clear();
    let left: usize = net.hosts.iter().map(|host| host.endpoint.stats().connections).sum();
    connected && read == REQUEST.len() && left == 0
}

const REQUEST: &[u8] = b"request";

fn ask(endpoint: &mut Endpoint, now: Instant, handle: ConnectionHandle, end: End) {
    let mut connection = endpoint.connection_mut(handle).unwrap();
    assert!(connection.write(now, REQUEST).is_ok());
    drop(connection);
    if end != End::InitiatorAborts {
        endpoint.release(now, handle);
    }
}

/// Reads what there is, and ends what has ended or is to end. Returns how much was read.
fn serve(endpoint: &mut Endpoint, now: Instant, handle: ConnectionHandle, end: End) -> usize {
    let mut read = 0;
    let Some(mut connection) = endpoint.connection_mut(handle) else { return 0 };
    let ended = loop {
        match connection.read_chunk(now, usize::MAX) {
            Ok(bytes) => read += bytes.len(),
            Err(error) => break error != ReadError::Blocked,
        }
    };
    drop(connection);
    if end == End::AcceptorAborts && read > 0 {
        abort(endpoint, now, handle);
    } else if ended {
        endpoint.release(now, handle);
    }
    read
}

fn abort(endpoint: &mut Endpoint, now: Instant, handle: ConnectionHandle) {
    if let Some(mut connection) = endpoint.connection_mut(handle) {
        connection.abort(now);
    }
    endpoint.release(now, handle);
}

/// What is given back at once when the last tombstone has expired.
fn tombstone_bytes(net: &mut Net, number: usize) -> i64 {
    let end = net.now.saturating_add(120 * SECOND);
    let host = &mut net.hosts[number];
    let mut most = 0;
    while let Some(at) = host.endpoint.poll_timeout().filter(|at| *at <= end) {
        let before = heap::live(host.owner);
        host.drain(at, |_, _| {});
        most = most.max(before - heap::live(host.owner));
    }
    most
}
