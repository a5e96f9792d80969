//! What the tables of flows say, and which of them a variant has.

use super::links::Link;
use crate::packet::FLOWS_MAX;
use crate::scenario::error::{LoadError, nearest};
use crate::scenario::keys::flow as keys;
use crate::scenario::keys::flow::Kind;
use crate::scenario::keys::kinds::Choice;
use crate::scenario::keys::{Key, general};
use crate::scenario::read::{Section, Value};
use crate::scenario::units::format_duration;
use crate::scenario::{Controller, FlowKind, FlowSpec, Lie, Stack, UtpFlow};
use crate::time::Ns;
use std::collections::BTreeSet;
use std::ops::Range;
use utp_ledbat::CONTROLLER_NAMES;

/// One `[[flow]]` of the file, which may stand for many flows.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    /// Indices of its flows; empty when the variant leaves them out.
    pub(super) flows: Range<usize>,
    /// Whether they are of kind utp.
    pub(super) is_utp: bool,
    /// Whether they are in the base scenario.
    pub(super) was_utp: bool,
    pub(super) section: Section<'a>,
}

/// The flows in the order of the file, and the tables that they come from.
pub(super) fn flows<'a>(
    general: &Section<'a>,
    links: &[Link<'_>],
    duration: Ns,
) -> Result<(Vec<FlowSpec>, Vec<Group<'a>>), LoadError> {
    let mut layers = general.layers();
    let base = layers.next().map_or_else(|| Ok(Vec::new()), |base| base.array("flow"))?;
    let mut sections = Vec::new();
    for section in base {
        let value = section.need_value(&keys::NAME)?;
        let name = value.name()?;
        if sections.iter().any(|(known, _)| *known == name) {
            return Err(value.error("a second flow of this name", "a name of its own"));
        }
        sections.push((name, section.renamed(&format!("flow.{name}"))));
    }
    let names: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
    let left_out = left_out(general, &names)?;
    let was_utp: Vec<bool> = sections
        .iter()
        .map(|(_, section)| Ok(section.need(&keys::KIND)? == Kind::Utp))
        .collect::<Result<_, LoadError>>()?;
    for layer in layers {
        for (name, over) in layer.tables("flow")? {
            let Some((_, section)) = sections.iter_mut().find(|(known, _)| *known == name) else {
                return Err(over.unknown_name("no such flow", name, names.iter().copied()));
            };
            if let Some(value) = left_out.iter().find(|value| value.string() == Ok(name)) {
                let problem = "this variant also changes the flow";
                return Err(value.error(problem, "either, not both"));
            }
            *section = section.clone().overlaid(&over);
        }
    }
    let mut specs = Vec::new();
    let mut groups = Vec::new();
    for ((name, section), was_utp) in sections.into_iter().zip(was_utp) {
        let first = specs.len();
        if !left_out.iter().any(|value| value.string() == Ok(name)) {
            specs.extend(expanded(&section, name, links, duration)?);
        }
        let flows = first..specs.len();
        let is_utp = specs[flows.clone()].iter().any(|s| matches!(s.kind, FlowKind::Utp(_)));
        groups.push(Group { name, flows, is_utp, was_utp, section });
    }
    check_all(general, &specs)?;
    Ok((specs, groups))
}

/// What a variant says it goes without.
fn left_out<'a>(general: &Section<'a>, names: &[&str]) -> Result<Vec<Value<'a>>, LoadError> {
    let Some(value) = general.value(&general::WITHOUT) else { return Ok(Vec::new()) };
    let left_out: Vec<Value<'a>> = value.elements("names of flows in [ ]")?.collect();
    for value in &left_out {
        if !names.contains(&value.string()?) {
            return Err(value.unknown("no such flow", names.iter().copied()));
        }
    }
    Ok(left_out)
}

/// What holds of all flows together.
fn check_all(general: &Section<'_>, specs: &[FlowSpec]) -> Result<(), LoadError> {
    if specs.is_empty() {
        return Err(general.error("no flow", "at least one [[flow]]"));
    }
    if specs.len() > usize::from(FLOWS_MAX) {
        let problem = format!("{} flows, more than there are ports for", specs.len());
        return Err(general.conflict(&["flow"], &problem, &format!("at most {FLOWS_MAX}")));
    }
    let mut names = BTreeSet::new();
    match specs.iter().find(|spec| !names.insert(&spec.name)) {
        Some(twice) => {
            let problem = format!("two flows are called {:?}", twice.name);
            let allowed = "other names beside those that a 'count' makes";
            Err(general.conflict(&["flow"], &problem, allowed))
        }
        None => Ok(()),
    }
}

/// The flow of a table, or the flows with a `count`.
fn expanded(
    section: &Section<'_>,
    name: &str,
    links: &[Link<'_>],
    duration: Ns,
) -> Result<Vec<FlowSpec>, LoadError> {
    let kind = section.need(&keys::KIND)?;
    // A variant may change the kind: keys of the base that the new kind has no use for are ignored.
    let article = if kind == Kind::OnOff { "an" } else { "a" };
    let problem = format!("not a key of {article} {} flow", kind.name());
    section.allow_only_since(keys::KIND.name, &[keys::FLOW, kind.keys()], &problem)?;
    let count = section.get(&keys::COUNT)?;
    let stagger = section.need(&keys::STAGGER)?;
    if let (None, Some(value)) = (count, section.value(&keys::STAGGER)) {
        return Err(value.error("one flow has nothing to be staggered against", "a count as well"));
    }
    let last = stagger.0.saturating_mul(count.unwrap_or(1) - 1);
    let (start, start_jitter, stop) = span(section, duration, Ns(last))?;
    let first = FlowSpec {
        name: name.to_owned(),
        kind: flow_kind(section, kind)?,
        via: path(&section.need_value(&keys::VIA)?, links)?,
        back: section.value(&keys::BACK).map(|value| path(&value, links)).transpose()?,
        start,
        start_jitter,
        stop,
    };
    let Some(count) = count else { return Ok(vec![first]) };
    let one = |number: u64| FlowSpec {
        name: format!("{name}-{number}"),
        start: Ns(start.0 + stagger.0 * (number - 1)),
        ..first.clone()
    };
    Ok((1..=count).map(one).collect())
}

fn flow_kind(section: &Section<'_>, kind: Kind) -> Result<FlowKind, LoadError> {
    Ok(match kind {
        Kind::Utp => {
            let sender = stack(section, &keys::SENDER)?;
            FlowKind::Utp(UtpFlow {
                sender,
                receiver: stack(section, &keys::RECEIVER)?,
                controller: controller(section, sender)?,
                bytes: section.get(&keys::BYTES)?,
                write_rate_bps: section.need(&keys::WRITE_RATE)?,
                read_rate_bps: section.need(&keys::READ_RATE)?,
                lie: section.value(&keys::LIE).map(|value| lie(&value)).transpose()?,
            })
        }
        Kind::Reno => FlowKind::Reno { bytes: section.get(&keys::BYTES)? },
        Kind::Cubic => FlowKind::Cubic { bytes: section.get(&keys::BYTES)? },
        Kind::Cbr => {
            let (rate_bps, interval) = packets(section)?;
            FlowKind::Cbr { rate_bps, interval }
        }
        Kind::OnOff => {
            let (rate_bps, interval) = packets(section)?;
            let (on, off) = (section.need(&keys::ON)?, section.need(&keys::OFF)?);
            if on < interval {
                let problem = "a burst without a packet";
                return Err(section.conflict(&["on"], problem, "at least the interval"));
            }
            FlowKind::OnOff { rate_bps, interval, on, off, random: section.need(&keys::RANDOM)? }
        }
        Kind::RequestResponse => FlowKind::RequestResponse {
            request_bytes: section.need(&keys::REQUEST_BYTES)?,
            response_bytes: section.need(&keys::RESPONSE_BYTES)?,
            think: section.need(&keys::THINK)?,
        },
        Kind::Quic if cfg!(feature = "quic") => FlowKind::Quic {
            controller: section.need(&keys::QUIC_CONTROLLER)?,
            bytes: section.get(&keys::BYTES)?,
        },
        Kind::Quic => {
            let problem = "this build has no QUIC stack";
            let allowed = "a build with the feature 'quic', or another kind";
            return Err(section.conflict(&["kind"], problem, allowed));
        }
    })
}

/// The indices of the links of a path.
fn path(value: &Value<'_>, links: &[Link<'_>]) -> Result<Vec<usize>, LoadError> {
    if !value.is_array() {
        return Ok(vec![link_index(value, links)?]);
    }
    let mut path = Vec::new();
    for element in value.elements("names of links in [ ]")? {
        let index = link_index(&element, links)?;
        if path.contains(&index) {
            return Err(element.error("a path that goes in a circle", "each link once"));
        }
        if path.len() == HOPS_MAX {
            return Err(element.error("too long a path", &format!("at most {HOPS_MAX} links")));
        }
        path.push(index);
    }
    if path.is_empty() {
        return Err(value.error("a path without a link", "at least one link"));
    }
    Ok(path)
}

fn link_index(value: &Value<'_>, links: &[Link<'_>]) -> Result<usize, LoadError> {
    let given = value.string()?;
    let index = links.iter().position(|link| link.name == given);
    index.ok_or_else(|| value.unknown("no such link", links.iter().map(|link| link.name)))
}

/// The implementation at one end.
fn stack(section: &Section<'_>, key: &Key<Choice<Stack>>) -> Result<Stack, LoadError> {
    let stack = section.need(key)?;
    if stack == Stack::Libutp && !cfg!(feature = "reference") {
        let allowed = "a build with the feature 'reference', or \"ours\"";
        return Err(section.conflict(&[key.name], "this build has no libutp", allowed));
    }
    Ok(stack)
}

fn controller(section: &Section<'_>, sender: Stack) -> Result<Controller, LoadError> {
    if sender == Stack::Libutp {
        // A variant may change the sender: what the base says of its controller is ignored.
        let problem = "libutp has a congestion controller of its own";
        let allowed = [keys::FLOW, keys::UTP_BY_LIBUTP];
        section.allow_only_since(keys::SENDER.name, &allowed, problem)?;
        return Ok(Controller::named("libutp").expect("its law is one of ours"));
    }
    let value = section.value(&keys::CONTROLLER);
    let name = value.as_ref().map_or(Ok(CONTROLLER_NAMES[0]), Value::string)?;
    let controller = Controller::named(name).ok_or_else(|| {
        let names = CONTROLLER_NAMES.map(|name| format!("{name:?}")).join(", ");
        let allowed = format!("{names}, or \"fixed:N\" for a window of N bytes");
        LoadError {
            suggestion: nearest(name, CONTROLLER_NAMES).map(Box::from),
            ..section.conflict(&["controller"], "no such controller", &allowed)
        }
    })?;
    let Some(target) = section.get(&keys::TARGET)? else { return Ok(controller) };
    let target_us = u32::try_from(target.0 / 1_000).expect("its range fits in 32 bits");
    controller.with_target_us(target_us).ok_or_else(|| {
        let problem = "the target of this controller cannot be chosen";
        let allowed = "another controller, such as \"rfc6817\", or no target";
        section.conflict(&["target"], problem, allowed)
    })
}

fn lie(value: &Value<'_>) -> Result<Lie, LoadError> {
    let section = value.table()?;
    section.allow_only(&[keys::LIES], "unknown key")?;
    let micros = |time: Ns| u32::try_from(time.0 / 1_000).expect("its range fits in 32 bits");
    let lies = [
        section.get(&keys::LIE_ACK)?.map(|()| Lie::Ack),
        section.get(&keys::LIE_DELAY)?.map(|delay| Lie::Delay(micros(delay))),
        section.get(&keys::LIE_SLEW)?.map(|ppm| Lie::Slew(ppm.unsigned_abs())),
        section.get(&keys::LIE_RATCHET)?.map(|step| Lie::Ratchet(micros(step))),
    ];
    let mut told = lies.into_iter().flatten();
    match (told.next(), told.next()) {
        (Some(lie), None) => Ok(lie),
        _ => Err(value.error("not one lie", "exactly one of ack, delay, slew and ratchet")),
    }
}

/// Rate and interval, which give packets a payload of whole bytes.
fn packets(section: &Section<'_>) -> Result<(u64, Ns), LoadError> {
    let (rate_bps, interval) = (section.need(&keys::RATE)?, section.need(&keys::INTERVAL)?);
    // Bits per second times nanoseconds, over the bits of a byte and the nanoseconds of a second.
    let (product, scale) = (u128::from(rate_bps) * u128::from(interval.0), 8_000_000_000);
    if product % scale != 0 || !(1..=PAYLOAD_MAX).contains(&(product / scale)) {
        let allowed = format!("rate x interval of 1 to {PAYLOAD_MAX} whole bytes a packet");
        let problem = "not the payload of a packet";
        return Err(section.conflict(&["interval", "rate"], problem, &allowed));
    }
    Ok((rate_bps, interval))
}

/// Start, jitter of the start, and stop of a flow whose last sibling starts `last` later.
fn span(section: &Section<'_>, duration: Ns, last: Ns) -> Result<(Ns, Ns, Option<Ns>), LoadError> {
    let (start, jitter) = (section.need(&keys::START)?, section.need(&keys::START_JITTER)?);
    let shown = |time: Ns| format!("{:?}", format_duration(time));
    let latest = start.0.saturating_add(jitter.0).saturating_add(last.0);
    let of_latest = ["stagger", "start_jitter", "start"];
    let blamed: &[&str] = match (last, jitter) {
        (Ns::ZERO, Ns::ZERO) => &of_latest[2..],
        (Ns::ZERO, _) => &of_latest[1..],
        _ => &of_latest,
    };
    if latest >= duration.0 {
        let allowed = format!("before {}", shown(duration));
        return Err(section.conflict(blamed, "it starts after the run", &allowed));
    }
    let stop = section.get(&keys::STOP)?;
    if stop.is_some_and(|stop| stop.0 <= latest) {
        let allowed = format!("after {}", shown(Ns(latest)));
        return Err(section.conflict(&["stop"], "it stops before it starts", &allowed));
    }
    if stop.is_some_and(|stop| stop > duration) {
        let allowed = format!("at most {}", shown(duration));
        return Err(section.conflict(&["stop"], "it stops after the run", &allowed));
    }
    Ok((start, jitter, stop))
}

/// Links of one path.
const HOPS_MAX: usize = 16;

/// What fits in a packet on every path.
const PAYLOAD_MAX: u128 = 1_400;
