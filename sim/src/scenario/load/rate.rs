//! The rate of a link: constant, by a schedule, or from a recorded trace.

use crate::scenario::error::LoadError;
use crate::scenario::keys::kinds::{self, Describe, Read};
use crate::scenario::keys::link as keys;
use crate::scenario::read::{KnownTrace, Section, Source, Value};
use crate::scenario::units::{DURATION_FORM, parse_duration};
use crate::scenario::{DeliveryTrace, Rate};
use crate::time::Ns;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What the key `rate` says.
#[derive(Clone, Debug)]
pub(super) enum RateSpec {
    /// One rate for ever.
    Fixed(Rate),
    /// Rates from certain moments on, the first from 0.
    Schedule { steps: Vec<(Ns, u64)>, repeat: Option<Ns> },
}

impl RateSpec {
    /// The rate at the beginning.
    pub(super) fn first(&self) -> Rate {
        match self {
            Self::Fixed(rate) => rate.clone(),
            Self::Schedule { steps, .. } => {
                steps.first().map_or(Rate::Unlimited, |&(_, bps)| Rate::Constant(bps))
            }
        }
    }

    /// What follows the first rate until `end`, in order of time; times count from the beginning.
    /// None when that is more than [`STEPS_MAX`].
    pub(super) fn steps(&self, end: Ns) -> Option<Vec<(Ns, Rate)>> {
        let Self::Schedule { steps, repeat } = self else { return Some(Vec::new()) };
        let rounds = repeat.map_or(1, |repeat| end.0.div_ceil(repeat.0.max(1)));
        let count = usize::try_from(rounds).ok()?.checked_mul(steps.len())?;
        let round = |number: u64| {
            let begin = repeat.map_or(0, |repeat| number * repeat.0);
            steps.iter().map(move |&(at, bps)| (Ns(begin + at.0), Rate::Constant(bps)))
        };
        let moments = (0..rounds).flat_map(round).skip(1).take_while(|&(at, _)| at < end);
        (count <= STEPS_MAX).then(|| moments.collect())
    }
}

pub(super) fn rate(section: &Section<'_>) -> Result<RateSpec, LoadError> {
    let Some(value) = section.value(&keys::RATE) else {
        return Ok(RateSpec::Fixed(Rate::Unlimited));
    };
    if value.string() == Ok("unlimited") {
        return Ok(RateSpec::Fixed(Rate::Unlimited));
    }
    if !value.is_table() && value.string().is_err() {
        return Err(value.error("not a rate", &keys::RATE.kind.form()));
    }
    if !value.is_table() {
        return Ok(RateSpec::Fixed(Rate::Constant(kinds::Rate.read(&value)?)));
    }
    let table = value.table()?;
    if let Some(file) = table.value(&keys::TRACE) {
        table.allow_only(&[keys::TRACED_RATE], "not a key of a traced rate")?;
        return Ok(RateSpec::Fixed(Rate::Trace(trace(&file)?)));
    }
    table.allow_only(&[keys::SCHEDULED_RATE, keys::TRACED_RATE], "unknown key")?;
    schedule(&table)
}

fn schedule(table: &Section<'_>) -> Result<RateSpec, LoadError> {
    let form = keys::SCHEDULE.kind.form();
    let list = table.need_value(&keys::SCHEDULE)?;
    let mut steps: Vec<(Ns, u64)> = Vec::new();
    for pair in list.elements(&form)? {
        let parts: Vec<Value<'_>> = pair.elements(&form)?.collect();
        let [time, rate] = parts.as_slice() else {
            return Err(pair.error("not a time and a rate", &form));
        };
        let at = time.parsed(parse_duration);
        let at = at.ok_or_else(|| time.error("not a time", DURATION_FORM))?;
        match steps.last() {
            None if at > Ns::ZERO => {
                return Err(time.error("no rate until then", "\"0s\" for the first"));
            }
            Some(&(last, _)) if at <= last => {
                return Err(time.error("not after the time before it", "ascending times"));
            }
            _ => {}
        }
        steps.push((at, kinds::Rate.read(rate)?));
    }
    let Some(&(last, _)) = steps.last() else {
        return Err(list.error("an empty schedule", &form));
    };
    let repeat = table.get(&keys::REPEAT)?;
    if repeat.is_some_and(|repeat| repeat <= last) {
        let problem = "it begins again before its last step";
        return Err(table.conflict(&["repeat"], problem, "a time after the last of the schedule"));
    }
    Ok(RateSpec::Schedule { steps, repeat })
}

/// Reads a trace once, however many links and variants use it.
fn trace(value: &Value<'_>) -> Result<Arc<DeliveryTrace>, LoadError> {
    let name = value.string()?;
    let source = value.source();
    if let Some(known) = source.traces.borrow().get(name) {
        return Ok(Arc::clone(&known.trace));
    }
    let path = source.path.parent().unwrap_or_else(|| Path::new("")).join(name);
    let bytes = read(&path).map_err(|error| {
        let problem = format!("cannot read {}: {error}", path.display());
        value.error(&problem, &keys::TRACE.kind.form())
    })?;
    let trace = parse_trace(name, &path, &value.key, &bytes)?;
    let trace = Arc::new(trace);
    let known = KnownTrace { trace: Arc::clone(&trace), bytes };
    source.traces.borrow_mut().insert(name.to_owned(), known);
    Ok(trace)
}

/// A file of a size that a trace can have.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > TRACE_BYTES_MAX {
        let problem = format!("not a file of at most {TRACE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    std::fs::read(path)
}

/// Checks a file in the form of Mahimahi: one timestamp in milliseconds a line, in order.
fn parse_trace(
    name: &str,
    path: &Path,
    key: &str,
    bytes: &[u8],
) -> Result<DeliveryTrace, LoadError> {
    const FORM: &str = "whole milliseconds, one a line, in ascending order";
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let source = Source::new(path, text);
    let error = |line: usize, problem: &str, given: Option<&str>| LoadError {
        line,
        given: given.map(|given| format!("{:?}", shortened(given)).into()),
        allowed: Some(FORM.into()),
        ..source.error(0, key, problem)
    };
    if text.is_empty() {
        let problem = if bytes.is_empty() { "an empty trace" } else { "a trace that is no text" };
        return Err(error(1, problem, None));
    }
    let mut opportunities: Vec<Ns> = Vec::new();
    for (line, given) in (1..).zip(text.lines()) {
        let digits = given.trim();
        let number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let ms = number.then(|| digits.parse::<u64>().ok()).flatten();
        let ms = ms.filter(|&ms| ms <= TRACE_MS_MAX);
        let ms = ms.ok_or_else(|| error(line, "not a number of milliseconds", Some(given)))?;
        let at = Ns::from_millis(ms);
        if opportunities.last().is_some_and(|&last| at < last) {
            return Err(error(line, "before the line before it", Some(given)));
        }
        if opportunities.len() == TRACE_LINES_MAX {
            return Err(error(line, "too long a trace", None));
        }
        opportunities.push(at);
    }
    let period = opportunities.last().copied().unwrap_or_default();
    if period == Ns::ZERO {
        return Err(error(text.lines().count(), "a trace that takes no time", None));
    }
    Ok(DeliveryTrace { name: name.to_owned(), opportunities, period })
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A trace need not be longer than the longest run.
const TRACE_MS_MAX: u64 = 86_400_000;

/// A gigabit per second for a minute; a longer trace would fill the memory.
const TRACE_LINES_MAX: usize = 5_000_000;

/// More than the longest trace takes.
const TRACE_BYTES_MAX: u64 = 64_000_000;

/// Steps of a schedule within a run; a trace does for a rate that changes more often.
pub(super) const STEPS_MAX: usize = 100_000;
