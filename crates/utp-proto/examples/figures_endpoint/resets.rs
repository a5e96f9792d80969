//! Resets from somebody who sees nothing, against connections that are idle.

use utp_proto::{ConnectionHandle, EndpointConfig, State};
use utp_wire::{Packet, PacketType};

use crate::heap::Owner;
use crate::net::{Draws, Host, MS, Net, SECOND, packet};
use crate::report::Report;

const LATENCY_US: u64 = 10 * MS;
/// How often a forged reset comes.
const FORGED_EVERY_US: u64 = 10;

/// A server that has one idle connection with each of its peers.
fn idle(seed: u64, peers: usize) -> Net {
    let host = |number: usize| {
        let limits = EndpointConfig::default();
        Host::new(number, Owner::First, seed * 1_000 + number as u64, limits)
    };
    let mut net = Net::new(LATENCY_US, (0..=peers).map(host).collect());
    let remote = net.hosts[0].address;
    for peer in 1..=peers {
        let handle = net.hosts[peer].connect(net.now, remote);
        let now = net.now;
        let mut connection = net.hosts[peer].endpoint.connection_mut(handle).unwrap();
        assert!(connection.write(now, b"once").is_ok());
    }
    net.run(10 * SECOND, 5 * MS);
    assert_eq!(net.hosts[0].accepted.len(), peers);
    net
}

fn lives(net: &Net, handle: ConnectionHandle) -> bool {
    let connection = net.hosts[0].endpoint.connection(handle);
    connection.is_some_and(|connection| connection.state() == State::Connected)
}

/// Every id once against each of 100 connections.
pub fn every_id(report: &mut Report) {
    let mut net = idle(3, 100);
    let mut draws = Draws(3);
    for id in 0..=u16::MAX {
        for peer in 1..net.hosts.len() {
            let remote = net.hosts[peer].address;
            let reset = packet(PacketType::Reset, id, draws.number(), draws.number());
            let now = net.now;
            net.hosts[0].receive(now, remote, &reset);
        }
        net.step(100 * FORGED_EVERY_US);
    }
    let accepted = &net.hosts[0].accepted;
    let died = accepted.iter().filter(|handle| !lives(&net, **handle)).count();
    report.at_most("resets, every id and a random ack at 100 idle: died", died as f64, 1.0);
}

/// The right id and every ack once, just after the connection has sent something: then most of them
/// are believed.
pub fn every_ack(report: &mut Report) {
    let (mut offset, mut believed) = (0, 0);
    while offset <= u16::MAX.into() {
        let mut victim = Victim::new(4_000 + u64::from(believed));
        // It answers this one.
        victim.reset(0, victim.next.wrapping_sub(900));
        while offset <= u16::MAX.into() && victim.lives() {
            let ack_nr = victim.next.wrapping_add(offset as u16);
            victim.reset(0, ack_nr);
            offset += 1;
        }
        believed += u32::from(!victim.lives());
    }
    let what = "resets, the right id: believed of all 65 536 acks, at the worst time";
    report.at_most(what, believed.into(), 65_536.0 / f64::from(1 << 14));
}

/// The right id and a random ack, again and again; who dies is replaced.
pub fn right_id(report: &mut Report) {
    const RESETS: u64 = 1_000_000;
    let mut draws = Draws(4);
    let (mut sent, mut believed) = (0, 0);
    while sent < RESETS {
        let mut victim = Victim::new(4 + believed);
        while sent < RESETS && victim.lives() {
            victim.reset(draws.number() % 2, draws.number());
            sent += 1;
        }
        believed += u64::from(!victim.lives());
    }
    // One in 2^14 is what the four acks of the worst time make, which resets as fast as these make
    // all of the time. Chance adds three deviations at the most.
    let expected = RESETS as f64 / f64::from(1 << 14);
    let limit = expected + 3.0 * expected.sqrt();
    report.at_most(
        "resets, 1e6 with the right id and a random ack: believed",
        believed as f64,
        limit,
    );
}

/// A server with one idle connection.
struct Victim {
    net: Net,
    /// The smaller of both ids of the connection.
    id: u16,
    /// The number of the next packet of the server.
    next: u16,
}

impl Victim {
    /// The server has to say something first, to tell its numbers.
    fn new(seed: u64) -> Self {
        let mut net = idle(seed, 1);
        let (now, handle) = (net.now, net.hosts[0].accepted[0]);
        let mut connection = net.hosts[0].endpoint.connection_mut(handle).unwrap();
        assert!(connection.write(now, b"?").is_ok());
        drop(connection);
        let (mut id, mut next) = (0, 0);
        net.hosts[0].drain(now, |_, bytes| {
            let header = Packet::decode(bytes).unwrap().header;
            assert_eq!(header.packet_type, PacketType::Data);
            (id, next) = (header.connection_id.0, header.seq_nr.next().0);
        });
        // It is lost and comes again; then the connection idles.
        net.run(10 * SECOND, 5 * MS);
        Self { net, id, next }
    }

    fn lives(&self) -> bool {
        lives(&self.net, self.net.hosts[0].accepted[0])
    }

    fn reset(&mut self, id_offset: u16, ack_nr: u16) {
        let id = self.id.wrapping_add(id_offset);
        let reset = packet(PacketType::Reset, id, 0, ack_nr);
        let (now, remote) = (self.net.now, self.net.hosts[1].address);
        self.net.hosts[0].receive(now, remote, &reset);
        self.net.step(FORGED_EVERY_US);
    }
}
