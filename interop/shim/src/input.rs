//! Standard input, a line at a time.

use std::io;
use std::thread;

use super::Command;

/// A line of standard input, or its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A command.
    Command(Command),
    /// There will be no more lines.
    End,
    /// A line that is none, and why.
    Mistake(String),
}

/// Hands every line of standard input to `take`, until it returns false.
///
/// A thread of its own waits for them, because standard input may be a file or a terminal, which
/// a poller does not take.
pub fn read_input(mut take: impl FnMut(Input) -> bool + Send + 'static) {
    thread::spawn(move || {
        let lines = io::stdin().lines().map_while(Result::ok);
        let inputs = lines.map(|line| match line.parse() {
            Ok(command) => Input::Command(command),
            Err(error) => Input::Mistake(error.to_string()),
        });
        for input in inputs.chain(std::iter::once_with(|| Input::End)) {
            if !take(input) {
                return;
            }
        }
    });
}
