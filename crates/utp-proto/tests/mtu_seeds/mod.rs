//! One transfer on a path of random MTU, while acks and data are lost: the situation in which a
//! stack that cuts a packet again corrupts its stream.
//!
//! Used by the test that runs some hundred seeds and by the example that runs any number.

#![allow(unreachable_pub, reason = "a module of a test binary and of an example")]

use std::collections::BTreeMap;
use std::sync::Arc;

use utp_ledbat::FixedWindowFactory;
use utp_proto::Config;
use utp_wire::PacketType;

use crate::pair::{Acceptor, Draws, Fate, Pair, Path, Seen};

/// What became of a seed. A wrong byte or a stream that does not complete is a panic.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    pub packets: u64,
    pub bytes: u64,
    pub probes: u64,
    pub probes_lost: u64,
    pub black_holes: u64,
    /// Packets that went out with leave to be fragmented.
    pub fragmented: u64,
    /// The largest size that a side ended with.
    pub datagram_bytes: u16,
    /// Sides that ended with another size than they began with.
    pub resized: u64,
}

impl Outcome {
    pub fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.probes += other.probes;
        self.probes_lost += other.probes_lost;
        self.black_holes += other.black_holes;
        self.fragmented += other.fragmented;
        self.datagram_bytes = self.datagram_bytes.max(other.datagram_bytes);
        self.resized += other.resized;
    }
}

/// Packets of each side that arrive whatever is drawn, so that a handshake is no lottery.
const SAFE: u64 = 3;

/// Of a thousand.
const ACK_LOSS: u64 = 300;

/// What is not probed before it is used.
const BASE: u16 = 1_232;

pub fn run(seed: u64) -> Outcome {
    let mut draws = Draws(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut config = Config::default();
    // With so many acks lost, a few in a row are no reason to give up.
    config.give_up_us = 600_000_000;
    config.idle_probe_us = None;
    if draws.chance(700) {
        config.controller = Arc::new(FixedWindowFactory(20_000 + draws.next() % 80_000));
    }
    let mut pair = Pair::with_config(seed, config);
    pair.latency_us = 2_000 + draws.next() % 40_000;
    pair.segments_max = [1, 4, 64][usize::try_from(draws.next() % 3).expect("small")];
    let mut mtu = 1_200 + usize::try_from(draws.next() % 301).expect("small");
    let icmp = draws.chance(500);
    pair.paths = [Path { icmp, ..Path::silent(mtu) }; 2];
    if draws.chance(100) {
        pair.paths[0].host_bytes = 1_200 + usize::try_from(draws.next() % 301).expect("small");
    }
    let data_loss = draws.next() % 60;
    pair.script = Some(losses(draws.next(), data_loss));
    let size = 60_000 + draws.next() % 140_000;
    let answer = if draws.chance(300) { size } else { 0 };
    pair.accepts = Acceptor { to_write: answer, finish: true, read_max: None };
    let handle = pair.connect(size, true);
    let mut largest = mtu;
    // In every other stream the path changes under way.
    if draws.chance(500) {
        pair.run_for(draws.next() % 1_500_000);
        mtu = 1_200 + usize::try_from(draws.next() % 301).expect("small");
        largest = largest.max(mtu);
        for path in &mut pair.paths {
            path.datagram_bytes = mtu;
            if draws.chance(200) {
                path.host_bytes = mtu;
            }
        }
    }
    let done = pair.run_until(1_200_000_000, |pair| {
        let accepted = pair.apps[1].values().next();
        let app = pair.app(0, handle);
        app.end_of_stream && accepted.is_some_and(|app| app.end_of_stream)
    });
    let app = pair.app(0, handle);
    assert!(done, "seed {seed}: {app:?} {:?}", pair.apps[1]);
    assert_eq!((pair.only(1).read, app.read), (size, answer), "seed {seed}");
    let mut lens = BTreeMap::new();
    for seen in pair.seen.iter().filter(|seen| seen.packet_type == PacketType::Data) {
        let len = *lens.entry((seen.from, seen.seq_nr)).or_insert(seen.payload_len);
        assert_eq!(seen.payload_len, len, "seed {seed}: number {} was cut again", seen.seq_nr);
    }
    let outcome = outcome(&pair, size + answer);
    let least = usize::from(BASE);
    assert!(usize::from(outcome.datagram_bytes) <= largest.max(least), "seed {seed}: {outcome:?}");
    outcome
}

/// Three of ten acks are lost, and `data_loss` of a thousand packets with data.
fn losses(seed: u64, data_loss: u64) -> Box<dyn FnMut(&Seen) -> Fate> {
    let mut draws = Draws(seed);
    let mut sent = [0; 2];
    Box::new(move |seen| {
        sent[seen.from] += 1;
        let is_ack = seen.packet_type == PacketType::State;
        let lost = draws.chance(if is_ack { ACK_LOSS } else { data_loss });
        if lost && sent[seen.from] > SAFE { Fate::Drop } else { Fate::Deliver }
    })
}

fn outcome(pair: &Pair, bytes: u64) -> Outcome {
    let mut outcome = Outcome { packets: pair.seen.len() as u64, bytes, ..Outcome::default() };
    outcome.fragmented = pair.seen.iter().filter(|seen| !seen.dont_fragment).count() as u64;
    for side in [0, 1] {
        let Some(connection) = pair.endpoints[side].connection(pair.only_handle(side)) else {
            continue;
        };
        let stats = connection.stats();
        outcome.probes += u64::from(stats.mtu_probes);
        outcome.probes_lost += u64::from(stats.mtu_probes_lost);
        outcome.black_holes += u64::from(stats.mtu_black_holes);
        outcome.datagram_bytes = outcome.datagram_bytes.max(stats.datagram_bytes);
        outcome.resized += u64::from(stats.datagram_bytes != BASE);
    }
    outcome
}
