//! How far measurements of the same are apart.

use serde::{Deserialize, Serialize};

/// Median, lowest and highest of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    /// The spread of some values; `None` when there are none.
    ///
    /// ```
    /// use utp_interop::harness::Spread;
    ///
    /// let spread = Spread::of([3.0, 1.0, 2.0].into_iter());
    /// assert_eq!(spread, Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
    /// ```
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Some(Self { median, min, max })
    }
}
