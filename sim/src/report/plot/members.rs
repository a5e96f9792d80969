//! Which flows get a series of their own: each, or, when there are too many, each name of a kind.

use crate::scenario::{FlowKind, Scenario};

/// One or more flows that share a series.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// What a series over all of them is called.
    pub(super) name: String,
    /// What a series of the first of them is called.
    pub(super) first_name: String,
    /// Indices; not empty.
    pub(super) flows: Vec<usize>,
}

impl Member {
    pub(super) fn first(&self) -> usize {
        self.flows[0]
    }
}

/// The flows of a scenario of the kinds that are `shown`. When there are more than [`APART_MAX`],
/// those named `NAME-1`, `NAME-2` and so on are taken together.
pub(super) fn members(scenario: &Scenario, shown: impl Fn(&FlowKind) -> bool) -> Vec<Member> {
    let flows = scenario.flows.iter().enumerate().filter(|(_, flow)| shown(&flow.kind));
    let together = flows.clone().count() > APART_MAX;
    let mut members: Vec<(&str, Vec<usize>)> = Vec::new();
    for (index, flow) in flows {
        let name = if together { stem(&flow.name) } else { &flow.name };
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some((_, flows)) => flows.push(index),
            None => members.push((name, vec![index])),
        }
    }
    let named = members.into_iter().map(|(name, flows)| {
        let first = &scenario.flows[flows[0]].name;
        match flows.len() {
            1 => Member { name: first.clone(), first_name: first.clone(), flows },
            count => Member {
                name: format!("{name} ({count} flows)"),
                first_name: format!("{first} (of {count})"),
                flows,
            },
        }
    });
    named.collect()
}

/// A name without the number behind it.
fn stem(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((stem, number)) if number.bytes().all(|b| b.is_ascii_digit()) => stem,
        _ => name,
    }
}

/// Most flows that a plot can tell apart.
const APART_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::FlowSpec;
    use crate::time::Ns;

    fn scenario(names: impl Iterator<Item = String>) -> Scenario {
        let flow = |name| FlowSpec {
            name,
            kind: FlowKind::Reno { bytes: None },
            via: vec![0],
            back: None,
            start: Ns::ZERO,
            start_jitter: Ns::ZERO,
            stop: None,
        };
        Scenario { flows: names.map(flow).collect(), ..Scenario::default() }
    }

    #[test]
    fn up_to_twelve_flows_stand_for_themselves() {
        let scenario = scenario((1..=12).map(|n| format!("bulk-{n}")));
        assert_eq!(members(&scenario, |_| true).len(), 12);
    }

    #[test]
    fn more_flows_are_taken_together_by_name() {
        let bulk = (1..=100).map(|n| format!("bulk-{n}"));
        let scenario = scenario(bulk.chain(["web".to_owned()]));
        let members = members(&scenario, |_| true);
        assert_eq!(
            (&*members[0].name, &*members[0].first_name),
            ("bulk (100 flows)", "bulk-1 (of 100)")
        );
        assert_eq!((&*members[1].name, members[1].first()), ("web", 100));
    }
}
