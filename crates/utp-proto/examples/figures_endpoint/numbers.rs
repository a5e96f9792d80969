//! The first numbers and ids of endpoints that start with other entropy.

use std::collections::BTreeMap;

use utp_proto::{EndpointConfig, Instant};
use utp_wire::{Packet, PacketType};

use crate::heap::Owner;
use crate::net::{Draws, Host, packet};
use crate::report::Report;

const STARTS: u64 = 10_000;

/// Each start connects to one peer and answers one SYN, always the same, at the same time.
pub fn first_numbers(report: &mut Report) {
    let mut draws = Draws(8);
    let peer = Draws(9).address();
    let now = Instant::from_micros(1);
    let names = ["first number of an initiator", "id of an initiator", "number of a SYN-ACK"];
    let mut counts = [const { BTreeMap::<u16, u32>::new() }; 3];
    for _ in 0..STARTS {
        let mut host = Host::new(0, Owner::First, draws.next(), EndpointConfig::default());
        host.connect(now, peer);
        host.receive(now, peer, &packet(PacketType::Syn, 4_000, 5_000, 0));
        let mut numbers = [0; 3];
        host.drain(now, |_, bytes| {
            let header = Packet::decode(bytes).unwrap().header;
            if header.packet_type == PacketType::Syn {
                numbers[0] = header.seq_nr.0;
                numbers[1] = header.connection_id.0;
            } else {
                numbers[2] = header.seq_nr.0;
            }
        });
        for (counts, number) in counts.iter_mut().zip(numbers) {
            *counts.entry(number).or_default() += 1;
        }
    }
    for (name, counts) in names.into_iter().zip(counts) {
        // Of fair draws one in a thousand sets has a number six times.
        let most = counts.values().max().copied().unwrap_or(0);
        let what = format!("1e4 starts: most often the same {name}");
        report.at_most(&what, f64::from(most), 5.0);
        // 65 536 (1 - e^(-10 000 / 65 536)) are expected, 24 more or less.
        report.at_least("  different ones", counts.len() as f64, 9_150.0);
    }
}
