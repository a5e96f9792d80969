//! Which outcomes are what the script asks for, and what explains the others.

use std::fmt;

use crate::app::Seen;
use crate::run::Outcome;
use crate::script::Script;
use crate::stack::{Failure, Kind};

/// Why a side did not get what the script asks for. The README has the reasons at length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// An established connection was given up, because the network let no ack through for as long
    /// as the stack waits.
    CutOff,
    /// The initiator gave up, because the network let no SYN or no answer through.
    NoAnswer,
    /// The initiator gave up, because an answer was lost that libutp's acceptor does not repeat.
    SynAckLost,
    /// The peer has left, and does not take what is written.
    PeerLeft,
    /// The peer has given the connection up.
    PeerFailed,
    /// The peer has given the connection up, and libutp's end does not ask for it.
    NeverNotices,
    /// libutp's acceptor cannot speak before it has had data.
    MuteAcceptor,
    /// libutp's initiator says nothing, and an acceptor of ours hears only of those that do.
    SilentInitiator,
    /// libutp's acceptor ignores a FIN before it has had data.
    FinIgnored,
    /// An acceptor left before it had data, and ends such a stream by a reset.
    LeftBeforeData,
    /// Ours takes a single byte that comes to a shut window for a probe, and libutp gives up that
    /// has no more to send.
    ByteRefused,
    /// The news that a window has opened was lost, which libutp tells once, from a size that it
    /// does not probe.
    WindowLost,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::CutOff,
        Self::NoAnswer,
        Self::SynAckLost,
        Self::PeerLeft,
        Self::PeerFailed,
        Self::NeverNotices,
        Self::MuteAcceptor,
        Self::SilentInitiator,
        Self::FinIgnored,
        Self::LeftBeforeData,
        Self::ByteRefused,
        Self::WindowLost,
    ];
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CutOff => "cut off",
            Self::NoAnswer => "no answer",
            Self::SynAckLost => "SYN-ACK lost",
            Self::PeerLeft => "peer left",
            Self::PeerFailed => "peer failed",
            Self::NeverNotices => "never notices",
            Self::MuteAcceptor => "mute acceptor",
            Self::SilentInitiator => "silent initiator",
            Self::FinIgnored => "FIN ignored",
            Self::LeftBeforeData => "left before data",
            Self::ByteRefused => "byte refused",
            Self::WindowLost => "window lost",
        })
    }
}

/// A side that did not get what the script asks for, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The side.
    pub side: usize,
    /// The reason.
    pub class: Class,
}

/// How it ended for a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It did all that the script has for it.
    Well,
    Failed(Failure),
    /// It still waits.
    Waits,
    /// It never heard of the stream.
    Unheard,
}

/// What is not as the script asks for, each with its reason.
///
/// # Errors
/// What nothing explains, in words.
pub fn judge(script: &Script, outcome: &Outcome) -> Result<Vec<Finding>, String> {
    streams(script, outcome)?;
    let judged = Judged { outcome, ends: [0, 1].map(|side| end(outcome.seen[side].as_ref())) };
    let mut findings = Vec::new();
    for side in [0, 1] {
        if judged.ends[side] != End::Well {
            let class = judged.explain(side).ok_or_else(|| judged.words(side))?;
            findings.push(Finding { side, class });
        }
    }
    Ok(findings)
}

/// What no stack may do, whatever happens: deliver another byte than was written, or an end before
/// the whole of the stream.
fn streams(script: &Script, outcome: &Outcome) -> Result<(), String> {
    // libutp remembers nothing of a stream that is gone: late copies of its packets open another.
    if outcome.streams > 1 && outcome.pair.0[1] == Kind::Ours {
        return Err(format!("{} streams carried something", outcome.streams));
    }
    for side in [0, 1] {
        let Some(seen) = &outcome.seen[side] else { continue };
        if let Some(at) = seen.wrong_at {
            return Err(format!("side {side} reads a wrong byte at {at}"));
        }
        let peer = outcome.seen[1 - side].clone().unwrap_or_default();
        if seen.read > peer.written {
            return Err(format!("side {side} reads more than was written: {seen:?}, {peer:?}"));
        }
        let total = script.sides[1 - side].total_bytes();
        if seen.end && (seen.read < total || !peer.finished) {
            return Err(format!("side {side} reads an early end: {seen:?}, {peer:?}"));
        }
        if let Some(Failure::Other(words)) = seen.failure {
            return Err(format!("side {side} fails with {words}"));
        }
    }
    Ok(())
}

fn end(seen: Option<&Seen>) -> End {
    match seen {
        None => End::Unheard,
        Some(Seen { failure: Some(failure), .. }) => End::Failed(*failure),
        Some(Seen { left_at_us: Some(_), .. }) => End::Well,
        Some(_) => End::Waits,
    }
}

struct Judged<'a> {
    outcome: &'a Outcome,
    ends: [End; 2],
}

impl Judged<'_> {
    fn words(&self, side: usize) -> String {
        let Outcome { pair, seen, .. } = self.outcome;
        format!("{pair}: side {side}: {:?}; {seen:?}", self.ends[side])
    }

    fn is_libutp(&self, side: usize) -> bool {
        self.outcome.pair.0[side] == Kind::Libutp
    }

    fn seen(&self, side: usize) -> Seen {
        self.outcome.seen[side].clone().unwrap_or_default()
    }

    /// When the stack of `side` knew of its failure.
    fn broke_at_us(&self, side: usize) -> Option<u64> {
        self.seen(side).broke_at_us.filter(|_| matches!(self.ends[side], End::Failed(_)))
    }

    fn explain(&self, side: usize) -> Option<Class> {
        match self.ends[side] {
            End::Well => None,
            End::Failed(failure) => self.explain_failure(side, failure),
            End::Waits | End::Unheard => self.explain_wait(side),
        }
    }

    fn explain_failure(&self, side: usize, failure: Failure) -> Option<Class> {
        let (seen, peer) = (self.seen(side), self.seen(1 - side));
        let at_us = seen.broke_at_us?;
        let outcome = self.outcome;
        if side == 0 && !outcome.proven[0] {
            if failure != Failure::TimedOut || !outcome.is_unanswered(at_us) {
                return None;
            }
            return match outcome.acceptor_had_syn(at_us) && self.is_libutp(1) {
                true => Some(Class::SynAckLost),
                false => Some(Class::NoAnswer),
            };
        }
        if failure == Failure::TimedOut && outcome.was_cut_off(side, at_us) {
            return Some(Class::CutOff);
        }
        if failure == Failure::TimedOut && outcome.was_taken_for_a_probe(side, at_us) {
            return Some(Class::ByteRefused);
        }
        let left =
            self.ends[1 - side] == End::Well && peer.left_at_us.is_some_and(|left| left < at_us);
        if left && seen.end {
            return Some(Class::PeerLeft);
        }
        if self.broke_at_us(1 - side).is_some_and(|broke| broke < at_us) {
            return Some(Class::PeerFailed);
        }
        if self.is_peer_gone(side, at_us) {
            return Some(Class::PeerFailed);
        }
        // An initiator that is not even connected has not chosen to be silent.
        let is_silent = outcome.proven[0] && !outcome.proven[1] && outcome.is_forgotten(at_us);
        if !self.is_libutp(1) && is_silent {
            return Some(Class::SilentInitiator);
        }
        let told = failure == Failure::Reset
            || (failure == Failure::TimedOut
                && self.is_libutp(1)
                && outcome.could_not_reset(1, peer.left_at_us.unwrap_or(0), at_us));
        if side == 0 && left && !outcome.proven[1] && told {
            return Some(Class::LeftBeforeData);
        }
        (failure == Failure::TimedOut && side == 0 && self.is_fin_ignored(at_us))
            .then_some(Class::FinIgnored)
    }

    /// Whether the peer's stack had given up by `by_us` of which its application heard nothing any
    /// more: it had left, or has had all that it waited for.
    fn is_peer_gone(&self, side: usize, by_us: u64) -> bool {
        let (peer, seen) = (1 - side, self.seen(1 - side));
        let before = [seen.left_at_us, seen.broke_at_us].into_iter().flatten().min();
        self.ends[peer] == End::Well
            && before.is_some_and(|at_us| at_us < by_us)
            && (self.outcome.was_once_cut_off(peer, by_us)
                || self.outcome.was_taken_for_a_probe(peer, by_us))
    }

    /// Whether the initiator has ended a stream that libutp's acceptor does not take for open.
    fn is_fin_ignored(&self, by_us: u64) -> bool {
        let outcome = self.outcome;
        // An initiator of ours opens it before, if it hears that it may.
        let may = self.is_libutp(0) || outcome.asked_in_vain();
        self.is_libutp(1) && self.seen(0).finished && may && !outcome.acceptor_had_data(by_us)
    }

    fn explain_wait(&self, side: usize) -> Option<Class> {
        let outcome = self.outcome;
        let end_us = outcome.took_us;
        let peer_broke = self.broke_at_us(1 - side).is_some();
        let peer_gone = self.is_peer_gone(side, end_us);
        if self.ends[side] == End::Unheard {
            if peer_broke || peer_gone {
                return Some(Class::PeerFailed);
            }
            let silent = self.is_libutp(0) && !outcome.acceptor_had_data(end_us);
            return silent.then_some(Class::SilentInitiator);
        }
        if self.is_libutp(side) && (peer_broke || peer_gone) {
            return Some(Class::NeverNotices);
        }
        if side == 1 && self.is_fin_ignored(end_us) {
            return Some(Class::FinIgnored);
        }
        let stuck =
            |writer: usize| !self.seen(writer).finished && outcome.has_lost_its_window(writer);
        if stuck(side) || stuck(1 - side) {
            return Some(Class::WindowLost);
        }
        let mute = self.is_libutp(1) && self.is_libutp(0) && !outcome.acceptor_had_data(end_us);
        mute.then_some(Class::MuteAcceptor)
    }
}
