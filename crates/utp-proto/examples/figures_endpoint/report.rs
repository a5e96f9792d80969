//! The lines that are printed, and whether every limit was kept.

/// Prints figures.
#[derive(Debug, Default)]
pub struct Report {
    missed: u32,
}

impl Report {
    /// A figure that must not be above its limit.
    pub fn at_most(&mut self, what: &str, value: f64, limit: f64) {
        self.line(what, value, "<=", limit, value <= limit);
    }

    /// A figure that must not be below its limit.
    pub fn at_least(&mut self, what: &str, value: f64, limit: f64) {
        self.line(what, value, ">=", limit, value >= limit);
    }

    /// A figure without a limit.
    pub fn note(&self, what: &str, value: f64) {
        println!("      {what}: {}", brief(value));
    }

    pub fn is_good(&self) -> bool {
        self.missed == 0
    }

    fn line(&mut self, what: &str, value: f64, relation: &str, limit: f64, kept: bool) {
        self.missed += u32::from(!kept);
        let verdict = if kept { "PASS" } else { "FAIL" };
        println!("{verdict}  {what}: {} ({relation} {})", brief(value), brief(limit));
    }
}

/// Whole numbers without a fraction.
fn brief(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.3}") }
}
