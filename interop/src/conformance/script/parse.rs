//! Reads the body of a script, a statement a line.

use std::time::Duration;

use super::line::{Comparison, EventText, Line, Step, Word};
use super::packet::PacketText;
use super::values::{duration, window};
use super::{Expr, ScriptError};
use crate::conformance::peer::{WantEvent, error_kind};

/// The statements behind the first `head` lines.
pub(super) fn body(path: &str, text: &str, head: usize) -> Result<Vec<Line>, ScriptError> {
    let at = |line: usize, what: String| ScriptError { path: path.to_owned(), line, what };
    // The innermost open block is the last; the first is the script.
    let mut blocks: Vec<(Option<Line>, Vec<Line>)> = vec![(None, Vec::new())];
    for (index, line) in text.lines().enumerate().skip(head) {
        let number = index + 1;
        let text = line.split('#').next().unwrap_or_default().trim().to_owned();
        if text.is_empty() {
            continue;
        }
        if text == "}" {
            let Some((Some(mut opener), lines)) = blocks.pop() else {
                return Err(at(number, "found `}` without a block; allowed: a statement".into()));
            };
            if let Step::For(_, _, _, body) = &mut opener.step {
                *body = lines;
            }
            if let Some((_, lines)) = blocks.last_mut() {
                lines.push(opener);
            }
            continue;
        }
        let step = statement(&text).map_err(|what| at(number, what))?;
        let is_block = matches!(step, Step::For(..));
        let line = Line { number, text, step };
        match blocks.last_mut() {
            _ if is_block => blocks.push((Some(line), Vec::new())),
            Some((_, lines)) => lines.push(line),
            None => {}
        }
    }
    match blocks.pop() {
        Some((None, lines)) if lines.is_empty() => Err(at(0, "the script does nothing".into())),
        Some((None, lines)) => Ok(lines),
        Some((Some(opener), _)) => {
            Err(at(opener.number, "found a block without its end; allowed: a line `}`".into()))
        }
        None => Ok(Vec::new()),
    }
}

fn statement(text: &str) -> Result<Step, String> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    match word {
        "!" => command(rest),
        "<" | ">" | "*>" => packet_line(None, text),
        "check" => {
            let (left, comparison, right) = comparison(rest)?;
            Ok(Step::Check(Expr::parse(left)?, comparison, Expr::parse(right)?))
        }
        "count" => {
            let (left, comparison, right) = comparison(rest)?;
            Ok(Step::Count(event(left)?.want, comparison, Expr::parse(right)?))
        }
        "expect" => expectation(rest),
        "for" => for_block(rest),
        "forget" if rest.is_empty() => Ok(Step::Forget),
        "ignore" if rest == "nothing" => Ok(Step::Ignore(None)),
        "ignore" => Ok(Step::Ignore(Some(PacketText::parse(rest, false)?))),
        "let" => {
            let (name, value) = rest.split_once('=').ok_or("allowed: let NAME = EXPRESSION")?;
            Ok(Step::Let(variable(name.trim())?, Expr::parse(value)?))
        }
        "wait" => Ok(Step::Wait(duration(rest)?)),
        time if time.starts_with('+') => packet_line(Some(time), rest),
        _ => Err(format!(
            "found `{word}`; allowed: +TIME, <, >, *>, !, expect, check, count, let, for, ignore, \
             wait, forget or }}"
        )),
    }
}

fn packet_line(time: Option<&str>, text: &str) -> Result<Step, String> {
    let (arrow, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match arrow {
        "<" => {
            let wrong = |time: &str| format!("found `{time}`; allowed: one time, such as +0.010");
            let after = match time {
                Some(time) => duration(time.trim_start_matches('+')).map_err(|_| wrong(time))?,
                None => Duration::ZERO,
            };
            Ok(Step::Send { after, packet: PacketText::parse(rest, true)? })
        }
        ">" | "*>" => {
            let window = time.map_or(Ok((Duration::ZERO, PATIENCE)), window)?;
            let (packet, name) = match rest.split_once(" as ") {
                Some((packet, name)) => (packet, Some(variable(name.trim())?)),
                None => (rest, None),
            };
            let packet = PacketText::parse(packet, false)?;
            Ok(Step::Expect { window, others: arrow == "*>", packet, name })
        }
        _ => Err(format!(
            "found `{arrow}`; allowed: < for what is sent to it, > or *> for what comes"
        )),
    }
}

fn command(text: &str) -> Result<Step, String> {
    let words = text.split_whitespace().map(|word| match word.strip_prefix('$') {
        Some(expr) => Expr::parse(expr).map(Word::Computed),
        None => Ok(Word::Plain(word.to_owned())),
    });
    let words = words.collect::<Result<Vec<Word>, String>>()?;
    let shown = words.iter().map(|word| match word {
        Word::Computed(_) => "0",
        Word::Plain(word) => word,
    });
    let shown = shown.collect::<Vec<_>>().join(" ");
    shown.parse::<crate::shim::Command>().map_err(|error| error.to_string())?;
    Ok(Step::Command(words))
}

fn comparison(text: &str) -> Result<(&str, Comparison, &str), String> {
    let at = text.find(['=', '!', '<', '>']);
    let found = at.and_then(|at| {
        let named = Comparison::NAMED.iter().find(|(name, _)| text[at..].starts_with(name))?;
        Some((&text[..at], named.1, &text[at + named.0.len()..]))
    });
    found.ok_or_else(|| format!("found `{text}`; allowed: A == B, or with !=, <, <=, >, >="))
}

fn expectation(text: &str) -> Result<Step, String> {
    let (text, last) = text.rsplit_once(char::is_whitespace).unwrap_or((text, ""));
    let text = text.trim();
    if text == "silence" {
        return Ok(Step::Silence(duration(last)?));
    }
    if let Some(text) = text.strip_prefix("no ev ") {
        return Ok(Step::NoEvent(event(text)?, duration(last)?));
    }
    if let Some(text) = text.strip_prefix("no ") {
        return Ok(Step::NoPacket(PacketText::parse(text, false)?, duration(last)?));
    }
    if let Some(text) = text.strip_prefix("ev ") {
        let within = last.strip_prefix('<').ok_or_else(|| {
            format!("found `{last}` at the end of `expect ev`; allowed: a bound such as <5s")
        })?;
        return Ok(Step::Event(event(text)?, duration(within)?));
    }
    Err(format!(
        "found `expect {text} {last}`; allowed: expect silence 2s, expect no DATA 2s, \
         expect ev eof <1s, expect no ev error 2s"
    ))
}

/// Reads `error kind=reset|timeout`, `data n=3000 seed=7` or `eof`.
fn event(text: &str) -> Result<EventText, String> {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or_default();
    let mut event = EventText { want: WantEvent::Eof, bytes: None, seed: None };
    let mut kinds = Vec::new();
    for word in words {
        let wrong = || format!("found `{word}`; allowed: n= and seed= of data, kind= of error");
        match (name, word.split_once('=').ok_or_else(wrong)?) {
            ("data", ("n", value)) => event.bytes = Some(Expr::parse(value)?),
            ("data", ("seed", value)) => event.seed = Some(Expr::parse(value)?),
            ("error", ("kind", value)) => {
                for kind in value.split('|') {
                    kinds.push(error_kind(kind).ok_or_else(|| {
                        format!("found `{kind}`; allowed: conflict, other, refused, reset, timeout")
                    })?);
                }
            }
            _ => return Err(wrong()),
        }
    }
    if event.seed.is_some() && event.bytes.is_none() {
        return Err("found seed= without n=; allowed: both, or n= alone".into());
    }
    event.want = match name {
        "accepted" => WantEvent::Accepted,
        "closed" => WantEvent::Closed,
        "connected" => WantEvent::Connected,
        "data" => WantEvent::Data { bytes: None, sha256: None },
        "eof" => WantEvent::Eof,
        "error" => WantEvent::Error(kinds),
        "stats" => WantEvent::Stats,
        _ => {
            return Err(format!(
                "found `{name}`; allowed: accepted, closed, connected, data, eof, error, stats"
            ));
        }
    };
    Ok(event)
}

/// Reads `I in 1..9 {`.
fn for_block(text: &str) -> Result<Step, String> {
    let parts = text.strip_suffix('{').and_then(|text| {
        let (name, range) = text.split_once(" in ")?;
        let (from, to) = range.split_once("..")?;
        Some((name.trim(), from, to))
    });
    let (name, from, to) =
        parts.ok_or_else(|| format!("found `for {text}`; allowed: for NAME in FIRST..LAST {{"))?;
    Ok(Step::For(variable(name)?, Expr::parse(from)?, Expr::parse(to)?, Vec::new()))
}

/// A name that a script may give: it begins with a capital, unlike those of fields.
fn variable(name: &str) -> Result<String, String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(is_word) {
        true => Ok(name.to_owned()),
        false => Err(format!("found `{name}`; allowed: a name that begins with a capital letter")),
    }
}

/// How long a packet may take when the line says nothing.
const PATIENCE: Duration = Duration::from_secs(1);
