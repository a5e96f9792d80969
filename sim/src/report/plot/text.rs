//! Placing text, whose width is only known to the program that shows it: there is room to spare.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(super) type Area<'a, 'b> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Error = DrawingAreaErrorKind<std::io::Error>;

pub(super) const TITLE_SIZE: i32 = 36;
pub(super) const TEXT_SIZE: i32 = 26;
pub(super) const SMALL_SIZE: i32 = 22;

pub(super) fn write<'t>(
    area: &Area<'_, '_>,
    text: &str,
    at: (i32, i32),
    style: impl Into<TextStyle<'t>>,
) -> Result<(), Error> {
    area.draw_text(text, &style.into(), at)
}

/// A font of this many pixels; the backend divides sizes by 1.24.
pub(super) fn sized(pixels: i32) -> FontDesc<'static> {
    FontDesc::new(FontFamily::SansSerif, f64::from(pixels) * 1.24, FontStyle::Normal)
}

pub(super) fn centred(font: FontDesc<'_>) -> TextStyle<'_> {
    TextStyle::from(font).pos(Pos::new(HPos::Center, VPos::Top))
}

pub(super) fn to_the_left(font: FontDesc<'_>) -> TextStyle<'_> {
    TextStyle::from(font).pos(Pos::new(HPos::Right, VPos::Top))
}

/// A generous guess at the width of a text in pixels.
#[expect(clippy::cast_possible_truncation, reason = "labels are short")]
pub(super) fn width(text: &str, size: i32) -> i32 {
    (text.chars().count() as f64 * f64::from(size) * 0.56) as i32
}

/// The size up to `size` at which a text is no wider than `room`.
pub(super) fn fitting(text: &str, room: i32, size: i32) -> i32 {
    (10..=size).rev().find(|size| width(text, *size) <= room).unwrap_or(10)
}

/// As much of a text as is no wider than `room`, with an ellipsis where it was cut.
pub(super) fn cut(text: &str, room: i32, size: i32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(&kept, size) + size > room {
            break;
        }
    }
    kept.pop();
    kept + "…"
}

/// A number with the decimals it needs, three at the most.
pub(super) fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
