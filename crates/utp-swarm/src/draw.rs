//! Plans out of seeds. Small streams mostly, so that a seed costs milliseconds.

use std::num::NonZeroU32;

use crate::op::{Conditions, ControllerChoice, Flips, Limits, Op, Plan, SideConfig};
use crate::pair::Draws;

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut draws = Draws(seed ^ 0x5157_41a7);
        let flips = match draws.next() % 20 {
            0..15 => Flips::Never,
            15 | 16 => Flips::Harmless,
            17 | 18 => Flips::ButMeaning,
            _ => Flips::All,
        };
        let faulty = draws.chance(850);
        let mut ops = Vec::new();
        if faulty && draws.chance(600) {
            ops.extend([false, true].map(|from| conditions(&mut draws, flips, from)));
        }
        ops.push(Op::Connect { side: draws.chance(500) });
        ops.push(write(&mut draws));
        for _ in 0..between(&mut draws, 1, 120) {
            ops.push(op(&mut draws, flips, faulty));
        }
        let sides = [side(&mut draws), side(&mut draws)];
        let segments_max = if draws.chance(300) { 1 } else { to_usize(log(&mut draws, 1, 64)) };
        let latency_us = log(&mut draws, 100, 300 * MS);
        let limits = limits(&mut draws);
        Self { seed, sides, segments_max, latency_us, limits, flips, ops }
    }
}

fn limits(draws: &mut Draws) -> Limits {
    Limits {
        half_open_max: match draws.next() % 4 {
            0 => to_usize(between(draws, 0, 3)),
            _ => 1_024,
        },
        report_at_syn: draws.chance(300),
        announce_holds_more: draws.chance(300),
        memory_max_bytes: match draws.next() % 4 {
            0 => to_usize(log(draws, 10_000, 10_000_000)),
            _ => 1 << 28,
        },
        resets_per_second: if draws.chance(200) { 1 } else { 100 },
    }
}

fn side(draws: &mut Draws) -> SideConfig {
    let controller = match draws.next() % 4 {
        0 => ControllerChoice::Rfc6817,
        1 => ControllerChoice::Fixed(log(draws, 1_000, 1 << 20)),
        _ => ControllerChoice::Libutp,
    };
    let default = 1 << 20;
    let buffer = |draws: &mut Draws, min| {
        if draws.chance(400) { default } else { to_u32(log(draws, min, default.into())) }
    };
    let receive_buffer_bytes = buffer(draws, 4_096);
    let receive_buffer_max_bytes = match draws.next() % 2 {
        0 => receive_buffer_bytes,
        _ => receive_buffer_bytes.saturating_mul(8),
    };
    SideConfig {
        controller,
        receive_buffer_bytes,
        receive_buffer_max_bytes,
        send_buffer_bytes: buffer(draws, 1),
        datagram_bytes: match draws.next() % 4 {
            0 => u16::try_from(between(draws, 150, 1_472)).unwrap_or(u16::MAX),
            _ => 1_402,
        },
        rate_max: match draws.next() % 8 {
            0 => NonZeroU32::new(to_u32(log(draws, 2_000, 10_000_000))),
            _ => None,
        },
        gate_drops: draws.chance(300),
        probes_idle_peers: draws.chance(800),
        // The clock wraps every 71.6 minutes: some begin shortly before.
        clock_us: match draws.next() % 4 {
            0 => (1 << 32) - between(draws, 1, 20 * SECOND),
            1 => between(draws, 0, 1 << 33),
            _ => 0,
        },
    }
}

fn op(draws: &mut Draws, flips: Flips, faulty: bool) -> Op {
    let side = draws.chance(500);
    let stream = draws.next().to_le_bytes()[0];
    let quiet = Op::Advance { us: log(draws, 100, 2 * SECOND) };
    match draws.next() % 100 {
        0..28 => quiet,
        28..34 => Op::Advance { us: log(draws, 100 * MS, 100 * SECOND) },
        34 if draws.chance(200) => Op::Advance { us: between(draws, 0, 500 * SECOND) },
        35..56 => write(draws),
        56..62 => Op::Finish { side, stream },
        62..69 => Op::Connect { side },
        69..73 => Op::Pause { side, stream, after: to_u32(log(draws, 1, 100_000)) - 1 },
        73..79 => Op::Resume { side, stream },
        79..81 => Op::Release { side, stream },
        81 => Op::Abort { side, stream },
        82 => Op::Answer { accept: draws.chance(700), refuse: draws.chance(500) },
        83..92 if faulty => conditions(draws, flips, side),
        92..95 if faulty => {
            let us = log(draws, 10 * MS, 40 * SECOND);
            Op::Blackout { from: [draws.chance(700), draws.chance(700)], us }
        }
        95..97 if faulty => Op::Latency { us: log(draws, 100, 400 * MS) },
        98..100 if faulty => {
            let bytes = u16::try_from(between(draws, 600, 1_500)).unwrap_or(u16::MAX);
            // What a search begins with goes through, in fragments at least.
            let fragments = bytes < 1_232 || draws.chance(500);
            Op::PathMtu { from: side, bytes, fragments, icmp: draws.chance(300) }
        }
        97 if faulty => Op::ClockStep { side, us: step(draws) },
        _ => quiet,
    }
}

fn write(draws: &mut Draws) -> Op {
    let bytes = match draws.next() % 500 {
        0 => 1 << 20,
        1..80 => to_u32(log(draws, 10_000, 200_000)),
        _ => to_u32(log(draws, 1, 20_000)),
    };
    Op::Write { side: draws.chance(500), stream: draws.next().to_le_bytes()[0], bytes }
}

fn conditions(draws: &mut Draws, flips: Flips, from: bool) -> Op {
    let per_mille = |draws: &mut Draws, max: u64| match draws.next() % 3 {
        0 => 0,
        _ => u16::try_from(log(draws, 1, max)).unwrap_or(u16::MAX),
    };
    let conditions = Conditions {
        loss: per_mille(draws, 400),
        burst: if draws.chance(300) { per_mille(draws, 50) } else { 0 },
        duplication: per_mille(draws, 1_000),
        reordering: per_mille(draws, 500),
        late_us: to_u32(log(draws, 100, 10 * SECOND)),
        flip: match flips {
            Flips::Never => 0,
            _ => u16::try_from(between(draws, 1, 200)).unwrap_or(0),
        },
    };
    Op::Conditions { from, conditions }
}

/// Seconds or an hour, forwards or backwards. A clock that stands still for the core until it has
/// caught up makes its side deaf, so that steps back are short.
fn step(draws: &mut Draws) -> i64 {
    match draws.next() % 4 {
        0 => -to_i64(log(draws, 1, 20 * SECOND)),
        1 => to_i64(3_600 * SECOND),
        _ => to_i64(log(draws, 1, 100 * SECOND)),
    }
}

/// Any number from `min` to `max`, all alike.
fn between(draws: &mut Draws, min: u64, max: u64) -> u64 {
    min + draws.next() % (max - min + 1)
}

/// Any number from `min` (at least 1) to `max`, every order of magnitude alike.
fn log(draws: &mut Draws, min: u64, max: u64) -> u64 {
    let bits = |n: u64| u64::from(64 - n.leading_zeros());
    let bit = between(draws, bits(min), bits(max));
    let low = 1u64 << (bit - 1);
    between(draws, low, 2 * low - 1).clamp(min, max)
}

fn to_u32(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn to_i64(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
