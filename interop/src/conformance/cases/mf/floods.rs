//! Datagrams by the million.

use std::time::Duration;

use crate::shim::SplitMix64;

use crate::conformance::cases::witness::{BATCH, Witness};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::{Kind, Packet};
use crate::conformance::peer::{Call, Peer};
use crate::conformance::stop::CaseResult;

pub(super) fn random_datagrams(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let witness = Witness::open(peer)?;
    let from = peer.open_socket()?;
    let mut random = SplitMix64::new(4);
    let noise = pattern(5, 0, NOISE_LEN + LEN_MAX);
    let (mut sent, mut received) = (Sum::default(), Sum::default());
    let mut rss_before = 0;
    for number in 0..WARM_UP + DATAGRAMS {
        let dice = random.next_u64();
        let len = (dice & 0xffff) as usize % LEN_MAX;
        let at = (dice >> 16) as usize % NOISE_LEN;
        // One of four begins like a packet, or few would get far.
        let mut datagram = noise[at..at + len].to_vec();
        if let ([start, extension, ..], 0) = (datagram.as_mut_slice(), dice >> 62) {
            *start = (dice.to_le_bytes()[7] % 5) << 4 | 1;
            *extension = dice.to_le_bytes()[6] % 4;
        }
        sent.add(len);
        peer.send_unseen(from, &datagram)?;
        if number % BATCH == 0 {
            received += settle(peer, &witness, from)?;
        }
        if number == WARM_UP {
            rss_before = peer.rss_kib()?;
        }
    }
    peer.sleep(Duration::from_secs(1))?;
    received += settle(peer, &witness, from)?;
    let grown = peer.rss_kib()?.saturating_sub(rss_before);
    peer.remark(format_args!("in {sent:?}, out {received:?}, {grown} KiB more"));
    peer.check(received.bytes <= sent.bytes && received.packets <= sent.packets, || {
        format!("{sent:?} drew {received:?}")
    })?;
    peer.check(grown <= 1024, || format!("memory grew by {grown} KiB, allowed are 1024"))?;
    witness.ends_well(peer)
}

pub(super) fn mutated_packets(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let witness = Witness::open(peer)?;
    let mut random = SplitMix64::new(6);
    let (mut from, mut packets) = (0, Vec::new());
    for number in 0..DATAGRAMS {
        if number % PER_CONNECTION == 0 {
            // What was spoiled in the numbers of the last connection has opened others beside it.
            from = peer.open_socket()?;
            packets = packets_of(peer, from)?;
        }
        let dice = random.next_u64();
        let packet = &packets[(dice & 0xff) as usize % packets.len()];
        let mut datagram = peer.stamped(packet).encode();
        spoil(&mut datagram, dice >> 8, &mut random);
        peer.send_unseen(from, &datagram)?;
        if number % BATCH == 0 {
            settle(peer, &witness, from)?;
        }
    }
    settle(peer, &witness, from)?;
    witness.ends_well(peer)
}

/// Packets of a connection that has just begun, of every kind.
fn packets_of(peer: &mut Peer, socket: usize) -> CaseResult<Vec<Packet>> {
    let id = 200;
    let mut flow = Flow { socket, ..peer.open_on(socket, id, 60_000)? };
    peer.push(&mut flow, 3000, 1000, Duration::from_secs(3))?;
    let syn = Flow::initiator(id, 60_000).syn();
    let (old, state) = (flow.clone(), flow.state());
    let mut ahead = flow.clone();
    let _lost = ahead.data(100);
    Ok(vec![
        syn.clone(),
        syn.extension(2, [0; 8]),
        flow.data(100),
        flow.data(500).extension(2, [0; 8]).extension(9, [1, 2]),
        ahead.data(100),
        ahead.data(100).sack(&[0, 2]),
        state.clone(),
        state.clone().sack(&[0, 1, 2, 9]),
        state.clone().sack(&[200]).extension(3, [0, 0, 0, 1]),
        old.reset(),
        ahead.fin(),
        ahead.fin().extension(2, [0; 8]).extension(3, [0, 0, 0, 1]),
        state.wnd(0),
        Packet::new(Kind::Data).id(id).seq(7).payload([1; 50]),
    ])
}

/// Changes, cuts or lengthens a datagram.
fn spoil(datagram: &mut Vec<u8>, dice: u64, random: &mut SplitMix64) {
    let place = |dice: u64, len: usize| (dice & 0xffff) as usize % len;
    match dice & 7 {
        0 => datagram.truncate(place(dice >> 8, datagram.len())),
        1 => datagram.extend(vec![dice.to_le_bytes()[7]; place(dice >> 8, 300)]),
        2 => {
            let at = place(dice >> 8, datagram.len() * 8);
            datagram[at / 8] ^= 0x80 >> (at % 8);
        }
        // Most of all the header and what follows right behind.
        few => {
            for _ in 0..few {
                let word = random.next_u64();
                let reach = if word >> 63 == 0 { datagram.len().min(40) } else { datagram.len() };
                datagram[place(word, reach)] = word.to_le_bytes()[4];
            }
        }
    }
}

/// Waits until the implementation has taken in what was sent, and counts what came from it.
fn settle(peer: &mut Peer, witness: &Witness, from: usize) -> CaseResult<Sum> {
    witness.settle(peer)?;
    let mut sum = Sum::default();
    while let Some(seen) = peer.next_packet(from, std::time::Instant::now())? {
        sum.add(seen.size);
    }
    Ok(sum)
}

/// Datagrams and their bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    packets: u64,
    bytes: u64,
}

impl Sum {
    const fn add(&mut self, len: usize) {
        self.packets += 1;
        self.bytes += len as u64;
    }
}

impl std::ops::AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

const DATAGRAMS: u32 = 1_000_000;

/// What comes before memory is looked at: buffers that are kept are made then.
const WARM_UP: u32 = 2000;

/// How many packets one connection is fuzzed with.
const PER_CONNECTION: u32 = 20_000;

/// Lengths of random datagrams go up to this.
const LEN_MAX: usize = 300;

const NOISE_LEN: usize = 1 << 20;
