//! Which engine can run which scenario.

use super::model::{Engine, FlowKind, FlowSpec, HostEvent, Scenario, Stack, Timers, What};
use crate::time::Ns;
use std::fmt;

/// Why an engine cannot run a scenario.
///
/// Shown as `key 'x': what is wrong, allowed: the values allowed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError {
    /// The table that has the key.
    pub(super) place: Place,
    /// The key.
    pub(super) key: &'static str,
    pub(super) problem: &'static str,
    pub(super) allowed: &'static str,
    /// Dotted name of the table; empty for the whole file.
    table: String,
}

/// A table of a scenario file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Of a change, by its index.
    Change(usize),
    /// Of a flow, by its index.
    Flow(usize),
    /// The file as a whole.
    General,
    /// Of a link, by its index.
    Link(usize),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.table.is_empty() { "" } else { "." };
        let Self { table, key, problem, allowed, .. } = self;
        write!(f, "key '{table}{dot}{key}': {problem}, allowed: {allowed}")
    }
}

impl std::error::Error for EngineError {}

impl Scenario {
    /// Whether `engine` can run the scenario, whatever its own `engine` says.
    ///
    /// # Errors
    ///
    /// The first thing that the engine cannot do. On turmoil these are exact timers, ends of flows
    /// that are libutp, paths between hosts whose last link takes less than 1 ms at any time, and
    /// pauses of a host; everything can run on the event engine.
    ///
    /// ```
    /// use utp_sim::scenario::{Engine, parse};
    ///
    /// let file = parse("lan.toml".as_ref(), r#"
    ///     summary  = "A transfer within a building."
    ///     duration = "10s"
    ///     engine   = "event"
    ///     [link.lan]
    ///     delay = "100us"
    ///     [[flow]]
    ///     name = "copy"
    ///     kind = "utp"
    ///     via  = "lan"
    /// "#)?;
    /// assert!(file.variants[0].check_engine(Engine::Event).is_ok());
    /// let error = file.variants[0].check_engine(Engine::Turmoil).expect_err("too short");
    /// assert!(error.to_string().starts_with("key 'link.lan.delay': "));
    /// # Ok::<(), utp_sim::scenario::LoadError>(())
    /// ```
    pub fn check_engine(&self, engine: Engine) -> Result<(), EngineError> {
        if engine == Engine::Event {
            return Ok(());
        }
        if self.timers == Timers::Exact {
            return Err(EngineError {
                place: Place::General,
                key: "timers",
                problem: "the timers of the turmoil engine are tokio's",
                allowed: "\"tokio\", or engine = \"event\"",
                table: String::new(),
            });
        }
        for (index, flow) in self.flows.iter().enumerate() {
            let FlowKind::Utp(utp) = &flow.kind else { continue };
            let ends = [("sender", utp.sender), ("receiver", utp.receiver)];
            if let Some((key, _)) = ends.into_iter().find(|(_, stack)| *stack == Stack::Libutp) {
                return Err(EngineError {
                    place: Place::Flow(index),
                    key,
                    problem: "the turmoil engine runs the shipped adapter, which is ours",
                    allowed: "\"ours\", or engine = \"event\"",
                    table: format!("flow.{}", flow.name),
                });
            }
        }
        for (index, link) in self.links.iter().enumerate() {
            if link.config.delay < TICK && self.ends_path_between_hosts(index) {
                return Err(too_short(Place::Link(index), format!("link.{}", link.name)));
            }
        }
        for (index, change) in self.changes.iter().enumerate() {
            let place = Place::Change(index);
            match &change.what {
                What::Link { link, config }
                    if config.delay < TICK && self.ends_path_between_hosts(*link) =>
                {
                    return Err(too_short(place, "at".to_owned()));
                }
                What::Host { event: HostEvent::Pause | HostEvent::Resume, .. } => {
                    return Err(EngineError {
                        place,
                        key: "event",
                        problem: "the turmoil engine cannot let a host stand still",
                        allowed: "\"crash\", \"restart\", or engine = \"event\"",
                        table: "at".to_owned(),
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a link is the last one before a host with a transport of its own.
    fn ends_path_between_hosts(&self, link: usize) -> bool {
        let ends = |flow: &FlowSpec| {
            let back = flow.back.as_ref().and_then(|back| back.last());
            matches!(flow.kind, FlowKind::Utp(_))
                && [flow.via.last(), back].into_iter().flatten().any(|last| *last == link)
        };
        self.flows.iter().any(ends)
    }
}

fn too_short(place: Place, table: String) -> EngineError {
    EngineError {
        place,
        key: "delay",
        problem: "too short for the last link of a path between hosts",
        allowed: "at least \"1ms\" on the turmoil engine, or engine = \"event\"",
        table,
    }
}

/// A host of the turmoil engine runs for this long before the next one does.
const TICK: Ns = Ns::from_millis(1);
