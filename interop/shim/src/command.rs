//! The commands a shim takes on standard input, one a line.

use std::fmt;
use std::str::FromStr;

use super::parse_size;

/// One line of standard input.
///
/// ```
/// use utp_shim::Command;
///
/// assert_eq!("write 64KiB 7".parse(), Ok(Command::Write { bytes: 65536, seed: 7 }));
/// assert!("write".parse::<Command>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Drop the stream without a goodbye, with a RESET if the implementation sends one.
    Abort,
    /// Close both directions: what was written is still delivered.
    Close,
    /// Stop reading, so that the receive window fills.
    Pause,
    /// Leave at once.
    Quit,
    /// Read this many bytes, then report their digest and stop reading.
    Read {
        /// How many bytes to take from the stream.
        bytes: u64,
    },
    /// Read everything as it comes, until `pause` or the end of the stream.
    Resume,
    /// Finish the sending direction.
    Shutdown,
    /// Report memory, processor time and connections.
    Stats,
    /// Send this many bytes of the stream that the seed names.
    Write {
        /// How many bytes to send.
        bytes: u64,
        /// Names the pseudo-random stream, see [`Pattern`](super::Pattern).
        seed: u64,
    },
}

/// Why a line is not a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseCommandError(String);

impl fmt::Display for ParseCommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseCommandError {}

impl FromStr for Command {
    type Err = ParseCommandError;

    fn from_str(line: &str) -> Result<Self, ParseCommandError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let size = |word: &str| {
            parse_size(word).map_err(|error| ParseCommandError(format!("`{line}`: {error}")))
        };
        match words.as_slice() {
            ["abort"] => Ok(Self::Abort),
            ["close"] => Ok(Self::Close),
            ["pause"] => Ok(Self::Pause),
            ["quit"] => Ok(Self::Quit),
            ["read", bytes] => Ok(Self::Read { bytes: size(bytes)? }),
            ["resume"] => Ok(Self::Resume),
            ["shutdown"] => Ok(Self::Shutdown),
            ["stats"] => Ok(Self::Stats),
            ["write", bytes, seed] => {
                let seed = seed.parse().map_err(|_| {
                    ParseCommandError(format!("`{line}`: the seed `{seed}` is not a number"))
                })?;
                Ok(Self::Write { bytes: size(bytes)?, seed })
            }
            _ => Err(ParseCommandError(format!(
                "`{line}` is not a command; expected write N SEED, read N, pause, resume, \
                 shutdown, close, abort, stats or quit"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_protocol_is_understood() {
        for (line, command) in [
            ("abort", Command::Abort),
            ("close", Command::Close),
            ("pause", Command::Pause),
            ("quit", Command::Quit),
            ("read 17", Command::Read { bytes: 17 }),
            ("  resume ", Command::Resume),
            ("shutdown", Command::Shutdown),
            ("stats", Command::Stats),
            ("write 1MiB 18446744073709551615", Command::Write { bytes: 1 << 20, seed: u64::MAX }),
        ] {
            assert_eq!(line.parse(), Ok(command), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_no_command_names_what_was_expected() {
        for line in ["", "wriet 1 1", "write 1", "read", "read x", "write 1 -1", "quit now"] {
            let error = line.parse::<Command>().expect_err(line);
            assert!(error.to_string().contains(line), "{error}");
        }
    }
}
