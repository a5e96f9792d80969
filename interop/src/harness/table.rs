//! Tables, as text for a terminal and as Markdown.

use std::fmt::Write as _;

/// Rows under a heading. The first columns hold words, the rest numbers, which align right.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings, of which the first `words` are over words.
    pub(crate) fn new(words: usize, headings: &[&str]) -> Self {
        Self { words, rows: vec![headings.iter().map(ToString::to_string).collect()] }
    }

    /// Adds a row, which has as many cells as there are headings.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        assert_eq!(row.len(), self.rows[0].len(), "a row fills every column");
        self.rows.push(row);
    }

    /// Columns apart by two blanks.
    pub(crate) fn text(&self) -> String {
        self.rows.iter().fold(String::new(), |mut text, row| {
            writeln!(text, "{}", self.line(row, "  ").trim_end()).expect("a string takes it");
            text
        })
    }

    /// A Markdown table.
    pub(crate) fn markdown(&self) -> String {
        let rule = self.widths().enumerate().map(|(column, width)| {
            if column < self.words { "-".repeat(width) } else { "-".repeat(width - 1) + ":" }
        });
        let rule: Vec<String> = rule.collect();
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            writeln!(text, "| {} |", self.line(row, " | ")).expect("a string takes it");
            if index == 0 {
                writeln!(text, "| {} |", rule.join(" | ")).expect("a string takes it");
            }
        }
        text
    }

    fn line(&self, row: &[String], gap: &str) -> String {
        let cells = row.iter().zip(self.widths()).enumerate().map(|(column, (cell, width))| {
            if column < self.words { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<String>>().join(gap)
    }

    fn widths(&self) -> impl Iterator<Item = usize> {
        (0..self.rows[0].len()).map(|column| {
            // Three is the least that Markdown takes for a rule with a colon.
            self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_align_left_and_numbers_right() {
        let mut table = Table::new(1, &["name", "n"]);
        table.push(vec!["a".into(), "1".into()]);
        table.push(vec!["abcdef".into(), "1000".into()]);
        assert_eq!(table.text(), "name       n\na          1\nabcdef  1000\n");
        assert_eq!(
            table.markdown(),
            "| name   |    n |\n| ------ | ---: |\n| a      |    1 |\n| abcdef | 1000 |\n"
        );
    }
}
