//! What happens during the run: `[[at]]` tables and the schedules of rates, in order of time.

use super::flows::Group;
use super::links::{self, Link};
use super::rate::{RateSpec, STEPS_MAX};
use crate::packet::HostId;
use crate::scenario::error::LoadError;
use crate::scenario::keys::general::{self as keys, Event};
use crate::scenario::keys::link::LINK;
use crate::scenario::read::{Section, Value};
use crate::scenario::units::format_duration;
use crate::scenario::{Change, FlowEvent, HostEvent, LinkConfig, Rate, What};
use crate::time::Ns;

/// What changes can be about.
pub(super) struct Subjects<'a, 'b> {
    pub(super) links: &'b [Link<'a>],
    pub(super) groups: &'b [Group<'a>],
    /// The names of all flows by index.
    pub(super) flows: Vec<&'b str>,
    /// Whether the changes are those of the variant and not of the base.
    pub(super) own: bool,
    pub(super) duration: Ns,
}

/// A change, and the table of the file that asks for it.
pub(super) type Origin<'a> = (Change, Section<'a>);

/// All changes in order of time; at one time the steps of schedules first, then as in the file.
pub(super) fn changes<'a>(
    general: &Section<'a>,
    subjects: &Subjects<'a, '_>,
) -> Result<Vec<Origin<'a>>, LoadError> {
    let mut tables = Vec::new();
    let given = general.array("at")?;
    if given.len() > TABLES_MAX {
        let allowed = format!("at most {TABLES_MAX}, and schedules or traces for rates");
        return Err(general.conflict(&["at"], "too many tables", &allowed));
    }
    for section in given {
        let at = section.need(&keys::TIME)?;
        if at >= subjects.duration {
            let allowed = format!("before {:?}", format_duration(subjects.duration));
            return Err(section.conflict(&["time"], "it happens after the run", &allowed));
        }
        tables.push((at, section));
    }
    tables.sort_by_key(|(at, _)| *at);
    let mut of_links: Vec<Vec<Entry<'a>>> = vec![Vec::new(); subjects.links.len()];
    let mut hosts = [HostState::Up; 2];
    let mut changes = Vec::new();
    for (order, (at, section)) in (1..).zip(tables) {
        match subject(&section)? {
            Subject::Link(value) => {
                let allowed = &[keys::AT_TIME, keys::AT_LINK, LINK];
                section.allow_only(allowed, "not a key of a link's change")?;
                of_links[subjects.link(&value)?].push(Entry { at, order, section });
            }
            Subject::Host(host) => {
                let allowed = &[keys::AT_TIME, keys::AT_HOST];
                section.allow_only(allowed, "not a key of a host's change")?;
                let event = host_event(&section, &mut hosts[host.index()])?;
                changes.push((order, (Change { at, what: What::Host { host, event } }, section)));
            }
            Subject::Flow(value) => {
                let allowed = &[keys::AT_TIME, keys::AT_FLOW];
                section.allow_only(allowed, "not a key of a flow's change")?;
                let event = flow_event(&section)?;
                for flow in subjects.flows(&value)? {
                    let change = Change { at, what: What::Flow { flow, event } };
                    changes.push((order, (change, section.clone())));
                }
            }
        }
    }
    for (index, (link, entries)) in subjects.links.iter().zip(of_links).enumerate() {
        changes.extend(of_link(index, link, entries, subjects.duration)?);
    }
    changes.sort_by_key(|(order, (change, _))| (change.at, *order));
    if changes.len() > CHANGES_MAX {
        let problem = format!("{} changes", changes.len());
        return Err(general.conflict(&["at"], &problem, &format!("at most {CHANGES_MAX}")));
    }
    Ok(changes.into_iter().map(|(_, change)| change).collect())
}

enum Subject<'a> {
    Flow(Value<'a>),
    Host(HostId),
    Link(Value<'a>),
}

fn subject<'a>(section: &Section<'a>) -> Result<Subject<'a>, LoadError> {
    let link = section.value(&keys::AT_LINK_NAME);
    let host = section.value(&keys::AT_HOST_NAME);
    let flow = section.value(&keys::AT_FLOW_NAME);
    match (link, host, flow) {
        (Some(link), None, None) => Ok(Subject::Link(link)),
        (None, Some(_), None) => Ok(Subject::Host(section.need(&keys::AT_HOST_NAME)?)),
        (None, None, Some(flow)) => Ok(Subject::Flow(flow)),
        (None, None, None) => Err(section.error("nothing changes", "a link, a host or a flow")),
        _ => Err(section.error("a change of more than one", "either a link, a host or a flow")),
    }
}

impl Subjects<'_, '_> {
    fn link(&self, value: &Value<'_>) -> Result<usize, LoadError> {
        let given = value.string()?;
        let index = self.links.iter().position(|link| link.name == given);
        index.ok_or_else(|| value.unknown("no such link", self.links.iter().map(|link| link.name)))
    }

    /// The indices of the flows of that name, none when the variant has left them out or made them
    /// something else.
    fn flows(&self, value: &Value<'_>) -> Result<Vec<usize>, LoadError> {
        let given = value.string()?;
        let one = self.flows.iter().position(|name| *name == given);
        let group = self.groups.iter().find(|group| match one {
            Some(flow) => group.flows.contains(&flow),
            None => group.name == given || (group.flows.is_empty() && numbered(given, group.name)),
        });
        let Some(group) = group else {
            return Err(value.unknown("no such flow", self.groups.iter().map(|group| group.name)));
        };
        if group.is_utp {
            return Ok(one.map_or_else(|| group.flows.clone().collect(), |flow| vec![flow]));
        }
        if group.was_utp && !self.own {
            return Ok(Vec::new());
        }
        let utp = self.groups.iter().filter(|group| group.is_utp).map(|group| group.name);
        Err(value.unknown("not a utp flow of this scenario", utp.collect::<Vec<_>>()))
    }
}

/// Whether a name is one that a `count` makes of `group`.
fn numbered(name: &str, group: &str) -> bool {
    let number = name.strip_prefix(group).and_then(|rest| rest.strip_prefix('-'));
    number.is_some_and(|number| number.parse::<u16>().is_ok())
}

/// A table about a link, and its place among all of the file.
#[derive(Clone)]
struct Entry<'a> {
    at: Ns,
    order: usize,
    section: Section<'a>,
}

/// How one link changes as the run goes on: what a table says lies over the link as it then is.
fn of_link<'a>(
    index: usize,
    link: &Link<'a>,
    entries: Vec<Entry<'a>>,
    duration: Ns,
) -> Result<Vec<(usize, Origin<'a>)>, LoadError> {
    let mut changes = Vec::new();
    let mut now = link.start.config.clone();
    let mut section = link.section.clone();
    let mut steps = steps(&link.start.rate, Ns::ZERO, duration, &section)?;
    let change = |at, config: &LinkConfig| Change {
        at,
        what: What::Link { link: index, config: Box::new(config.clone()) },
    };
    for Entry { at, order, section: over } in entries {
        while let Some((step_at, rate)) = steps.next_if(|(step_at, _)| *step_at <= at) {
            now.rate = rate;
            changes.push((0, (change(step_at, &now), section.clone())));
        }
        if LINK.iter().all(|key| !over.has(key.name())) {
            return Err(over.error("nothing changes", "at least one key of a link"));
        }
        section = section.overlaid(&over);
        let next = links::link(&section)?;
        // A rate that this table does not speak of is the one that a schedule has come to.
        let rate = if over.has("rate") { next.config.rate } else { now.rate };
        if over.has("rate") {
            steps = self::steps(&next.rate, at, duration, &section)?;
        }
        now = LinkConfig { rate, ..next.config };
        changes.push((order, (change(at, &now), over)));
    }
    for (step_at, rate) in steps {
        now.rate = rate;
        changes.push((0, (change(step_at, &now), section.clone())));
    }
    Ok(changes)
}

type Steps = std::iter::Peekable<std::vec::IntoIter<(Ns, Rate)>>;

/// The steps of a schedule that is set at `since`, up to the end of the run.
fn steps(
    rate: &RateSpec,
    since: Ns,
    duration: Ns,
    section: &Section<'_>,
) -> Result<Steps, LoadError> {
    let steps = rate.steps(duration - since).ok_or_else(|| {
        let allowed = format!("at most {STEPS_MAX} steps in a run, or a trace");
        section.conflict(&["rate"], "a schedule with too many steps", &allowed)
    })?;
    let absolute = |(at, rate): (Ns, Rate)| (since + at, rate);
    Ok(steps.into_iter().map(absolute).collect::<Vec<_>>().into_iter().peekable())
}

/// Whether a host runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HostState {
    Crashed,
    Paused,
    Up,
}

fn host_event(section: &Section<'_>, state: &mut HostState) -> Result<HostEvent, LoadError> {
    let event =
        section.get(&keys::EVENT)?.map(|event| happen(section, event, state)).transpose()?;
    let step = section.get(&keys::CLOCK_STEP)?.map(HostEvent::ClockStep);
    let drift = section.get(&keys::AT_CLOCK_DRIFT)?.map(HostEvent::ClockDrift);
    only([event, step, drift]).ok_or_else(|| {
        let allowed = "exactly one of event, clock_step and clock_drift; more at one time in more \
                       [[at]] tables";
        section.error("not one thing that happens to a host", allowed)
    })
}

/// Checks that what happens can happen to a host in this state.
fn happen(
    section: &Section<'_>,
    event: Event,
    state: &mut HostState,
) -> Result<HostEvent, LoadError> {
    let (before, after, happens) = match event {
        Event::Crash => (HostState::Up, HostState::Crashed, HostEvent::Crash),
        Event::Pause => (HostState::Up, HostState::Paused, HostEvent::Pause),
        Event::Restart => (HostState::Crashed, HostState::Up, HostEvent::Restart),
        Event::Resume => (HostState::Paused, HostState::Up, HostEvent::Resume),
    };
    if *state == before {
        *state = after;
        return Ok(happens);
    }
    let (problem, allowed) = match state {
        HostState::Crashed => ("the host has crashed by then", "\"restart\""),
        HostState::Paused => ("the host is paused by then", "\"resume\""),
        HostState::Up => ("the host is up by then", "\"crash\", \"pause\""),
    };
    Err(section.conflict(&["event"], problem, allowed))
}

fn flow_event(section: &Section<'_>) -> Result<FlowEvent, LoadError> {
    let rebind = section.get(&keys::NAT_REBIND)?.map(|()| FlowEvent::NatRebind);
    let read = section.get(&keys::AT_READ_RATE)?.map(FlowEvent::ReadRate);
    let write = section.get(&keys::AT_WRITE_RATE)?.map(FlowEvent::WriteRate);
    only([rebind, read, write]).ok_or_else(|| {
        let allowed = "exactly one of nat_rebind, read_rate and write_rate; more at one time in \
                       more [[at]] tables";
        section.error("not one thing that happens to a flow", allowed)
    })
}

/// The one that is there, if it is the only one.
fn only<T>(choices: [Option<T>; 3]) -> Option<T> {
    let mut given = choices.into_iter().flatten();
    given.next().filter(|_| given.next().is_none())
}

/// Each lies over all before it.
const TABLES_MAX: usize = 1_000;

/// Every change is held in memory with the whole link that it leads to.
const CHANGES_MAX: usize = 100_000;
