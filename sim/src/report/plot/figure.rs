//! A whole plot: a title, groups of panels one below the other, and a legend for each group. What a
//! panel looks like inside is in `chart.rs`.

use super::super::series::Series;
use super::compact::compact;
use super::style::{LineStyle, fill};
use super::text::{
    Area, Error, SMALL_SIZE, TEXT_SIZE, TITLE_SIZE, centred, cut, fitting, sized, width, write,
};
use crate::time::Ns;
use anyhow::anyhow;
use plotters::prelude::*;

/// A whole plot.
pub(super) struct Figure {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// Lines of small print.
    pub(super) footer: Vec<String>,
    pub(super) axis: Axis,
    pub(super) groups: Vec<Group>,
}

/// The horizontal axis that all panels share.
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) from: f64,
    pub(super) to: f64,
    /// What stands at 1, 2, 3 and so on instead of the numbers; empty for numbers.
    pub(super) names: Vec<String>,
}

/// Panels of one quantity that share a scale and a legend; more than one when there is too much for
/// a single one.
pub(super) struct Group {
    pub(super) y_label: String,
    pub(super) panels: Vec<Panel>,
    /// Whether it has a legend; not when it is that of the group before.
    pub(super) explained: bool,
    /// Values above are cut off.
    pub(super) cap: Option<f64>,
}

/// A span of time to shade.
#[derive(Clone, PartialEq)]
pub(super) struct Span {
    pub(super) label: String,
    pub(super) from_s: f64,
    pub(super) to_s: f64,
    /// Something is broken meanwhile: shaded darker.
    pub(super) fault: bool,
}

/// A moment to mark.
#[derive(Clone, PartialEq)]
pub(super) struct Moment {
    /// Without a label where there are too many of them.
    pub(super) label: String,
    pub(super) at_s: f64,
}

/// One chart.
#[derive(Default)]
pub(super) struct Panel {
    /// Which of the group it is; empty when it is the only one.
    pub(super) title: String,
    pub(super) spans: Vec<Span>,
    pub(super) moments: Vec<Moment>,
    pub(super) stack: Vec<Line>,
    pub(super) lines: Vec<Line>,
    pub(super) marks: Vec<Mark>,
}

/// A value worth a horizontal line of its own.
#[derive(Clone, PartialEq)]
pub(super) struct Mark {
    /// Two short lines of text.
    pub(super) label: [String; 2],
    pub(super) at: f64,
}

/// A named series, in pieces where it has gaps.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) look: Look,
    pub(super) pieces: Vec<Vec<(f64, f64)>>,
    /// The range that each point is the middle of, as `(x, low, high)`; may be empty.
    pub(super) range: Vec<(f64, f64, f64)>,
}

/// What a series is drawn as.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Look {
    Area(RGBColor),
    Line(LineStyle),
}

impl Line {
    /// Every value is drawn in the middle of its step.
    pub(super) fn new(label: String, look: Look, series: &Series, step: Ns) -> Self {
        let mut pieces = vec![Vec::new()];
        for (index, value) in series.iter().enumerate() {
            let x = (index as f64 + 0.5) * step.as_secs_f64();
            match (value, pieces.last_mut()) {
                (Some(y), Some(piece)) => piece.push((x, *y)),
                (None, Some(piece)) if !piece.is_empty() => pieces.push(Vec::new()),
                _ => {}
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        Self { label, look, pieces, range: Vec::new() }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let points = self.pieces.iter().flatten().map(|(_, y)| *y);
        points.chain(self.range.iter().flat_map(|(_, low, high)| [*low, *high]))
    }
}

impl Look {
    pub(super) fn line(index: usize) -> Self {
        Self::Line(LineStyle::nth(index))
    }

    pub(super) fn area(index: usize) -> Self {
        Self::Area(fill(index))
    }
}

impl Panel {
    fn values(&self) -> impl Iterator<Item = f64> {
        self.lines.iter().flat_map(Line::values).chain(self.marks.iter().map(|mark| mark.at))
    }

    /// Highest point of the stacked series on top of each other.
    fn stack_top(&self) -> f64 {
        self.stack.last().map_or(0.0, |line| line.values().fold(0.0, f64::max))
    }
}

impl Group {
    pub(super) fn new(y_label: impl Into<String>) -> Self {
        Self { y_label: y_label.into(), panels: Vec::new(), explained: true, cap: None }
    }

    /// Whether a line leaves the picture.
    pub(super) fn is_cut_off(&self) -> bool {
        let values = self.panels.iter().flat_map(Panel::values);
        let tops = self.panels.iter().map(Panel::stack_top);
        values.chain(tops).any(|value| self.cap.is_some_and(|cap| value > cap))
    }

    /// Cuts off the few values that would press all others flat; says how high the highest of them
    /// is.
    pub(super) fn cap_outliers(&mut self) -> Option<f64> {
        let mut values: Vec<_> = self.panels.iter().flat_map(Panel::values).collect();
        values.sort_by(f64::total_cmp);
        let usual = *values.get(values.len() * USUAL_PERCENT / 100)?;
        let highest = values.last().copied().filter(|highest| *highest > usual * OUTLIER_FACTOR)?;
        self.cap = Some(usual * CAP_FACTOR);
        Some(highest)
    }

    /// Both ends of the vertical axis: some air above the highest point.
    pub(super) fn vertical(&self) -> (f64, f64) {
        let values = || self.panels.iter().flat_map(Panel::values);
        let tops = self.panels.iter().map(Panel::stack_top);
        let top = values().chain(tops).fold(0.0, f64::max).max(1e-3) * 1.06;
        let bottom = values().fold(0.0, f64::min) * 1.06;
        (bottom, self.cap.map_or(top, |cap| cap.min(top)))
    }

    /// Panels side by side.
    fn columns(&self) -> i32 {
        match self.panels.len() {
            0 | 1 => 1,
            2..=4 => 2,
            _ => 3,
        }
    }

    fn rows(&self) -> i32 {
        let columns = self.columns();
        let panels = i32::try_from(self.panels.len()).unwrap_or(i32::MAX);
        (panels + columns - 1) / columns
    }

    /// The panels of a row with their indices.
    fn row(&self, row: i32) -> impl Iterator<Item = (i32, &Panel)> {
        let columns = self.columns();
        (0..).zip(&self.panels).filter(move |(index, _)| index / columns == row)
    }

    fn chart_height(&self) -> i32 {
        if self.columns() == 1 { CHART } else { SMALL_CHART }
    }

    /// Where a panel is from left to right, at the height of 0.
    fn place(&self, index: i32) -> Place {
        let columns = self.columns();
        if columns == 1 {
            return Place { x: 0, y: 0, width: WIDTH, height: CHART, left: LEFT, right: RIGHT };
        }
        // The first column has the label of the axis in front.
        let margin = LEFT - SMALL_LEFT;
        let width = (WIDTH - margin - 20) / columns;
        let x = margin + index % columns * width;
        Place { x, y: 0, width, height: SMALL_CHART, left: SMALL_LEFT, right: 24 }
    }

    /// Every label once, with the look it has in all panels.
    fn legend(&self) -> Vec<(&str, Look)> {
        let mut entries: Vec<(&str, Look)> = Vec::new();
        if !self.explained {
            return entries;
        }
        for line in self.panels.iter().flat_map(|panel| panel.stack.iter().chain(&panel.lines)) {
            if entries.iter().all(|(label, look)| (*label, *look) != (&*line.label, line.look)) {
                entries.push((&line.label, line.look));
            }
        }
        entries
    }

    fn legend_height(&self) -> i32 {
        let rows = places(&self.legend()).last().map_or(0, |(_, row)| row + 1);
        rows * LEGEND_ROW + 8
    }
}

/// Where a panel is, and how much of it is the chart.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    /// Of the chart with its axis.
    pub(super) height: i32,
    /// Room for the vertical axis and its labels.
    pub(super) left: i32,
    /// Room for the labels of marks; they are inside the chart when it is small.
    pub(super) right: i32,
}

impl Figure {
    /// The plot as the text of an SVG file.
    pub(super) fn draw(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        self.draw_into(&mut text)
            .map_err(|error| anyhow!("cannot draw {}: {error}", self.title))?;
        Ok(compact(&text, &format!("{}. {}", self.title, self.subtitle)))
    }

    fn draw_into(&self, text: &mut String) -> Result<(), Error> {
        let groups: i32 = self.groups.iter().map(|group| self.height(group)).sum();
        let foot = FOOT + FOOT_LINE * (0..).zip(&self.footer).last().map_or(0, |(line, _)| line);
        let size = (WIDTH.unsigned_abs(), (HEAD + groups + foot).unsigned_abs());
        let root = SVGBackend::with_string(text, size).into_drawing_area();
        root.fill(&WHITE)?;
        write(&root, &self.title, (LEFT, 16), sized(TITLE_SIZE).style(FontStyle::Bold))?;
        let subtitle_size = fitting(&self.subtitle, WIDTH - LEFT - 20, TEXT_SIZE);
        write(&root, &self.subtitle, (LEFT, 64), sized(subtitle_size))?;
        let mut y = HEAD;
        for group in &self.groups {
            self.group(&root, group, y)?;
            y += self.height(group);
        }
        let centre = (LEFT + WIDTH - RIGHT) / 2;
        write(&root, &self.axis.label, (centre, y - 4), centred(sized(TEXT_SIZE)))?;
        for (line, text) in (0..).zip(&self.footer) {
            let at = (LEFT, y + FOOT - 36 + line * FOOT_LINE);
            let size = fitting(text, WIDTH - LEFT - 20, SMALL_SIZE);
            write(&root, text, at, sized(size).color(&GREY))?;
        }
        root.present()
    }

    fn group(&self, root: &Area<'_, '_>, group: &Group, y: i32) -> Result<(), Error> {
        let entries = group.legend();
        for ((label, look), (x, row)) in entries.iter().zip(places(&entries)) {
            let middle = y + row * LEGEND_ROW + LEGEND_ROW / 2;
            match look {
                Look::Line(style) => {
                    let sample = vec![(x, middle), (x + SAMPLE, middle)];
                    root.draw(&PathElement::new(sample, style.shape()))?;
                }
                Look::Area(colour) => {
                    let corners = [(x + SAMPLE - 44, middle - 11), (x + SAMPLE, middle + 11)];
                    root.draw(&Rectangle::new(corners, colour.filled()))?;
                }
            }
            write(root, label, (x + SAMPLE + 12, middle - 13), sized(TEXT_SIZE))?;
        }
        let mut top = y + group.legend_height();
        let first_strip = self.strip(group, 0);
        let charts = self.height(group) - group.legend_height() - first_strip;
        let turned = centred(sized(TEXT_SIZE).transform(FontTransform::Rotate270));
        let middle = top + first_strip + (charts - AXIS_X) / 2;
        write(root, &group.y_label, (14, middle), turned)?;
        for row in 0..group.rows() {
            let strip = self.strip(group, row);
            for (index, panel) in group.row(row) {
                let place = Place { y: top + strip, ..group.place(index) };
                if !panel.title.is_empty() {
                    let title = cut(&panel.title, place.width - place.left, TEXT_SIZE);
                    let font = sized(TEXT_SIZE).style(FontStyle::Bold);
                    write(root, &title, (place.x + place.left, top + 4), font)?;
                }
                self.span_labels(root, panel, place)?;
                self.chart(root, panel, group.vertical(), place)?;
            }
            top += strip + group.chart_height();
        }
        Ok(())
    }

    fn height(&self, group: &Group) -> i32 {
        let rows = 0..group.rows();
        let rows: i32 = rows.map(|row| self.strip(group, row) + group.chart_height()).sum();
        group.legend_height() + rows
    }

    /// Height of what is above the charts of a row: their titles and the labels of their spans.
    fn strip(&self, group: &Group, row: i32) -> i32 {
        let labels = |(index, panel)| self.label_rows(panel, group.place(index)).len();
        let labels = group.row(row).map(labels).max().unwrap_or(0);
        let titled = group.row(row).any(|(_, panel)| !panel.title.is_empty());
        let labels = i32::try_from(labels).unwrap_or(i32::MAX);
        labels * SPAN_ROW + if titled { LEGEND_ROW } else { 0 }
    }
}

/// Left end and row of every entry of a legend.
fn places(entries: &[(&str, Look)]) -> Vec<(i32, i32)> {
    let (mut x, mut row) = (LEFT, 0);
    let mut places = Vec::new();
    for (label, _) in entries {
        let entry = SAMPLE + 12 + width(label, TEXT_SIZE) + 36;
        if x > LEFT && x + entry > WIDTH {
            (x, row) = (LEFT, row + 1);
        }
        places.push((x, row));
        x += entry;
    }
    places
}

/// So many of all values are usual. Where the highest is so many times as high as these, the axis
/// ends at so many times their height.
const USUAL_PERCENT: usize = 95;
const OUTLIER_FACTOR: f64 = 3.0;
const CAP_FACTOR: f64 = 2.0;

const WIDTH: i32 = 1_600;
/// Height of the title and the line below it.
const HEAD: i32 = 108;
/// Height of a chart with its axis, alone in its row and beside others.
const CHART: i32 = 400;
const SMALL_CHART: i32 = 280;
/// Height below the last chart with one line of small print, and of every further line.
const FOOT: i32 = 80;
const FOOT_LINE: i32 = 30;
/// Room for the vertical axis and its labels, without the label of the axis where it is small.
const LEFT: i32 = 130;
const SMALL_LEFT: i32 = 84;
/// Room for the labels of marks.
const RIGHT: i32 = 160;
pub(super) const AXIS_X: i32 = 52;
const LEGEND_ROW: i32 = 40;
/// Length of the line in front of an entry of the legend.
const SAMPLE: i32 = 84;
pub(super) const SPAN_ROW: i32 = 30;

const GREY: RGBColor = RGBColor(0x50, 0x50, 0x50);
