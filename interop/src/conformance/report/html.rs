//! The matrix as a page of its own, without anything to load.

use std::fmt::Write as _;

use super::{Column, verdict};
use crate::conformance::case::Case;
use crate::harness::Provenance;

pub(super) fn page(provenance: &Provenance, cases: &[&Case], columns: &[Column]) -> String {
    let mut html = String::from(HEAD);
    let (date, command) = (escape(&provenance.date), escape(&provenance.command));
    let (commit, cpu) = (escape(&provenance.commit), escape(&provenance.machine.cpu));
    push(
        &mut html,
        format_args!("<p>{date}, commit {commit}, {cpu}. <code>{command}</code></p>\n<table>\n"),
    );
    html += "<thead><tr><th>case</th><th>grade</th><th>expectation</th>";
    for column in columns {
        let (name, version) = (escape(&column.name), escape(&column.version));
        let counts = column.counts(cases);
        let (passed, total) = (counts.must_pass, counts.must_total);
        push(
            &mut html,
            format_args!("<th>{name}<small>{version}<br>MUST {passed} of {total}</small></th>"),
        );
    }
    html += "</tr></thead>\n<tbody>\n";
    for case in cases {
        let (id, grade, title) = (escape(&case.id), case.grade, escape(&case.title));
        let reference = escape(&case.reference);
        push(
            &mut html,
            format_args!("<tr><th>{id}</th><td>{grade}</td><td title=\"{reference}\">{title}</td>"),
        );
        for column in columns {
            let word = verdict(column, case);
            let reason = column.outcomes.get(&case.id).map_or("", |outcome| &outcome.reason);
            let reason = escape(reason);
            push(&mut html, format_args!("<td class=\"{word}\" title=\"{reason}\">{word}</td>"));
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</body>\n</html>\n"
}

fn push(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.write_fmt(text).expect("a string takes everything");
}

fn escape(text: &str) -> String {
    let pairs = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<title>uTP conformance</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #1b1f24; }
table { border-collapse: collapse; }
th, td { border: 1px solid #d0d7de; padding: 2px 8px; text-align: left; }
thead th { position: sticky; top: 0; background: #f6f8fa; }
th small { display: block; font-weight: normal; }
.pass { background: #dafbe1; }
.known { background: #fff8c5; }
.fail, .crash, .internal, .late { background: #ffcecb; }
.skip { color: #818b98; }
</style>
</head>
<body>
<h1>uTP conformance</h1>
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_does_not_become_markup() {
        assert_eq!(escape("a < b & \"c\""), "a &lt; b &amp; &quot;c&quot;");
    }
}
