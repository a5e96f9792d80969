//! What the network keeps of each link and each flow, made from what the scenario says of them.

use super::lie::Liar;
use crate::flow::Agent;
use crate::link::Link;
use crate::record::{FlowRecord, LinkRecord};
use crate::rng::{Stream, Streams};
use crate::scenario::{FlowKind, FlowSpec, LinkConfig, LinkSpec};
use crate::time::Ns;
use crate::trace::DropReason;

#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) link: Link,
    pub(super) record: LinkRecord,
}

#[derive(Debug)]
pub(super) struct FlowState {
    /// The links that packets to each host take, in order; at least one.
    pub(super) route: [Box<[u16]>; 2],
    pub(super) agent: Option<Agent>,
    /// Of a receiver that lies.
    pub(super) liar: Option<Liar>,
    /// The earliest timer event in the heap that still counts.
    pub(super) timer: Option<Ns>,
    pub(super) record: FlowRecord,
}

impl LinkState {
    pub(super) fn new(name: String, config: &LinkConfig, index: usize, streams: &Streams) -> Self {
        let record = LinkRecord { name, ..LinkRecord::default() };
        Self { link: Link::new(config, index, streams), record }
    }

    /// Counts a packet that is gone.
    pub(super) fn count(&mut self, reason: DropReason) {
        match reason {
            DropReason::Aqm | DropReason::QueueFull => self.record.dropped_packets += 1,
            DropReason::Corrupt
            | DropReason::Down
            | DropReason::Loss
            | DropReason::Mtu
            | DropReason::Nat
            | DropReason::Policer => self.record.lost_packets += 1,
        }
        *self.record.drops.entry(reason.name()).or_default() += 1;
    }
}

impl FlowState {
    pub(super) fn new(spec: &FlowSpec, start: Ns, route: [Box<[u16]>; 2], random: Stream) -> Self {
        let liar = match &spec.kind {
            FlowKind::Utp(utp) => utp.lie.map(Liar::new),
            _ => None,
        };
        let record = FlowRecord { name: spec.name.clone(), ..FlowRecord::default() };
        Self { route, agent: Agent::new(spec, start, random), liar, timer: None, record }
    }
}

/// The path of acknowledgments that name no link: nothing but the delays that the links of the
/// data have at the start.
pub(super) fn ideal(via: &[usize], links: &[LinkSpec]) -> LinkConfig {
    let delay = via.iter().fold(Ns::ZERO, |sum, &link| sum + links[link].config.delay);
    LinkConfig { delay, ..LinkConfig::default() }
}

pub(super) fn indices(links: &[usize]) -> Box<[u16]> {
    links.iter().map(|&link| index_u16(link)).collect()
}

pub(super) fn index_u16(index: usize) -> u16 {
    u16::try_from(index).expect("a scenario has fewer than 65536 links and flows")
}
