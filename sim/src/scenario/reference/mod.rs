//! The reference of scenario files, `scenarios/README.md`, made from the tables of keys.

mod prose;

use super::keys::general::{self, HOST, PHASE};
use super::keys::{Default, Keys, flow, link, queue};
use super::model::{FlowKind, FlowSpec, QuicController};
use crate::metrics::{Metric, catalogue};
use prose::{CONTROLLERS, METRICS};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Everything that a scenario file can say, as Markdown.
///
/// ```
/// let text = utp_sim::scenario::reference();
/// assert!(text.contains("| `duration` | time |"));
/// ```
pub fn reference() -> String {
    let mut page = String::from(prose::BEGINNING);
    kinds(&mut page);
    chapter(&mut page, "General keys", prose::GENERAL, general::FILE);
    chapter(&mut page, "`[host.left]` and `[host.right]`", prose::HOST, HOST);
    chapter(&mut page, "`[link.NAME]`", prose::LINK, link::LINK);
    for (title, keys) in LINK_TABLES {
        part(&mut page, title, keys);
    }
    chapter(&mut page, "`[[flow]]`", prose::FLOW, flow::FLOW);
    for (title, keys) in FLOW_TABLES {
        part(&mut page, title, keys);
    }
    controllers(&mut page);
    chapter(&mut page, "`[[at]]`", prose::AT, general::AT_TIME);
    for (title, keys) in AT_TABLES {
        part(&mut page, title, keys);
    }
    chapter(&mut page, "`[[phase]]`", prose::PHASE, PHASE);
    chapter(&mut page, "`[[expect]]`", prose::EXPECT, general::EXPECTATION);
    metrics(&mut page);
    chapter(&mut page, "`[variant.NAME]`", prose::VARIANT, general::VARIANT_ONLY);
    page.push_str(prose::SWEEP);
    page
}

const LINK_TABLES: [(&str, Keys); 14] = [
    ("`rate` by a schedule", link::SCHEDULED_RATE),
    ("`rate` by a trace", link::TRACED_RATE),
    ("`mtu`", link::MTU_KEYS),
    ("`loss` in bursts", link::BURST_LOSS),
    ("`loss` of listed packets", link::LISTED_LOSS),
    ("`policer`", link::POLICER_KEYS),
    ("`queue` of the kind `\"droptail\"`", queue::DROPTAIL),
    ("`queue` of the kind `\"codel\"`", queue::CODEL),
    ("`queue` of the kind `\"fq-codel\"`", queue::FQ_CODEL),
    ("`queue` of the kind `\"pie\"`", queue::PIE),
    ("`aggregation`", link::AGGREGATION_KEYS),
    ("`jitter`", link::JITTER_KEYS),
    ("`reorder`", link::REORDER_KEYS),
    ("`corrupt`", link::CORRUPT_KEYS),
];

const FLOW_TABLES: [(&str, Keys); 7] = [
    ("Flows of the kind `\"utp\"`", flow::UTP),
    ("`lie` of a utp flow", flow::LIES),
    ("Flows of the kinds `\"reno\"` and `\"cubic\"`", flow::TCP),
    ("Flows of the kind `\"cbr\"`", flow::CBR),
    ("Flows of the kind `\"on-off\"`", flow::ON_OFF),
    ("Flows of the kind `\"request-response\"`", flow::REQUEST_RESPONSE),
    ("Flows of the kind `\"quic\"`", flow::QUIC),
];

const AT_TABLES: [(&str, Keys); 3] = [
    ("A change of a link", general::AT_LINK),
    ("A change of a host", general::AT_HOST),
    ("A change of a utp flow", general::AT_FLOW),
];

fn chapter(page: &mut String, title: &str, text: &str, keys: Keys) {
    write_all(page, &format!("\n## {title}\n\n{text}\n"));
    table(page, keys);
}

fn part(page: &mut String, title: &str, keys: Keys) {
    write_all(page, &format!("\n### {title}\n\n"));
    table(page, keys);
}

fn table(page: &mut String, keys: Keys) {
    page.push_str("| key | type | values | without it | meaning |\n|---|---|---|---|---|\n");
    for key in keys {
        let (name, kind) = (key.name(), key.kind());
        let default = match key.default() {
            Default::Is(text) => format!("`{text}`"),
            Default::None(words) => words.to_owned(),
            Default::Required => "**refused**".to_owned(),
        };
        let cells = [kind.name(), kind.range(), default, key.says().to_owned()];
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        write_all(page, &format!("| `{name}` | {} |\n", cells.join(" | ")));
    }
}

/// How values of each type are written: every type that a key has and that has a form of its own.
fn kinds(page: &mut String) {
    page.push_str("\n## Values\n\n| type | written as |\n|---|---|\n");
    let every = [general::FILE, HOST, link::LINK, flow::UTP, general::AT_HOST];
    let of_expectations = [general::EXPECTATION, flow::CBR, link::MTU_KEYS];
    let keys = || every.into_iter().chain(of_expectations).flatten();
    let mut forms = BTreeMap::new();
    for kind in keys().map(|key| key.kind()).filter(|kind| kind.form() != kind.range()) {
        forms.entry(kind.name()).or_insert_with(|| kind.form());
    }
    // What an integer or a text may be differs from key to key, as their rows say.
    forms.insert("integer".to_owned(), "a whole number, such as `1_250_000`".to_owned());
    forms.insert("text".to_owned(), "a text in quotes".to_owned());
    for (name, form) in forms {
        write_all(page, &format!("| {name} | {form} |\n"));
    }
}

fn controllers(page: &mut String) {
    write_all(page, &format!("\n### Congestion controllers\n\n{}\n", prose::CONTROLLER));
    page.push_str("| name | what it is |\n|---|---|\n");
    for name in utp_ledbat::CONTROLLER_NAMES.into_iter().chain(["fixed:N"]) {
        let says = CONTROLLERS.iter().find(|(known, _)| *known == name);
        write_all(page, &format!("| `{name}` | {} |\n", says.map_or("", |(_, says)| *says)));
    }
}

fn metrics(page: &mut String) {
    write_all(page, &format!("\n### Metrics\n\n{}\n", prose::METRIC));
    page.push_str("| metric | of | window | meaning |\n|---|---|---|---|\n");
    for row in metric_rows() {
        let says = METRICS.iter().find(|(known, _)| *known == row.name);
        let says = says.map_or("", |(_, says)| *says);
        let Row { shown, of, window, .. } = row;
        let window = if window { "yes" } else { "whole run" };
        write_all(page, &format!("| `{shown}` | {of} | {window} | {says} |\n"));
    }
}

/// A quantity, for all links or flows that have it.
struct Row {
    /// Without statistics.
    name: String,
    shown: String,
    of: String,
    window: bool,
}

/// Every quantity that some run has: what the example with all kinds of flows has.
fn metric_rows() -> Vec<Row> {
    let file = super::parse("every.toml".as_ref(), prose::EVERY_METRIC);
    let Some(mut scenario) = file.ok().and_then(|mut file| file.variants.pop()) else {
        return Vec::new();
    };
    // Not every build can read a flow of this kind.
    let kind = FlowKind::Quic { controller: QuicController::Cubic, bytes: Some(1) };
    let quic = scenario.flows.first().cloned();
    scenario.flows.extend(quic.map(|flow| FlowSpec { name: "quic".to_owned(), kind, ..flow }));
    let mut rows: Vec<(Row, Vec<String>)> = Vec::new();
    for metric in catalogue(&scenario) {
        let Some((shown, subject)) = pattern(&metric) else { continue };
        let (name, shown) = match shown.rsplit_once('.') {
            Some((quantity, "mean" | "p50" | "p95" | "p99" | "max")) if quantity.contains('.') => {
                (last(quantity), format!("{quantity}.STATISTIC"))
            }
            Some((quantity, _)) if quantity.ends_with(".drops") => {
                (last(quantity), format!("{quantity}.REASON"))
            }
            _ => (last(&shown), shown.clone()),
        };
        match rows.iter_mut().find(|(row, _)| row.shown == shown) {
            Some((_, subjects)) if subjects.contains(&subject) => {}
            Some((_, subjects)) => subjects.push(subject),
            None => {
                let of = String::new();
                let row = Row { name, shown, of, window: metric.takes_window() };
                rows.push((row, vec![subject]));
            }
        }
    }
    let kinds = scenario.flows.len();
    let named = |(row, subjects): (Row, Vec<String>)| {
        let of = match subjects.len() {
            _ if row.shown.starts_with("links.") => "links".to_owned(),
            count if count == kinds => "all flows".to_owned(),
            _ => subjects.join(", "),
        };
        Row { of, ..row }
    };
    rows.into_iter().map(named).collect()
}

/// The name of a metric without the name of what it is about, and that.
fn pattern(metric: &Metric) -> Option<(String, String)> {
    if !metric.name.contains('.') {
        return Some((metric.name.clone(), "the run".to_owned()));
    }
    let mut parts = metric.name.splitn(3, '.');
    let (kind, subject, quantity) = (parts.next()?, parts.next()?, parts.next()?);
    Some((format!("{kind}.NAME.{quantity}"), subject.to_owned()))
}

fn last(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).to_owned()
}

fn write_all(page: &mut String, text: &str) {
    page.write_str(text).expect("a string takes every text");
}

#[cfg(test)]
mod tests;
