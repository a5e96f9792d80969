//! What the table of a link says.

use super::rate::{self, RateSpec};
use crate::scenario::error::LoadError;
use crate::scenario::keys::Key;
use crate::scenario::keys::kinds::{Describe, Other, Read, Share};
use crate::scenario::keys::link as keys;
use crate::scenario::keys::queue::{self as queues, QueueKind};
use crate::scenario::read::{Section, Value};
use crate::scenario::{
    Aggregation, Jitter, LinkConfig, LinkSpec, LinkState, Loss, Mtu, Policer, Queue, Rate, Reorder,
};
use crate::time::Ns;
use std::sync::Arc;

/// A link with where the file speaks of it.
pub(super) struct Link<'a> {
    pub(super) name: &'a str,
    pub(super) section: Section<'a>,
    /// At the start of the run.
    pub(super) start: LinkNow,
}

impl Link<'_> {
    pub(super) fn spec(&self) -> LinkSpec {
        LinkSpec { name: self.name.to_owned(), config: self.start.config.clone() }
    }
}

/// The links in the order of the file, each with what a variant says of it.
pub(super) fn links<'a>(general: &Section<'a>) -> Result<Vec<Link<'a>>, LoadError> {
    let mut layers = general.layers();
    let mut named = layers.next().map_or_else(|| Ok(Vec::new()), |base| base.tables("link"))?;
    if named.is_empty() {
        return Err(general.error("no link", "at least one [link.NAME]"));
    }
    if named.len() > LINKS_MAX {
        return Err(general.error("too many links", &format!("at most {LINKS_MAX}")));
    }
    for layer in layers {
        for (name, over) in layer.tables("link")? {
            let Some((_, link)) = named.iter_mut().find(|(known, _)| *known == name) else {
                let known = named.iter().map(|(known, _)| *known);
                return Err(over.unknown_name("no such link", name, known));
            };
            *link = link.clone().overlaid(&over);
        }
    }
    let read = |(name, section): (&'a str, Section<'a>)| {
        section.allow_only(&[keys::LINK], "unknown key")?;
        Ok(Link { name, start: link(&section)?, section })
    };
    named.into_iter().map(read).collect()
}

/// A link as one moment of the run has it.
#[derive(Clone, Debug)]
pub(super) struct LinkNow {
    /// With the first rate of a schedule.
    pub(super) config: LinkConfig,
    /// What follows the first rate.
    pub(super) rate: RateSpec,
}

/// Reads a link whose keys are known to be keys of a link.
pub(super) fn link(section: &Section<'_>) -> Result<LinkNow, LoadError> {
    let rate = rate::rate(section)?;
    let first = rate.first();
    let queue = element(section, &keys::QUEUE, queue)?;
    if first == Rate::Unlimited && queue.is_some() {
        let problem = "nothing waits on a link without a rate";
        return Err(section.conflict(&["queue"], problem, "\"none\", or a rate"));
    }
    let state = section.need(&keys::STATE)?;
    if state == LinkState::Stalled && first == Rate::Unlimited {
        let problem = "nothing waits on a link without a rate, so it cannot stall";
        return Err(section.conflict(&["state"], problem, "\"down\", or a rate"));
    }
    let corrupt = element(section, &keys::CORRUPT, corrupt)?;
    let (corrupt_header_ppm, corrupt_payload_ppm) = corrupt.unwrap_or_default();
    let config = LinkConfig {
        state,
        mtu: element(section, &keys::MTU, mtu)?,
        loss: section.value(&keys::LOSS).map_or(Ok(Loss::None), |value| loss(&value))?,
        policer: element(section, &keys::POLICER, policer)?,
        queue: queue.unwrap_or_default(),
        rate: first,
        aggregation: element(section, &keys::AGGREGATION, aggregation)?,
        delay: section.need(&keys::DELAY)?,
        jitter: element(section, &keys::JITTER, jitter)?.unwrap_or_default(),
        reorder: element(section, &keys::REORDER, reorder)?.flatten(),
        corrupt_header_ppm,
        corrupt_payload_ppm,
        duplicate_ppm: section.need(&keys::DUPLICATE)?,
    };
    Ok(LinkNow { config, rate })
}

/// An element of a link that is a table, or "none" to end what was there before.
fn element<T>(
    section: &Section<'_>,
    key: &Key<Other>,
    read: fn(&Section<'_>) -> Result<T, LoadError>,
) -> Result<Option<T>, LoadError> {
    let Some(value) = section.value(key) else { return Ok(None) };
    if value.string() == Ok("none") {
        return Ok(None);
    }
    if !value.is_table() {
        return Err(value.error("not a table", &key.kind.form()));
    }
    read(&value.table()?).map(Some)
}

fn mtu(section: &Section<'_>) -> Result<Mtu, LoadError> {
    section.allow_only(&[keys::MTU_KEYS], "unknown key")?;
    let bytes = section.need(&keys::MTU_BYTES)?;
    let bytes = u32::try_from(bytes).expect("its range is that of 16 bits");
    Ok(Mtu { bytes, icmp: section.need(&keys::MTU_ICMP)? })
}

fn loss(value: &Value<'_>) -> Result<Loss, LoadError> {
    if !value.is_table() {
        return match Share.read(value)? {
            0 => Ok(Loss::None),
            ppm => Ok(Loss::Bernoulli(ppm)),
        };
    }
    let section = value.table()?;
    if let Some(list) = section.value(&keys::LOSS_LIST) {
        section.allow_only(&[keys::LISTED_LOSS], "not a key of listed losses")?;
        return loss_list(&list);
    }
    section.allow_only(&[keys::BURST_LOSS, keys::LISTED_LOSS], "unknown key")?;
    Ok(Loss::GilbertElliott {
        to_bad_ppm: section.need(&keys::TO_BAD)?,
        to_good_ppm: section.need(&keys::TO_GOOD)?,
        loss_good_ppm: section.need(&keys::LOSS_GOOD)?,
        loss_bad_ppm: section.need(&keys::LOSS_BAD)?,
    })
}

fn loss_list(list: &Value<'_>) -> Result<Loss, LoadError> {
    const FORM: &str = "ascending integers from 0, such as [3, 17]";
    let mut numbers: Vec<u64> = Vec::new();
    for item in list.elements(FORM)? {
        let number =
            item.integer().ok_or_else(|| item.error("not the number of a packet", FORM))?;
        if numbers.last().is_some_and(|&last| last >= number) {
            return Err(item.error("not above the number before it", FORM));
        }
        numbers.push(number);
    }
    Ok(if numbers.is_empty() { Loss::None } else { Loss::List(Arc::from(numbers)) })
}

fn policer(section: &Section<'_>) -> Result<Policer, LoadError> {
    section.allow_only(&[keys::POLICER_KEYS], "unknown key")?;
    Ok(Policer {
        rate_bps: section.need(&keys::POLICER_RATE)?,
        burst_bytes: section.need(&keys::POLICER_BURST)?,
    })
}

fn queue(section: &Section<'_>) -> Result<Queue, LoadError> {
    match section.need(&queues::QUEUE_KIND)? {
        QueueKind::Droptail => {
            section.allow_only(&[queues::DROPTAIL], "not a key of a droptail queue")?;
            let bytes_max = section.get(&queues::BYTES_LIMIT)?;
            let packets_max = section.get(&queues::PACKETS_LIMIT)?;
            if bytes_max.is_none() && packets_max.is_none() {
                let allowed = "bytes_max, packets_max or both; without a limit, no queue";
                return Err(section.error("a queue without a limit", allowed));
            }
            Ok(Queue::Droptail { bytes_max, packets_max })
        }
        QueueKind::Codel => {
            section.allow_only(&[queues::CODEL], "not a key of a codel queue")?;
            let (target, interval) = codel_times(section)?;
            let bytes_max = section.get(&queues::BYTES_LIMIT)?;
            Ok(Queue::Codel { target, interval, bytes_max })
        }
        QueueKind::FqCodel => {
            section.allow_only(&[queues::FQ_CODEL], "not a key of an fq-codel queue")?;
            let (target, interval) = codel_times(section)?;
            let whole = |number| u32::try_from(number).expect("its range is that of 32 bits");
            Ok(Queue::FqCodel {
                target,
                interval,
                quantum: whole(section.need(&queues::QUANTUM)?),
                flows: whole(section.need(&queues::FLOWS)?),
                packets_max: section.need(&queues::FQ_PACKETS_LIMIT)?,
            })
        }
        QueueKind::Pie => {
            section.allow_only(&[queues::PIE], "not a key of a pie queue")?;
            Ok(Queue::Pie {
                target: section.need(&queues::PIE_TARGET)?,
                update: section.need(&queues::PIE_UPDATE)?,
                burst: section.need(&queues::PIE_BURST)?,
                bytes_max: section.get(&queues::BYTES_LIMIT)?,
            })
        }
    }
}

fn codel_times(section: &Section<'_>) -> Result<(Ns, Ns), LoadError> {
    let (target, interval) =
        (section.need(&queues::CODEL_TARGET)?, section.need(&queues::CODEL_INTERVAL)?);
    if target >= interval {
        let problem = "the delay has to come below the target within the interval";
        let allowed = "a target below the interval, of about a twentieth";
        return Err(section.conflict(&["target", "interval"], problem, allowed));
    }
    Ok((target, interval))
}

fn aggregation(section: &Section<'_>) -> Result<Aggregation, LoadError> {
    section.allow_only(&[keys::AGGREGATION_KEYS], "unknown key")?;
    let aggregation = Aggregation {
        hold_min: section.need(&keys::HOLD_MIN)?,
        hold_max: section.need(&keys::HOLD_MAX)?,
        gap_min: section.need(&keys::GAP_MIN)?,
        gap_max: section.need(&keys::GAP_MAX)?,
    };
    if aggregation.hold_min > aggregation.hold_max {
        return Err(section.conflict(&["hold_min"], "above the longest", "at most hold_max"));
    }
    if aggregation.gap_min > aggregation.gap_max {
        return Err(section.conflict(&["gap_min"], "above the longest", "at most gap_max"));
    }
    Ok(aggregation)
}

fn jitter(section: &Section<'_>) -> Result<Jitter, LoadError> {
    section.allow_only(&[keys::JITTER_KEYS], "unknown key")?;
    let max = section.need(&keys::JITTER_MAX)?;
    let reorders = section.need(&keys::JITTER_REORDER)?;
    if reorders && max == Ns::ZERO {
        let problem = "without jitter no packet overtakes another";
        return Err(section.conflict(&["reorder"], problem, "false, or a max above \"0s\""));
    }
    Ok(Jitter { max, reorders })
}

fn reorder(section: &Section<'_>) -> Result<Option<Reorder>, LoadError> {
    section.allow_only(&[keys::REORDER_KEYS], "unknown key")?;
    let (ppm, delay) = (section.need(&keys::REORDER_SHARE)?, section.need(&keys::REORDER_DELAY)?);
    Ok((ppm > 0).then_some(Reorder { ppm, delay }))
}

fn corrupt(section: &Section<'_>) -> Result<(u32, u32), LoadError> {
    section.allow_only(&[keys::CORRUPT_KEYS], "unknown key")?;
    Ok((section.need(&keys::CORRUPT_HEADER)?, section.need(&keys::CORRUPT_PAYLOAD)?))
}

/// As many as any picture of a network can show.
const LINKS_MAX: usize = 1_000;
