//! `report.html`: everything about a run in one file that needs no network and no script.

use super::plot::escape;
use super::table::{
    FLOW_HEADER, LINK_HEADER, SEEDS_HEADER, VERDICT_HEADER, flow_row, link_row, seed_rows,
    verdict_rows,
};
use super::{Report, hexadecimal, verdict_words};
use std::fmt::Write as _;

/// The text of `report.html` around the plots, which are SVG files with their names.
pub fn html(report: Report<'_>, plots: &[(&str, String)]) -> String {
    let file = report.file;
    let mut page = Page::new(&file.name, &file.summary, report.pass(), &report.command());
    page.add(&format!("<p>{}</p>\n", escape(&verdict_words(report))));
    let verdicts = verdict_rows(report).into_iter().map(|(pass, row)| (Some(pass), row));
    page.table("Expectations", &VERDICT_HEADER, verdicts);
    for (name, svg) in plots {
        page.figure(name, svg);
    }
    let links = report.views().flat_map(|view| {
        (0..view.scenario.links.len()).map(move |index| (None, link_row(view, index)))
    });
    page.table("Links", &LINK_HEADER, links);
    let flows = report.views().flat_map(|view| {
        (0..view.scenario.flows.len()).map(move |index| (None, flow_row(view, index)))
    });
    page.table("Flows", &FLOW_HEADER, flows);
    if let Some(runs) = report.seeds {
        let rows = seed_rows(runs).into_iter().map(|row| (None, row));
        page.table("Over all seeds", &SEEDS_HEADER, rows);
    }
    origin(&mut page, report);
    page.scenario(&file.text);
    page.end()
}

/// What made the results, for whoever wants them again.
fn origin(page: &mut Page, report: Report<'_>) {
    let file = report.file;
    page.add("<h2>Origin</h2>\n<dl>\n");
    let mut entry = |name: &str, value: &str| {
        page.add(&format!("<dt>{name}</dt><dd><code>{}</code></dd>\n", escape(value)));
    };
    entry("Version", &format!("utp-sim {}", env!("CARGO_PKG_VERSION")));
    entry("Engine", file.engine().name());
    entry("Scenario digest", &file.digest);
    for view in report.views() {
        let scenario = view.scenario;
        let name = format!("Trace hash of {}, seed {}", escape(&scenario.variant), scenario.seed);
        entry(&name, &hexadecimal(view.record.trace_hash));
    }
    page.add("</dl>\n");
}

/// A page that is being written.
pub(super) struct Page(String);

impl Page {
    /// Its head, with what was run and how it went.
    pub(super) fn new(name: &str, summary: &str, pass: bool, command: &str) -> Self {
        let (name, summary) = (escape(name), escape(summary));
        let (class, verdict) = if pass { ("pass", "PASS") } else { ("fail", "FAIL") };
        Self(format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{name} - {verdict}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1>{name} <span class=\"{class}\">{verdict}</span></h1>\n\
             <p class=\"summary\">{summary}</p>\n<pre class=\"command\">{}</pre>\n",
            escape(command),
        ))
    }

    pub(super) fn add(&mut self, text: &str) {
        self.0.push_str(text);
    }

    pub(super) fn figure(&mut self, name: &str, svg: &str) {
        self.add(&format!("<figure id=\"{}\">\n{svg}</figure>\n", escape(name)));
    }

    /// The text of the scenario file.
    pub(super) fn scenario(&mut self, text: &str) {
        let text = escape(&text.replace("\r\n", "\n"));
        self.add("<details open>\n<summary><h2>Scenario</h2></summary>\n<pre>");
        self.add(&text);
        self.add("</pre>\n</details>\n");
    }

    pub(super) fn end(mut self) -> String {
        self.add("</body>\n</html>\n");
        self.0
    }

    /// A table with a verdict in front of the rows that have one; none without rows.
    pub(super) fn table(
        &mut self,
        title: &str,
        header: &[&str],
        rows: impl Iterator<Item = (Option<bool>, Vec<String>)>,
    ) {
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            return;
        }
        let judged = rows.iter().any(|(pass, _)| pass.is_some());
        self.add(&format!("<h2>{title}</h2>\n<div class=\"scroll\"><table>\n<thead><tr>"));
        if judged {
            self.add("<th></th>");
        }
        for cell in header {
            write!(self.0, "<th>{}</th>", escape(cell)).expect("a string takes all");
        }
        self.add("</tr></thead>\n<tbody>\n");
        for (pass, row) in &rows {
            self.add("<tr>");
            match pass {
                Some(true) => self.add("<td class=\"pass\">pass</td>"),
                Some(false) => self.add("<td class=\"fail\">FAIL</td>"),
                None => {}
            }
            for cell in row {
                let number = cell.chars().all(|c| c.is_ascii_digit() || ".%-".contains(c));
                let class = if number { " class=\"n\"" } else { "" };
                write!(self.0, "<td{class}>{}</td>", escape(cell)).expect("a string takes all");
            }
            self.add("</tr>\n");
        }
        self.add("</tbody>\n</table></div>\n");
    }
}

/// Plots are black on white; in the dark their lightness is turned over and their hue kept.
const STYLE: &str = "
:root{color-scheme:light dark;--line:#c8c8c8;--soft:#f3f3f3;--good:#0a6b3d;--bad:#b3261e}
body{font:1rem/1.5 system-ui,sans-serif;max-width:76rem;margin:0 auto;padding:1rem}
h1{margin:.2em 0;overflow-wrap:anywhere}h2{font-size:1.25rem;margin:1.6em 0 .4em}
.summary{font-size:1.1rem}
.scroll,figure,pre{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.25em .7em;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
td.n{text-align:right}
pre.command{white-space:pre-wrap}
pre{background:var(--soft);padding:.8em;font-size:.85rem;border-radius:.4em}
figure{margin:1.5em 0}figure svg{display:block;width:100%;min-width:44rem;height:auto}
.pass{color:var(--good);font-weight:600}.fail{color:var(--bad);font-weight:700}
summary h2{display:inline}dt{font-weight:600}dd{margin:0 0 .4em;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){:root{--line:#444;--soft:#222;--good:#6cd39c;--bad:#ff8a80}
body{background:#121212;color:#e6e6e6}figure svg{filter:invert(.93) hue-rotate(180deg)}}
@media print{figure svg{min-width:0}pre{white-space:pre-wrap}}
";
