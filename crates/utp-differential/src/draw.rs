//! Scripts out of seeds. Small streams, so that a seed costs milliseconds.

use crate::draws::Draws;
use crate::script::{Change, Conditions, Ending, Fault, Read, Script, Side, Write};

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

impl Script {
    /// The script of a seed.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut draws = Draws(seed ^ 0xd1ff_e7e4);
        // Only one side waits for the other, or both would wait for ever.
        let waits = usize::from(draws.chance(500));
        let mut sides = [0, 1].map(|_| side(&mut draws));
        let [asks, answers] = if waits == 0 { [0, 1] } else { [1, 0] };
        let available = sides[answers].total_bytes();
        let asker = &mut sides[asks];
        if draws.chance(250) {
            asker.ending = Ending::AfterPeer;
        }
        while available > 0 && draws.chance(400) {
            let at = to_usize(between(&mut draws, 0, asker.writes.len() as u64));
            asker.writes.insert(at, Write::Await(between(&mut draws, 1, available)));
        }
        let latency_us = log(&mut draws, 500, 200 * MS);
        let (faults, healed_at_us) = faults(&mut draws);
        Self { seed, sides, latency_us, faults, healed_at_us }
    }
}

fn side(draws: &mut Draws) -> Side {
    let mut writes = Vec::new();
    if draws.chance(850) {
        for _ in 0..between(draws, 1, 7) {
            writes.push(match draws.next() % 10 {
                0..4 => Write::Pause(log(draws, MS, 10 * SECOND)),
                4 => Write::Bytes(to_u32(log(draws, 20_000, 150_000))),
                _ => Write::Bytes(to_u32(log(draws, 1, 20_000))),
            });
        }
    }
    let mut reads = Vec::new();
    if draws.chance(500) {
        for _ in 0..between(draws, 1, 4) {
            reads.push(match draws.next() % 2 {
                0 => Read::Pause(log(draws, MS, 100 * SECOND)),
                _ => Read::Bytes(to_u32(log(draws, 1, 50_000))),
            });
        }
    }
    Side {
        writes,
        ending: if draws.chance(650) { Ending::Finish } else { Ending::Leave },
        reads,
        receive_buffer_bytes: draws.chance(400).then(|| to_u32(log(draws, 8_192, 1 << 18))),
        reports_at_syn: draws.chance(400),
        // The clock wraps every 71.6 minutes: some begin shortly before.
        clock_us: match draws.next() % 3 {
            0 => (1 << 32) - between(draws, 1, 20 * SECOND),
            1 => between(draws, 1, 1 << 33),
            _ => SECOND,
        },
    }
}

/// The faults, and when all of them are over.
fn faults(draws: &mut Draws) -> (Vec<Fault>, u64) {
    if draws.chance(200) {
        return (Vec::new(), 0);
    }
    let over_us = log(draws, 100 * MS, 60 * SECOND);
    let mut faults = Vec::new();
    if draws.chance(700) {
        for from in [0, 1] {
            let change = Change::Conditions { from, conditions: conditions(draws) };
            faults.push(Fault { at_us: 0, change });
        }
    }
    for _ in 0..between(draws, 0, 5) {
        let at_us = log(draws, MS, over_us);
        let change = match draws.next() % 4 {
            0 => Change::Latency { us: log(draws, 500, 300 * MS) },
            1 => {
                let from = [draws.chance(700), draws.chance(700)];
                Change::Blackout { from, us: log(draws, 10 * MS, 50 * SECOND) }
            }
            _ => Change::Conditions {
                from: usize::from(draws.chance(500)),
                conditions: conditions(draws),
            },
        };
        faults.push(Fault { at_us, change });
    }
    faults.sort_by_key(|fault| fault.at_us);
    let dark_until_us = |fault: &Fault| match fault.change {
        Change::Blackout { us, .. } => fault.at_us + us,
        _ => 0,
    };
    let healed_at_us = faults.iter().map(dark_until_us).fold(over_us, u64::max);
    (faults, healed_at_us)
}

fn conditions(draws: &mut Draws) -> Conditions {
    let per_mille = |draws: &mut Draws, max: u64| match draws.next() % 3 {
        0 => 0,
        _ => u16::try_from(log(draws, 1, max)).unwrap_or(u16::MAX),
    };
    Conditions {
        loss: per_mille(draws, 300),
        duplication: per_mille(draws, 500),
        reordering: per_mille(draws, 500),
        late_us: log(draws, 100, 5 * SECOND),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_one_side_waits_for_the_other_and_for_no_more_than_there_is() {
        for seed in 0..2_000 {
            let Script { sides, .. } = Script::draw(seed);
            let waits = [0, 1].map(|side| {
                let awaits = |step: &Write| match step {
                    Write::Await(bytes) => {
                        assert!(*bytes <= sides[1 - side].total_bytes(), "seed {seed}");
                        true
                    }
                    _ => false,
                };
                let in_steps = sides[side].writes.iter().filter(|step| awaits(step)).count() > 0;
                in_steps || sides[side].ending == Ending::AfterPeer
            });
            assert_ne!(waits, [true; 2], "seed {seed}");
        }
    }

    #[test]
    fn no_fault_outlasts_the_time_at_which_all_are_over() {
        for seed in 0..2_000 {
            let script = Script::draw(seed);
            for fault in &script.faults {
                assert!(fault.at_us <= script.healed_at_us, "seed {seed}");
            }
            assert!(script.healed_at_us < 120 * SECOND, "seed {seed}");
        }
    }
}
