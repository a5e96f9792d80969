//! What a side reports, as lines of JSON.

use serde::{Deserialize, Serialize};

/// A line on standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The side accepts connections on these ports.
    Listening(Vec<u16>),
    /// The workload is done.
    Outcome(Outcome),
    /// It failed, in words.
    Error(String),
    /// The stack has no way to do it, in words.
    Unable(String),
}

/// What a side measured. What a workload has nothing to say about is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Bytes of payload that were sent or received.
    pub bytes: u64,
    /// Round trips or connections that were made.
    pub count: u64,
    /// From the first byte that was received to the last, or as long as the workload took.
    pub seconds: f64,
    /// Processor time of this process meanwhile, user and kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// SHA-256 over the SHA-256 of every stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Median of what one round trip or connection took, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<f64>,
    /// The 99th percentile of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<f64>,
    /// The most memory that was resident, without what the payload is kept in, in KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_rss_kib: Option<u64>,
    /// Resident memory that came with the connections, in bytes for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_connection: Option<f64>,
    /// Datagrams sent while idle, where the stack counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datagrams: Option<u64>,
}

impl Outcome {
    /// With the percentiles of these times.
    #[must_use]
    pub fn with_times(mut self, mut times_us: Vec<f64>) -> Self {
        times_us.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let index = (times_us.len() * percent).div_ceil(100).max(1) - 1;
            times_us.get(index).copied()
        };
        (self.p50_us, self.p99_us) = (at(50), at(99));
        self.count = times_us.len() as u64;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let times = (1..=200).rev().map(f64::from).collect();
        let outcome = Outcome::default().with_times(times);
        assert_eq!((outcome.p50_us, outcome.p99_us), (Some(100.0), Some(198.0)));
        assert_eq!(outcome.count, 200);
        assert_eq!(Outcome::default().with_times(Vec::new()).p50_us, None);
    }

    #[test]
    fn lines_come_back_as_they_went() {
        let outcome = Outcome { bytes: 7, sha256: Some("ab".into()), ..Outcome::default() };
        for line in [Line::Listening(vec![1, 2]), Line::Outcome(outcome), Line::Error("no".into())]
        {
            let text = serde_json::to_string(&line).expect("plain data");
            assert_eq!(serde_json::from_str::<Line>(&text).expect("as written"), line);
        }
    }
}
