//! Packets of somebody who cannot see a connection, and of sources that have proved nothing.

use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::cases::witness::BATCH;
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::{Kind, Packet};
use crate::conformance::peer::{Call, Peer, Seen, WantEvent};
use crate::conformance::stop::{CaseResult, Stop};
use crate::conformance::want::Want;
use crate::shim::{ConnId, ErrorKind, Event, SplitMix64, pattern_sha256};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::rust(
            "HO-02",
            Grade::Must,
            "RFC 9000 section 8",
            "a source that has proved nothing draws three times its bytes at the most, by any packets",
            unproven_sources,
        )
        .req(&["H-11", "H-12"]),
        // Twenty million packets take minutes. The gate is an option: without it the right numbers
        // are enough, and one of some ten million packets is taken.
        Case::rust(
            "HO-05",
            Grade::Should,
            "RFC 5961 section 5",
            "with the gate on, of twenty million packets with the right id none is delivered",
            blind_data,
        )
        .req(&["H-02"])
        .flag(Flag::Heavy)
        .flag(Flag::Slow)
        .limit_s(900),
        Case::rust(
            "HO-06",
            Grade::Must,
            "hardening of this stack",
            "a FIN that somebody else puts into a stream never makes a clean end of a part of it",
            injected_fins,
        )
        .req(&["H-03"]),
        Case::rust(
            "HO-11",
            Grade::Must,
            "hardening of this stack",
            "two implementations exchange two packets at the most over a stray one or a keepalive",
            no_ping_pong,
        )
        .req(&["U-22", "U-30"])
        .limit_s(60),
    ]
}

/// What a source that nobody knows may send.
fn provocations(peer: &mut Peer) -> CaseResult<Vec<(&'static str, usize, Vec<Packet>)>> {
    let syn = |id, seq| Flow::initiator(id, seq).syn();
    let stray = |kind, len| {
        let packet = move |seq| Packet::new(kind).id(7000 + seq).seq(seq).payload(vec![7; len]);
        (0..10).map(packet).collect::<Vec<Packet>>()
    };
    let mut all = vec![
        ("a SYN", vec![syn(100, 1)]),
        ("a SYN, ten times", vec![syn(100, 1); 10]),
        ("SYNs with ten ids", (0..10).map(|number| syn(100 + 2 * number, 1)).collect()),
        ("a SYN with extensions", vec![syn(100, 1).extension(2, [0xff; 8]).extension(9, [1])]),
        ("a SYN of 1 400 bytes", vec![syn(100, 1).payload([1; 1380])]),
        ("stray DATA", stray(Kind::Data, 10)),
        ("empty stray DATA", stray(Kind::Data, 0)),
        ("stray STATEs", stray(Kind::State, 0)),
        ("stray FINs", stray(Kind::Fin, 0)),
        ("stray RESETs", stray(Kind::Reset, 0)),
    ];
    let mut with_sockets = Vec::new();
    for (name, packets) in all.drain(..) {
        with_sockets.push((name, peer.open_socket()?, packets));
    }
    Ok(with_sockets)
}

/// What follows a SYN whose answer was guessed, by a source that never acks a byte.
fn guesses(flow: &Flow) -> [(&'static str, Vec<Packet>); 6] {
    let mut next = flow.clone();
    let data = next.data(1);
    let fin = flow.packet(Kind::Fin);
    let probe = Packet { payload: Vec::new(), ..data.clone() };
    [
        ("a guess with DATA", vec![data.clone()]),
        ("a guess with DATA, ten times", vec![data.clone(); 10]),
        ("a guess with empty DATA", vec![probe]),
        ("a guess with a FIN", vec![fin]),
        ("a guess with STATEs", vec![flow.state(); 10]),
        ("a guess with DATA and STATEs", {
            let state = next.state();
            [vec![data], vec![state; 10]].concat()
        }),
    ]
}

fn unproven_sources(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("source:1000000"))?;
    let mut sources = Vec::new();
    for (name, socket, packets) in provocations(peer)? {
        let mut sent = 0;
        for packet in packets {
            sent += packet.encode().len();
            peer.send_on(socket, &packet)?;
        }
        sources.push((name, socket, sent, 0));
    }
    for number in 0..6 {
        let socket = peer.open_socket()?;
        let mut flow = Flow { socket, ..Flow::initiator(100, 1) };
        let mut sent = flow.syn().encode().len();
        peer.send_on(socket, &flow.syn())?;
        let want = Want::state().id(100_u16).ack(1_u16).on(socket);
        let answer = peer.eventually(&want, Duration::from_millis(500))?;
        flow.ack = answer.seq.wrapping_sub(1);
        let (name, packets) = guesses(&flow)[number].clone();
        for packet in packets {
            sent += packet.encode().len();
            peer.send_on(socket, &packet)?;
            peer.sleep(Duration::from_millis(20))?;
        }
        sources.push((name, socket, sent, answer.size));
    }
    let came = peer.collect(Duration::from_secs(15))?;
    for (name, socket, sent, before) in sources {
        let later = came.iter().filter(|seen| seen.socket == socket).map(|seen| seen.size);
        let received = before + later.sum::<usize>();
        peer.remark(format_args!("{name}: {sent} bytes drew {received}"));
        let allowed = 3 * sent;
        peer.check(received <= allowed, || {
            format!("{name}: {sent} bytes drew {received}, allowed are {allowed}")
        })?;
    }
    Ok(())
}

fn blind_data(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink").flag("gate"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, 2000, 1000, Duration::from_secs(2))?;
    peer.sleep(Duration::from_secs(1))?;
    peer.forget_packets()?;
    let mut random = SplitMix64::new(25);
    let other = peer.open_socket()?;
    let mut beside = Flow { seed: 2, ..peer.open_on(other, 100, 1)? };
    let sent = beside.data(10);
    peer.send_on(other, &sent)?;
    let mut spoken = Instant::now();
    for number in 0..BLIND {
        let [a, b, c, d, e, f, g, h] = random.next_u64().to_le_bytes();
        let packet = Packet::new(Kind::Data).id(flow.send_id).wnd(1 << 20).payload([a, b, c, d]);
        let packet = packet.seq(u16::from_le_bytes([a, b])).ack(u16::from_le_bytes([c, d]));
        let packet = packet.stamp_us(u32::from_le_bytes([e, f, g, h])).diff_us(number);
        peer.send_unseen(0, &packet.encode())?;
        if number % BATCH == 0 {
            peer.settle(&beside, &sent)?;
            peer.forget_packets()?;
            // An idle peer is not taken for dead as long as it says something now and then.
            if spoken.elapsed() > KEEPALIVE {
                peer.send(&flow.state())?;
                spoken = Instant::now();
            }
        }
    }
    // The stream goes on and ends, or somebody is found to have written into it. Its first packets
    // may be taken for one more of the others.
    let mut packets: Vec<Packet> = (0..100).map(|_| flow.data(100)).collect();
    packets.push(flow.fin());
    for _ in 0..5 {
        for packet in &packets {
            peer.send_unseen(0, &peer.stamped(packet).encode())?;
        }
        peer.sleep(Duration::from_millis(500))?;
        peer.forget_packets()?;
    }
    peer.sleep(Duration::from_secs(1))?;
    judge(peer, 1, 1, 12_000)?;
    // Without the gate thousands of them are held, and some where the stream goes on: one that is
    // found in the wrong is no harm, but the gate is to keep them out.
    let found = peer.count_events(&WantEvent::error(ErrorKind::Conflict));
    peer.check(found == 0, || "what others sent was taken, and found out later".into())
}

/// One connection for each FIN that somebody puts into its stream, who knows address and id.
fn injected_fins(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut random = SplitMix64::new(26);
    let mut conns = Vec::new();
    for ahead in 0..8_u16 {
        // Who has guessed everything has made the FIN that the peer would make.
        for guess in 0..if ahead == 0 { 3 } else { 4 } {
            let id = 1000 + 100 * ahead + 10 * guess;
            let seed = u64::from(id);
            let mut flow = Flow { seed, ..peer.open(id, 1)? };
            peer.push(&mut flow, 500, 100, Duration::from_secs(2))?;
            let [a, b, c, d, e, f, ..] = random.next_u64().to_le_bytes();
            let mut fin = flow.packet(Kind::Fin).seq(flow.seq.wrapping_add(ahead));
            // The ack and the clocks are guessed, or by chance right.
            if guess & 1 == 0 {
                fin = fin.stamp_us(u32::from_le_bytes([a, b, c, d])).diff_us(0);
            }
            if guess & 2 == 0 {
                fin = fin.ack(u16::from_le_bytes([e, f]));
            }
            peer.send(&fin)?;
            conns.push((flow, seed));
        }
    }
    // The honest peers know of nothing, and send again what is not acked.
    for _ in 0..10 {
        for (flow, _) in &conns {
            let mut again = flow.clone();
            let mut packets: Vec<Packet> = (0..10).map(|_| again.data(100)).collect();
            packets.push(again.fin());
            // From the end: what lies beyond the other FIN comes before that can be reached, or
            // nothing would tell it from one of the peer's.
            for packet in packets.into_iter().rev() {
                peer.send_unseen(0, &peer.stamped(&packet).encode())?;
            }
        }
        peer.sleep(Duration::from_millis(500))?;
        peer.forget_packets()?;
    }
    for ((_, seed), conn) in conns.iter().zip(1..) {
        judge(peer, conn, *seed, 1500)?;
    }
    Ok(())
}

/// All bytes and the end, or some of them and an error.
fn judge(peer: &Peer, conn: ConnId, seed: u64, whole: u64) -> CaseResult {
    let (mut read, mut ended, mut failed) = (0, false, false);
    for event in peer.heard() {
        match event {
            Event::Data { conn: of, n, sha256, .. } if *of == conn => {
                let right = *sha256 == pattern_sha256(seed, *n);
                peer.check(right, || format!("stream {conn}: {n} bytes that were not sent"))?;
                read = *n;
            }
            Event::Eof { conn: of } if *of == conn => ended = true,
            Event::Error { conn: of, .. } if *of == conn => failed = true,
            _ => {}
        }
    }
    peer.check(failed || (ended && read == whole), || match ended {
        true => format!("stream {conn} ended after {read} of {whole} bytes"),
        false => format!("stream {conn} has neither ended nor failed"),
    })
}

/// Two implementations that talk to each other through two sockets of the runner.
struct Between {
    /// The socket that each of them talks to, and where it is.
    ends: [(usize, std::net::SocketAddr); 2],
}

impl Between {
    /// Passes on what they say until both are silent; returns how many packets that were.
    fn relay(&self, peer: &mut Peer, silence: Duration) -> CaseResult<Vec<Seen>> {
        let mut all = Vec::new();
        let mut until = Instant::now() + silence;
        while let Some(seen) = self.next(peer, until)? {
            let [one, other] = self.ends;
            let (socket, to) = if seen.socket == one.0 { other } else { one };
            peer.set_remote(to);
            peer.send_unseen(socket, &seen.encode())?;
            all.push(seen);
            if all.len() > MANY {
                return Ok(all);
            }
            until = Instant::now() + silence;
        }
        Ok(all)
    }

    fn next(&self, peer: &mut Peer, until: Instant) -> CaseResult<Option<Seen>> {
        loop {
            for (socket, _) in self.ends {
                if let Some(seen) = peer.next_packet(socket, Instant::now())? {
                    return Ok(Some(seen));
                }
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            peer.sleep(Duration::from_millis(1))?;
        }
    }

    /// Sends a packet to one of them, as if it came from the other; counts what that draws.
    fn provoke(&self, peer: &mut Peer, to: usize, packet: &Packet) -> CaseResult<usize> {
        let (socket, address) = self.ends[to];
        peer.set_remote(address);
        peer.send_on(socket, packet)?;
        Ok(self.relay(peer, Duration::from_millis(700))?.len())
    }
}

fn no_ping_pong(peer: &mut Peer) -> CaseResult {
    let towards_acceptor = peer.open_socket()?;
    peer.start(&Call::listen("echo"))?;
    let acceptor = peer.remote().ok_or_else(|| Stop::Internal("it listens nowhere".into()))?;
    peer.start(&Call::connect("script"))?;
    let syn = peer.eventually(&Want::syn(), Duration::from_secs(10))?;
    let between = Between { ends: [(0, syn.from), (towards_acceptor, acceptor)] };
    peer.set_remote(acceptor);
    peer.send_unseen(towards_acceptor, &syn.encode())?;
    peer.command("write 1000 1")?;
    peer.command("resume")?;
    let spoken = between.relay(peer, Duration::from_millis(700))?;
    peer.check(peer.count_events(&WantEvent::Connected) == 1, || "they do not connect".into())?;
    // The last word of each is a keepalive, once it acks one less.
    for to in [0, 1] {
        let from = between.ends[1 - to].0;
        let last = spoken.iter().rfind(|seen| seen.socket == from);
        let last = last.ok_or_else(|| peer.fail("one of them has said nothing"))?;
        let newest = spoken.iter().filter(|seen| seen.socket == from && seen.kind.is_numbered());
        let next = newest.map(|seen| seen.seq.wrapping_add(1)).next_back().unwrap_or(last.seq);
        let keepalive = Packet::new(Kind::State).id(last.id).seq(next);
        let keepalive = keepalive.ack(last.ack.wrapping_sub(1));
        let old = Packet::new(Kind::Data).id(last.id).seq(next.wrapping_sub(1)).ack(last.ack);
        let ahead = Packet::new(Kind::Data).id(last.id).seq(next.wrapping_add(9)).ack(last.ack);
        let mut provocations = vec![
            ("a keepalive", keepalive),
            ("a packet from beyond a gap", ahead.payload(pattern(9, 0, 10))),
            ("an old packet", old.payload(pattern(9, 0, 10))),
            ("a RESET of another time", Packet::new(Kind::Reset).id(last.id).ack(7)),
        ];
        let strays = [Kind::Data, Kind::State, Kind::Fin, Kind::Reset];
        provocations.extend(strays.map(|kind| ("a stray packet", Packet::new(kind).id(9000))));
        for (name, packet) in provocations {
            let drawn = between.provoke(peer, to, &packet)?;
            peer.remark(format_args!("{name} drew {drawn} packets"));
            peer.check(drawn <= 2, || format!("{name} drew {drawn} packets, allowed are 2"))?;
        }
    }
    Ok(())
}

const BLIND: u32 = 20_000_000;

/// Less than the silence after which any stack asks.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// More than this is a conversation without an end.
const MANY: usize = 50;
