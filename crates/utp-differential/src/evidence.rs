//! What the packets of a run prove.

use utp_wire::PacketType;

use crate::network::Passed;
use crate::run::Outcome;
use crate::stack::Kind;

const SECOND: u64 = 1_000_000;

/// Sends of one packet after which libutp gives a connection up when none is acknowledged.
const LIBUTP_SENDS_MAX: usize = 5;

/// Payload of a full packet of libutp's over IPv4.
const LIBUTP_PACKET_BYTES: u32 = 1_382;

/// How often the timers of libutp are looked at.
const LIBUTP_TICK_US: u64 = 500_000;

/// How far behind an ack may be, in packets.
const ACK_BEHIND_MAX: i16 = 3;

/// How often an initiator of ours asks.
const OUR_QUESTIONS: usize = 5;

/// Time between two packets that ours takes beyond a full buffer.
const OUR_OVERRUN_PAUSE_US: u64 = 5 * SECOND;

/// How long ours remembers a SYN that it has answered.
const OUR_HALF_OPEN_LIFE_US: u64 = 60 * SECOND;

/// Time without an ack after which ours does, as its configuration has it.
const OUR_SILENCE_US_MAX: u64 = 45 * SECOND;

/// The oldest packet of a side that it never heard to have arrived.
struct Unacked<'a> {
    sends: Vec<&'a Passed>,
    /// When the last ack that told anything new came.
    acked_at_us: u64,
    /// The packets of the peer that would have told of it.
    answers: Vec<&'a Passed>,
}

impl Outcome {
    /// Packets of `from`.
    fn sent(&self, from: usize) -> impl Iterator<Item = &Passed> {
        self.log.iter().filter(move |packet| packet.from == from)
    }

    fn kind(&self, side: usize) -> Kind {
        self.pair.0[side]
    }

    /// Whether no answer to a SYN reached the initiator by `by_us`.
    pub(crate) fn is_unanswered(&self, by_us: u64) -> bool {
        let mut answers = self.sent(1).filter(|packet| packet.packet_type == PacketType::State);
        !answers.any(|packet| packet.arrives_by(by_us))
    }

    /// Whether a SYN reached the acceptor by `by_us`.
    pub(crate) fn acceptor_had_syn(&self, by_us: u64) -> bool {
        let mut syns = self.sent(0).filter(|packet| packet.packet_type == PacketType::Syn);
        syns.any(|packet| packet.arrives_by(by_us))
    }

    /// Whether nothing but SYNs of the initiator reached the acceptor by `by_us`, for so long that
    /// ours has forgotten it.
    pub(crate) fn is_forgotten(&self, by_us: u64) -> bool {
        let arrived = |packet: &&Passed| packet.arrives_by(by_us);
        let is_syn = |packet: &&Passed| packet.packet_type == PacketType::Syn;
        let syns = self.sent(0).filter(is_syn).flat_map(|packet| &packet.arrivals_us);
        let first_us = syns.min().copied().unwrap_or(u64::MAX);
        let others = self.sent(0).filter(|packet| !is_syn(packet)).filter(arrived);
        let heard = others.flat_map(|packet| &packet.arrivals_us).min().copied();
        let until_us = heard.unwrap_or(by_us);
        until_us.saturating_sub(first_us) >= OUR_HALF_OPEN_LIFE_US
    }

    /// Whether `side`, which has left at `left_us`, could not tell by a reset by `by_us`: all of
    /// them were lost, of which libutp sends only one for each packet, however often that is
    /// repeated; or nothing came that it could answer.
    pub(crate) fn could_not_reset(&self, side: usize, left_us: u64, by_us: u64) -> bool {
        let is_reset = |packet: &&Passed| packet.packet_type == PacketType::Reset;
        if self.sent(side).filter(is_reset).any(|packet| packet.arrives_by(by_us)) {
            return false;
        }
        let reset = self.sent(side).filter(is_reset).any(|packet| packet.at_us <= by_us);
        // libutp forgets a socket at the next look at its timers, and is deaf until then.
        let from_us = left_us + LIBUTP_TICK_US;
        let arrivals = self.sent(1 - side).flat_map(|packet| &packet.arrivals_us);
        reset || !arrivals.into_iter().any(|at_us| (from_us..by_us).contains(at_us))
    }

    /// Whether the acceptor had DATA of the initiator by `by_us`: before that, libutp's can neither
    /// write nor end its stream, and does not take a FIN.
    pub(crate) fn acceptor_had_data(&self, by_us: u64) -> bool {
        let syns: Vec<u16> = self
            .sent(0)
            .filter(|packet| packet.packet_type == PacketType::Syn)
            .map(|packet| packet.seq_nr)
            .collect();
        self.sent(0).any(|packet| {
            // DATA with the number of the SYN is none that libutp counts.
            packet.packet_type == PacketType::Data
                && !syns.contains(&packet.seq_nr)
                && packet.arrives_by(by_us)
        })
    }

    /// Whether the stack of `side` was right to give up at some time before `by_us`. When it did so
    /// is not known if its application had left.
    pub(crate) fn was_once_cut_off(&self, side: usize, by_us: u64) -> bool {
        // It has waited longest just before something arrives.
        let arrivals = self.sent(1 - side).flat_map(|packet| &packet.arrivals_us);
        let ends = arrivals.filter(|at_us| **at_us <= by_us).map(|at_us| at_us.saturating_sub(1));
        ends.chain([by_us]).any(|end_us| self.was_cut_off(side, end_us))
    }

    /// Whether `side` was right to give up at `by_us`: it had sent a packet as often, or waited for
    /// an ack of it for as long, as its stack does, and the network has lost every copy, or every
    /// ack of those that it did not lose.
    pub(crate) fn was_cut_off(&self, side: usize, by_us: u64) -> bool {
        let Some(Unacked { sends, acked_at_us, answers }) = self.unacked(side, by_us) else {
            return false;
        };
        let waited_us = by_us - acked_at_us.max(sends[0].at_us);
        let was_patient = match self.kind(side) {
            Kind::Ours => waited_us >= OUR_SILENCE_US_MAX,
            Kind::Libutp => sends.len() >= LIBUTP_SENDS_MAX,
        };
        let arrived = sends.iter().any(|packet| {
            let mut arrivals = packet.arrivals_us.iter().filter(|at_us| **at_us <= by_us);
            arrivals.any(|at_us| !self.is_void(packet, *at_us))
        });
        was_patient && (!arrived || !answers.is_empty())
    }

    /// Whether libutp at `side` gave up before `by_us` since its last packet had one byte and came
    /// to a window of ours that is shut, where that is no more than a probe.
    pub(crate) fn was_taken_for_a_probe(&self, side: usize, by_us: u64) -> bool {
        if [self.kind(side), self.kind(1 - side)] != [Kind::Libutp, Kind::Ours] {
            return false;
        }
        let Some(Unacked { sends, .. }) = self.unacked(side, by_us) else { return false };
        let is_shut = |packet: &&Passed| packet.wnd_size == 0 && packet.at_us > sends[0].at_us;
        sends.len() >= LIBUTP_SENDS_MAX
            && sends[0].payload_bytes == 1
            && self.sent(1 - side).filter(is_shut).any(|packet| packet.arrives_by(by_us))
    }

    /// Whether a packet came to a full buffer of ours so soon after the one before it that it was
    /// refused.
    fn is_too_soon(&self, packet: &Passed, at_us: u64) -> bool {
        let acks = |ack: &&Passed| ack.ack_nr == packet.seq_nr.wrapping_sub(1);
        let first = self.sent(1 - packet.from).find(acks);
        self.kind(1 - packet.from) == Kind::Ours
            && packet.payload_bytes > 0
            && first
                .is_some_and(|ack| ack.wnd_size == 0 && ack.at_us + OUR_OVERRUN_PAUSE_US > at_us)
    }

    /// Whether a packet came beyond a gap and beyond the window that ours had told last: what it
    /// can hold there is bounded.
    fn is_beyond_window(&self, packet: &Passed, at_us: u64) -> bool {
        let told = self.sent(1 - packet.from).filter(|other| other.at_us <= at_us).last();
        let Some(told) = told.filter(|_| self.kind(1 - packet.from) == Kind::Ours) else {
            return false;
        };
        let place = |number: u16| number.wrapping_sub(told.ack_nr).cast_signed();
        let until = place(packet.seq_nr);
        let mut bytes = 0;
        for next in 1..=until {
            let is_next = |other: &&Passed| {
                let numbered = matches!(other.packet_type, PacketType::Data | PacketType::Fin);
                numbered && place(other.seq_nr) == next
            };
            bytes += self.sent(packet.from).find(is_next).map_or(0, |other| other.payload_bytes);
        }
        until > 1 && bytes > usize::try_from(told.wnd_size).unwrap_or(usize::MAX)
    }

    /// Whether the ack of a packet means nothing to its receiver: libutp ignores those of DATA that
    /// it has already.
    fn is_deaf_to(&self, packet: &Passed) -> bool {
        let Some(at_us) = packet.arrivals_us.iter().min() else { return false };
        self.kind(1 - packet.from) == Kind::Libutp
            && matches!(packet.packet_type, PacketType::Data | PacketType::Fin)
            && self.sent(packet.from).any(|other| {
                let same = (other.packet_type, other.connection_id, other.seq_nr);
                same == (packet.packet_type, packet.connection_id, packet.seq_nr)
                    && other.arrivals_us.iter().any(|other_us| other_us < at_us)
            })
    }

    /// Whether `writer` waits for a window that has opened: it heard last of one below a packet,
    /// and the news was lost. libutp tells it once, and neither asks nor probes.
    pub(crate) fn has_lost_its_window(&self, writer: usize) -> bool {
        if self.pair.0 != [Kind::Libutp; 2] {
            return false;
        }
        let from_peer =
            || self.sent(1 - writer).filter(|packet| packet.packet_type != PacketType::Syn);
        let arrived = from_peer().filter(|packet| packet.arrives_by(u64::MAX));
        let Some(last) = arrived.max_by_key(|packet| packet.arrivals_us.iter().max()) else {
            return false;
        };
        let mut news = from_peer().filter(|packet| packet.at_us > last.at_us);
        (1..LIBUTP_PACKET_BYTES).contains(&last.wnd_size)
            && news.any(|packet| packet.wnd_size > last.wnd_size && packet.arrivals_us.is_empty())
    }

    /// Whether a packet was of no use when it arrived, since others had overtaken it: an ack that
    /// is more than three packets behind voids what it comes with, at both stacks, and a FIN that
    /// comes first is void to libutp's acceptor.
    fn is_void(&self, packet: &Passed, at_us: u64) -> bool {
        // One without any data is another matter: see `asked_in_vain`.
        let is_first =
            packet.from == 0 && self.acceptor_had_data(u64::MAX) && !self.acceptor_had_data(at_us);
        if packet.packet_type == PacketType::Fin && is_first && self.kind(1) == Kind::Libutp {
            return true;
        }
        if self.is_too_soon(packet, at_us) || self.is_beyond_window(packet, at_us) {
            return true;
        }
        self.sent(packet.from).any(|other| {
            let ahead = other.ack_nr.wrapping_sub(packet.ack_nr).cast_signed();
            other.connection_id == packet.connection_id
                && !matches!(other.packet_type, PacketType::Syn | PacketType::Reset)
                && ahead > ACK_BEHIND_MAX
                && other.arrives_by(at_us)
        })
    }

    /// Whether the initiator, one of ours, asked as often as it does whether its peer takes empty
    /// packets, and heard no more answers than there may be SYN-ACKs.
    pub(crate) fn asked_in_vain(&self) -> bool {
        let Some(syn) = self.sent(0).filter(|packet| packet.packet_type == PacketType::Syn).last()
        else {
            return false;
        };
        let is_question = |packet: &&Passed| {
            packet.packet_type == PacketType::Data
                && packet.seq_nr == syn.seq_nr
                && packet.payload_bytes == 0
        };
        let questions = self.sent(0).filter(is_question).count();
        let is_answer = |packet: &&Passed| {
            packet.packet_type == PacketType::State && packet.connection_id == syn.connection_id
        };
        // Later ones answer probes.
        let mut fins = self.sent(0).filter(|packet| packet.packet_type == PacketType::Fin);
        let by_us = fins.next().map_or(u64::MAX, |fin| fin.at_us);
        let answers = self.sent(1).filter(is_answer).filter(|packet| packet.arrives_by(by_us));
        // One for each SYN, and it takes another one for a SYN-ACK that was sent again.
        let syns = self.sent(0).filter(|packet| {
            packet.packet_type == PacketType::Syn && packet.connection_id == syn.connection_id
        });
        questions >= OUR_QUESTIONS && answers.count() <= 1 + syns.count()
    }

    fn unacked(&self, side: usize, by_us: u64) -> Option<Unacked<'_>> {
        let numbered = |packet: &&Passed| {
            matches!(packet.packet_type, PacketType::Data | PacketType::Fin)
                && packet.at_us <= by_us
        };
        // An initiator of ours may have tried a second id.
        let id = self.sent(side).filter(numbered).last()?.connection_id;
        let answer_id = if side == 0 { id.wrapping_sub(1) } else { id.wrapping_add(1) };
        let sent: Vec<_> =
            self.sent(side).filter(numbered).filter(|packet| packet.connection_id == id).collect();
        let acks: Vec<_> = self
            .sent(1 - side)
            .filter(|packet| packet.connection_id == answer_id)
            .filter(|packet| !matches!(packet.packet_type, PacketType::Syn | PacketType::Reset))
            .collect();
        let heard =
            acks.iter().filter(|packet| packet.arrives_by(by_us) && !self.is_deaf_to(packet));
        let base = sent[0].seq_nr.wrapping_sub(1);
        let place = |number: u16| number.wrapping_sub(base).cast_signed();
        let acked = heard.map(|packet| place(packet.ack_nr)).fold(0, i16::max);
        let tells = |packet: &&&Passed| place(packet.ack_nr) >= acked;
        let news = acks.iter().filter(tells).flat_map(|packet| &packet.arrivals_us);
        let acked_at_us = news.copied().min().filter(|at_us| *at_us <= by_us).unwrap_or(0);
        let oldest: Vec<_> =
            sent.into_iter().filter(|packet| place(packet.seq_nr) == acked + 1).collect();
        let answers = acks.into_iter().filter(|packet| place(packet.ack_nr) > acked).collect();
        (!oldest.is_empty()).then_some(Unacked { sends: oldest, acked_at_us, answers })
    }
}

impl Passed {
    pub(crate) fn arrives_by(&self, by_us: u64) -> bool {
        self.arrivals_us.iter().any(|at_us| *at_us <= by_us)
    }
}
