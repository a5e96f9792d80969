//! Runs a script against a peer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Script;
use super::line::{EventText, Line, Step, Word};
use super::packet::{Numbers, PacketText};
use crate::conformance::flow::Flow;
use crate::conformance::packet::{Kind, Packet};
use crate::conformance::peer::{Mode, Peer, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::{Field, Want};
use crate::shim::pattern_sha256;

pub(super) fn run(script: &Script, peer: &mut Peer) -> CaseResult {
    peer.start(&script.call)?;
    let numbers = Numbers::new(Flow::initiator(FIRST_ID, FIRST_SYN_SEQ));
    let mode = script.call.mode;
    let mut run = Run {
        path: &script.path,
        mode,
        numbers,
        opened: false,
        answered: false,
        variables: BTreeMap::new(),
        named: BTreeMap::new(),
        last: None,
    };
    let result = run.lines(peer, &script.lines);
    peer.set_place(None);
    result
}

struct Run<'a> {
    path: &'a str,
    mode: Mode,
    numbers: Numbers,
    /// The first answer of the implementation, or its SYN, has come.
    opened: bool,
    /// Its SYN has been answered.
    answered: bool,
    variables: BTreeMap<String, i64>,
    /// Packets that were given a name.
    named: BTreeMap<String, Fields>,
    /// The packet that matched last.
    last: Option<Fields>,
}

/// What a script may ask about a packet that came.
#[derive(Clone)]
struct Fields {
    packet: Packet,
    /// Since the case began.
    time_us: i64,
    /// Since what happened before it.
    gap_us: i64,
}

impl Fields {
    fn lookup(&self, name: &str) -> Option<i64> {
        match name {
            "time" => Some(self.time_us),
            "gap" => Some(self.gap_us),
            _ => Field::named(name).map(|field| field.of(&self.packet)),
        }
    }
}

impl Run<'_> {
    fn lines(&mut self, peer: &mut Peer, lines: &[Line]) -> CaseResult {
        for line in lines {
            peer.set_place(Some(format!("{}:{}: {}", self.path, line.number, line.text)));
            self.step(peer, &line.step)?;
        }
        Ok(())
    }

    fn step(&mut self, peer: &mut Peer, step: &Step) -> CaseResult {
        match step {
            Step::Check(left, comparison, right) => {
                let (found, asked) = (self.value(peer, left)?, self.value(peer, right)?);
                peer.check(comparison.holds(found, asked), || {
                    format!("{left} is {found}, {right} is {asked}")
                })
            }
            Step::Command(words) => {
                let words = words.iter().map(|word| match word {
                    Word::Plain(word) => Ok(word.clone()),
                    Word::Computed(expr) => self.value(peer, expr).map(|value| value.to_string()),
                });
                let words = words.collect::<CaseResult<Vec<String>>>()?;
                peer.command(&words.join(" "))
            }
            Step::Count(event, comparison, right) => {
                let asked = self.value(peer, right)?;
                let found = i64::try_from(peer.count_events(event)).unwrap_or(i64::MAX);
                peer.check(comparison.holds(found, asked), || {
                    format!("there have been {found} events {event}")
                })
            }
            Step::Event(event, within) => {
                let want = self.event(peer, event)?;
                peer.expect_event(&want, *within).map(drop)
            }
            Step::Expect { window, others, packet, name } => {
                self.expect(peer, *window, *others, packet, name.as_deref())
            }
            Step::For(name, first, last, body) => {
                let (first, last) = (self.value(peer, first)?, self.value(peer, last)?);
                for value in first..=last {
                    self.variables.insert(name.clone(), value);
                    self.lines(peer, body)?;
                }
                Ok(())
            }
            Step::Forget => peer.forget_packets(),
            Step::Ignore(None) => {
                peer.ignore_nothing();
                Ok(())
            }
            Step::Ignore(Some(packet)) => {
                let want = self.want(peer, packet)?;
                peer.ignore(want);
                Ok(())
            }
            Step::Let(name, value) => {
                let value = self.value(peer, value)?;
                self.variables.insert(name.clone(), value);
                Ok(())
            }
            Step::NoEvent(event, time) => {
                let want = self.event(peer, event)?;
                peer.no_event(&want, *time)
            }
            Step::NoPacket(packet, time) => {
                let want = self.want(peer, packet)?;
                peer.none_of(&want, *time)
            }
            Step::Send { after, packet } => self.send(peer, *after, packet),
            Step::Silence(time) => peer.silence(*time),
            Step::Wait(time) => peer.sleep(*time),
        }
    }

    fn send(&mut self, peer: &mut Peer, after: Duration, text: &PacketText) -> CaseResult {
        peer.sleep_until(peer.mark() + after)?;
        if let Some(bytes) = &text.raw {
            return peer.send_raw(bytes);
        }
        let mut numbers = self.numbers.clone();
        let context = Context { run: self, peer };
        let packet = text.packet(&mut numbers, &|name| context.lookup(name));
        let packet = packet.map_err(|what| peer.fail(what))?;
        // A packet that is meant to be refused moves no number.
        if text.is_honest() {
            self.numbers = numbers;
            self.follow_sent(&packet, text);
        }
        match text.spoiled(&peer.stamped(&packet)) {
            Some(bytes) => peer.send_raw(&bytes),
            None => peer.send(&packet),
        }
    }

    /// A SYN begins a connection until it is answered; the answer to a SYN begins our stream.
    fn follow_sent(&mut self, packet: &Packet, text: &PacketText) {
        match (self.mode, packet.kind) {
            (Mode::Listen, Kind::Syn) if !self.opened => {
                self.numbers = Numbers::new(Flow::initiator(packet.id, packet.seq));
            }
            (Mode::Connect, Kind::State) if !self.answered => {
                self.answered = true;
                if text.says(Field::Seq) {
                    self.numbers.flow.seq = packet.seq;
                }
            }
            _ => {}
        }
    }

    fn expect(
        &mut self,
        peer: &mut Peer,
        (from, to): (Duration, Duration),
        others: bool,
        packet: &PacketText,
        name: Option<&str>,
    ) -> CaseResult {
        let want = self.want(peer, packet)?;
        let before = peer.mark();
        let until = before + to;
        // An answer may have come before the line that it follows was done with.
        let from = if from.is_zero() { peer.started() } else { before + from };
        let mut passed = Vec::new();
        let seen = if others {
            peer.eventually_between(&want, from, until, |seen| passed.push((**seen).clone()))?
        } else {
            peer.expect_between(&want, from, until)?
        };
        for packet in &passed {
            self.hear(packet);
        }
        self.hear(&seen);
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let fields = Fields {
            packet: (*seen).clone(),
            time_us: micros(seen.at.saturating_duration_since(peer.started())),
            gap_us: micros(seen.at.saturating_duration_since(before)),
        };
        if let Some(name) = name {
            self.named.insert(name.to_owned(), fields.clone());
        }
        self.last = Some(fields);
        Ok(())
    }

    /// The first answer tells where the stream of the implementation begins; what is next in order
    /// moves on.
    fn hear(&mut self, packet: &Packet) {
        let flow = &mut self.numbers.flow;
        match (self.mode, packet.kind) {
            (Mode::Listen, Kind::State) if !self.opened => {
                // The number of a SYN-ACK is that of the first DATA.
                flow.ack = packet.seq.wrapping_sub(1);
                self.opened = true;
            }
            (Mode::Connect, Kind::Syn) if !self.opened => {
                *flow = Flow::acceptor(packet, FIRST_SEQ);
                self.opened = true;
            }
            _ => flow.hear(packet),
        }
    }

    fn want(&self, peer: &Peer, packet: &PacketText) -> CaseResult<Want> {
        let context = Context { run: self, peer };
        packet.want(&|name| context.lookup(name)).map_err(|what| peer.fail(what))
    }

    fn event(&self, peer: &Peer, event: &EventText) -> CaseResult<WantEvent> {
        let Some(bytes) = &event.bytes else { return Ok(event.want.clone()) };
        let number = |expr| {
            let value = self.value(peer, expr)?;
            u64::try_from(value).map_err(|_| peer.fail(format!("{value} is below zero")))
        };
        let bytes = number(bytes)?;
        let seed = event.seed.as_ref().map(number).transpose()?;
        let sha256 = seed.map(|seed| pattern_sha256(seed, bytes));
        Ok(WantEvent::Data { bytes: Some(bytes..=bytes), sha256 })
    }

    fn value(&self, peer: &Peer, expr: &super::Expr) -> CaseResult<i64> {
        let context = Context { run: self, peer };
        expr.value(&|name| context.lookup(name)).map_err(|what| peer.fail(what))
    }
}

/// What names stand for at a moment.
struct Context<'a> {
    run: &'a Run<'a>,
    peer: &'a Peer,
}

impl Context<'_> {
    fn lookup(&self, name: &str) -> Result<i64, String> {
        let run = self.run;
        if let Some(value) = run.variables.get(name) {
            return Ok(*value);
        }
        if let Some((packet, field)) = name.split_once('.') {
            let fields = run.named.get(packet);
            let fields = fields.ok_or_else(|| format!("no packet was named `{packet}`"))?;
            return fields.lookup(field).ok_or_else(|| format!("a packet has no `{field}`"));
        }
        let unknown = |what: &str| format!("the {what} of the shim is not known");
        match name {
            "next" => Ok(run.numbers.flow.seq.into()),
            "acked" => Ok(run.numbers.flow.ack.into()),
            "sent" => Ok(i64::try_from(run.numbers.flow.sent).unwrap_or(i64::MAX)),
            "rss" => self.peer.rss_kib().map_or_else(
                |_| Err(unknown("memory")),
                |kib| Ok(i64::try_from(kib).unwrap_or(i64::MAX)),
            ),
            "cpu" => self.peer.cpu_time().map_or_else(
                |_| Err(unknown("time")),
                |time| Ok(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)),
            ),
            _ => match run.last.as_ref().map(|last| last.lookup(name)) {
                Some(Some(value)) => Ok(value),
                None if Field::named(name).is_some() => {
                    Err(format!("`{name}` is a field of the last packet, and none has come"))
                }
                _ => Err(format!(
                    "`{name}` is not known; allowed: a variable, a field of the last packet, \
                     NAME.field, next, acked, sent, rss, cpu, time, gap"
                )),
            },
        }
    }
}

/// What the first SYN of a script has when it says nothing else.
const FIRST_ID: u16 = 100;
const FIRST_SYN_SEQ: u16 = 1;

/// The number of the first DATA towards an implementation that connects.
const FIRST_SEQ: u16 = 500;
