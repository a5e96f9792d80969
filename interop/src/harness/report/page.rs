//! The matrix as a page of its own, without anything to load: a click on a cell plots what both
//! ends saw over time.

use std::fmt::Write as _;

use super::grid::{clients, find, groups, servers, text, title};
use super::{Cell, Report};
use crate::harness::{Family, Observed, STEP, Step};

/// The page of a report.
pub fn page(report: &Report) -> String {
    let mut html = String::from(HEAD);
    let line = escape(report.provenance.line().trim_end());
    write!(html, "<p>{line}</p>\n{NOTES}").expect("a string takes it");
    // One family is enough to look at: the stacks do the same over the other.
    let family = match report.runs.iter().any(|cell| cell.family == Family::V4) {
        true => Family::V4,
        false => Family::V6,
    };
    let mut plots = Vec::new();
    for group in groups(&report.runs) {
        let servers = servers(&group);
        write!(html, "<h2>{}</h2>\n<table>\n<tr><th>client</th>", escape(&title(group[0])))
            .expect("a string takes it");
        for server in &servers {
            write!(html, "<th>{}</th>", escape(server)).expect("a string takes it");
        }
        html += "</tr>\n";
        for client in clients(&group) {
            write!(html, "<tr><th>{}</th>", escape(&client)).expect("a string takes it");
            for server in &servers {
                let cell = find(&group, &client, server);
                html +=
                    &cell.map_or_else(|| "<td></td>".into(), |cell| td(cell, family, &mut plots));
            }
            html += "</tr>\n";
        }
        html += "</table>\n";
    }
    write!(html, "<script>\nconst PLOTS = [\n{}\n];\n", plots.join(",\n"))
        .expect("a string takes it");
    html + SCRIPT + "</script>\n</body>\n</html>\n"
}

/// A cell, which can be clicked if there is something to plot.
fn td(cell: &Cell, family: Family, plots: &mut Vec<String>) -> String {
    let class = if cell.passed == cell.rounds { "pass" } else { "fail" };
    let hint = cell.error.as_deref().unwrap_or_default();
    let said = text(cell);
    let shown =
        cell.shown.as_ref().filter(|shown| cell.family == family && !shown.steps.is_empty());
    let click = match shown {
        Some(shown) => {
            let name = format!("{} to {}, {}", cell.client_name(), cell.server, title(cell));
            plots.push(plot(&name, shown));
            format!(" data-plot=\"{}\" tabindex=\"0\"", plots.len() - 1)
        }
        None => String::new(),
    };
    format!("<td class=\"{class}\" title=\"{}\"{click}>{}</td>", escape(hint), escape(&said))
}

/// The series of a run as a JavaScript object: its name, milliseconds between points, and for each
/// series the greatest value and the points.
fn plot(name: &str, observed: &Observed) -> String {
    let together = observed.steps.len().div_ceil(POINTS_MAX);
    let step_ms = STEP.as_millis() * together as u128;
    let chunks = || observed.steps.chunks(together);
    let mbps = |bytes: fn(&Step) -> u64| -> Vec<Option<f64>> {
        let rate = |chunk: &[Step]| {
            let bytes: u64 = chunk.iter().map(bytes).sum();
            // The last chunk may be shorter than the others.
            let ms = STEP.as_millis() as f64 * chunk.len() as f64;
            Some(bytes as f64 * 8.0 / 1e3 / ms)
        };
        chunks().map(rate).collect()
    };
    let greatest = |value: fn(&Step) -> Option<f64>| -> Vec<Option<f64>> {
        chunks().map(|chunk| chunk.iter().filter_map(value).reduce(f64::max)).collect()
    };
    let series = [
        mbps(|step| step.sent_bytes),
        mbps(|step| step.arrived_bytes),
        greatest(|step| Some(step.queue_ms)),
        greatest(|step| step.data_delay_ms),
        greatest(|step| step.ack_delay_ms),
    ];
    let series = series.map(|values| packed(&values)).join(",");
    format!("{{n:{},ms:{step_ms},s:[{series}]}}", quoted(name))
}

/// A series as its greatest value and two digits of base 64 for each point, a share of that; blanks
/// where there is none.
fn packed(values: &[Option<f64>]) -> String {
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let mut digits = String::new();
    for value in values {
        let Some(value) = value.filter(|_| most > 0.0) else {
            digits += if value.is_some() { "AA" } else { "  " };
            continue;
        };
        #[expect(clippy::cast_possible_truncation, reason = "a share of 1 is 4095 at most")]
        #[expect(clippy::cast_sign_loss, reason = "rates and delays above the least are positive")]
        let level = (value / most * 4_095.0).round() as usize;
        digits.extend([level / 64 % 64, level % 64].map(|digit| char::from(DIGITS[digit])));
    }
    format!("[{most:.3},\"{digits}\"]")
}

fn quoted(text: &str) -> String {
    // JSON is JavaScript, and a tag would end the script.
    serde_json::Value::from(text).to_string().replace('<', "\\u003c")
}

fn escape(text: &str) -> String {
    let pairs = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// As many points as a plot of this size shows apart.
const POINTS_MAX: usize = 60;

/// The digits of base 64, none of which means anything in a script.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";

const NOTES: &str = "<p>Rows connect, columns listen. A cell has the median and the lowest of the
rounds in Mbit/s, and where packets wait at the relay the median and the 95th percentile of their
wait. <b>Click</b> on an underlined cell for throughput and delay over time at both ends; transfers
over loopback are looked at in a run of their own through a relay that does nothing. Where a cell
failed, the reason shows under the pointer.</p>
";

const HEAD: &str = include_str!("page/head.html");

const SCRIPT: &str = include_str!("page/plot.js");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_shares_of_the_greatest() {
        assert_eq!(packed(&[Some(0.0), None, Some(5.0), Some(10.0)]), "[10.000,\"AA  gA--\"]");
        assert_eq!(packed(&[Some(0.0), None]), "[0.000,\"AA  \"]");
        assert_eq!(packed(&[]), "[0.000,\"\"]");
    }

    #[test]
    fn a_long_run_is_shown_in_few_points_and_keeps_its_peaks() {
        let mut observed = Observed { steps: vec![Step::default(); 150], ..Observed::default() };
        observed.steps[70].queue_ms = 7.0;
        observed.steps[149].arrived_bytes = 12_500;
        let text = plot("a \"name\" </script>", &observed);
        assert!(text.starts_with(r#"{n:"a \"name\" \u003c/script>",ms:300,"#), "{text}");
        assert!(text.contains("[7.000,"), "{text}");
        // 12 500 bytes in 300 ms.
        assert!(text.contains("[0.333,"), "{text}");
        assert_eq!(text.matches("AA").count(), 50 + 2 * 49);
    }
}
