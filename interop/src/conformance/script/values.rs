//! What stands behind `=` in a packet, and times.

use std::time::Duration;

use super::Expr;
use super::expr::number;

/// What a field may be: one value, or all between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Around(Expr, Expr),
    One(Expr),
    Range(Expr, Expr),
}

impl Value {
    /// Reads `5`, `5..9` or `5~2`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some((from, to)) = text.split_once("..") {
            return Ok(Self::Range(Expr::parse(from)?, Expr::parse(to)?));
        }
        if let Some((middle, by)) = text.split_once('~') {
            return Ok(Self::Around(Expr::parse(middle)?, Expr::parse(by)?));
        }
        Expr::parse(text).map(Self::One)
    }
}

/// Reads a span of time such as `2s`, `500ms` or `0.5`, which is in seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |_| format!("found `{text}`; allowed: a time such as 0.5, 2s, 500ms or 20us");
    let with_unit =
        if text.ends_with(|c: char| c.is_ascii_digit()) { format!("{text}s") } else { text.into() };
    match with_unit.ends_with('s') {
        true => u64::try_from(number(&with_unit).map_err(wrong)?)
            .map(Duration::from_micros)
            .map_err(|_| wrong(String::new())),
        false => Err(wrong(String::new())),
    }
}

/// Reads the time before a packet that is awaited: `+0..0.5`, `+1~0.2` or `+1~20%`, from the time
/// of the line before.
pub(super) fn window(text: &str) -> Result<(Duration, Duration), String> {
    let wrong =
        || format!("found `{text}`; allowed: a time with its tolerance: +0..0.5, +1~0.2 or +1~20%");
    let text = text.strip_prefix('+').ok_or_else(wrong)?;
    let (from, to) = if let Some((from, to)) = text.split_once("..") {
        (duration(from)?, duration(to)?)
    } else {
        let (middle, by) = text.split_once('~').ok_or_else(wrong)?;
        let middle = duration(middle)?;
        let by = match by.strip_suffix('%') {
            Some(percent) => middle * percent.parse::<u32>().map_err(|_| wrong())? / 100,
            None => duration(by)?,
        };
        (middle.saturating_sub(by), middle + by)
    };
    if from > to { Err(wrong()) } else { Ok((from, to)) }
}

/// Reads bytes in hexadecimal; `00*20` repeats what stands before the star since the last comma.
pub(super) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let wrong =
        || format!("found `{text}`; allowed: bytes in hexadecimal such as 41ff or 00*20,01");
    let mut bytes = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (digits, times) = match part.split_once('*') {
            Some((digits, times)) => (digits, times.parse().map_err(|_| wrong())?),
            None => (part, 1),
        };
        if digits.len() % 2 != 0 || !digits.is_ascii() {
            return Err(wrong());
        }
        let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
        let decoded: Result<Vec<u8>, _> = pairs.map(|pair| u8::from_str_radix(pair, 16)).collect();
        bytes.extend(decoded.map_err(|_| wrong())?.repeat(times));
    }
    Ok(bytes)
}

/// Reads the indices of bits, such as `0,2,5..9`; `zero` is none of them.
pub(super) fn bits(text: &str) -> Result<Vec<usize>, String> {
    if text == "zero" {
        return Ok(Vec::new());
    }
    let wrong = |_| format!("found `{text}`; allowed: bits such as 0,2,5..9, or zero");
    let mut bits = Vec::new();
    for part in text.split(',') {
        let (from, to) = part.split_once("..").unwrap_or((part, part));
        bits.extend(from.parse::<usize>().map_err(wrong)?..=to.parse::<usize>().map_err(wrong)?);
    }
    match bits.iter().all(|bit| *bit < 255 * 8) {
        true => Ok(bits),
        false => Err(format!("found `{text}`; allowed: bits up to 2039")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_tolerance() {
        let ms = Duration::from_millis;
        assert_eq!(window("+0..0.5"), Ok((ms(0), ms(500))));
        assert_eq!(window("+1~0.2"), Ok((ms(800), ms(1200))));
        assert_eq!(window("+500ms~20%"), Ok((ms(400), ms(600))));
        for text in ["0..1", "+1", "+1..0", "+1~x", "+1..2K"] {
            assert!(window(text).is_err(), "{text}");
        }
        assert_eq!(duration("0.25"), Ok(ms(250)));
        assert!(duration("2M").is_err());
    }

    #[test]
    fn bytes_and_bits_are_read() {
        assert_eq!(hex("41ff"), Ok(vec![0x41, 0xff]));
        assert_eq!(hex("00*3,0102*2"), Ok(vec![0, 0, 0, 1, 2, 1, 2]));
        assert_eq!(hex(""), Ok(vec![]));
        assert!(hex("4").is_err());
        assert_eq!(bits("0,2,5..7"), Ok(vec![0, 2, 5, 6, 7]));
        assert_eq!(bits("zero"), Ok(vec![]));
        assert!(bits("0;1").is_err());
    }
}
