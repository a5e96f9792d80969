//! From the text of a scenario file to the model, refusing whatever could not be meant.
//!
//! This file owns the file as a whole: its general keys, hosts, phases and variants. What links,
//! flows, changes and expectations may say is in the files beside it, and every key with its type,
//! range and default in `keys`.

mod changes;
mod expect;
mod flows;
mod links;
mod rate;
mod sweep;

use super::DEFAULT_VARIANT;
use super::engine::Place;
use super::error::LoadError;
use super::keys::general as keys;
use super::model::{FlowSpec, HostConfig, Phase, Scenario, ScenarioFile};
use super::read::{Section, Source, Value};
use super::units::format_duration;
use crate::metrics::Window;
use crate::record::BUCKET;
use crate::time::Ns;
use changes::Subjects;
use links::Link;
use sha2::{Digest, Sha256};
use std::path::Path;
use sweep::{Axis, Point};
use toml::de::DeTable;

/// Reads and checks a scenario file, and the traces that it names.
///
/// # Errors
///
/// The first thing found wrong, with its line and key.
pub fn load(path: &Path) -> Result<ScenarioFile, LoadError> {
    let unreadable = |problem: String| Source::new(path, "").unreadable(&problem);
    let bytes = std::fs::read(path).map_err(|error| unreadable(format!("cannot read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("not UTF-8".to_owned()))?;
    parse(path, &text)
}

/// Checks the text of a scenario file; `path` names it in messages and in its results, and traces
/// are looked for beside it.
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
    let source = Source::new(path, text);
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        source.error(at, "", &format!("not TOML: {}", error.message().replace('\n', ", ")))
    })?;
    let root = Section::root(&source, &document);
    root.allow_only(&[keys::FILE], "unknown key")?;
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if name.is_empty() || name.starts_with('.') {
        return Err(source.unreadable("the file needs a name to name its results after"));
    }
    let axes = sweep::axes(&root)?;
    let overs = root.tables("variant")?;
    let names = [DEFAULT_VARIANT].into_iter().chain(overs.iter().map(|(name, _)| *name));
    let names: Vec<&str> = names.collect();
    let base = Layout { name: DEFAULT_VARIANT, names: &names, root: &root, over: None };
    let mut layouts = vec![base];
    for (name, over) in &overs {
        if *name == DEFAULT_VARIANT {
            return Err(over.error("the name of the base scenario", "any other name"));
        }
        if layouts.len() == VARIANTS_MAX {
            let allowed = format!("{} beside the base scenario", VARIANTS_MAX - 1);
            return Err(over.error("too many variants for one plot", &allowed));
        }
        over.allow_only(&[keys::VARIANT], "unknown key")?;
        layouts.push(Layout { name, names: &names, root: &root, over: Some(over) });
    }
    Ok(ScenarioFile {
        name: name.to_owned(),
        path: path.to_owned(),
        summary: root.need(&keys::SUMMARY)?,
        text: text.to_owned(),
        variants: scenarios(&root, &layouts, &axes)?,
        digest: digest(&source),
        is_changed: false,
    })
}

/// The base scenario, or the base with a variant's keys laid over it.
struct Layout<'a, 'b> {
    name: &'b str,
    /// Of all variants.
    names: &'b [&'b str],
    root: &'b Section<'a>,
    over: Option<&'b Section<'a>>,
}

/// Every variant at every point of the sweep.
fn scenarios<'a>(
    root: &Section<'a>,
    layouts: &[Layout<'a, '_>],
    axes: &[Axis<'a>],
) -> Result<Vec<Scenario>, LoadError> {
    // The file has to make sense without its sweep, so that nothing in it goes unread.
    let mut scenarios =
        layouts.iter().map(|layout| layout.scenario(axes, None)).collect::<Result<Vec<_>, _>>()?;
    if axes.is_empty() {
        return Ok(scenarios);
    }
    scenarios.clear();
    let mut changes = 0;
    for point in sweep::points(root, axes, layouts.len())? {
        for layout in layouts {
            let scenario = layout.scenario(axes, Some(&point))?;
            changes += scenario.changes.len();
            if changes > CHANGES_MAX {
                let allowed = format!("at most {CHANGES_MAX} in all runs together");
                return Err(root.conflict(
                    &["sweep"],
                    "too many changes in too many runs",
                    &allowed,
                ));
            }
            scenarios.push(scenario);
        }
    }
    Ok(scenarios)
}

impl Layout<'_, '_> {
    fn scenario(&self, axes: &[Axis<'_>], point: Option<&Point>) -> Result<Scenario, LoadError> {
        let general = self.root.clone();
        let general =
            self.over.map_or_else(|| general.clone(), |over| general.clone().overlaid(over));
        let Some(point) = point else { return self.read(&general, axes, Vec::new()) };
        let table = sweep::layer(&general, axes, point)?;
        let swept = general.overlaid_at("sweep", &table);
        self.read(&swept, axes, sweep::label(axes, point))
    }

    fn read(
        &self,
        general: &Section<'_>,
        axes: &[Axis<'_>],
        point: Vec<(String, String)>,
    ) -> Result<Scenario, LoadError> {
        let duration = duration(general)?;
        let links = links::links(general)?;
        let (flows, groups) = flows::flows(general, &links, duration)?;
        let own = self.over.is_some_and(|over| over.value(&keys::AT).is_some());
        let names = flows.iter().map(|flow| &*flow.name).collect();
        let subjects = Subjects { links: &links, groups: &groups, flows: names, own, duration };
        let happening = changes::changes(general, &subjects)?;
        let mut scenario = Scenario {
            variant: self.name.to_owned(),
            point,
            engine: general.need(&keys::ENGINE)?,
            seed: general.need(&keys::SEED)?,
            duration,
            stop_when_complete: stop_when_complete(general, &flows)?,
            timers: general.need(&keys::TIMERS)?,
            hosts: hosts(general)?,
            links: links.iter().map(Link::spec).collect(),
            flows,
            changes: happening.iter().map(|(change, _)| change.clone()).collect(),
            phases: phases(general, duration)?,
            ..Scenario::default()
        };
        scenario.check_engine(scenario.engine).map_err(|unfit| {
            let section = match unfit.place {
                Place::General => general,
                Place::Link(index) => &links[index].section,
                Place::Change(index) => &happening[index].1,
                Place::Flow(index) => {
                    let group = groups.iter().find(|group| group.flows.contains(&index));
                    group.map_or(general, |group| &group.section)
                }
            };
            section.conflict(&[unfit.key], unfit.problem, unfit.allowed)
        })?;
        scenario.expectations = expect::expectations(&self.expected()?, &scenario, axes)?;
        Ok(scenario)
    }

    /// The tables of the expectations of this variant: its own, and those of the base that are
    /// about it. A table without `variants` is about the variant it belongs to.
    fn expected(&self) -> Result<Vec<Section<'_>>, LoadError> {
        let mut expected = Vec::new();
        for table in self.root.array("expect")? {
            table.allow_only(&[keys::EXPECTATION], "unknown key")?;
            let about = match table.value(&keys::ABOUT) {
                None => self.over.is_none(),
                Some(value) => expect::is_about(&value, self.name, self.names)?,
            };
            if about {
                expected.push(table);
            }
        }
        let own = self.over.map_or_else(|| Ok(Vec::new()), |over| over.array("expect"))?;
        if let Some(value) = own.iter().find_map(|table| table.value(&keys::ABOUT)) {
            return Err(value.error("it is in one variant already", "no such key here"));
        }
        expected.extend(own);
        Ok(expected)
    }
}

fn duration(general: &Section<'_>) -> Result<Ns, LoadError> {
    let duration = general.need(&keys::DURATION)?;
    if !aligned(duration) {
        let value = general.need_value(&keys::DURATION)?;
        return Err(value.error("not made of whole steps", "multiples of 100 ms"));
    }
    Ok(duration)
}

fn stop_when_complete(general: &Section<'_>, flows: &[FlowSpec]) -> Result<bool, LoadError> {
    let stop = general.need(&keys::STOP_WHEN_COMPLETE)?;
    if stop && !flows.iter().any(|flow| flow.kind.bytes().is_some()) {
        let allowed = "false, or a flow with the key 'bytes'";
        return Err(general.conflict(&["stop_when_complete"], "nothing ever completes", allowed));
    }
    Ok(stop)
}

fn hosts(general: &Section<'_>) -> Result<[HostConfig; 2], LoadError> {
    let mut hosts = [const { None::<Section<'_>> }; 2];
    for layer in general.layers() {
        for (name, section) in layer.tables("host")? {
            let Some(index) = HOST_NAMES.iter().position(|known| *known == name) else {
                return Err(section.unknown_name("no such host", name, HOST_NAMES.into_iter()));
            };
            section.allow_only(&[keys::HOST], "unknown key")?;
            let below = hosts[index].take();
            hosts[index] = Some(below.map_or_else(|| section.clone(), |b| b.overlaid(&section)));
        }
    }
    let [left, right] = hosts.map(|section| section.map(|section| host(&section)).transpose());
    Ok([left?.unwrap_or_default(), right?.unwrap_or_default()])
}

fn host(section: &Section<'_>) -> Result<HostConfig, LoadError> {
    let offset = section.get(&keys::CLOCK_OFFSET)?;
    if offset.is_some_and(|offset| !offset.0.is_multiple_of(1_000)) {
        let problem = "clocks show whole microseconds";
        return Err(section.conflict(&["clock_offset"], problem, "a multiple of \"1us\""));
    }
    Ok(HostConfig {
        clock_offset_us: offset.map(|offset| offset.0 / 1_000),
        clock_drift_ppm: section.need(&keys::CLOCK_DRIFT)?,
    })
}

fn phases(general: &Section<'_>, duration: Ns) -> Result<Vec<Phase>, LoadError> {
    let mut phases: Vec<Phase> = Vec::new();
    for section in general.array("phase")? {
        section.allow_only(&[keys::PHASE], "unknown key")?;
        let name = section.need(&keys::PHASE_NAME)?;
        if phases.iter().any(|phase| phase.name == name) {
            let problem = "a second phase of this name";
            return Err(section.conflict(&["name"], problem, "a name of its own"));
        }
        let (from, to) = (section.need(&keys::FROM)?, section.need(&keys::TO)?);
        check_window(&section.need_value(&keys::TO)?, (from, to), duration)?;
        phases.push(Phase { name, from, to });
    }
    Ok(phases)
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

/// Of the file, the same with `\n` and `\r\n`, and of the traces that it names.
fn digest(source: &Source<'_>) -> String {
    let mut digest = Sha256::new();
    digest.update(source.text.replace("\r\n", "\n"));
    for trace in source.traces.borrow().values() {
        digest.update(&trace.bytes);
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

const HOST_NAMES: [&str; 2] = ["left", "right"];

/// All of them are in memory at the same time.
const CHANGES_MAX: usize = 1_000_000;

/// More lines than this cannot be told apart in one plot.
const VARIANTS_MAX: usize = 10;
