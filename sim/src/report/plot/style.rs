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

    /// The colour of what surrounds the line, such as the range that it is the middle of.
    pub(super) fn tint(self) -> RGBColor {
        let (r, g, b) = self.colour;
        let pale = |part: u8| 255 - (255 - part) / 5;
        RGBColor(pale(r), pale(g), pale(b))
    }
}

/// The fill of the area with this index in a stack. Neighbours differ in luminance.
pub(super) fn fill(index: usize) -> RGBColor {
    FILLS[index % FILLS.len()]
}

/// The line of a mark, such as a target.
pub(super) const MARK: LineStyle = LineStyle { colour: (1, 1, 1), width: 2, dashes: "2 6" };

/// The line at the moment of a change.
pub(super) const EVENT: LineStyle = LineStyle { colour: (0x44, 1, 1), width: 2, dashes: "9 3 2 3" };

/// Colours of Okabe and Ito, which differ for the colour-blind, and four more, ordered so that
/// neighbours also differ in luminance. No colour occurs twice: [`dashes`] knows lines by theirs.
const STYLES: [LineStyle; 12] = [
    LineStyle { colour: (0x00, 0x72, 0xb2), width: 4, dashes: "" },
    LineStyle { colour: (0xe6, 0x9f, 0x00), width: 4, dashes: "16 6" },
    LineStyle { colour: (0x11, 0x11, 0x11), width: 4, dashes: "24 5 5 5" },
    LineStyle { colour: (0x00, 0x9e, 0x73), width: 5, dashes: "5 5" },
    LineStyle { colour: (0xcc, 0x79, 0xa7), width: 3, dashes: "8 5" },
    LineStyle { colour: (0xd5, 0x5e, 0x00), width: 2, dashes: "" },
    LineStyle { colour: (0x56, 0xb4, 0xe9), width: 5, dashes: "26 8" },
    LineStyle { colour: (0x6b, 0x6b, 0x6b), width: 3, dashes: "14 5 3 5 3 5" },
    LineStyle { colour: (0xb8, 0xa1, 0x00), width: 3, dashes: "" },
    LineStyle { colour: (0x5b, 0x2a, 0x86), width: 3, dashes: "3 4" },
    LineStyle { colour: (0x9c, 0xc4, 0x4a), width: 4, dashes: "20 4 8 4" },
    LineStyle { colour: (0x8c, 0x31, 0x0a), width: 2, dashes: "30 6" },
];

const FILLS: [RGBColor; 12] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xf3, 0xcf, 0x80),
    RGBColor(0x55, 0x55, 0x55),
    RGBColor(0x99, 0xd8, 0xc7),
    RGBColor(0xc0, 0x50, 0x00),
    RGBColor(0xbb, 0xe1, 0xf6),
    RGBColor(0x5b, 0x2a, 0x86),
    RGBColor(0xe9, 0xe3, 0xa6),
    RGBColor(0x8c, 0x51, 0x0a),
    RGBColor(0xeb, 0xc9, 0xdc),
    RGBColor(0x00, 0x3a, 0x6b),
    RGBColor(0xd0, 0xd0, 0xd0),
];

/// The dashes of the lines that are drawn in this colour, a text such as `#0072B2`. plotters draws
/// dashes only as many short lines, each an element of its own.
pub(super) fn dashes(stroke: &str) -> &'static str {
    let drawn = |style: &&LineStyle| {
        let (r, g, b) = style.colour;
        stroke == format!("#{r:02X}{g:02X}{b:02X}")
    };
    STYLES.iter().chain([&MARK, &EVENT]).find(drawn).map_or("", |style| style.dashes)
}
