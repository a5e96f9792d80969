//! What a relay does to traffic, as links of the simulator's network model.

use std::time::Duration;

use utp_sim::network::Network;
use utp_sim::scenario::{
    Change, Controller, FlowKind, FlowSpec, LinkConfig, LinkSpec, LinkState, Scenario, UtpFlow,
    What,
};
use utp_sim::time::Ns;

/// The links on the way to the server and back, and when they are down.
///
/// ```
/// use std::time::Duration;
/// use utp_interop::relay::Conditions;
/// use utp_sim::scenario::{LinkConfig, Rate};
/// use utp_sim::time::Ns;
///
/// let link = LinkConfig {
///     rate: Rate::Constant(10_000_000),
///     delay: Ns::from_millis(10),
///     ..LinkConfig::default()
/// };
/// let second = Duration::from_secs(1);
/// let conditions = Conditions::symmetric(link).without_link(second, 5 * second);
/// assert_ne!(conditions, Conditions::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// What happens on the way to the server, by default nothing.
    pub to_server: LinkConfig,
    /// What happens on the way back.
    pub to_client: LinkConfig,
    /// When both links are down: since the first datagram, and for how long.
    pub outage: Option<(Duration, Duration)>,
    /// When a flow of TCP CUBIC to the client, which never ends, begins to share the links, since
    /// the first datagram.
    pub cubic: Option<Duration>,
}

impl Conditions {
    /// The same both ways, with losses that are independent.
    pub fn symmetric(link: LinkConfig) -> Self {
        Self { to_server: link.clone(), to_client: link, outage: None, cubic: None }
    }

    /// With both links down from `start` on, which counts from the first datagram, `span` long.
    #[must_use]
    pub fn without_link(self, start: Duration, span: Duration) -> Self {
        Self { outage: Some((start, span)), ..self }
    }

    /// Beside a flow of TCP CUBIC to the client, which begins at `start`, counted from the first
    /// datagram, and lives inside the network.
    #[must_use]
    pub fn with_cubic(self, start: Duration) -> Self {
        Self { cubic: Some(start), ..self }
    }

    /// A network of these two links with `flows` pairs of ports, whose random draws are those of
    /// `seed`.
    pub(super) fn network(&self, flows: u16, seed: u64) -> Network {
        let links = [("to-server", &self.to_server), ("to-client", &self.to_client)];
        let mut scenario = Scenario { seed, ..Scenario::default() };
        for (index, (name, config)) in links.into_iter().enumerate() {
            scenario.links.push(LinkSpec { name: name.into(), config: config.clone() });
            let Some((start, span)) = self.outage else { continue };
            for (at, state) in [(start, LinkState::Down), (start + span, config.state)] {
                let config = Box::new(LinkConfig { state, ..config.clone() });
                let what = What::Link { link: index, config };
                scenario.changes.push(Change { at: Ns::from_duration(at), what });
            }
        }
        scenario.changes.sort_by_key(|change| change.at);
        // The network only carries what comes from outside: the controller is never asked.
        let controller = Controller::named("libutp").expect("the laws have this name");
        let flow = |number| FlowSpec {
            name: format!("client-{number}"),
            kind: FlowKind::Utp(UtpFlow::new(controller.clone())),
            via: vec![0],
            back: Some(vec![1]),
            start: Ns::ZERO,
            start_jitter: Ns::ZERO,
            stop: None,
        };
        scenario.flows.extend((0..flows).map(flow));
        scenario.flows.extend(self.cubic.map(|start| FlowSpec {
            name: "cubic".into(),
            kind: FlowKind::Cubic { bytes: None },
            via: vec![1],
            back: Some(vec![0]),
            start: Ns::from_duration(start),
            ..flow(flows)
        }));
        Network::new(&scenario)
    }
}
