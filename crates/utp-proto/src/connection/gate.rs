//! The timestamp gate: whether a packet shows the clocks of this connection.
//!
//! Who does not see the packets of a connection knows neither the clock of the peer nor ours
//! (`clock.rs`). So a packet is the peer's only if its stamp lies near the clock that the peer was
//! seen to show, and if the difference it reports lies near the one reported before, or near the
//! one that our own measurement leads to. Of 2^16 packets made up blindly about one passes.
//!
//! An honest peer may fail, too: its host was suspended, a clock was set, a queue of many seconds
//! came up at once. Three packets in a row that agree with each other are believed.

use utp_wire::{Header, Instant, PacketType, SeqNr, TimestampDiff};

use super::Connection;
use crate::config::{GATE_DIFFERENCE_US, GATE_STAMP_US, Gate};

/// What the gate knows of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Clocks {
    /// `None` for a peer that does not stamp its packets; the gate is open then.
    track: Option<Track>,
    /// The delay, with the clocks' offset, of the packets that failed and agree.
    candidate: TimestampDiff,
    candidate_at_s: u32,
    /// How many there are.
    run: u8,
    /// How many more packets passed than failed that were the next ones of a live peer, between 0
    /// and [`PASSED_MAX`]. Others that fail are blind: a flood of them says nothing of the peer.
    passed: u8,
    /// How often the FIN `refused_fin` was held back; its third copy is taken.
    fins_refused: u8,
    refused_fin: SeqNr,
    /// When a failure was answered last.
    answered_at_s: u32,
}

/// The clocks as seen last.
#[derive(Clone, Copy, Debug)]
struct Track {
    /// The delay of the peer's packets as we measure it, clock offset included.
    theirs: TimestampDiff,
    /// The delay of our packets as the peer measures it, once it does.
    ours: Option<TimestampDiff>,
    at_s: u32,
}

/// What became of a packet at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// It shows the right clocks.
    Genuine,
    /// It does not, and is taken all the same.
    Doubtful,
    /// It does not, and is not taken.
    Refused,
}

impl Connection {
    /// The handshake proves who the peer is; from now on it is known by its clock.
    pub(super) fn start_gate(&mut self, received_at: Instant, header: &Header) {
        let ours = header.timestamp_difference_microseconds;
        self.clocks = Clocks::default();
        if header.timestamp_microseconds.0 != 0 {
            self.clocks.track = Some(Track {
                theirs: self.clock.since(received_at, header.timestamp_microseconds),
                ours: ours.is_sample().then_some(ours),
                at_s: seconds(received_at),
            });
        }
    }

    /// Judges a packet whose number and ack are possible.
    pub(super) fn pass_gate(&mut self, received_at: Instant, header: &Header) -> Passage {
        let near = header.seq_nr.distance_from(self.ack_nr.next()) < REBASE_AHEAD_MAX
            && self.sent.next().previous().distance_from(header.ack_nr) <= self.sent.len() + 1;
        let theirs = self.clock.since(received_at, header.timestamp_microseconds);
        if self.is_next_fin_without_difference(received_at, header, theirs) {
            return Passage::Genuine;
        }
        match self.clocks.judge(received_at, header, theirs, near) {
            Judgement::Pass => return Passage::Genuine,
            Judgement::Rebase => {
                self.stats.gate_rebases += 1;
                return Passage::Genuine;
            }
            Judgement::Fail => self.stats.gate_failures += 1,
        }
        if self.config.timestamp_gate == Gate::Count && !self.holds_back_fin(header) {
            return Passage::Doubtful;
        }
        // The answer shows an honest peer where we are. It draws no answer itself.
        let now_s = seconds(received_at);
        if self.clocks.answered_at_s != now_s {
            self.clocks.answered_at_s = now_s;
            self.ack_pending = true;
        }
        Passage::Refused
    }

    /// Whether the peer's own packets fail, too, so that passing proves nothing.
    pub(super) const fn is_gate_useless(&self) -> bool {
        self.clocks.passed < PASSED_ENOUGH
    }

    /// A stack in the field tells no difference with its FIN, unlike with all else. With the very
    /// next number, an ack of what is outstanding and the right stamp it is believed all the same:
    /// of blind packets one in 2^29 has them with a thousand packets in flight, 2^39 with none.
    fn is_next_fin_without_difference(
        &self,
        received_at: Instant,
        header: &Header,
        theirs: TimestampDiff,
    ) -> bool {
        header.packet_type == PacketType::Fin
            && header.timestamp_difference_microseconds.0 == 0
            && header.timestamp_microseconds.0 != 0
            && header.seq_nr == self.ack_nr.next()
            && self.sent.next().previous().distance_from(header.ack_nr) <= self.sent.len()
            && self
                .clocks
                .track
                .is_some_and(|track| track.allows_stamp(seconds(received_at), theirs))
    }

    /// A forged FIN would do the worst damage, a stream that seems complete. So a doubtful one has
    /// to be sent three times, which a peer does until it is acknowledged.
    fn holds_back_fin(&mut self, header: &Header) -> bool {
        if header.packet_type != PacketType::Fin {
            return false;
        }
        if self.clocks.refused_fin != header.seq_nr {
            self.clocks.refused_fin = header.seq_nr;
            self.clocks.fins_refused = 0;
        }
        let hold = self.clocks.fins_refused < FINS_REFUSED;
        self.clocks.fins_refused += u8::from(hold);
        hold
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Pass,
    Rebase,
    Fail,
}

impl Clocks {
    /// `near` says that the packet is one of those that a live peer would send next.
    fn judge(
        &mut self,
        received_at: Instant,
        header: &Header,
        theirs: TimestampDiff,
        near: bool,
    ) -> Judgement {
        let Some(track) = self.track else { return Judgement::Pass };
        let at_s = seconds(received_at);
        let stamped = header.timestamp_microseconds.0 != 0;
        let ours = header.timestamp_difference_microseconds;
        let judgement = if stamped && track.allows(at_s, theirs, ours) {
            Judgement::Pass
        } else if stamped && near && self.count(at_s, theirs) == REBASE_RUN {
            Judgement::Rebase
        } else {
            self.passed = self.passed.saturating_sub(u8::from(near));
            return Judgement::Fail;
        };
        // After a step of the clock the differences of before are worth nothing.
        let before = if judgement == Judgement::Pass { track.ours } else { None };
        let ours = if ours.is_sample() { Some(ours) } else { before };
        self.track = Some(Track { theirs, ours, at_s });
        self.run = 0;
        if judgement == Judgement::Pass {
            self.passed = (self.passed + 1).min(PASSED_MAX);
        }
        judgement
    }

    /// Counts a failure among those that agree.
    fn count(&mut self, at_s: u32, theirs: TimestampDiff) -> u8 {
        let agrees = at_s.wrapping_sub(self.candidate_at_s) <= REBASE_PAUSE_S
            && is_within(theirs, self.candidate, GATE_STAMP_US);
        self.run = if agrees { self.run + 1 } else { 1 };
        self.candidate = theirs;
        self.candidate_at_s = at_s;
        self.run
    }
}

impl Track {
    /// What two clocks may part by while the peer is silent.
    const fn drift_us(&self, at_s: u32) -> u32 {
        at_s.wrapping_sub(self.at_s).saturating_mul(DRIFT_US_PER_S)
    }

    fn allows_stamp(&self, at_s: u32, theirs: TimestampDiff) -> bool {
        is_within(theirs, self.theirs, GATE_STAMP_US.saturating_add(self.drift_us(at_s)))
    }

    fn allows(&self, at_s: u32, theirs: TimestampDiff, ours: TimestampDiff) -> bool {
        if !self.allows_stamp(at_s, theirs) {
            return false;
        }
        let drift_us = self.drift_us(at_s);
        let Some(before) = self.ours else { return true };
        // The sum of both delays is a round trip: their clocks' offsets cancel out.
        ours.is_sample()
            && (is_within(ours, before, GATE_DIFFERENCE_US.saturating_add(drift_us))
                || is_within(ours, TimestampDiff(theirs.0.wrapping_neg()), GATE_DIFFERENCE_US))
    }
}

fn is_within(value: TimestampDiff, of: TimestampDiff, us: u32) -> bool {
    value.distance_from(of).unsigned_abs() <= us
}

/// Whole seconds; they wrap after 136 years.
fn seconds(at: Instant) -> u32 {
    u32::try_from(at.as_micros() / 1_000_000 % (1 << 32)).unwrap_or(0)
}

/// So many packets in a row that fail and agree are believed.
const REBASE_RUN: u8 = 3;

/// How far ahead of the stream such a packet may be: a peer resends what is missing or goes on.
const REBASE_AHEAD_MAX: u16 = 16;

/// Two of them are at most this far apart, so that chance hits of a flood never add up.
const REBASE_PAUSE_S: u32 = 30;

/// Two clocks that nobody sets part by less: a thousandth.
const DRIFT_US_PER_S: u32 = 1_000;

/// So many more packets do not pass than fail by chance.
const PASSED_ENOUGH: u8 = 3;

/// What a few failures must not use up.
const PASSED_MAX: u8 = 16;

/// Copies of a doubtful FIN held back.
const FINS_REFUSED: u8 = 2;

#[cfg(test)]
mod tests;
