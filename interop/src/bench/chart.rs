//! A bar for each implementation, as SVG.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::harness::Spread;

/// A bar: a name, and what it is as long as; none where there is nothing to show.
pub(super) struct Bar<'a> {
    pub(super) name: &'a str,
    pub(super) value: Option<Spread>,
    /// What stands at its end.
    pub(super) label: String,
    pub(super) ours: bool,
}

type Error = DrawingAreaErrorKind<std::io::Error>;

/// The chart of a bench; `unit` is said below its title. Bars are as long as their medians, and a
/// thin line shows the range.
pub(super) fn chart(title: &str, unit: &str, bars: &[Bar<'_>]) -> String {
    let mut svg = String::new();
    draw(&mut svg, title, unit, bars).expect("a string takes what is drawn");
    svg
}

fn draw(svg: &mut String, title: &str, unit: &str, bars: &[Bar<'_>]) -> Result<(), Error> {
    let rows = i32::try_from(bars.len()).expect("a bench has few rows");
    let height = HEAD + rows * ROW + 16;
    let size = (WIDTH.cast_unsigned(), height.cast_unsigned());
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    root.fill(&WHITE)?;
    let text = |size: i32, horizontal: HPos| {
        TextStyle::from(("sans-serif", f64::from(size) * 1.24).into_font())
            .pos(Pos::new(horizontal, VPos::Center))
    };
    root.draw_text(title, &text(20, HPos::Left), (16, 24))?;
    root.draw_text(unit, &text(14, HPos::Left), (16, 50))?;
    let longest = bars.iter().filter_map(|bar| bar.value).map(|value| value.max);
    let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
    for (index, bar) in (0..).zip(bars) {
        let middle = HEAD + index * ROW + ROW / 2;
        root.draw_text(bar.name, &text(14, HPos::Right), (LEFT - 8, middle))?;
        let mut end = LEFT;
        if let Some(value) = bar.value {
            #[expect(clippy::cast_possible_truncation, reason = "it is within the chart")]
            let at = |value: f64| LEFT + (value / longest * f64::from(SPAN)).round() as i32;
            let colour = if bar.ours { RGBColor(31, 119, 180) } else { RGBColor(174, 182, 191) };
            let corners = [(LEFT, middle - BAR / 2), (at(value.median), middle + BAR / 2)];
            root.draw(&Rectangle::new(corners, colour.filled()))?;
            let range = [(at(value.min), middle), (at(value.max), middle)];
            root.draw(&PathElement::new(range, BLACK.stroke_width(1)))?;
            end = at(value.max.max(value.median));
        }
        root.draw_text(&bar.label, &text(14, HPos::Left), (end + 8, middle))?;
    }
    root.present()
}

const WIDTH: i32 = 900;
const HEAD: i32 = 72;
const ROW: i32 = 28;
const BAR: i32 = 18;

/// Where bars begin: there is room for names.
const LEFT: i32 = 220;

/// The length of the longest, which leaves room for what stands at its end.
const SPAN: i32 = 560;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_what_they_stand_for() {
        let spread = |value: f64| Some(Spread { median: value, min: value, max: value });
        let bar = |name, value| Bar { name, value, label: "7".to_owned(), ours: false };
        let bars = [bar("whole", spread(100.0)), bar("half", spread(50.0)), bar("none", None)];
        let svg = chart("A title", "MB/s", &bars);
        let widths: Vec<&str> = svg
            .lines()
            .filter(|line| line.contains("<rect") && line.contains("#AEB6BF"))
            .filter_map(|line| line.split("width=\"").nth(1)?.split('"').next())
            .collect();
        assert_eq!(widths, ["560", "280"]);
        for text in ["A title", "MB/s", "whole", "half", "none"] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
