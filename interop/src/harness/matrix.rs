//! Plans the transfers of every pair.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use utp_reference::SynSeq;

use super::namespaces::Namespaces;
use super::{Direction, Family, Impairment, Pair, Shims, Transfer, Via};
use crate::relay::Conditions;
use crate::shim::pattern_sha256;

/// Which pairs, families and directions to cover.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Who connects to whom.
    pub pairs: Vec<Pair>,
    /// Over which versions of IP.
    pub families: Vec<Family>,
    /// Who sends; either side where ours takes part, and the client elsewhere, if none is named.
    pub directions: Vec<Direction>,
    /// Kernel buffers of the UDP sockets.
    pub udp_buffer: usize,
}

/// Transfers with one thing in between.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What lies in between.
    pub impairment: Impairment,
    /// How much each sends.
    pub bytes: u64,
    /// How often each runs.
    pub rounds: u32,
    /// Whether transfers that cross no relay run once more through one that does nothing, to be
    /// looked at.
    pub look: bool,
    /// Decides what is lost; each transfer has losses of its own.
    pub seed: u64,
    /// Where the hosts of the small path are.
    pub namespaces: Option<Arc<Namespaces>>,
    /// Where captures of all that crosses a relay go, if they are asked for.
    pub pcap: Option<PathBuf>,
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

    /// The transfers of a plan. All pairs of a family and direction take turns, so that whatever
    /// else the machine does meets them alike; each round starts with another pair.
    ///
    /// A client that takes it connects with a SYN number below 0x8000, and where packets are lost
    /// once more with one above, because libutp mends losses in another way then.
    pub fn transfers(&self, plan: &Plan) -> Vec<Transfer> {
        let sha256 = pattern_sha256(STREAM_SEED, plan.bytes);
        let mut transfers = Vec::new();
        for &family in &self.families {
            for direction in [Direction::ClientSends, Direction::ServerSends] {
                let pairs: Vec<Pair> =
                    self.pairs.iter().copied().filter(|pair| self.sends(pair, direction)).collect();
                for round in u32::from(!plan.look)..=plan.rounds {
                    let first = round.saturating_sub(1) as usize % pairs.len().max(1);
                    for &pair in pairs[first..].iter().chain(&pairs[..first]) {
                        for &syn_seq in syn_seqs(pair, plan.impairment) {
                            let seed = plan.seed.wrapping_add(transfers.len() as u64);
                            let Some(via) = plan.via(round, seed) else { continue };
                            transfers.push(Transfer {
                                pair,
                                family,
                                direction,
                                bytes: plan.bytes,
                                seed: STREAM_SEED,
                                sha256: sha256.clone(),
                                impairment: plan.impairment,
                                via,
                                syn_seq,
                                udp_buffer: self.udp_buffer,
                                limit: plan.limit(),
                                round,
                                pcap: plan.pcap.clone(),
                            });
                        }
                    }
                }
            }
        }
        transfers
    }

    fn sends(&self, pair: &Pair, direction: Direction) -> bool {
        match &self.directions[..] {
            [] => pair.has_ours() || direction == Direction::ClientSends,
            directions => directions.contains(&direction),
        }
    }
}

impl Plan {
    /// How long a transfer may take. Where nothing is lost and nothing limits the rate, a stack
    /// that works is done in a few seconds.
    const fn limit(&self) -> Duration {
        match self.impairment {
            Impairment::Clean | Impairment::SmallPath => LIMIT_UNIMPAIRED,
            _ => LIMIT,
        }
    }

    /// What a transfer goes through, none if there is no such thing. Those of round 0 are looked
    /// at, for which a relay has to be in between.
    fn via(&self, round: u32, seed: u64) -> Option<Via> {
        if let Some(conditions) = self.impairment.conditions() {
            let conditions = Box::new(conditions);
            return (round > 0).then_some(Via::Relay { conditions, seed });
        }
        match (self.impairment, &self.namespaces) {
            (Impairment::SmallPath, namespaces) => {
                (round > 0).then(|| namespaces.clone().map(Via::Namespaces)).flatten()
            }
            _ if round == 0 => {
                let conditions = Box::new(Conditions::default());
                Some(Via::Relay { conditions, seed })
            }
            _ => Some(Via::Loopback),
        }
    }
}

const fn syn_seqs(pair: Pair, impairment: Impairment) -> &'static [SynSeq] {
    match (pair.client.takes_syn_seq, impairment) {
        (false, _) => &[SynSeq::Any],
        (true, Impairment::Loss) => &[SynSeq::Below, SynSeq::Above],
        (true, _) => &[SynSeq::Below],
    }
}

/// Which stream is sent: the same in all transfers, so that its digest is taken once.
const STREAM_SEED: u64 = 1;

/// libutp without its fast retransmit waits a second for every loss.
const LIMIT: Duration = Duration::from_secs(120);

/// Five times what the slowest stack that works takes.
const LIMIT_UNIMPAIRED: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::STACKS;

    fn matrix() -> Matrix {
        Matrix {
            pairs: Pair::all_of(&STACKS[..2]),
            families: vec![Family::V4, Family::V6],
            directions: Vec::new(),
            udp_buffer: 4 << 20,
        }
    }

    fn plan(impairment: Impairment) -> Plan {
        Plan {
            impairment,
            bytes: 10,
            rounds: 3,
            look: false,
            seed: 1,
            namespaces: None,
            pcap: None,
        }
    }

    #[test]
    fn every_pair_takes_its_turn_in_every_round() {
        let plan = matrix().transfers(&plan(Impairment::Clean));
        // Four pairs one way and three the other, three times, over both families.
        assert_eq!(plan.len(), 2 * 3 * (4 + 3));
        let firsts: Vec<String> =
            plan[..12].iter().step_by(4).map(|transfer| transfer.pair.to_string()).collect();
        assert_ne!(firsts[0], firsts[1], "rounds start with different pairs");
        for pair in matrix().pairs {
            let directions = if pair.has_ours() { 2 } else { 1 };
            let planned = plan.iter().filter(|transfer| transfer.pair == pair).count();
            assert_eq!(planned, 2 * 3 * directions);
        }
        assert!(plan.iter().all(|transfer| matches!(transfer.via, Via::Loopback)));
    }

    #[test]
    fn a_libutp_client_meets_losses_with_both_kinds_of_syn_number() {
        let plan = matrix().transfers(&plan(Impairment::Loss));
        assert_eq!(plan.len(), 2 * 3 * (4 + 2 + 3 + 1));
        let mut seeds = Vec::new();
        for transfer in &plan {
            let Via::Relay { conditions, seed } = &transfer.via else { panic!("no relay") };
            assert_eq!(Some(&**conditions), Impairment::Loss.conditions().as_ref());
            seeds.push(*seed);
            let any = transfer.syn_seq == SynSeq::Any;
            assert_eq!(any, !transfer.pair.client.takes_syn_seq);
        }
        seeds.dedup();
        assert_eq!(seeds.len(), plan.len(), "each has losses of its own");
    }

    #[test]
    fn what_crosses_no_relay_is_looked_at_once_through_one() {
        let plan = Plan { look: true, ..plan(Impairment::Clean) };
        let transfers = matrix().transfers(&plan);
        let (looks, runs): (Vec<_>, Vec<_>) =
            transfers.iter().partition(|transfer| transfer.round == 0);
        assert_eq!((looks.len(), runs.len()), (2 * 7, 2 * 3 * 7));
        let idle = |transfer: &&Transfer| {
            matches!(&transfer.via, Via::Relay { conditions, .. }
                if **conditions == Conditions::default())
        };
        assert!(looks.iter().all(idle));
        // A relay is in between anyway, or cannot be.
        for impairment in [Impairment::Loss, Impairment::SmallPath] {
            let plan = Plan { impairment, ..plan.clone() };
            assert!(matrix().transfers(&plan).iter().all(|transfer| transfer.round > 0));
        }
    }

    #[test]
    fn without_namespaces_there_is_no_small_path() {
        assert!(matrix().transfers(&plan(Impairment::SmallPath)).is_empty());
    }
}
