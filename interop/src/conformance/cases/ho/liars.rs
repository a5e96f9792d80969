//! Receivers that lie about what has arrived, or when, to get more than their share. The link of
//! 10 Mbit/s in front of them is reckoned by the runner.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::packet::Kind;
use crate::conformance::peer::{Call, Peer, Seen};
use crate::conformance::stop::CaseResult;

pub(super) fn cases() -> Vec<Case> {
    let should = |id, title, run| {
        let reference = "Adamsky et al., a misbehaving receiver, 2012";
        Case::rust(id, Grade::Should, reference, title, run).flag(Flag::Timing).limit_s(45)
    };
    vec![
        should(
            "HO-03",
            "who acks what has not arrived gets no more than twice what an honest receiver gets",
            acks_of_nothing,
        )
        .req(&["H-15"]),
        should(
            "HO-04",
            "who always reports the same delay makes no queue of more than 200 ms",
            delays_that_hide_a_queue,
        )
        .req(&["H-16"]),
    ]
}

/// A link, and what waits for it.
#[derive(Debug)]
struct Link {
    queue_max: Duration,
    free_at: Instant,
    /// How long each packet that it took had to wait, and when it came.
    waits: Vec<(Instant, Duration)>,
}

impl Link {
    fn new(queue_max: Duration) -> Self {
        Self { queue_max, free_at: Instant::now(), waits: Vec::new() }
    }

    /// How long a packet waits; nothing if there is no room for it.
    fn take(&mut self, packet: &Seen) -> Option<Duration> {
        let wait = self.free_at.saturating_duration_since(packet.at);
        if wait > self.queue_max {
            return None;
        }
        let bytes = u32::try_from(packet.size).unwrap_or(u32::MAX) + OVERHEAD;
        self.free_at = packet.at + wait + NS_PER_BYTE * bytes;
        self.waits.push((packet.at, wait));
        Some(wait)
    }

    /// The wait that one in twenty packets exceeds, of those since a moment.
    fn p95(&self, since: Instant) -> Duration {
        let late = self.waits.iter().filter(|(at, _)| *at >= since);
        let mut waits: Vec<Duration> = late.map(|(_, wait)| *wait).collect();
        waits.sort();
        waits.get(waits.len() * 95 / 100).copied().unwrap_or_default()
    }
}

/// A receiver behind the link.
#[derive(Debug)]
struct Receiver {
    flow: Flow,
    acks: Acks,
    reports: Reports,
    /// What is to be acked, when, and the delay to report.
    due: VecDeque<(Instant, Seen, Duration)>,
    /// Bytes sent to it, whether they came through or not.
    sent: usize,
    /// Bytes that came through.
    carried: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acks {
    Honest,
    /// Everything at once, before it has come to the link.
    OfAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reports {
    Honest,
    Always(Duration),
}

impl Receiver {
    fn open(peer: &mut Peer, socket: usize, acks: Acks, reports: Reports) -> CaseResult<Self> {
        let mut flow = peer.open_on(socket, 100, 1)?;
        let greeting = flow.data(100);
        peer.send_on(socket, &greeting)?;
        Ok(Self { flow, acks, reports, due: VecDeque::new(), sent: 0, carried: 0 })
    }

    /// A packet was sent to it, and may come through.
    fn on_sent(&mut self, link: &mut Link, packet: Seen) {
        if packet.kind != Kind::Data || packet.id != self.flow.recv_id {
            return;
        }
        self.sent += packet.size;
        let wait = link.take(&packet);
        self.carried += wait.map_or(0, |_| packet.size);
        let reported = match (self.reports, wait) {
            (Reports::Always(delay), _) => delay,
            (Reports::Honest, wait) => ONE_WAY + wait.unwrap_or_default(),
        };
        match (self.acks, wait) {
            (Acks::OfAll, _) => self.due.push_back((packet.at + ONE_WAY, packet, reported)),
            (Acks::Honest, Some(wait)) => {
                self.due.push_back((packet.at + wait + 2 * ONE_WAY, packet, reported));
            }
            (Acks::Honest, None) => {}
        }
    }

    fn ack_what_is_due(&mut self, peer: &mut Peer) -> CaseResult {
        while let Some((_, packet, delay)) =
            self.due.front().filter(|(at, _, _)| *at <= Instant::now())
        {
            self.flow.hear(packet);
            if self.acks == Acks::OfAll {
                self.flow.ack = packet.seq;
            }
            self.flow.received.clear();
            let delay_us = u32::try_from(delay.as_micros()).unwrap_or(u32::MAX);
            let state = self.flow.selective_state().diff_us(delay_us);
            self.due.pop_front();
            peer.send_unseen(self.flow.socket, &peer.stamped(&state).encode())?;
        }
        Ok(())
    }
}

/// Lets the implementation send to these receivers through a link.
fn run(peer: &mut Peer, link: &mut Link, all: &mut [Receiver], time: Duration) -> CaseResult {
    let end = Instant::now() + time;
    while Instant::now() < end {
        peer.sleep(Duration::from_millis(1))?;
        let mut sent = peer.collect(Duration::ZERO)?;
        sent.sort_by_key(|packet| packet.at);
        for packet in sent {
            let to = all.iter_mut().find(|one| one.flow.socket == packet.socket);
            if let Some(receiver) = to {
                receiver.on_sent(link, packet);
            }
        }
        for receiver in &mut *all {
            receiver.ack_what_is_due(peer)?;
        }
    }
    Ok(())
}

fn acks_of_nothing(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("source:10GiB"))?;
    let other = peer.open_socket()?;
    let mut link = Link::new(Duration::from_millis(250));
    let always = Reports::Always(ONE_WAY);
    let mut both = [
        Receiver::open(peer, 0, Acks::Honest, Reports::Honest)?,
        Receiver::open(peer, other, Acks::OfAll, always)?,
    ];
    run(peer, &mut link, &mut both, Duration::from_secs(15))?;
    let [honest, liar] = &both;
    let words = format!(
        "{} bytes to the liar, of which {} came through; {} to the honest one",
        liar.sent, liar.carried, honest.carried
    );
    peer.remark(&words);
    peer.check(liar.sent <= 2 * honest.carried, || words)
}

fn delays_that_hide_a_queue(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("source:10GiB"))?;
    let mut link = Link::new(Duration::from_secs(1));
    let mut only = [Receiver::open(peer, 0, Acks::Honest, Reports::Always(ONE_WAY))?];
    let start = Instant::now();
    run(peer, &mut link, &mut only, Duration::from_secs(15))?;
    let p95 = link.p95(start + Duration::from_secs(5));
    let carried = only[0].carried;
    peer.remark(format_args!("{carried} bytes came through, p95 of the queue is {p95:?}"));
    peer.check(carried > 1_000_000, || format!("no more than {carried} bytes came in 15 s"))?;
    peer.check(p95 <= Duration::from_millis(200), || format!("the queue has {p95:?}"))
}

/// 10 Mbit/s.
const NS_PER_BYTE: Duration = Duration::from_nanos(800);

/// Headers of IP and UDP.
const OVERHEAD: u32 = 28;

const ONE_WAY: Duration = Duration::from_millis(25);
