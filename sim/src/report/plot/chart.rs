//! One panel of a plot: axes, shaded spans, marks and the lines.

use super::figure::{AXIS_X, Figure, Line, Look, Panel, Place, SPAN_ROW, Span};
use super::style::{EVENT, MARK};
use super::text::{
    Area, Error, SMALL_SIZE, TEXT_SIZE, centred, cut, fitting, plain, sized, to_the_left, width,
    write,
};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Figure {
    pub(super) fn chart(
        &self,
        root: &Area<'_, '_>,
        panel: &Panel,
        (bottom, top): (f64, f64),
        place: Place,
    ) -> Result<(), Error> {
        let area = root.clone().shrink((place.x, place.y), (place.width, place.height));
        let axis = &self.axis;
        let mut chart = ChartBuilder::on(&area)
            .margin_right(place.right)
            .x_label_area_size(AXIS_X)
            .y_label_area_size(place.left)
            .build_cartesian_2d(axis.from..axis.to, bottom..top)?;
        for (index, span) in spans_longest_first(&panel.spans) {
            let corners = [(span.from_s, bottom), (span.to_s, top)];
            let shades = if span.fault { &FAULT_SHADES[..] } else { &SPAN_SHADES[..] };
            let shade = shades[index % shades.len()];
            chart.draw_series([Rectangle::new(corners, shade.filled())])?;
        }
        stack(&mut chart, &panel.stack, top)?;
        let small = place.right < MARK_ROOM;
        let x_labels = usize::try_from(place.width / 120).unwrap_or(4);
        let name = |x: f64| self.axis.names.get(index_at(x)?);
        chart
            .configure_mesh()
            .x_labels(if axis.names.is_empty() { x_labels } else { axis.names.len() })
            .y_labels(if small { 5 } else { 7 })
            .max_light_lines(1)
            .light_line_style(TRANSPARENT)
            .bold_line_style(if panel.stack.is_empty() { GRID.mix(1.0) } else { GRID.mix(0.0) })
            .axis_style(BLACK.stroke_width(2))
            .label_style(sized(if small { SMALL_SIZE } else { TEXT_SIZE }))
            .x_label_formatter(&|x| match axis.names.is_empty() {
                true => plain(*x),
                false => name(*x).cloned().unwrap_or_default(),
            })
            .y_label_formatter(&|y| plain(*y))
            .draw()?;
        for moment in panel.moments.iter().filter(|m| (axis.from..=axis.to).contains(&m.at_s)) {
            let ends = vec![(moment.at_s, bottom), (moment.at_s, top)];
            chart.draw_series([PathElement::new(ends, EVENT.shape())])?;
        }
        for line in &panel.lines {
            range(&mut chart, line, top)?;
        }
        for line in &panel.lines {
            let Look::Line(style) = line.look else { continue };
            let visible = |piece: &Vec<(f64, f64)>| -> Vec<_> {
                piece.iter().map(|(x, y)| (*x, y.min(top))).collect()
            };
            let pieces = line.pieces.iter().map(visible);
            chart.draw_series(pieces.map(|piece| PathElement::new(piece, style.shape())))?;
        }
        self.marks(root, &mut chart, panel, top, place)
    }

    /// The horizontal lines and what they are, beside the chart or, in a small one, above the line.
    fn marks(
        &self,
        root: &Area<'_, '_>,
        chart: &mut Chart<'_, '_>,
        panel: &Panel,
        top: f64,
        place: Place,
    ) -> Result<(), Error> {
        let mut marks: Vec<_> = panel.marks.iter().filter(|mark| mark.at <= top).collect();
        marks.sort_by(|a, b| b.at.total_cmp(&a.at));
        let inside = place.right < MARK_ROOM;
        let height = if inside { 22 } else { 54 };
        let mut tops = Vec::new();
        for mark in &marks {
            let ends = vec![(self.axis.from, mark.at), (self.axis.to, mark.at)];
            chart.draw_series([PathElement::new(ends, MARK.shape())])?;
            tops.push(chart.backend_coord(&(self.axis.to, mark.at)).1 - 24);
        }
        let x = place.x + place.width - place.right;
        keep_apart(&mut tops, height, place.y + place.height - AXIS_X);
        for (mark, y) in marks.into_iter().zip(tops) {
            if inside {
                let text = format!("{} {}", mark.label[0], mark.label[1]);
                let size = fitting(&text, place.width / 2, SMALL_SIZE - 2);
                // The lines below it stay visible, and it stays legible.
                let behind = [(x - 6 - width(&text, size), y), (x - 4, y + size + 2)];
                root.draw(&Rectangle::new(behind, WHITE.mix(0.8).filled()))?;
                write(root, &text, (x - 6, y), to_the_left(sized(size)))?;
                continue;
            }
            // The second line below the first, both beside the end of the mark.
            for (label, offset) in mark.label.iter().zip([0, 26]) {
                let size = fitting(label, place.right - 14, SMALL_SIZE);
                write(root, label, (x + 10, y + offset), sized(size))?;
            }
        }
        Ok(())
    }

    pub(super) fn span_labels(
        &self,
        root: &Area<'_, '_>,
        panel: &Panel,
        place: Place,
    ) -> Result<(), Error> {
        let rows = self.label_rows(panel, place);
        let height = i32::try_from(rows.len()).unwrap_or(i32::MAX) * SPAN_ROW;
        for (row, labels) in (0..).zip(rows) {
            for (x, label) in labels {
                let at = (x, place.y - height + row * SPAN_ROW + 2);
                write(root, &label, at, centred(sized(SMALL_SIZE)))?;
            }
        }
        Ok(())
    }

    /// The labels of spans and moments with their centres, in as many rows as keep them apart.
    pub(super) fn label_rows(&self, panel: &Panel, place: Place) -> Vec<Vec<(i32, String)>> {
        let spans = panel.spans.iter().map(|span| ((span.from_s + span.to_s) / 2.0, &span.label));
        let moments = panel.moments.iter().map(|moment| (moment.at_s, &moment.label));
        let mut labels: Vec<_> =
            spans.chain(moments).filter(|(_, text)| !text.is_empty()).collect();
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut rows: Vec<(i32, Vec<(i32, String)>)> = Vec::new();
        for (middle, label) in labels {
            let label = cut(label, place.width - place.left, SMALL_SIZE);
            let half = width(&label, SMALL_SIZE) / 2;
            let (least, most) = (place.x + place.left + half, place.x + place.width - half);
            let x = self.pixel(middle, place).clamp(least, most.max(least));
            match rows.iter_mut().find(|(end, _)| *end + 16 < x - half) {
                Some((end, labels)) => {
                    *end = x + half;
                    labels.push((x, label));
                }
                None => rows.push((x + half, vec![(x, label)])),
            }
        }
        rows.into_iter().map(|(_, labels)| labels).collect()
    }

    /// Where a time is on the horizontal axis.
    #[expect(clippy::cast_possible_truncation, reason = "within the width of the plot")]
    fn pixel(&self, x: f64, place: Place) -> i32 {
        let part = (x - self.axis.from) / (self.axis.to - self.axis.from);
        let room = place.width - place.left - place.right;
        place.x + place.left + (f64::from(room) * part) as i32
    }
}

/// The index of the name at a tick; none between two names.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
fn index_at(x: f64) -> Option<usize> {
    let whole = x.round();
    ((x - whole).abs() < 1e-6 && whole >= 1.0).then(|| whole as usize - 1)
}

/// Series on top of each other; each holds the heights of its upper edge.
fn stack(chart: &mut Chart<'_, '_>, lines: &[Line], top: f64) -> Result<(), Error> {
    // From the highest down, each over the one above it.
    for line in lines.iter().rev() {
        let Look::Area(colour) = line.look else { continue };
        for piece in &line.pieces {
            let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
            let edge: Vec<_> = piece.iter().map(|(x, y)| (*x, y.min(top))).collect();
            let mut outline = edge.clone();
            outline.extend([(last.0, 0.0), (first.0, 0.0)]);
            chart.draw_series([Polygon::new(outline, colour.filled())])?;
            chart.draw_series([PathElement::new(edge, WHITE.stroke_width(1))])?;
        }
    }
    Ok(())
}

/// The range around a line.
fn range(chart: &mut Chart<'_, '_>, line: &Line, top: f64) -> Result<(), Error> {
    let Look::Line(style) = line.look else { return Ok(()) };
    if line.range.iter().all(|(_, low, high)| low >= high) {
        return Ok(());
    }
    let high = line.range.iter().map(|(x, _, high)| (*x, high.min(top)));
    let low = line.range.iter().rev().map(|(x, low, _)| (*x, low.min(top)));
    let outline: Vec<_> = high.chain(low).collect();
    chart.draw_series([Polygon::new(outline, style.tint().mix(0.6))])?;
    Ok(())
}

/// Moves what begins at `tops`, from above to below, so that nothing of this height covers the next
/// or ends below `bottom`.
fn keep_apart(tops: &mut [i32], height: i32, bottom: i32) {
    let mut free = i32::MIN;
    for top in &mut *tops {
        *top = (*top).max(free);
        free = *top + height;
    }
    let mut end = bottom;
    for top in tops.iter_mut().rev() {
        *top = (*top).min(end - height);
        end = *top;
    }
}

/// With their place in order of time; longer ones first, which would cover shorter ones.
fn spans_longest_first(spans: &[Span]) -> Vec<(usize, &Span)> {
    let mut spans: Vec<_> = spans.iter().collect();
    spans.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
    let mut spans: Vec<_> = spans.into_iter().enumerate().collect();
    let length = |span: &Span| span.to_s - span.from_s;
    spans.sort_by(|(_, a), (_, b)| length(b).total_cmp(&length(a)));
    spans
}

/// Less room than this beside a chart is none.
const MARK_ROOM: i32 = 100;

const GRID: RGBColor = RGBColor(0xd0, 0xd0, 0xd0);
const SPAN_SHADES: [RGBColor; 3] =
    [RGBColor(0xec, 0xec, 0xec), RGBColor(0xf6, 0xf6, 0xf6), RGBColor(0xe2, 0xe2, 0xe2)];
/// Darker, so that nobody takes a fault for a phase.
const FAULT_SHADES: [RGBColor; 2] = [RGBColor(0xd4, 0xc4, 0xc0), RGBColor(0xc6, 0xb4, 0xb0)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_marks_stay_apart_and_above_the_axis() {
        let kept = |mut tops: Vec<i32>| {
            keep_apart(&mut tops, 50, 300);
            tops
        };
        assert_eq!(kept(vec![20, 100, 200]), [20, 100, 200]);
        assert_eq!(kept(vec![100, 110, 120]), [100, 150, 200]);
        assert_eq!(kept(vec![20, 240, 260]), [20, 200, 250]);
    }
}
