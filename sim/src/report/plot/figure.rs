//! Drawing: a title, panels one above the other over the same time axis, and a legend each.
//!
//! All text is placed by hand with room to spare, since the width of a text is only known to the
//! program that shows it.

use super::super::series::Series;
use super::style::{LineStyle, MARK, dashed};
use crate::time::Ns;
use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A whole plot.
pub(super) struct Figure {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// Lines of small print.
    pub(super) footer: Vec<String>,
    /// Right end of the time axis.
    pub(super) end_s: f64,
    pub(super) panels: Vec<Panel>,
}

/// A span of time to shade.
#[derive(Clone)]
pub(super) struct Span {
    pub(super) label: String,
    pub(super) from_s: f64,
    pub(super) to_s: f64,
}

/// Lines that share a vertical axis.
pub(super) struct Panel {
    pub(super) y_label: &'static str,
    pub(super) spans: Vec<Span>,
    pub(super) lines: Vec<Line>,
    pub(super) marks: Vec<Mark>,
    /// Values above are cut off.
    pub(super) cap: Option<f64>,
}

/// A value worth a horizontal line of its own.
pub(super) struct Mark {
    /// Two short lines of text.
    pub(super) label: [String; 2],
    pub(super) at: f64,
}

/// A named series, in pieces where it has gaps.
pub(super) struct Line {
    label: String,
    style: LineStyle,
    pieces: Vec<Vec<(f64, f64)>>,
}

impl Panel {
    pub(super) fn new(y_label: &'static str, spans: Vec<Span>) -> Self {
        let (lines, marks) = (Vec::new(), Vec::new());
        Self { y_label, spans, lines, marks, cap: None }
    }

    /// Adds a line in the next style.
    pub(super) fn add(&mut self, label: String, series: &Series, step: Ns) {
        self.lines.push(Line::new(label, self.lines.len(), series, step));
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.lines.iter().flat_map(|line| line.pieces.iter().flatten()).map(|(_, y)| *y)
    }

    /// Whether a line leaves the picture.
    pub(super) fn is_cut_off(&self) -> bool {
        self.values().any(|value| self.cap.is_some_and(|cap| value > cap))
    }

    /// Top of the vertical axis: some air above the highest point.
    fn top(&self) -> f64 {
        let highest = self.values().chain(self.marks.iter().map(|mark| mark.at));
        let top = highest.fold(0.0, f64::max).max(1e-3) * 1.06;
        self.cap.map_or(top, |cap| cap.min(top))
    }
}

impl Line {
    /// Every value is drawn in the middle of its step.
    pub(super) fn new(label: String, style: usize, series: &Series, step: Ns) -> Self {
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
        Self { label, style: LineStyle::nth(style), pieces }
    }
}

type Area<'a, 'b> = DrawingArea<SVGBackend<'a>, Shift>;

impl Figure {
    /// The plot as the text of an SVG file.
    pub(super) fn draw(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        self.draw_into(&mut text)
            .map_err(|error| anyhow!("cannot draw {}: {error}", self.title))?;
        Ok(dashed(&text))
    }

    fn draw_into(&self, text: &mut String) -> Result<(), Error> {
        let height = |panel: &Panel| panel.legend_height() + self.strip_height(panel) + CHART;
        let panels: i32 = self.panels.iter().map(height).sum();
        let foot = FOOT + FOOT_LINE * (0..).zip(&self.footer).last().map_or(0, |(line, _)| line);
        let size = (WIDTH.unsigned_abs(), (HEAD + panels + foot).unsigned_abs());
        let root = SVGBackend::with_string(text, size).into_drawing_area();
        root.fill(&WHITE)?;
        write(&root, &self.title, (LEFT, 16), sized(TITLE_SIZE).style(FontStyle::Bold))?;
        let subtitle_size = fitting(&self.subtitle, WIDTH - LEFT - 20, TEXT_SIZE);
        write(&root, &self.subtitle, (LEFT, 64), sized(subtitle_size))?;
        let mut y = HEAD;
        for panel in &self.panels {
            legend(&root, panel, y)?;
            y += panel.legend_height();
            self.span_labels(&root, panel, y)?;
            y += self.strip_height(panel);
            self.chart(&root, panel, y)?;
            y += CHART;
        }
        let centre = (LEFT + WIDTH - RIGHT) / 2;
        write(&root, "Time, s", (centre, y - 4), centred(sized(TEXT_SIZE)))?;
        for (line, text) in (0..).zip(&self.footer) {
            let at = (LEFT, y + FOOT - 36 + line * FOOT_LINE);
            write(&root, text, at, sized(SMALL_SIZE).color(&GREY))?;
        }
        root.present()
    }

    fn chart(&self, root: &Area<'_, '_>, panel: &Panel, y: i32) -> Result<(), Error> {
        let middle = y + (CHART - AXIS_X) / 2;
        let turned = centred(sized(TEXT_SIZE).transform(FontTransform::Rotate270));
        write(root, panel.y_label, (14, middle), turned)?;
        let top = panel.top();
        let area = root.clone().shrink((0, y), (WIDTH, CHART));
        let mut chart = ChartBuilder::on(&area)
            .margin_right(RIGHT)
            .x_label_area_size(AXIS_X)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(0.0..self.end_s, 0.0..top)?;
        for (index, span) in panel.spans_longest_first() {
            let corners = [(span.from_s, 0.0), (span.to_s, top)];
            let shade = SPAN_SHADES[index % SPAN_SHADES.len()];
            chart.draw_series([Rectangle::new(corners, shade.filled())])?;
        }
        chart
            .configure_mesh()
            .x_labels(13)
            .y_labels(7)
            .max_light_lines(1)
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(BLACK.stroke_width(2))
            .label_style(sized(TEXT_SIZE))
            .x_label_formatter(&|x| plain(*x))
            .y_label_formatter(&|y| plain(*y))
            .draw()?;
        for mark in &panel.marks {
            let ends = vec![(0.0, mark.at), (self.end_s, mark.at)];
            chart.draw_series([PathElement::new(ends, MARK.shape())])?;
            // The second line below the first, both beside the end of the mark.
            let (x, y) = chart.backend_coord(&(self.end_s, mark.at));
            for (label, offset) in mark.label.iter().zip([-24, 2]) {
                let size = fitting(label, RIGHT - 14, SMALL_SIZE);
                write(root, label, (x + 10, y + offset), sized(size))?;
            }
        }
        for line in &panel.lines {
            let style = line.style.shape();
            let visible = |piece: &Vec<(f64, f64)>| -> Vec<_> {
                piece.iter().map(|(x, y)| (*x, y.min(top))).collect()
            };
            let pieces = line.pieces.iter().map(visible);
            chart.draw_series(pieces.map(|piece| PathElement::new(piece, style)))?;
        }
        Ok(())
    }

    fn strip_height(&self, panel: &Panel) -> i32 {
        (0..).zip(self.label_rows(panel)).last().map_or(0, |(row, _)| (row + 1) * SPAN_ROW)
    }

    fn span_labels(&self, root: &Area<'_, '_>, panel: &Panel, y: i32) -> Result<(), Error> {
        for (row, labels) in (0..).zip(self.label_rows(panel)) {
            for (x, label) in labels {
                let at = (x, y + row * SPAN_ROW + 2);
                write(root, label, at, centred(sized(SMALL_SIZE)))?;
            }
        }
        Ok(())
    }

    /// The labels of the spans with their centres, in as many rows as keep them apart.
    fn label_rows<'p>(&self, panel: &'p Panel) -> Vec<Vec<(i32, &'p str)>> {
        let mut rows: Vec<(i32, Vec<(i32, &str)>)> = Vec::new();
        let mut spans: Vec<_> = panel.spans.iter().collect();
        spans.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
        for span in spans {
            let half = width(&span.label, SMALL_SIZE) / 2;
            let middle = self.pixel((span.from_s + span.to_s) / 2.0);
            let x = middle.clamp(LEFT + half, (WIDTH - half).max(LEFT + half));
            match rows.iter_mut().find(|(end, _)| *end + 16 < x - half) {
                Some((end, labels)) => {
                    *end = x + half;
                    labels.push((x, &span.label));
                }
                None => rows.push((x + half, vec![(x, &span.label)])),
            }
        }
        rows.into_iter().map(|(_, labels)| labels).collect()
    }

    /// Where a time is on the horizontal axis.
    #[expect(clippy::cast_possible_truncation, reason = "within the width of the plot")]
    fn pixel(&self, time_s: f64) -> i32 {
        LEFT + (f64::from(WIDTH - LEFT - RIGHT) * time_s / self.end_s) as i32
    }
}

fn legend(root: &Area<'_, '_>, panel: &Panel, y: i32) -> Result<(), Error> {
    for (line, (x, row)) in panel.lines.iter().zip(panel.legend_places()) {
        let middle = y + row * LEGEND_ROW + LEGEND_ROW / 2;
        let sample = vec![(x, middle), (x + SAMPLE, middle)];
        root.draw(&PathElement::new(sample, line.style.shape()))?;
        write(root, &line.label, (x + SAMPLE + 12, middle - 13), sized(TEXT_SIZE))?;
    }
    Ok(())
}

impl Panel {
    fn legend_height(&self) -> i32 {
        let rows = self.legend_places().last().map_or(0, |(_, row)| row + 1);
        rows * LEGEND_ROW + 8
    }

    /// With their place in order of time; longer ones first, which would cover shorter ones.
    fn spans_longest_first(&self) -> Vec<(usize, &Span)> {
        let mut spans: Vec<_> = self.spans.iter().collect();
        spans.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
        let mut spans: Vec<_> = spans.into_iter().enumerate().collect();
        let length = |span: &Span| span.to_s - span.from_s;
        spans.sort_by(|(_, a), (_, b)| length(b).total_cmp(&length(a)));
        spans
    }

    /// Left end and row of every entry of the legend.
    fn legend_places(&self) -> Vec<(i32, i32)> {
        let (mut x, mut row) = (LEFT, 0);
        let mut places = Vec::new();
        for line in &self.lines {
            let entry = SAMPLE + 12 + width(&line.label, TEXT_SIZE) + 36;
            if x > LEFT && x + entry > WIDTH {
                (x, row) = (LEFT, row + 1);
            }
            places.push((x, row));
            x += entry;
        }
        places
    }
}

type Error = DrawingAreaErrorKind<std::io::Error>;

fn write<'t>(
    area: &Area<'_, '_>,
    text: &str,
    at: (i32, i32),
    style: impl Into<TextStyle<'t>>,
) -> Result<(), Error> {
    area.draw_text(text, &style.into(), at)
}

/// A font of this many pixels; the backend divides sizes by 1.24.
fn sized(pixels: i32) -> FontDesc<'static> {
    FontDesc::new(FontFamily::SansSerif, f64::from(pixels) * 1.24, FontStyle::Normal)
}

fn centred(font: FontDesc<'_>) -> TextStyle<'_> {
    TextStyle::from(font).pos(Pos::new(HPos::Center, VPos::Top))
}

/// A generous guess at the width of a text in pixels.
#[expect(clippy::cast_possible_truncation, reason = "labels are short")]
fn width(text: &str, size: i32) -> i32 {
    (text.chars().count() as f64 * f64::from(size) * 0.56) as i32
}

/// The size up to `size` at which a text is no wider than `room`.
fn fitting(text: &str, room: i32, size: i32) -> i32 {
    (10..=size).rev().find(|size| width(text, *size) <= room).unwrap_or(10)
}

/// A number with the decimals it needs, three at the most.
fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

const WIDTH: i32 = 1_600;
/// Height of the title and the line below it.
const HEAD: i32 = 108;
/// Height of a chart with its time axis.
const CHART: i32 = 400;
/// Height below the last chart with one line of small print, and of every further line.
const FOOT: i32 = 80;
const FOOT_LINE: i32 = 30;
/// Room for the vertical axis and its labels.
const LEFT: i32 = 130;
/// Room for the labels of marks.
const RIGHT: i32 = 160;
const AXIS_X: i32 = 52;
const LEGEND_ROW: i32 = 40;
/// Length of the line in front of an entry of the legend.
const SAMPLE: i32 = 84;
const SPAN_ROW: i32 = 30;
const TITLE_SIZE: i32 = 36;
const TEXT_SIZE: i32 = 26;
const SMALL_SIZE: i32 = 22;

const GRID: RGBColor = RGBColor(0xd0, 0xd0, 0xd0);
const GREY: RGBColor = RGBColor(0x50, 0x50, 0x50);
const SPAN_SHADES: [RGBColor; 3] =
    [RGBColor(0xec, 0xec, 0xec), RGBColor(0xf6, 0xf6, 0xf6), RGBColor(0xe2, 0xe2, 0xe2)];
