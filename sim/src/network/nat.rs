//! The middlebox in front of the left host: which port the right host sees a flow come from.
//!
//! The scenario says beforehand when mappings are forgotten, so that the network can tell at the
//! moment a datagram is announced whether the mapping it was sent to still holds when it arrives.

use crate::packet::HostId;
use crate::scenario::{Change, FlowEvent, What};
use crate::time::Ns;

/// The mappings of all flows, over the whole run.
#[derive(Debug)]
pub(super) struct Nat {
    /// Of each flow the later mappings, by time; before the first, the port is the host's own.
    rebinds: Vec<Vec<(Ns, u16)>>,
}

impl Nat {
    pub(super) fn new(flows: usize, changes: &[Change]) -> Self {
        let mut rebinds = vec![Vec::new(); flows];
        let mut port = FIRST_PORT;
        for change in changes {
            if let What::Flow { flow, event: FlowEvent::NatRebind } = change.what {
                rebinds[flow].push((change.at, port));
                port = port.checked_add(1).unwrap_or(FIRST_PORT);
            }
        }
        Self { rebinds }
    }

    /// The port that the right host sees what `flow` sends at `at` come from.
    pub(super) fn outside(&self, flow: u16, at: Ns) -> u16 {
        let rebinds = &self.rebinds[usize::from(flow)];
        let latest = rebinds.iter().rfind(|rebind| rebind.0 <= at);
        latest.map_or_else(|| HostId::Left.port(flow), |rebind| rebind.1)
    }

    /// Whether `port` is or was or will be one of the flow's.
    pub(super) fn knows(&self, flow: u16, port: u16) -> bool {
        port == HostId::Left.port(flow)
            || self.rebinds[usize::from(flow)].iter().any(|rebind| rebind.1 == port)
    }
}

/// Above those of the hosts.
const FIRST_PORT: u16 = 40_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rebind_gives_a_port_of_its_own() {
        let rebind = |at, flow| Change {
            at: Ns(at),
            what: What::Flow { flow, event: FlowEvent::NatRebind },
        };
        let nat = Nat::new(2, &[rebind(10, 0), rebind(20, 1), rebind(30, 0)]);
        let seen = [9, 10, 29, 30].map(|at| nat.outside(0, Ns(at)));
        assert_eq!(seen, [10_000, 40_000, 40_000, 40_002]);
        assert_eq!([19, 20].map(|at| nat.outside(1, Ns(at))), [10_001, 40_001]);
        assert!([10_000, 40_000, 40_002].iter().all(|&port| nat.knows(0, port)));
        assert!(!nat.knows(0, 40_001) && !nat.knows(0, 10_001));
    }
}
