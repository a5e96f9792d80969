//! A path that the peer pretends: it acks each packet when a link of this rate, queue and round
//! trip would have let it, and tells the delay that the packet would have had.
//!
//! Queue and delay are computed from the arrivals, so that a busy machine adds little to them. What
//! was carried is kept for the case to judge.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::{Call, Headers, Peer, Seen};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::Packet;
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;

/// What lies between the peer and one connection of the implementation.
pub(crate) struct Path {
    /// From a packet to its ack while the queue is empty.
    pub(crate) round_trip: Duration,
    /// What the bottleneck carries; without one there is no queue.
    pub(crate) bytes_per_s: Option<u32>,
    /// How long a packet may wait; what would have to wait longer is lost.
    pub(crate) queue_max: Duration,
    /// How much longer the way to the peer is than it was at first.
    pub(crate) detour: Duration,
    /// The largest datagram that arrives whole.
    pub(crate) size_max: usize,
    /// Tells of larger ones whether they would pass in fragments; without it none does.
    pub(crate) headers: Option<Headers>,
    /// Packets whose next copy is lost.
    pub(crate) lose: BTreeSet<u16>,
    /// Nothing arrives.
    pub(crate) is_down: bool,
    /// A number that the window told does not reach, where packets carry so many bytes.
    pub(crate) ends_before: Option<(u16, usize)>,
    /// What is told in place of a delay.
    pub(crate) tell: Option<Box<dyn FnMut(u32) -> u32>>,
    /// The bytes that arrive are compared with the stream of seed 1.
    pub(crate) compares: bool,
    /// Everything that was carried or lost, the oldest first.
    pub(crate) log: Vec<Carried>,
    /// Bytes that arrived in order.
    pub(crate) taken: u64,
    /// The measured delay of the first packet, from which told ones count.
    base_us: u32,
    /// When the bottleneck has sent all that it was given.
    free_at: Instant,
    /// What has come and is not acked yet.
    due: VecDeque<Due>,
    in_flight: usize,
    lost: usize,
    highest: Option<u16>,
}

/// A packet whose ack is to be sent.
struct Due {
    at: Instant,
    delay_us: u32,
    seen: Seen,
    /// What it adds to what is in flight; nothing if another copy of it is due, too.
    bytes: usize,
}

/// A packet that came to the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    pub(crate) at: Instant,
    pub(crate) seq: u16,
    /// Bytes of the datagram.
    pub(crate) size: usize,
    /// Bytes of payload on their way to the peer, or back as acks, with this packet.
    pub(crate) in_flight: usize,
    /// How long it waits.
    pub(crate) queue: Duration,
    pub(crate) is_lost: bool,
    /// A packet with this number or a later one came before.
    pub(crate) is_again: bool,
}

impl Path {
    /// A path with nothing but a round trip.
    pub(crate) fn new(round_trip: Duration) -> Self {
        Self {
            round_trip,
            bytes_per_s: None,
            queue_max: Duration::MAX,
            detour: Duration::ZERO,
            size_max: usize::MAX,
            headers: None,
            lose: BTreeSet::new(),
            is_down: false,
            ends_before: None,
            tell: None,
            compares: true,
            log: Vec::new(),
            taken: 0,
            base_us: 0,
            free_at: Instant::now(),
            due: VecDeque::new(),
            in_flight: 0,
            lost: 0,
            highest: None,
        }
    }

    /// With a bottleneck of so many bits a second, and a queue that holds so much time.
    pub(crate) const fn bottleneck(mut self, bits_per_s: u32, queue_max: Duration) -> Self {
        self.bytes_per_s = Some(bits_per_s / 8);
        self.queue_max = queue_max;
        self
    }

    /// The highest number that has come.
    pub(crate) fn highest(&self) -> u16 {
        self.highest.unwrap_or(0)
    }

    /// The most bytes that were in flight at once between two moments.
    pub(crate) fn window(&self, from: Instant, to: Instant) -> usize {
        let between = self.log.iter().filter(|one| (from..=to).contains(&one.at));
        between.map(|one| one.in_flight).max().unwrap_or(0)
    }

    /// The same of the time before a moment.
    pub(crate) fn window_before(&self, at: Instant, time: Duration) -> usize {
        self.window(at.checked_sub(time).unwrap_or(at), at)
    }

    /// The same of the last round trips.
    pub(crate) fn window_now(&self, round_trips: u32) -> usize {
        self.window_before(Instant::now(), (self.round_trip + self.detour) * round_trips)
    }

    /// Bytes of payload in flight at this moment.
    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Packets that were lost so far.
    pub(crate) const fn lost(&self) -> usize {
        self.lost
    }

    /// The packet that came last, while it is not acked.
    pub(crate) fn newest(&self) -> Option<Packet> {
        self.due.back().map(|due| due.seen.packet.clone())
    }

    /// Loses the packet that came last, and returns it.
    pub(crate) fn lose_newest(&mut self) -> Option<Packet> {
        let due = self.due.pop_back()?;
        self.in_flight -= due.bytes;
        Some(due.seen.packet)
    }

    /// The window that is told: what is held beyond a gap takes room in it.
    fn window_of(&self, flow: &Flow) -> u32 {
        let Some((number, bytes)) = self.ends_before else { return flow.wnd };
        let packets = usize::from(number.wrapping_sub(flow.ack).wrapping_sub(1));
        let free = packets.saturating_sub(flow.held.len());
        u32::try_from(free * bytes).unwrap_or(u32::MAX).min(flow.wnd)
    }

    fn take(&mut self, seen: Seen) {
        let is_again = self.highest.is_some_and(|highest| !is_ahead(seen.seq, highest));
        if !is_again {
            self.highest = Some(seen.seq);
        }
        let mut is_whole = seen.size <= self.size_max;
        if let Some(headers) = &mut self.headers {
            // It is asked of each packet, lest it holds too many.
            is_whole |= headers.pass_in_fragments(&seen);
        }
        let start = self.free_at.max(seen.at);
        let queue = start.saturating_duration_since(seen.at);
        let is_lost =
            self.lose.remove(&seen.seq) || self.is_down || !is_whole || queue > self.queue_max;
        let is_copy = is_again && self.due.iter().any(|due| due.seen.seq == seen.seq);
        let bytes = if is_lost || is_copy { 0 } else { seen.payload.len() };
        self.in_flight += bytes;
        let (at, seq, size) = (seen.at, seen.seq, seen.size);
        let in_flight = self.in_flight;
        self.log.push(Carried { at, seq, size, in_flight, queue, is_lost, is_again });
        if is_lost {
            self.lost += 1;
            return;
        }
        let sending = self
            .bytes_per_s
            .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(size as f64 / f64::from(rate)));
        self.free_at = start + sending;
        let late = queue + sending + self.detour;
        let late_us = u32::try_from(late.as_micros()).unwrap_or(u32::MAX);
        let delay_us = self.base_us.wrapping_add(late_us);
        // A detour that ends lets nothing overtake.
        let acked_at = at + late + self.round_trip;
        let acked_at = self.due.back().map_or(acked_at, |last| last.at.max(acked_at));
        self.due.push_back(Due { at: acked_at, delay_us, seen, bytes });
    }
}

impl Peer {
    /// Connects to the implementation over a path, and lets it speak: SYN and its answer take a
    /// round trip, too. It is the acceptor, so that its first number means nothing (libutp has no
    /// fast retransmit as an initiator with a high one).
    #[track_caller]
    pub(crate) fn open_over(&mut self, call: &Call, path: &mut Path) -> CaseResult<Flow> {
        self.start(call)?;
        let mut flow = Flow::initiator(100, 1);
        self.send(&flow.syn())?;
        let answer = self.eventually(&Want::state().id(100_u16).ack(1_u16), START)?;
        flow.ack = answer.seq.wrapping_sub(1);
        path.base_us = self.last_delay_us;
        self.sleep_until(answer.at + path.round_trip)?;
        let greeting = flow.data(1);
        self.send(&greeting.diff_us(path.base_us))?;
        Ok(flow)
    }

    /// Carries what the implementation sends, for a time.
    #[track_caller]
    pub(crate) fn carry(&mut self, flow: &mut Flow, path: &mut Path, time: Duration) -> CaseResult {
        self.carry_until(flow, path, time, |_| false).map(drop)
    }

    /// Carries what the implementation sends until something holds of the path; false when it did
    /// not in time.
    #[track_caller]
    pub(crate) fn carry_until(
        &mut self,
        flow: &mut Flow,
        path: &mut Path,
        within: Duration,
        mut holds: impl FnMut(&Path) -> bool,
    ) -> CaseResult<bool> {
        let until = Instant::now() + within;
        loop {
            self.ack_due(flow, path)?;
            if holds(path) {
                return Ok(true);
            }
            let next = path.due.front().map_or(until, |due| due.at.min(until));
            match self.next_packet(flow.socket, next)? {
                Some(seen) if seen.id == flow.recv_id && seen.kind.is_numbered() => path.take(seen),
                Some(_) => {}
                None if Instant::now() >= until => return Ok(false),
                None => {}
            }
        }
    }

    #[track_caller]
    fn ack_due(&mut self, flow: &mut Flow, path: &mut Path) -> CaseResult {
        while path.due.front().is_some_and(|due| due.at <= Instant::now())
            && let Some(Due { at, delay_us, seen, bytes }) = path.due.pop_front()
        {
            self.late = self.late.max(at.elapsed());
            path.in_flight -= bytes;
            flow.hear(&seen);
            let told_us = match &mut path.tell {
                Some(tell) => tell(delay_us),
                None => delay_us.wrapping_add(self.clock.gained_us(Instant::now())),
            };
            let ack = flow.selective_state().wnd(path.window_of(flow)).diff_us(told_us);
            let ack = self.stamped(&ack);
            self.send_unseen(flow.socket, &ack.encode())?;
        }
        let len = flow.received.len();
        let right = !path.compares || flow.received == pattern(1, path.taken, len);
        path.taken += len as u64;
        flow.received.clear();
        self.check(right, || "other bytes arrived".into())
    }
}

fn is_ahead(seq: u16, of: u16) -> bool {
    (1..1 << 15).contains(&seq.wrapping_sub(of))
}

/// How long the answer to a SYN may take on a busy machine.
const START: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::packet::Kind;

    fn seen(at: Instant, seq: u16) -> Seen {
        let packet = Packet::new(Kind::Data).seq(seq).payload([0; 980]);
        let from = ([127, 0, 0, 1], 1).into();
        Seen { at, socket: 0, from, size: 1000, packet, trace_number: 0 }
    }

    #[test]
    fn a_bottleneck_delays_what_comes_at_once_and_a_full_queue_loses_it() {
        // A packet in ten milliseconds.
        let queue_max = Duration::from_millis(15);
        let mut path = Path::new(Duration::from_millis(50)).bottleneck(800_000, queue_max);
        let at = Instant::now() + Duration::from_secs(1);
        for seq in 1..=3 {
            path.take(seen(at, seq));
        }
        let queues: Vec<u128> = path.log.iter().map(|one| one.queue.as_millis()).collect();
        assert_eq!(queues, [0, 10, 20]);
        assert_eq!((path.lost(), path.in_flight()), (1, 2 * 980));
        let due: Vec<u128> = path.due.iter().map(|due| (due.at - at).as_millis()).collect();
        assert_eq!(due, [60, 70]);
        assert_eq!(path.due[1].delay_us, 20_000);
    }

    #[test]
    fn a_copy_of_what_is_on_its_way_is_not_in_flight_twice() {
        let mut path = Path::new(Duration::from_millis(50));
        let at = Instant::now();
        path.lose.insert(2);
        for seq in [1, 2, 3, 2, 3] {
            path.take(seen(at, seq));
        }
        assert_eq!((path.lost(), path.in_flight()), (1, 3 * 980));
        let again: Vec<bool> = path.log.iter().map(|one| one.is_again).collect();
        assert_eq!(again, [false, false, false, true, true]);
    }
}
