//! From the text of a scenario file to the model, refusing whatever could not be meant.
//!
//! This file owns the file as a whole: its general keys, phases, expectations and variants. What a
//! link or a flow may say is in `parts.rs`.

use super::error::LoadError;
use super::parts::{LinkTable, flow, link};
use super::read::{Section, Source, Value};
use super::units::{WINDOW_FORM, format_duration};
use super::{DEFAULT_VARIANT, Engine, Expectation, FlowKind, Phase, Scenario, ScenarioFile};
use crate::metrics::{Window, catalogue};
use crate::record::BUCKET;
use crate::time::Ns;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::Path;
use toml::de::DeTable;

/// Reads and checks a scenario file.
///
/// # Errors
///
/// The first thing found wrong, with its line and key.
pub fn load(path: &Path) -> Result<ScenarioFile, LoadError> {
    let unreadable = |problem: String| Source { path, text: "" }.unreadable(&problem);
    let bytes = std::fs::read(path).map_err(|error| unreadable(format!("cannot read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("not UTF-8".to_owned()))?;
    parse(path, &text)
}

/// Checks the text of a scenario file; `path` names it in messages and in its results.
///
/// # Errors
///
/// The first thing found wrong, with its line and key.
///
/// ```
/// let text = r#"
///     summary  = "One upload over an empty link."
///     duration = "60s"
///     [link.uplink]
///     rate  = "10mbit"
///     delay = "25ms"
///     [[flow]]
///     name = "upload"
///     kind = "utp"
///     via  = "uplink"
/// "#;
/// let file = utp_sim::scenario::parse("one.toml".as_ref(), text)?;
/// assert_eq!(file.name, "one");
/// assert_eq!(file.variants[0].links[0].config.rate.bps(), Some(10_000_000));
///
/// let wrong = text.replace("delay", "dealy");
/// let error = utp_sim::scenario::parse("one.toml".as_ref(), &wrong).unwrap_err();
/// assert_eq!(error.line, 6);
/// assert_eq!(error.suggestion.as_deref(), Some("delay"));
/// # Ok::<(), utp_sim::scenario::LoadError>(())
/// ```
pub fn parse(path: &Path, text: &str) -> Result<ScenarioFile, LoadError> {
    let source = Source { path, text };
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        source.error(at, "", &format!("not TOML: {}", error.message().replace('\n', ", ")))
    })?;
    let root = Section::root(&source, &document);
    root.allow_only(&FILE_KEYS, "unknown key")?;
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if name.is_empty() || name.starts_with('.') {
        return Err(source.unreadable("the file needs a name to name its results after"));
    }
    let mut variants = vec![scenario(&root, None)?];
    let overlays = root.tables("variant")?;
    for (name, over) in &overlays {
        if *name == DEFAULT_VARIANT {
            return Err(over.error("the name of the base scenario", "any other name"));
        }
        if variants.len() == VARIANTS_MAX {
            let allowed = format!("{} beside the base scenario", VARIANTS_MAX - 1);
            return Err(over.error("too many variants for one plot", &allowed));
        }
        over.allow_only(&VARIANT_KEYS, "unknown key")?;
        variants.push(scenario(&root, Some((name, over)))?);
    }
    Ok(ScenarioFile {
        name: name.to_owned(),
        path: path.to_owned(),
        digest: digest(text),
        summary: root.need("summary", "one line of text")?.text(160)?.to_owned(),
        text: text.to_owned(),
        variants,
    })
}

/// The base scenario, or the base with a variant's keys laid over it.
fn scenario(root: &Section<'_>, over: Option<(&str, &Section<'_>)>) -> Result<Scenario, LoadError> {
    let (variant, over) = over.map_or((DEFAULT_VARIANT, None), |(name, over)| (name, Some(over)));
    let general = root.overlaid(over);
    let duration = duration(&general)?;
    let links = links(root, over)?;
    let mut names = BTreeSet::new();
    let mut flows = Vec::new();
    let overlays = FlowOverlays::read(over)?;
    for section in root.array("flow")? {
        let name = section.need("name", "a text in quotes")?;
        let text = name.name()?;
        if !names.insert(text) {
            return Err(name.error("a second flow of this name", "a name of its own"));
        }
        let section = section.renamed(format!("flow.{text}"));
        let changed = overlays.of(text)?;
        if !overlays.without.iter().any(|left_out| left_out.string() == Ok(text)) {
            flows.push(flow(&section.overlaid(changed), text, &links, duration)?);
        }
    }
    overlays.check(&names)?;
    if flows.is_empty() {
        return Err(general.error("no flow", "at least one [[flow]]"));
    }
    let mut scenario = Scenario {
        variant: variant.to_owned(),
        engine: engine(root)?,
        seed: seed(&general)?,
        duration,
        stop_when_complete: stop_when_complete(&general, flows.iter().map(|flow| &flow.kind))?,
        links,
        flows,
        phases: phases(root, duration)?,
        ..Scenario::default()
    };
    let expectations = over.unwrap_or(root).array("expect")?;
    scenario.expectations =
        expectations.iter().map(|table| expectation(table, &scenario)).collect::<Result<_, _>>()?;
    Ok(scenario)
}

fn links(root: &Section<'_>, over: Option<&Section<'_>>) -> Result<LinkTable, LoadError> {
    let base = root.tables("link")?;
    let changes = over.map(|over| over.tables("link")).transpose()?.unwrap_or_default();
    for (name, change) in &changes {
        if !base.iter().any(|(known, _)| known == name) {
            return Err(change.unknown_name("no such link", name, base.iter().map(|(n, _)| *n)));
        }
    }
    if base.is_empty() {
        return Err(root.error("no link", "at least one [link.NAME]"));
    }
    let change = |name| changes.iter().find(|(changed, _)| *changed == name).map(|(_, over)| over);
    base.iter().map(|(name, section)| link(name, &section.overlaid(change(*name)))).collect()
}

/// What a variant says about the flows of the base.
struct FlowOverlays<'a> {
    changes: Vec<(&'a str, Section<'a>)>,
    without: Vec<Value<'a>>,
}

impl<'a> FlowOverlays<'a> {
    fn read(over: Option<&Section<'a>>) -> Result<Self, LoadError> {
        let Some(over) = over else {
            return Ok(Self { changes: Vec::new(), without: Vec::new() });
        };
        let without = match over.find("without") {
            Some(value) => value.elements("names of flows in [ ]")?.collect(),
            None => Vec::new(),
        };
        Ok(Self { changes: over.tables("flow")?, without })
    }

    fn of(&self, flow: &str) -> Result<Option<&Section<'a>>, LoadError> {
        let change = self.changes.iter().find(|(name, _)| *name == flow).map(|(_, over)| over);
        let left_out = self.without.iter().find(|value| value.string() == Ok(flow));
        match (change, left_out) {
            (Some(_), Some(value)) => {
                Err(value.error("this variant also changes the flow", "either, not both"))
            }
            _ => Ok(change),
        }
    }

    /// Every name must be one of the base's.
    fn check(&self, flows: &BTreeSet<&str>) -> Result<(), LoadError> {
        for value in &self.without {
            if !flows.contains(value.string()?) {
                return Err(value.unknown("no such flow", flows.iter().copied()));
            }
        }
        match self.changes.iter().find(|(name, _)| !flows.contains(name)) {
            Some((name, change)) => {
                Err(change.unknown_name("no such flow", name, flows.iter().copied()))
            }
            None => Ok(()),
        }
    }
}

fn engine(root: &Section<'_>) -> Result<Engine, LoadError> {
    let Some(value) = root.find("engine") else { return Ok(Engine::default()) };
    value.one_of(&[(Engine::Turmoil.name(), Engine::Turmoil)])
}

fn seed(general: &Section<'_>) -> Result<u64, LoadError> {
    let Some(value) = general.find("seed") else { return Ok(1) };
    value.integer().ok_or_else(|| value.error("not a seed", "an integer from 0"))
}

fn duration(general: &Section<'_>) -> Result<Ns, LoadError> {
    let value = general.need("duration", "a time such as \"120s\"")?;
    let duration = value.duration()?;
    let fits = (BUCKET..=DURATION_MAX).contains(&duration) && aligned(duration);
    fits.then_some(duration).ok_or_else(|| {
        value.error("not a length of a run", "\"100ms\" to \"86400s\" in steps of 100 ms")
    })
}

fn stop_when_complete<'k>(
    general: &Section<'_>,
    mut kinds: impl Iterator<Item = &'k FlowKind>,
) -> Result<bool, LoadError> {
    let Some(value) = general.find("stop_when_complete") else { return Ok(false) };
    let stop = value.boolean()?;
    if stop && !kinds.any(|kind| kind.bytes().is_some()) {
        let allowed = "false, or a flow with the key 'bytes'";
        return Err(value.error("nothing ever completes", allowed));
    }
    Ok(stop)
}

fn phases(root: &Section<'_>, duration: Ns) -> Result<Vec<Phase>, LoadError> {
    let mut phases: Vec<Phase> = Vec::new();
    for section in root.array("phase")? {
        section.allow_only(&["name", "from", "to"], "unknown key")?;
        let name = section.need("name", "one line of text")?;
        let text = name.text(40)?;
        if phases.iter().any(|phase| phase.name == text) {
            return Err(name.error("a second phase of this name", "a name of its own"));
        }
        let from = section.need("from", "a time such as \"40s\"")?.duration()?;
        let end = section.need("to", "a time such as \"80s\"")?;
        let to = end.duration()?;
        check_window(&end, (from, to), duration)?;
        phases.push(Phase { name: text.to_owned(), from, to });
    }
    Ok(phases)
}

fn expectation(section: &Section<'_>, scenario: &Scenario) -> Result<Expectation, LoadError> {
    section.allow_only(&["metric", "window", "min", "max"], "unknown key")?;
    let name = section.need("metric", "the name of a metric")?;
    let text = name.string()?;
    let metrics = catalogue(scenario);
    let Some(metric) = metrics.iter().find(|known| known.name == text) else {
        return Err(unknown_metric(&name, text, metrics.iter().map(|metric| &*metric.name)));
    };
    let window = match section.find("window") {
        None => None,
        Some(value) if !metric.takes_window() => {
            return Err(value.error("this metric covers the whole run", "no window"));
        }
        Some(value) => {
            let parsed = value.string().ok().and_then(super::units::parse_window);
            let window = parsed.ok_or_else(|| value.error("not a window", WINDOW_FORM))?;
            check_window(&value, window, scenario.duration)?;
            Some(window)
        }
    };
    let (min, max) = (section.find("min"), section.find("max"));
    let bound = |value: &Option<Value<'_>>| value.as_ref().map(Value::number).transpose();
    let (lower, upper) = (bound(&min)?, bound(&max)?);
    match (min, lower, upper) {
        (None, _, None) => Err(section.error("an expectation without a bound", "min, max or both")),
        (Some(min), Some(lower), Some(upper)) if lower > upper => {
            Err(min.error("min is above max", &format!("at most {upper}")))
        }
        _ => Ok(Expectation {
            metric: text.to_owned(),
            window,
            min: lower,
            max: upper,
            line: name.line(),
        }),
    }
}

/// Lists the metrics of the same link or flow, or the links and flows when that is unknown too.
fn unknown_metric<'m>(
    value: &Value<'_>,
    given: &str,
    names: impl Iterator<Item = &'m str> + Clone,
) -> LoadError {
    let subject_of = |name: &'m str| name.match_indices('.').nth(1).map(|(at, _)| &name[..=at]);
    let subjects: BTreeSet<_> = names.clone().filter_map(subject_of).collect();
    let suggestion = super::error::nearest(given, names.clone()).map(Box::from);
    let own = subjects.iter().find(|subject| given.starts_with(**subject));
    let error = match own {
        Some(subject) => {
            let own: Vec<_> = names.filter_map(|name| name.strip_prefix(*subject)).collect();
            value.error("no such metric", &format!("{subject} with {}", own.join(", ")))
        }
        None => {
            let all: Vec<_> = subjects.iter().map(|subject| format!("{subject}*")).collect();
            value.error("no such link or flow", &all.join(", "))
        }
    };
    LoadError { suggestion, ..error }
}

/// Windows are made of whole buckets within the run.
fn check_window(value: &Value<'_>, (from, to): Window, duration: Ns) -> Result<(), LoadError> {
    if from >= to {
        return Err(value.error("it ends before it starts", "an end after the start"));
    }
    if !aligned(from) || !aligned(to) {
        return Err(value.error("not made of whole steps", "multiples of 100 ms"));
    }
    if to > duration {
        let allowed = format!("at most {:?}", format_duration(duration));
        return Err(value.error("it ends after the run", &allowed));
    }
    Ok(())
}

fn aligned(time: Ns) -> bool {
    time.0.is_multiple_of(BUCKET.0)
}

/// The same for files with `\n` and `\r\n`.
fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.replace("\r\n", "\n"));
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Longer runs would not fit in memory with all their samples.
const DURATION_MAX: Ns = Ns::from_secs(86_400);

/// More lines than this cannot be told apart in one plot.
const VARIANTS_MAX: usize = 4;

const FILE_KEYS: [&str; 10] = [
    "summary",
    "seed",
    "duration",
    "stop_when_complete",
    "engine",
    "link",
    "flow",
    "phase",
    "expect",
    "variant",
];

const VARIANT_KEYS: [&str; 7] =
    ["seed", "duration", "stop_when_complete", "without", "link", "flow", "expect"];
