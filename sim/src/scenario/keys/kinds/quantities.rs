//! Types of quantities: times, rates, shares, sizes and numbers, each with its range.

use super::{Describe, Read};
use crate::scenario::error::LoadError;
use crate::scenario::read::Value;
use crate::scenario::units::{
    self, DRIFT_FORM, DURATION_FORM, OFFSET_FORM, RATE_FORM, SHARE_FORM, SIZE_FORM, format_duration,
};
use crate::time::Ns;

/// A span of time.
pub(crate) struct Time {
    pub(crate) min: Ns,
    pub(crate) max: Ns,
}

impl Describe for Time {
    fn name(&self) -> String {
        "time".to_owned()
    }

    fn form(&self) -> String {
        DURATION_FORM.to_owned()
    }

    fn range(&self) -> String {
        span(self.min, self.max, |time| match time {
            Ns::ZERO => "\"0s\"".to_owned(),
            _ => format!("{:?}", format_duration(time)),
        })
    }
}

impl Read for Time {
    type Out = Ns;

    fn read(&self, value: &Value<'_>) -> Result<Ns, LoadError> {
        let time = value.parsed(units::parse_duration);
        let time = time.ok_or_else(|| value.error("not a time", DURATION_FORM))?;
        check(value, time, self.min, self.max, ["too short", "too long"], self)
    }
}

/// A step of a clock, forwards or backwards, in microseconds.
pub(crate) struct Offset;

/// Clocks are wrong by at most a day.
const OFFSET_MAX_US: i64 = 86_400_000_000;

impl Describe for Offset {
    fn name(&self) -> String {
        "signed time".to_owned()
    }

    fn form(&self) -> String {
        OFFSET_FORM.to_owned()
    }

    fn range(&self) -> String {
        "\"-86400s\" to \"86400s\", in whole microseconds".to_owned()
    }
}

impl Read for Offset {
    type Out = i64;

    fn read(&self, value: &Value<'_>) -> Result<i64, LoadError> {
        let step = value.parsed(units::parse_offset_us);
        let step = step.ok_or_else(|| value.error("not a step of a clock", OFFSET_FORM))?;
        let bounds = (-OFFSET_MAX_US, OFFSET_MAX_US);
        check(value, step, bounds.0, bounds.1, ["too far back", "too far ahead"], self)
    }
}

/// How wrong a clock runs, in parts per million.
pub(crate) struct Drift {
    pub(crate) min: i32,
    pub(crate) max: i32,
}

impl Describe for Drift {
    fn name(&self) -> String {
        "drift".to_owned()
    }

    fn form(&self) -> String {
        DRIFT_FORM.to_owned()
    }

    fn range(&self) -> String {
        span(self.min, self.max, |ppm| format!("\"{ppm}ppm\""))
    }
}

impl Read for Drift {
    type Out = i32;

    fn read(&self, value: &Value<'_>) -> Result<i32, LoadError> {
        let ppm = value.parsed(units::parse_ppm);
        let ppm = ppm.ok_or_else(|| value.error("not a drift", DRIFT_FORM))?;
        check(value, ppm, self.min, self.max, ["too slow", "too fast"], self)
    }
}

/// Bits per second, more than none.
pub(crate) struct Rate;

impl Describe for Rate {
    fn name(&self) -> String {
        "rate".to_owned()
    }

    fn form(&self) -> String {
        RATE_FORM.to_owned()
    }

    fn range(&self) -> String {
        "above 0".to_owned()
    }
}

impl Read for Rate {
    type Out = u64;

    fn read(&self, value: &Value<'_>) -> Result<u64, LoadError> {
        let rate = value.parsed(units::parse_rate);
        rate.ok_or_else(|| value.error("not a rate", RATE_FORM))
    }
}

/// How fast an application is: bits per second, none at 0, or without a limit.
pub(crate) struct Pace;

const PACE_FORM: &str = "\"unlimited\", \"0bit\" for none, or a number with bit, kbit, mbit or gbit, such as \"10mbit\"";

impl Describe for Pace {
    fn name(&self) -> String {
        "rate or \"unlimited\"".to_owned()
    }

    fn form(&self) -> String {
        PACE_FORM.to_owned()
    }

    fn range(&self) -> String {
        "any rate, \"0bit\", \"unlimited\"".to_owned()
    }
}

impl Read for Pace {
    type Out = Option<u64>;

    fn read(&self, value: &Value<'_>) -> Result<Option<u64>, LoadError> {
        let pace = value.parsed(|text| match text {
            "unlimited" => Some(None),
            "0bit" => Some(Some(0)),
            _ => units::parse_rate(text).map(Some),
        });
        pace.ok_or_else(|| value.error("not a rate", PACE_FORM))
    }
}

/// Part of all, in parts per million.
pub(crate) struct Share;

impl Describe for Share {
    fn name(&self) -> String {
        "share".to_owned()
    }

    fn form(&self) -> String {
        SHARE_FORM.to_owned()
    }

    fn range(&self) -> String {
        "\"0%\" to \"100%\"".to_owned()
    }
}

impl Read for Share {
    type Out = u32;

    fn read(&self, value: &Value<'_>) -> Result<u32, LoadError> {
        let share = value.parsed(units::parse_share_ppm);
        share.ok_or_else(|| value.error("not a share", SHARE_FORM))
    }
}

/// Bytes.
pub(crate) struct Size {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Describe for Size {
    fn name(&self) -> String {
        "size".to_owned()
    }

    fn form(&self) -> String {
        SIZE_FORM.to_owned()
    }

    fn range(&self) -> String {
        span(self.min, self.max, |bytes| match bytes {
            GB.. if bytes.is_multiple_of(GB) => format!("\"{}GB\"", bytes / GB),
            _ => bytes.to_string(),
        })
    }
}

impl Read for Size {
    type Out = u64;

    fn read(&self, value: &Value<'_>) -> Result<u64, LoadError> {
        let bytes = value.integer().or_else(|| value.parsed(units::parse_size));
        let bytes = bytes.ok_or_else(|| value.error("not a size", SIZE_FORM))?;
        check(value, bytes, self.min, self.max, ["too small", "too large"], self)
    }
}

const GB: u64 = 1_000_000_000;

/// A whole number.
pub(crate) struct Whole {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Describe for Whole {
    fn name(&self) -> String {
        "integer".to_owned()
    }

    fn form(&self) -> String {
        format!("an integer: {}", self.range())
    }

    fn range(&self) -> String {
        span(self.min, self.max, |number| number.to_string())
    }
}

impl Read for Whole {
    type Out = u64;

    fn read(&self, value: &Value<'_>) -> Result<u64, LoadError> {
        let number = value.integer();
        let number = number.ok_or_else(|| value.error("not a whole number", &self.form()))?;
        check(value, number, self.min, self.max, ["too small", "too large"], self)
    }
}

/// A number with or without decimals.
pub(crate) struct Number;

impl Describe for Number {
    fn name(&self) -> String {
        "number".to_owned()
    }

    fn form(&self) -> String {
        "a finite decimal number".to_owned()
    }

    fn range(&self) -> String {
        "finite".to_owned()
    }
}

impl Read for Number {
    type Out = f64;

    fn read(&self, value: &Value<'_>) -> Result<f64, LoadError> {
        value.number().ok_or_else(|| value.error("not a number", &self.form()))
    }
}

/// Refuses what is outside of the range of its type.
fn check<T: PartialOrd>(
    value: &Value<'_>,
    given: T,
    min: T,
    max: T,
    [below, above]: [&str; 2],
    kind: &impl Describe,
) -> Result<T, LoadError> {
    if given < min {
        return Err(value.error(below, &kind.range()));
    }
    if given > max {
        return Err(value.error(above, &kind.range()));
    }
    Ok(given)
}

fn span<T: PartialEq>(min: T, max: T, show: impl Fn(T) -> String) -> String {
    format!("{} to {}", show(min), show(max))
}
