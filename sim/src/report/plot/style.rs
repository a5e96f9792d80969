//! How the lines of a plot differ: in hue, in luminance, in width and in dashes, so that a plot
//! printed in grey can still be read.

use plotters::style::{RGBColor, ShapeStyle};

/// The look of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineStyle {
    colour: (u8, u8, u8),
    width: u32,
    /// Lengths of dashes and gaps as in SVG; empty for a solid line.
    dashes: &'static str,
}

impl LineStyle {
    /// The style of the line with this index in its panel.
    pub(super) fn nth(index: usize) -> Self {
        STYLES[index % STYLES.len()]
    }

    pub(super) fn shape(self) -> ShapeStyle {
        let (r, g, b) = self.colour;
        ShapeStyle { color: RGBColor(r, g, b).into(), filled: false, stroke_width: self.width }
    }
}

/// The line of a mark, such as a target.
pub(super) const MARK: LineStyle = LineStyle { colour: (1, 1, 1), width: 2, dashes: "2 6" };

/// Colours of Okabe and Ito, which differ for the colour-blind, ordered so that neighbours also
/// differ in luminance. No colour occurs twice: [`dashed`] knows lines by their colour.
const STYLES: [LineStyle; 8] = [
    LineStyle { colour: (0x00, 0x72, 0xb2), width: 4, dashes: "" },
    LineStyle { colour: (0xe6, 0x9f, 0x00), width: 4, dashes: "16 6" },
    LineStyle { colour: (0x11, 0x11, 0x11), width: 4, dashes: "24 5 5 5" },
    LineStyle { colour: (0x00, 0x9e, 0x73), width: 5, dashes: "5 5" },
    LineStyle { colour: (0xcc, 0x79, 0xa7), width: 3, dashes: "8 5" },
    LineStyle { colour: (0xd5, 0x5e, 0x00), width: 2, dashes: "" },
    LineStyle { colour: (0x56, 0xb4, 0xe9), width: 5, dashes: "26 8" },
    LineStyle { colour: (0x6b, 0x6b, 0x6b), width: 3, dashes: "14 5 3 5 3 5" },
];

/// Adds the dashes, which plotters draws only as many short lines each an element of its own: an
/// attribute keeps the file small and the line in one piece.
pub(super) fn dashed(svg: &str) -> String {
    let mut svg = svg.to_owned();
    for LineStyle { colour: (r, g, b), dashes, .. } in STYLES.into_iter().chain([MARK]) {
        if !dashes.is_empty() {
            let stroke = format!("stroke=\"#{r:02X}{g:02X}{b:02X}\"");
            svg = svg.replace(&stroke, &format!("{stroke} stroke-dasharray=\"{dashes}\""));
        }
    }
    svg.replace("<polyline ", "<polyline stroke-linejoin=\"round\" ")
}
