//! What the tables of a link and of a flow may say.

use super::error::LoadError;
use super::read::{Section, Value};
use super::units::{DURATION_FORM, RATE_FORM};
use super::{
    Controller, FlowKind, FlowSpec, Jitter, LinkConfig, LinkSpec, Loss, Queue, Rate, UtpFlow,
};
use crate::time::Ns;

/// The links of a scenario; flows refer to them by index.
pub(super) type LinkTable = Vec<LinkSpec>;

pub(super) fn link(name: &str, section: &Section<'_>) -> Result<LinkSpec, LoadError> {
    section.allow_only(&["rate", "delay", "queue", "loss", "jitter"], "unknown key")?;
    let rate = section.find("rate").map(|value| value.rate_bps()).transpose()?;
    let delay = section.need("delay", DURATION_FORM)?;
    let delay_ns = delay.duration()?;
    if delay_ns < DELAY_MIN {
        let allowed = "at least \"1ms\", the step of the turmoil engine";
        return Err(delay.error("too short a path", allowed));
    }
    if delay_ns > DELAY_MAX {
        return Err(delay.error("too long a path", "at most \"60s\""));
    }
    let queue = section.find("queue");
    if let (None, Some(queue)) = (rate, &queue) {
        return Err(queue.error("nothing waits on a link without a rate", "no queue, or a rate"));
    }
    let jitter = section.find("jitter").map(|value| jitter(&value)).transpose()?;
    let bytes_max = queue.map(|value| queue_bytes_max(&value)).transpose()?;
    let config = LinkConfig {
        rate: rate.map_or(Rate::Unlimited, Rate::Constant),
        delay: delay_ns,
        queue: Queue::Droptail { bytes_max, packets_max: None },
        loss: match section.find("loss").map_or(Ok(0), |value| value.share_ppm())? {
            0 => Loss::None,
            ppm => Loss::Bernoulli(ppm),
        },
        jitter: jitter.unwrap_or_default(),
        ..LinkConfig::default()
    };
    Ok(LinkSpec { name: name.to_owned(), config })
}

fn queue_bytes_max(value: &Value<'_>) -> Result<u64, LoadError> {
    let section = value.table()?;
    section.allow_only(&["kind", "bytes_max"], "unknown key")?;
    section.need("kind", "\"droptail\"")?.one_of(&[("droptail", ())])?;
    let size = section.need("bytes_max", super::units::SIZE_FORM)?;
    let bytes = size.size_bytes()?;
    if bytes < QUEUE_BYTES_MIN {
        return Err(size.error("too small a queue", "at least 1500, one full packet"));
    }
    Ok(bytes)
}

fn jitter(value: &Value<'_>) -> Result<Jitter, LoadError> {
    let section = value.table()?;
    section.allow_only(&["max", "reorder"], "unknown key")?;
    let max = section.need("max", DURATION_FORM)?;
    let span = max.duration()?;
    if span > DELAY_MAX {
        return Err(max.error("too much jitter", "at most \"60s\""));
    }
    let reorders = section.find("reorder").map_or(Ok(false), |value| value.boolean())?;
    Ok(Jitter { max: span, reorders })
}

/// A flow, whose name has been read already.
pub(super) fn flow(
    section: &Section<'_>,
    name: &str,
    links: &LinkTable,
    duration: Ns,
) -> Result<FlowSpec, LoadError> {
    let kinds = [("utp", Kind::Utp), ("reno", Kind::Reno), ("cbr", Kind::Cbr)];
    let kind = section.need("kind", "\"utp\", \"reno\", \"cbr\"")?.one_of(&kinds)?;
    // A variant may change the kind: keys of the base that the new kind has no use for are ignored.
    let (keys, problem): (&[&str], _) = match kind {
        Kind::Utp => (&["controller", "bytes"], "not a key of a utp flow"),
        Kind::Reno => (&["bytes"], "not a key of a reno flow"),
        Kind::Cbr => (&["rate", "interval"], "not a key of a cbr flow"),
    };
    section
        .allow_only(&[&["name", "kind", "via", "back", "start", "stop"], keys].concat(), problem)?;
    let via = link_index(&section.need("via", "the name of a link")?, links)?;
    let via = vec![via];
    let back = section.find("back").map(|value| link_index(&value, links)).transpose()?;
    let back = back.map(|link| vec![link]);
    let kind = match kind {
        Kind::Utp => {
            FlowKind::Utp(UtpFlow { bytes: bytes(section)?, ..UtpFlow::new(controller(section)?) })
        }
        Kind::Reno => FlowKind::Reno { bytes: bytes(section)? },
        Kind::Cbr => cbr(section)?,
    };
    let (start, stop) = span(section, duration)?;
    Ok(FlowSpec { name: name.to_owned(), kind, via, back, start, start_jitter: Ns::ZERO, stop })
}

#[derive(Clone, Copy)]
enum Kind {
    Cbr,
    Reno,
    Utp,
}

fn link_index(value: &Value<'_>, links: &LinkTable) -> Result<usize, LoadError> {
    let given = value.string()?;
    let index = links.iter().position(|link| link.name == given);
    index.ok_or_else(|| value.unknown("no such link", links.iter().map(|link| &*link.name)))
}

fn controller(section: &Section<'_>) -> Result<Controller, LoadError> {
    let value = section.find("controller");
    let name = value.as_ref().map_or(Ok("libutp"), Value::string)?;
    let known = Controller::named(name);
    known.ok_or_else(|| section.error("no such controller", "\"libutp\", \"rfc6817\""))
}

fn bytes(section: &Section<'_>) -> Result<Option<u64>, LoadError> {
    let Some(value) = section.find("bytes") else { return Ok(None) };
    match value.size_bytes()? {
        0 => Err(value.error("an empty transfer", "at least 1")),
        bytes => Ok(Some(bytes)),
    }
}

fn cbr(section: &Section<'_>) -> Result<FlowKind, LoadError> {
    let rate = section.need("rate", RATE_FORM)?;
    let rate_bps = rate.rate_bps()?;
    let interval = section.find("interval");
    let spacing = interval.as_ref().map_or(Ok(CBR_INTERVAL), Value::duration)?;
    // Bits per second times nanoseconds, over the bits of a byte and the nanoseconds of a second.
    let (product, scale) = (u128::from(rate_bps) * u128::from(spacing.0), 8_000_000_000);
    let whole = product % scale == 0;
    if !whole || !(1..=CBR_PAYLOAD_MAX).contains(&(product / scale)) {
        let allowed = format!("rate x interval of 1 to {CBR_PAYLOAD_MAX} whole bytes a packet");
        return Err(interval.unwrap_or(rate).error("not the payload of a packet", &allowed));
    }
    Ok(FlowKind::Cbr { rate_bps, interval: spacing })
}

fn span(section: &Section<'_>, duration: Ns) -> Result<(Ns, Option<Ns>), LoadError> {
    let form = |end: Ns| format!("before {:?}", super::units::format_duration(end));
    let mut start = Ns::ZERO;
    if let Some(value) = section.find("start") {
        start = value.duration()?;
        if start >= duration {
            return Err(value.error("it starts after the run", &form(duration)));
        }
    }
    let Some(value) = section.find("stop") else { return Ok((start, None)) };
    let stop = value.duration()?;
    if stop <= start {
        let allowed = format!("after {:?}", super::units::format_duration(start));
        return Err(value.error("it stops before it starts", &allowed));
    }
    if stop > duration {
        let allowed = format!("at most {:?}", super::units::format_duration(duration));
        return Err(value.error("it stops after the run", &allowed));
    }
    Ok((start, Some(stop)))
}

/// A host of the turmoil engine runs for this long before the next one does.
const DELAY_MIN: Ns = Ns::from_millis(1);

/// Longer than any path that a transport is built for.
const DELAY_MAX: Ns = Ns::from_secs(60);

/// One full packet; a smaller queue would lose every packet that finds the link busy.
const QUEUE_BYTES_MIN: u64 = 1_500;

/// Time between the packets of a voice call.
const CBR_INTERVAL: Ns = Ns::from_millis(20);

/// What fits in a packet on every path.
const CBR_PAYLOAD_MAX: u128 = 1_400;
