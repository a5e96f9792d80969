//! When the scenario makes hosts crash, come back, stand still and go on.

use crate::packet::HostId;
use crate::scenario::{HostEvent, Scenario, Timers, What};
use crate::time::Ns;
use std::collections::VecDeque;

/// What is still to happen to the hosts, in order of time.
#[derive(Debug)]
pub(crate) struct Script(VecDeque<(Ns, HostId, HostEvent)>);

impl Script {
    /// The script of a scenario. While timers are tokio's it has their granularity, too: the
    /// turmoil engine can crash a host between two of its windows only.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let events = scenario.changes.iter().filter_map(|change| {
            let What::Host { host, event } = change.what else { return None };
            let is_for_engines = match event {
                HostEvent::ClockDrift(_) | HostEvent::ClockStep(_) => false,
                HostEvent::Crash | HostEvent::Pause | HostEvent::Restart | HostEvent::Resume => {
                    true
                }
            };
            let at = match scenario.timers {
                Timers::Exact => change.at,
                Timers::Tokio => Ns(change.at.0.div_ceil(TICK.0) * TICK.0),
            };
            is_for_engines.then_some((at, host, event))
        });
        Self(events.collect())
    }

    /// When something happens next, at the end of time if nothing does.
    pub(crate) fn next_at(&self) -> Ns {
        self.0.front().map_or(Ns(u64::MAX), |event| event.0)
    }

    /// What happens next, if it does so by `now`.
    pub(crate) fn next(&mut self, now: Ns) -> Option<(HostId, HostEvent)> {
        if self.next_at() > now {
            return None;
        }
        self.0.pop_front().map(|(_, host, event)| (host, event))
    }
}

/// The granularity of tokio's timers.
const TICK: Ns = Ns::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Change;

    #[test]
    fn events_of_hosts_come_in_order_and_on_the_edges_that_engines_share() {
        let change =
            |ns, event| Change { at: Ns(ns), what: What::Host { host: HostId::Right, event } };
        let changes = vec![
            change(1_500_000, HostEvent::Crash),
            change(1_600_000, HostEvent::ClockStep(1)),
            change(2_000_000, HostEvent::Restart),
        ];
        let mut scenario = Scenario { changes, ..Scenario::default() };
        let mut script = Script::new(&scenario);
        assert_eq!(script.next(Ns(1_999_999)), None);
        assert_eq!(script.next(Ns(2_000_000)), Some((HostId::Right, HostEvent::Crash)));
        assert_eq!(script.next_at(), Ns(2_000_000));
        assert_eq!(script.next(Ns(2_000_000)), Some((HostId::Right, HostEvent::Restart)));
        assert_eq!(script.next_at(), Ns(u64::MAX));
        scenario.timers = Timers::Exact;
        assert_eq!(Script::new(&scenario).next_at(), Ns(1_500_000));
    }
}
