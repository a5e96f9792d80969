//! Makes the SVG that plotters writes smaller and adds what it cannot write: dashes, and a name for
//! those who cannot see it. A line of a thousand points becomes one path of relative steps, without
//! the points that lie between two others on a straight line.

use super::style::dashes;
use std::fmt::Write as _;

/// The same picture in fewer bytes; `name` is what a screen reader says.
pub(super) fn compact(svg: &str, name: &str) -> String {
    let mut text = String::with_capacity(svg.len() / 2);
    let mut rules: Option<(String, String)> = None;
    for line in svg.lines().map(str::trim_end) {
        let rule = line.starts_with("<line ").then(|| rule(line)).flatten();
        if let Some((look, data)) = rule {
            match &mut rules {
                Some((known, all)) if *known == look => all.push_str(&data),
                _ => end_rules(&mut text, rules.replace((look, data))),
            }
            continue;
        }
        end_rules(&mut text, rules.take());
        if line.starts_with("<polyline ") || line.starts_with("<polygon ") {
            text.push_str(&path(line));
        } else if line.starts_with("<svg ") {
            text.push_str(&line.replacen("<svg ", &format!("<svg role=\"img\" {COMMON} "), 1));
            write!(text, "<title>{}</title>", escape(name)).expect("a string takes all");
        } else {
            text.push_str(&without_defaults(line));
        }
        // Text begins and ends on the line of its element.
        let inside = line.starts_with("<text ") || !line.starts_with('<');
        if !inside {
            text.push('\n');
        }
    }
    text
}

/// The look of a line from side to side or from top to bottom, and the line as data of a path.
fn rule(element: &str) -> Option<(String, String)> {
    let number = |name| attribute(element, name)?.parse::<i64>().ok();
    let (x1, y1, x2, y2) = (number("x1")?, number("y1")?, number("x2")?, number("y2")?);
    let data = match (x1 == x2, y1 == y2) {
        (true, _) => format!("M{x1} {y1}V{y2}"),
        (_, true) => format!("M{x1} {y1}H{x2}"),
        _ => return None,
    };
    let (stroke, width) = (attribute(element, "stroke")?, attribute(element, "stroke-width")?);
    let opacity = attribute(element, "opacity").filter(|opacity| *opacity != "1");
    let opacity = opacity.map_or_else(String::new, |value| format!(" opacity=\"{value}\""));
    Some((format!("stroke=\"{stroke}\" stroke-width=\"{width}\"{opacity}"), data))
}

/// Writes the lines that have the same look as one path.
fn end_rules(text: &mut String, rules: Option<(String, String)>) {
    if let Some((look, data)) = rules {
        writeln!(text, "<path {look} d=\"{data}\"/>").expect("a string takes all");
    }
}

fn attribute<'e>(element: &'e str, name: &str) -> Option<&'e str> {
    let (_, rest) = element.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

/// What the picture says once for all of its elements.
const COMMON: &str = "font-family=\"sans-serif\" stroke-linejoin=\"round\"";

/// An element without the attributes that it has anyway.
fn without_defaults(element: &str) -> String {
    let mut element = element.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    if element.starts_with("<text") {
        element = element.replace(" font-family=\"sans-serif\"", "");
        element = element.replace(" fill=\"#000000\"", "");
        element = element.replace(" text-anchor=\"start\"", "");
        // Sizes are whole; what is behind the point is what a division left.
        if let Some(size) = attribute(&element, "font-size").map(str::to_owned)
            && let Ok(value) = size.parse::<f64>()
        {
            let from = format!("font-size=\"{size}\"");
            element = element.replace(&from, &format!("font-size=\"{}\"", value.round()));
        }
    }
    element
}

/// As text between elements or inside an attribute.
pub(in super::super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One polyline or polygon as a path.
fn path(element: &str) -> String {
    let attribute = |name| attribute(element, name);
    let mut text = String::from("<path");
    for name in ["fill", "stroke", "stroke-width", "opacity"] {
        match attribute(name) {
            None | Some("1") if name == "opacity" => {}
            None => {}
            Some(value) => write!(text, " {name}=\"{value}\"").expect("a string takes all"),
        }
    }
    if let Some(stroke) = attribute("stroke") {
        let dashes = dashes(stroke);
        if !dashes.is_empty() {
            write!(text, " stroke-dasharray=\"{dashes}\"").expect("a string takes all");
        }
    }
    let close = if element.starts_with("<polygon") { "z" } else { "" };
    let points = attribute("points").map(points).unwrap_or_default();
    write!(text, " d=\"{}{close}\"/>", steps(&straightened(&points))).expect("a string takes all");
    text
}

fn points(list: &str) -> Vec<(i64, i64)> {
    let point = |pair: &str| {
        let (x, y) = pair.split_once(',')?;
        Some((x.parse().ok()?, y.parse().ok()?))
    };
    list.split_whitespace().filter_map(point).collect()
}

/// Without points that change nothing: those that go on in the direction of the step before.
fn straightened(points: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut kept: Vec<(i64, i64)> = Vec::with_capacity(points.len());
    for &(x, y) in points {
        if kept.last() == Some(&(x, y)) {
            continue;
        }
        if let [.., (x0, y0), (x1, y1)] = kept[..] {
            let (before, after) = ((x1 - x0, y1 - y0), (x - x1, y - y1));
            let turns = before.0 * after.1 - before.1 * after.0 != 0;
            let goes_back = before.0 * after.0 + before.1 * after.1 < 0;
            if !turns && !goes_back {
                kept.pop();
            }
        }
        kept.push((x, y));
    }
    kept
}

/// The data of a path: an absolute point, then steps.
fn steps(points: &[(i64, i64)]) -> String {
    let mut text = String::new();
    let mut at = None;
    for &(x, y) in points {
        match at {
            None => write!(text, "M{x} {y}l"),
            Some((from_x, from_y)) => {
                let (dx, dy): (i64, i64) = (x - from_x, y - from_y);
                // A minus sign separates as well as a space does.
                let space = |value: i64| if value < 0 { "" } else { " " };
                let first = if text.ends_with('l') { "" } else { space(dx) };
                write!(text, "{first}{dx}{}{dy}", space(dy))
            }
        }
        .expect("a string takes all");
        at = Some((x, y));
    }
    if text.ends_with('l') {
        // A line of one point is a dot.
        text.push_str("0 0");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_steps_without_the_points_on_the_way() {
        let element = "<polyline fill=\"none\" opacity=\"1\" stroke=\"#E69F00\" stroke-width=\"4\" \
                       points=\"10,20 11,20 12,20 13,18 12,21 12,21 \"/>";
        assert_eq!(
            path(element),
            "<path fill=\"none\" stroke=\"#E69F00\" stroke-width=\"4\" \
             stroke-dasharray=\"16 6\" d=\"M10 20l2 0 1-2-1 3\"/>"
        );
    }

    #[test]
    fn a_line_that_goes_back_on_itself_keeps_its_turning_point() {
        assert_eq!(straightened(&[(0, 0), (5, 0), (2, 0)]), [(0, 0), (5, 0), (2, 0)]);
        assert_eq!(straightened(&[(0, 0), (0, 9), (0, 9), (0, 4)]), [(0, 0), (0, 9), (0, 4)]);
    }

    #[test]
    fn an_area_is_closed_and_a_single_point_is_a_dot() {
        let element = "<polygon opacity=\"1\" fill=\"#555555\" points=\"1,1 5,1 5,4\"/>";
        assert_eq!(path(element), "<path fill=\"#555555\" d=\"M1 1l4 0 0 3z\"/>");
        assert_eq!(steps(&[(3, 4)]), "M3 4l0 0");
    }

    #[test]
    fn lines_of_one_look_become_one_path_and_text_stays_in_its_element() {
        let svg = "<line opacity=\"1\" stroke=\"#D0D0D0\" stroke-width=\"1\" x1=\"5\" y1=\"9\" \
                   x2=\"5\" y2=\"1\"/>\n<line opacity=\"1\" stroke=\"#D0D0D0\" stroke-width=\"1\" \
                   x1=\"5\" y1=\"9\" x2=\"8\" y2=\"9\"/>\n<text font-size=\"26.000000000000004\" fill=\"#000000\">\n50\n</text>\n";
        let expected = "<path stroke=\"#D0D0D0\" stroke-width=\"1\" d=\"M5 9V1M5 9H8\"/>\n\
                        <text font-size=\"26\">50</text>\n";
        assert_eq!(compact(svg, ""), expected);
    }

    #[test]
    fn the_picture_has_a_name_in_which_nothing_is_markup() {
        let svg = "<svg width=\"1\">\n<rect opacity=\"1\" stroke=\"none\"/>\n</svg>\n";
        let expected = "<svg role=\"img\" font-family=\"sans-serif\" stroke-linejoin=\"round\" \
                        width=\"1\"><title>a &lt;b&gt; &amp; c</title>\n<rect/>\n</svg>\n";
        assert_eq!(compact(svg, "a <b> & c"), expected);
    }
}
