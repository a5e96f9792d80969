//! What happened in a run of a case, in order, for a person who has to find out why it failed.

use std::collections::VecDeque;
use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

/// Everything that the runner sent, received and heard, the oldest forgotten.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    entries: VecDeque<Entry>,
    /// How many have been forgotten.
    forgotten: usize,
    /// The entry that is to blame.
    marked: Option<usize>,
}

#[derive(Debug)]
struct Entry {
    since_start: Duration,
    direction: &'static str,
    text: String,
}

/// To the implementation.
pub(crate) const SENT: &str = "<";

/// From the implementation.
pub(crate) const RECEIVED: &str = ">";

/// A command to the shim.
pub(crate) const COMMAND: &str = "!";

/// An event of the shim.
pub(crate) const EVENT: &str = "ev";

/// A word of the runner.
pub(crate) const NOTE: &str = "--";

impl Trace {
    /// Adds an entry and returns its number.
    pub(crate) fn push(
        &mut self,
        since_start: Duration,
        direction: &'static str,
        text: impl fmt::Display,
    ) -> usize {
        if self.entries.len() == ENTRIES_MAX {
            self.entries.pop_front();
            self.forgotten += 1;
        }
        self.entries.push_back(Entry { since_start, direction, text: text.to_string() });
        self.forgotten + self.entries.len() - 1
    }

    /// Marks the entry with this number as the one to blame.
    pub(crate) const fn mark(&mut self, number: usize) {
        self.marked = Some(number);
    }

    /// The entries around the marked one, or the last ones.
    pub(crate) fn excerpt(&self) -> String {
        let end = self.forgotten + self.entries.len();
        let to = self.marked.map_or(end, |marked| (marked + AFTER).min(end));
        self.between(to.saturating_sub(BEFORE + AFTER).max(self.forgotten), to)
    }

    /// All entries that are not forgotten.
    pub(crate) fn whole(&self) -> String {
        self.between(self.forgotten, self.forgotten + self.entries.len())
    }

    fn between(&self, from: usize, to: usize) -> String {
        let end = self.forgotten + self.entries.len();
        let mut text = String::new();
        if from > 0 {
            text += &format!("       ({from} entries before)\n");
        }
        for (entry, number) in self.entries.iter().skip(from - self.forgotten).zip(from..to) {
            let arrow = if self.marked == Some(number) { "->" } else { "  " };
            let (seconds, direction) = (entry.since_start.as_secs_f64(), entry.direction);
            writeln!(text, "  {arrow} {seconds:>10.6} {direction:<2} {}", entry.text)
                .expect("a string takes everything");
        }
        if to < end {
            text += &format!("       ({} entries after)\n", end - to);
        }
        text
    }
}

const ENTRIES_MAX: usize = 2000;

/// How many entries before and after the marked one are shown.
const BEFORE: usize = 24;
const AFTER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_excerpt_shows_what_surrounds_the_marked_entry() {
        let mut trace = Trace::default();
        let numbers: Vec<usize> = (0..ENTRIES_MAX + 100)
            .map(|index| trace.push(Duration::from_millis(index as u64), SENT, index))
            .collect();
        assert_eq!(numbers[ENTRIES_MAX + 99], ENTRIES_MAX + 99);
        trace.mark(numbers[1000]);
        let excerpt = trace.excerpt();
        assert!(excerpt.contains("  ->   1.000000 <  1000\n"), "{excerpt}");
        assert!(excerpt.contains("entries before"));
        assert_eq!(excerpt.lines().count(), BEFORE + AFTER + 2);
    }

    #[test]
    fn a_short_trace_is_shown_whole() {
        let mut trace = Trace::default();
        trace.push(Duration::ZERO, EVENT, "hello");
        assert_eq!(trace.excerpt(), "       0.000000 ev hello\n");
    }
}
