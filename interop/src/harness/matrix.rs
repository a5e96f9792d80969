//! Plans the transfers of every pair.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::{Direction, Family, Impaired, Pair, Shims, Transfer};
use crate::relay::{Impairment, Path, Reordering};
use crate::shim::pattern_sha256;
use utp_reference::SynSeq;

/// Which pairs, families and directions to cover.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Who connects to whom.
    pub pairs: Vec<Pair>,
    /// Over which versions of IP.
    pub families: Vec<Family>,
    /// Who sends.
    pub directions: Vec<Direction>,
    /// Kernel buffers of the UDP sockets.
    pub udp_buffer: usize,
}

/// Transfers over loopback, one at a time.
#[derive(Debug, Clone, Copy)]
pub struct Loopback {
    /// How much each sends.
    pub bytes: u64,
    /// How often each runs.
    pub rounds: u32,
    /// How long each may take.
    pub limit: Duration,
}

/// Transfers through the relay, side by side.
#[derive(Debug, Clone, Copy)]
pub struct Relayed {
    /// How much each sends.
    pub bytes: u64,
    /// What happens each way.
    pub path: Path,
    /// Decides what is lost.
    pub seed: u64,
    /// How long each may take.
    pub limit: Duration,
    /// Only pairs that ours is part of.
    pub with_ours: bool,
}

/// Why nothing can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixError(String);

impl fmt::Display for MatrixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MatrixError {}

impl Matrix {
    /// Checks that the shims are there, and leaves out families that the machine lacks, which it
    /// returns.
    ///
    /// # Errors
    ///
    /// When a shim is missing or no family is left.
    pub fn check(&mut self, shims: &Shims) -> Result<Vec<Family>, MatrixError> {
        for stack in self.pairs.iter().flat_map(|pair| [pair.client, pair.server]) {
            let shim = shims.path(&stack);
            if !shim.is_file() {
                let (shim, command) = (shim.display(), stack.build_command());
                return Err(MatrixError(format!("{shim} is missing; build it with `{command}`")));
            }
        }
        let (available, missing) =
            self.families.iter().partition(|family: &&Family| family.is_available());
        self.families = available;
        if self.families.is_empty() {
            return Err(MatrixError("this machine has none of the address families".into()));
        }
        Ok(missing)
    }

    /// Transfers over loopback. All pairs of a family and direction take turns, so that whatever
    /// else the machine does meets them alike; each round starts with another pair.
    pub fn loopback(&self, plan: Loopback) -> Vec<Transfer> {
        let sha256 = pattern_sha256(STREAM_SEED, plan.bytes);
        let mut transfers = Vec::new();
        for &family in &self.families {
            for &direction in &self.directions {
                for round in 1..=plan.rounds {
                    let first = (round as usize - 1) % self.pairs.len().max(1);
                    for &pair in self.pairs[first..].iter().chain(&self.pairs[..first]) {
                        transfers.push(Transfer {
                            pair,
                            family,
                            direction,
                            bytes: plan.bytes,
                            seed: STREAM_SEED,
                            sha256: sha256.clone(),
                            impaired: None,
                            syn_seq: SynSeq::Any,
                            udp_buffer: self.udp_buffer,
                            limit: plan.limit,
                            round,
                        });
                    }
                }
            }
        }
        transfers
    }

    /// Transfers through the relay. A client that takes it connects once with a SYN number below
    /// 0x8000 and once above, because libutp mends losses in another way then.
    pub fn relayed(&self, plan: Relayed) -> Vec<Transfer> {
        let sha256 = pattern_sha256(STREAM_SEED, plan.bytes);
        let name = impairment_name(plan.path);
        let mut transfers = Vec::new();
        for &family in &self.families {
            for &direction in &self.directions {
                for &pair in self.pairs.iter().filter(|pair| !plan.with_ours || pair.has_ours()) {
                    let syn_seqs: &[SynSeq] = match pair.client.takes_syn_seq {
                        true => &[SynSeq::Below, SynSeq::Above],
                        false => &[SynSeq::Any],
                    };
                    for &syn_seq in syn_seqs {
                        let seed = plan.seed.wrapping_add(transfers.len() as u64);
                        let impairment = Impairment::symmetric(plan.path, seed);
                        transfers.push(Transfer {
                            pair,
                            family,
                            direction,
                            bytes: plan.bytes,
                            seed: STREAM_SEED,
                            sha256: sha256.clone(),
                            impaired: Some(Impaired { name: name.clone(), impairment }),
                            syn_seq,
                            udp_buffer: self.udp_buffer,
                            limit: plan.limit,
                            round: 1,
                        });
                    }
                }
            }
        }
        transfers
    }
}

/// For example `20ms+1%`: one-way delay and loss, each way; `+10% 8ms late` tells of reordering.
fn impairment_name(path: Path) -> String {
    let percent = |ppm: u32| f64::from(ppm) / 10_000.0;
    let mut name = format!("{}ms+{}%", path.delay.as_millis(), percent(path.loss_ppm));
    if let Some(Reordering { ppm, by }) = path.reordering {
        write!(name, "+{}% {}ms late", percent(ppm), by.as_millis()).expect("a string takes it");
    }
    name
}

/// Which stream is sent: the same in all transfers, so that its digest is taken once.
const STREAM_SEED: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::STACKS;

    fn matrix() -> Matrix {
        Matrix {
            pairs: Pair::all_of(&STACKS[..2]),
            families: vec![Family::V4, Family::V6],
            directions: vec![Direction::ClientSends, Direction::ServerSends],
            udp_buffer: 4 << 20,
        }
    }

    #[test]
    fn every_pair_takes_its_turn_in_every_round() {
        let limit = Duration::from_secs(1);
        let plan = matrix().loopback(Loopback { bytes: 10, rounds: 3, limit });
        assert_eq!(plan.len(), 2 * 2 * 3 * 4);
        let firsts: Vec<String> = plan.iter().step_by(4).map(|t| t.pair.to_string()).collect();
        assert_ne!(firsts[0], firsts[1], "rounds start with different pairs");
        for pair in matrix().pairs {
            assert_eq!(plan.iter().filter(|transfer| transfer.pair == pair).count(), 12);
        }
    }

    #[test]
    fn a_libutp_client_meets_the_relay_with_both_kinds_of_syn_number() {
        let path = Path { delay: Duration::from_millis(20), loss_ppm: 10_000, ..Path::default() };
        let limit = Duration::from_secs(1);
        let plan = matrix().relayed(Relayed { bytes: 10, path, seed: 1, limit, with_ours: false });
        assert_eq!(plan.len(), 2 * 2 * (2 + 2 * 2));
        let mut seeds = Vec::new();
        for transfer in &plan {
            let impaired = transfer.impaired.as_ref().expect("goes through the relay");
            assert_eq!(impaired.name, "20ms+1%");
            seeds.push(impaired.impairment.seed);
            let any = transfer.syn_seq == SynSeq::Any;
            assert_eq!(any, !transfer.pair.client.takes_syn_seq);
        }
        seeds.dedup();
        assert_eq!(seeds.len(), plan.len(), "each has losses of its own");
    }
}
