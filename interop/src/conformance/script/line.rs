//! The statements of a script.

use std::time::Duration;

use super::Expr;
use super::packet::PacketText;
use crate::conformance::peer::WantEvent;

/// A statement and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from one.
    pub(super) number: usize,
    pub(super) text: String,
    pub(super) step: Step,
}

/// What a line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// `check EXPR == EXPR`
    Check(Expr, Comparison, Expr),
    /// `! write 3000 7`; words that begin with `$` are computed.
    Command(Vec<Word>),
    /// `count accepted == 1`
    Count(WantEvent, Comparison, Expr),
    /// `expect ev eof <1s`
    Event(EventText, Duration),
    /// `+0..0.5 > STATE`, or `*>` when others may come before.
    Expect { window: (Duration, Duration), others: bool, packet: PacketText, name: Option<String> },
    /// `for I in 1..9 {`
    For(String, Expr, Expr, Vec<Line>),
    /// `forget`
    Forget,
    /// `ignore STATE`; without a packet, `ignore nothing`.
    Ignore(Option<PacketText>),
    /// `let S = seq`
    Let(String, Expr),
    /// `expect no ev error 2s`
    NoEvent(EventText, Duration),
    /// `expect no DATA 2s`
    NoPacket(PacketText, Duration),
    /// `+0.1 < DATA data=100`
    Send { after: Duration, packet: PacketText },
    /// `expect silence 2s`
    Silence(Duration),
    /// `wait 2s`
    Wait(Duration),
}

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Computed(Expr),
    Plain(String),
}

/// An event in a script. The digest of bytes is computed when it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EventText {
    pub(super) want: WantEvent,
    /// How many bytes of the stream of which seed.
    pub(super) bytes: Option<Expr>,
    pub(super) seed: Option<Expr>,
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
}

impl Comparison {
    /// The longer ones first, since the shorter begin them.
    pub(super) const NAMED: [(&'static str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    pub(super) const fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::NotEqual => left != right,
        }
    }
}

/// Hands the first word of every command to `take`.
pub(super) fn commands(lines: &[Line], take: &mut impl FnMut(&str)) {
    for line in lines {
        match &line.step {
            Step::Command(words) => {
                if let Some(Word::Plain(word)) = words.first() {
                    take(word);
                }
            }
            Step::For(_, _, _, body) => commands(body, take),
            _ => {}
        }
    }
}
