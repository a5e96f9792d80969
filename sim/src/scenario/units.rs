//! Quantities as scenario files write them: `10mbit`, `25ms`, `1%`, `20MB`, `15s..40s`.
//!
//! A decimal number with a unit becomes an integer of the smallest unit without passing through
//! floating point, so that a file means the same on every machine. A value finer than the smallest
//! unit is refused, not rounded.

use crate::time::Ns;

/// What a text of one of these kinds must look like; used in messages.
pub const RATE_FORM: &str = "a number above 0 with bit, kbit, mbit or gbit, such as \"10mbit\"";
/// See [`RATE_FORM`].
pub const DURATION_FORM: &str = "a number with ns, us, ms, s or min, such as \"25ms\"";
/// See [`RATE_FORM`].
pub const SHARE_FORM: &str = "0% to 100% in steps of 0.0001%, such as \"0.5%\"";
/// See [`RATE_FORM`].
pub const SIZE_FORM: &str =
    "an integer of bytes or a number with B, kB, MB, GB, KiB, MiB or GiB, such as \"20MB\"";
/// See [`RATE_FORM`].
pub const WINDOW_FORM: &str = "two times with .. between, such as \"15s..40s\"";

/// See [`RATE_FORM`].
pub const OFFSET_FORM: &str =
    "a number with us, ms, s or min, with - in front for backwards, such as \"-2s\"";
/// See [`RATE_FORM`].
pub const DRIFT_FORM: &str = "whole parts per million, such as \"-500ppm\"";

const RATE_UNITS: [(&str, u64); 4] =
    [("bit", 1), ("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)];

const DURATION_UNITS: [(&str, u64); 5] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60 * 1_000_000_000),
];

const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Parts per million in one percent.
const SHARE_UNITS: [(&str, u64); 1] = [("%", 10_000)];

/// Bits per second; `None` when the text is no rate above 0.
///
/// ```
/// use utp_sim::scenario::units::parse_rate;
/// assert_eq!(parse_rate("2.5mbit"), Some(2_500_000));
/// assert_eq!(parse_rate("2.5bit"), None);
/// ```
pub fn parse_rate(text: &str) -> Option<u64> {
    parse(text, &RATE_UNITS).filter(|&bps| bps > 0)
}

/// A span of virtual time.
///
/// ```
/// use utp_sim::{scenario::units::parse_duration, time::Ns};
/// assert_eq!(parse_duration("0.5ms"), Some(Ns(500_000)));
/// assert_eq!(parse_duration("25"), None);
/// ```
pub fn parse_duration(text: &str) -> Option<Ns> {
    parse(text, &DURATION_UNITS).map(Ns)
}

/// Parts per million, at most one million.
///
/// ```
/// use utp_sim::scenario::units::parse_share_ppm;
/// assert_eq!(parse_share_ppm("0.5%"), Some(5_000));
/// assert_eq!(parse_share_ppm("101%"), None);
/// ```
pub fn parse_share_ppm(text: &str) -> Option<u32> {
    let ppm = parse(text, &SHARE_UNITS)?;
    u32::try_from(ppm).ok().filter(|&ppm| ppm <= 1_000_000)
}

/// Bytes.
///
/// ```
/// use utp_sim::scenario::units::parse_size;
/// assert_eq!(parse_size("20MB"), Some(20_000_000));
/// assert_eq!(parse_size("1MiB"), Some(1_048_576));
/// ```
pub fn parse_size(text: &str) -> Option<u64> {
    parse(text, &SIZE_UNITS)
}

/// Microseconds, forwards or with a `-` in front backwards; `None` when they are not whole.
///
/// ```
/// use utp_sim::scenario::units::parse_offset_us;
/// assert_eq!(parse_offset_us("-2s"), Some(-2_000_000));
/// assert_eq!(parse_offset_us("500ns"), None);
/// ```
pub fn parse_offset_us(text: &str) -> Option<i64> {
    let (sign, size) = text.strip_prefix('-').map_or((1, text), |size| (-1, size));
    let Ns(ns) = parse_duration(size)?;
    let us = i64::try_from(ns / 1_000).ok()?;
    ns.is_multiple_of(1_000).then_some(sign * us)
}

/// Parts per million, whole ones, with a `-` in front for slower.
///
/// ```
/// use utp_sim::scenario::units::parse_ppm;
/// assert_eq!(parse_ppm("-500ppm"), Some(-500));
/// assert_eq!(parse_ppm("0.5ppm"), None);
/// ```
pub fn parse_ppm(text: &str) -> Option<i32> {
    let number = text.strip_suffix("ppm")?;
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?
}

/// Two times with `..` between them, in this order.
pub fn parse_window(text: &str) -> Option<(Ns, Ns)> {
    let (from, to) = text.split_once("..")?;
    Some((parse_duration(from)?, parse_duration(to)?))
}

/// A time as scenario files write it, in the largest unit that shows it exactly.
///
/// ```
/// use utp_sim::{scenario::units::format_duration, time::Ns};
/// assert_eq!(format_duration(Ns(1_500_000_000)), "1.5s");
/// assert_eq!(format_duration(Ns(500_000)), "500us");
/// ```
pub fn format_duration(span: Ns) -> String {
    // Minutes are left out: "120s" reads better next to a plot's axis than "2min".
    format(span.0, &DURATION_UNITS[..4])
}

/// A rate as scenario files write it.
///
/// ```
/// use utp_sim::scenario::units::format_rate;
/// assert_eq!(format_rate(2_500_000), "2.5mbit");
/// ```
pub fn format_rate(bps: u64) -> String {
    format(bps, &RATE_UNITS)
}

/// `digits[.digits]unit` as a whole number of the smallest unit.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(unit_at);
    let scale = units.iter().find(|(name, _)| *name == unit)?.1;
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    let fraction = fraction.trim_end_matches('0');
    let mut denominator = 1_u64;
    let mut numerator = 0_u64;
    for digit in fraction.chars() {
        denominator = denominator.checked_mul(10)?;
        numerator = numerator.checked_mul(10)? + u64::from(digit.to_digit(10)?);
    }
    let scaled = u128::from(numerator) * u128::from(scale);
    if scaled % u128::from(denominator) != 0 {
        return None;
    }
    let part = u64::try_from(scaled / u128::from(denominator)).ok()?;
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part)
}

/// The inverse of [`parse`], in the largest unit not above the value.
fn format(value: u64, units: &[(&str, u64)]) -> String {
    let (name, scale) =
        units.iter().rev().find(|(_, scale)| value >= *scale).copied().unwrap_or(units[0]);
    // Three decimals reach the next unit down; finer values are shown in that unit instead.
    let below = |scale: u64| scale / 1_000;
    if value.is_multiple_of(scale) {
        return format!("{}{name}", value / scale);
    }
    if !value.is_multiple_of(below(scale).max(1)) {
        let smaller: Vec<_> = units.iter().copied().filter(|(_, s)| *s < scale).collect();
        return format(value, &smaller);
    }
    let decimals = format!("{:03}", value % scale / below(scale));
    format!("{}.{}{name}", value / scale, decimals.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn decimal_texts_become_exact_integers() {
        assert_eq!(parse_rate("10mbit"), Some(10_000_000));
        assert_eq!(parse_rate("64kbit"), Some(64_000));
        assert_eq!(parse_rate("1bit"), Some(1));
        assert_eq!(parse_duration("120s"), Some(Ns::from_secs(120)));
        assert_eq!(parse_duration("2min"), Some(Ns::from_secs(120)));
        assert_eq!(parse_duration("25ms"), Some(Ns::from_millis(25)));
        assert_eq!(parse_duration("500us"), Some(Ns::from_micros(500)));
        assert_eq!(parse_duration("0.000000001s"), Some(Ns(1)));
        assert_eq!(parse_duration("1.10s"), Some(Ns::from_millis(1_100)));
        assert_eq!(parse_share_ppm("1%"), Some(10_000));
        assert_eq!(parse_share_ppm("0.0001%"), Some(1));
        assert_eq!(parse_share_ppm("100%"), Some(1_000_000));
        assert_eq!(parse_size("1.5kB"), Some(1_500));
        assert_eq!(parse_size("1GiB"), Some(1 << 30));
        let window = (Ns::from_millis(1_500), Ns::from_secs(40));
        assert_eq!(parse_window("1.5s..40s"), Some(window));
    }

    #[test]
    fn texts_that_are_not_exact_are_refused() {
        for text in ["", "s", ".5s", "1.s", "-1s", "1 s", "1e3s", "1S", "0.5ns", "1.2.3s", "5"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        for text in ["0mbit", "10mb", "10Mbit", "0.5bit", "99999999999gbit"] {
            assert_eq!(parse_rate(text), None, "{text}");
        }
        for text in ["1", "100.0001%", "0.00001%", "-1%"] {
            assert_eq!(parse_share_ppm(text), None, "{text}");
        }
        for text in ["15s", "15..40", "15s..", "15s...40s"] {
            assert_eq!(parse_window(text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(29),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn formatted_durations_parse_back(ns in any::<u64>()) {
            prop_assert_eq!(parse_duration(&format_duration(Ns(ns))), Some(Ns(ns)));
        }

        #[test]
        fn formatted_rates_parse_back(bps in 1..=u64::MAX) {
            prop_assert_eq!(parse_rate(&format_rate(bps)), Some(bps));
        }

        #[test]
        fn round_durations_parse_back(count in 0_u64..100_000, unit in 0_usize..5) {
            let (name, scale) = DURATION_UNITS[unit];
            prop_assert_eq!(parse_duration(&format!("{count}{name}")), Some(Ns(count * scale)));
        }

        #[test]
        fn any_text_is_parsed_or_refused_without_a_panic(text in "[0-9.a-zA-Z%]{0,30}") {
            let _ = (parse_rate(&text), parse_duration(&text), parse_window(&text));
            let _ = (parse_share_ppm(&text), parse_size(&text));
        }
    }
}
