//! How much an endpoint sends towards addresses that somebody has forged.

use std::net::SocketAddr;

use utp_proto::{EndpointConfig, Instant};
use utp_wire::{HEADER_LEN, Packet, PacketType};

use crate::heap::Owner;
use crate::net::{Draws, Host, SECOND, packet};
use crate::report::Report;

const PACKETS: u32 = 1_000_000;
/// What the application has to say to everybody.
static ANSWER: [u8; 100_000] = [1; 100_000];

const TYPES: [PacketType; 5] =
    [PacketType::Data, PacketType::Fin, PacketType::State, PacketType::Reset, PacketType::Syn];

/// 10^6 packets of each type, and of all, from addresses that have proved nothing.
pub fn blind(report: &mut Report) {
    for packet_type in TYPES {
        let what = format!("reflection, 1e6 blind {packet_type:?}: bytes out per byte in");
        report.at_most(&what, blind_ratio(&[packet_type]), 1.0);
    }
    let ratio = blind_ratio(&TYPES);
    report.at_most("reflection, 1e6 blind of all types: bytes out per byte in", ratio, 1.0);
}

/// Addresses and ids come again, so that packets belong together by chance. Who guesses a cookie is
/// accepted, and told much.
fn blind_ratio(types: &[PacketType]) -> f64 {
    let mut host = Host::new(0, Owner::First, 2, EndpointConfig::default());
    let mut draws = Draws(2);
    let mut now = Instant::from_micros(SECOND);
    let mut bytes_in = 0;
    for count in 0..PACKETS {
        let (id, seq_nr) = (draws.below(4) as u16, draws.below(8) as u16);
        let mut bytes = packet(draws.pick(types), id, seq_nr, draws.number()).to_vec();
        match draws.below(4) {
            // What libutp sends, too, and what announces that more is held.
            0 => {
                bytes[1] = 2;
                bytes.extend_from_slice(&[0, 8, 0, 0, 2, 0, 0, 0, 0, 0]);
            }
            1 if bytes[0] >> 4 == PacketType::Data as u8 => {
                bytes.extend_from_slice(&ANSWER[..usize::from(draws.number() % 1_400)]);
            }
            _ => {}
        }
        let [a, b, ..] = draws.next().to_be_bytes();
        let from: SocketAddr = ([10, a % 64, 0, b % 64], 7).into();
        bytes_in += bytes.len() as u64;
        if host.receive(now, from, &bytes) {
            speak(&mut host, now);
        }
        if count % 50 == 49 {
            host.drain(now, |_, _| {});
        }
        now = now.saturating_add(10);
    }
    host.advance(&mut now, 120 * SECOND);
    host.bytes_out as f64 / bytes_in as f64
}

fn speak(host: &mut Host, now: Instant) {
    let Some(handle) = host.accepted.pop() else { return };
    if let Some(mut connection) = host.endpoint.connection_mut(handle) {
        assert!(connection.write(now, &ANSWER).is_ok());
    }
}

/// The attacker knows the cookie, and so gets a connection for the address that it has forged. It
/// acknowledges nothing of what is sent there, as it sees nothing of it.
pub fn guessed(report: &mut Report) {
    const ATTACKS: u64 = 10_000;
    let worst = (0..ATTACKS).map(guessed_ratio).fold(0.0, f64::max);
    report.at_most("reflection, cookie known, 1e4 attacks: worst out per byte in", worst, 3.0);
}

/// The most that was sent per byte that came, at any time of an attack.
fn guessed_ratio(seed: u64) -> f64 {
    let mut draws = Draws(seed);
    let mut limits = EndpointConfig::default();
    limits.half_open_max = draws.pick(&[0, 1_024]);
    let mut host = Host::new(0, Owner::First, draws.next(), limits);
    let from = draws.address();
    let (id, syn) = (draws.number(), draws.number());
    let mut now = Instant::from_micros(SECOND + draws.below(60 * SECOND));
    let mut bytes_in = HEADER_LEN as u64;
    host.receive(now, from, &packet(PacketType::Syn, id, syn, 0));
    let mut cookie = 0;
    host.drain(now, |_, answer| cookie = Packet::decode(answer).unwrap().header.seq_nr.0);
    // Both ways to acknowledge a SYN-ACK exist. Of an attack only one is used: by the other it
    // would acknowledge the first data of a connection that it has opened by this one.
    let ack_nr = cookie.wrapping_sub(draws.number() % 2);
    let mut worst: f64 = 1.0;
    for count in 0..=draws.below(30) {
        let first = count == 0;
        let types = [PacketType::Data, PacketType::State, PacketType::Fin, PacketType::Syn];
        let packet_type = if first { PacketType::Data } else { draws.pick(&types) };
        let ahead = if first { 1 } else { draws.pick(&[0, 1, 1, 2, 3, 9, 500]) };
        let is_syn = packet_type == PacketType::Syn;
        let id = if is_syn { id } else { id.wrapping_add(1) };
        let ack_nr = if first { ack_nr } else { ack_nr.wrapping_sub(draws.pick(&[0, 0, 2, 3])) };
        let seq_nr = if is_syn { syn } else { syn.wrapping_add(ahead) };
        let mut bytes = packet(packet_type, id, seq_nr, ack_nr).to_vec();
        if packet_type == PacketType::Data {
            bytes.extend_from_slice(&ANSWER[..draws.pick(&[0, 0, 1, 20, 100, 1_000, 1_400])]);
        }
        bytes_in += bytes.len() as u64;
        if host.receive(now, from, &bytes) {
            speak(&mut host, now);
        }
        host.drain(now, |_, _| {});
        worst = worst.max(host.bytes_out as f64 / bytes_in as f64);
        let pause_us = draws.pick(&[0, 0, 1_000, 100_000, 3_000_000]);
        host.advance(&mut now, pause_us);
        worst = worst.max(host.bytes_out as f64 / bytes_in as f64);
    }
    host.advance(&mut now, 120 * SECOND);
    worst.max(host.bytes_out as f64 / bytes_in as f64)
}
