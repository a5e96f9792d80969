//! What the network keeps of each link and each flow, made from what the scenario says of them.

use crate::flow::Agent;
use crate::link::Link;
use crate::record::{FlowRecord, LinkRecord};
use crate::rng::{Stream, Streams};
use crate::scenario::model::{FlowSpec, LinkConfig};
use crate::time::Ns;

#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) link: Link,
    pub(super) delay: Ns,
    pub(super) record: LinkRecord,
}

#[derive(Debug)]
pub(super) struct FlowState {
    /// The link that packets to each host take.
    pub(super) route: [u16; 2],
    pub(super) agent: Option<Agent>,
    /// The earliest timer event in the heap that still counts.
    pub(super) timer: Option<Ns>,
    pub(super) record: FlowRecord,
}

impl LinkState {
    pub(super) fn new(name: String, config: &LinkConfig, index: usize, streams: &Streams) -> Self {
        let record = LinkRecord { name, ..LinkRecord::default() };
        Self { link: Link::new(config, index, streams), delay: config.delay, record }
    }
}

impl FlowState {
    pub(super) fn new(spec: &FlowSpec, start: Ns, route: [u16; 2], random: Stream) -> Self {
        let record = FlowRecord { name: spec.name.clone(), ..FlowRecord::default() };
        Self { route, agent: Agent::new(spec, start, random), timer: None, record }
    }
}

/// The path of acknowledgments that name no link: nothing but delay.
pub(super) fn ideal(delay: Ns) -> LinkConfig {
    LinkConfig { delay, ..LinkConfig::default() }
}

pub(super) fn index_u16(index: usize) -> u16 {
    u16::try_from(index).expect("a scenario has fewer than 65536 links and flows")
}
