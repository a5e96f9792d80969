//! A link of 10 Mbit/s between two processes of the implementation: alone, beside TCP, and two
//! flows. The relay is that of the transfers, with the links of the simulator.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use utp_sim::record::QUEUE_SAMPLE_INTERVAL;
use utp_sim::scenario::{LinkConfig, Queue, Rate};
use utp_sim::time::Ns;

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::packet::HEADER_LEN;
use crate::conformance::peer::{Call, Peer};
use crate::conformance::stop::{CaseResult, Stop};
use crate::harness::Ability;
use crate::relay::{Conditions, Moment, Relay, RelayRecord};

pub(super) fn cases() -> Vec<Case> {
    let slow = |id, grade, reference, title, run| {
        Case::rust(id, grade, reference, title, run).flag(Flag::Slow).flag(Flag::Timing)
    };
    let should = |id, reference, title, run| slow(id, Grade::Should, reference, title, run);
    vec![
        should(
            "CC-12",
            "RFC 6817 section 4.2",
            "beside one flow of TCP CUBIC a fifth of the link is taken at the most",
            yields_to_cubic,
        )
        .req(&["R-15"])
        .limit_s(120),
        slow(
            "CC-13",
            Grade::May,
            "RFC 6817 section 4.4",
            "two flows of LEDBAT++ share a link, and the later one gets no more than 65 %",
            two_flows_share,
        )
        .req(&["R-14"])
        .needs(&[Ability::Controller])
        .limit_s(150),
        should(
            "CC-14",
            "interop runner of QUIC, test G",
            "alone on the link nine tenths of it are goodput",
            link_is_used,
        )
        .req(&["R-18"])
        .limit_s(90),
        should(
            "CC-15",
            "RFC 6817 section 2.5",
            "alone on the link 95 % of the time no more than 125 ms are queued",
            queue_is_short,
        )
        .req(&["R-18"])
        .limit_s(90),
    ]
}

/// When datagrams reached a sink, with the bytes of payload.
type Arrivals = BTreeMap<SocketAddr, Vec<(Duration, usize)>>;

/// A relay in front of a source of the implementation, which is the acceptor as in
/// `Peer::open_over`.
struct Link {
    relay: Relay,
    arrived: Arc<Mutex<Arrivals>>,
}

impl Link {
    /// Starts a source, and the link from it.
    fn start(
        peer: &mut Peer,
        source: Call,
        adapt: impl FnOnce(Conditions) -> Conditions,
    ) -> CaseResult<Self> {
        peer.start(&source.flag("greet"))?;
        let server = peer.remote().ok_or_else(|| Stop::Internal("no source".into()))?;
        let delay = Ns::from_millis(25);
        let to_client = LinkConfig {
            rate: Rate::Constant(BITS_PER_S),
            delay,
            queue: Queue::Droptail { bytes_max: None, packets_max: Some(200) },
            ..LinkConfig::default()
        };
        let to_server = LinkConfig { delay, ..LinkConfig::default() };
        let conditions = adapt(Conditions { to_server, to_client, ..Conditions::default() });
        let arrived = Arc::<Mutex<Arrivals>>::default();
        let shared = Arc::clone(&arrived);
        let relay = Relay::start(
            server,
            &conditions,
            1,
            Some(Box::new(move |passed| {
                if !passed.to_server && passed.moment == Moment::Left {
                    let bytes = passed.payload.len().saturating_sub(HEADER_LEN);
                    let mut arrived = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    arrived.entry(passed.destination).or_default().push((passed.at, bytes));
                }
            })),
        );
        let relay = relay.map_err(|error| Stop::internal("the relay", error))?;
        Ok(Self { relay, arrived })
    }

    /// Starts a sink of the implementation behind the link, which the source then fills.
    fn fill(&self, peer: &mut Peer) -> CaseResult {
        peer.start_towards(&Call::connect("sink").flag("greet"), self.relay.local_addr())
    }

    /// The share of the link that each sink had between two moments, in the order of their start.
    fn shares(&self, from: Duration, to: Duration) -> Vec<f64> {
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sinks: Vec<&Vec<(Duration, usize)>> = arrived.values().collect();
        sinks.sort_by_key(|datagrams| datagrams.first().map(|(at, _)| *at));
        let possible = (to - from).as_secs_f64() * BITS_PER_S as f64 / 8.0;
        let share = |datagrams: &Vec<(Duration, usize)>| {
            let within = datagrams.iter().filter(|(at, _)| (from..to).contains(at));
            within.map(|(_, bytes)| *bytes).sum::<usize>() as f64 / possible
        };
        sinks.into_iter().map(share).collect()
    }
}

/// Fails the case unless something holds; where the relay could not keep its times it has measured
/// the machine.
fn judge(peer: &Peer, record: &RelayRecord, holds: bool, what: String) -> CaseResult {
    let late = record.late as f64 / record.sent.max(1) as f64;
    match holds {
        true => Ok(()),
        false if late > LATE_MAX => {
            let busy =
                format!("the machine is too busy: {:.0} % left the relay late", late * 100.0);
            Err(Stop::Late(format!("{busy}; {what}")))
        }
        false => Err(peer.fail(what)),
    }
}

fn source() -> Call {
    Call::listen("source:1000000000")
}

fn link_is_used(peer: &mut Peer) -> CaseResult {
    let link = Link::start(peer, source(), |conditions| conditions)?;
    link.fill(peer)?;
    peer.sleep(Duration::from_secs(42))?;
    let shares = link.shares(START_UP, Duration::from_secs(40));
    let share = shares.first().copied().unwrap_or(0.0);
    peer.remark(format_args!("goodput is {:.1} % of the link", share * 100.0));
    let what = format!("goodput was {:.1} % of the link, at least 90 % wanted", share * 100.0);
    judge(peer, &link.relay.finish(), share >= 0.9, what)
}

fn queue_is_short(peer: &mut Peer) -> CaseResult {
    let link = Link::start(peer, source(), |conditions| conditions)?;
    link.fill(peer)?;
    peer.sleep(Duration::from_secs(42))?;
    let record = link.relay.finish();
    let sampled = START_UP.as_nanos() / u128::from(QUEUE_SAMPLE_INTERVAL.0);
    let skipped = usize::try_from(sampled).unwrap_or(usize::MAX);
    let queues = record.network.links.get(TO_CLIENT).map(|link| link.queue_delay_us.as_slice());
    let mut queues_us =
        queues.and_then(|queues| queues.get(skipped..)).unwrap_or_default().to_vec();
    queues_us.sort_unstable();
    let high_us = queues_us.get(queues_us.len() * 95 / 100).copied();
    let high_us = high_us.ok_or_else(|| peer.fail("nothing crossed the link"))?;
    let middle_us = queues_us[queues_us.len() / 2];
    peer.remark(format_args!("queue: middle {middle_us} us, 95 % below {high_us} us"));
    let what = format!("95 % of the time up to {} ms were queued, allowed 125", high_us / 1000);
    judge(peer, &record, high_us <= 125_000, what)
}

fn yields_to_cubic(peer: &mut Peer) -> CaseResult {
    let cubic_from = Duration::from_secs(15);
    let link = Link::start(peer, source(), |conditions| conditions.with_cubic(cubic_from))?;
    link.fill(peer)?;
    peer.sleep(Duration::from_secs(92))?;
    // After half a minute together.
    let shares = link.shares(cubic_from + Duration::from_secs(30), Duration::from_secs(90));
    let share = shares.first().copied().unwrap_or(0.0);
    let alone = link.shares(Duration::from_secs(8), cubic_from).first().copied().unwrap_or(0.0);
    peer.remark(format_args!("{:.1} % alone, then {:.1} %", alone * 100.0, share * 100.0));
    let record = link.relay.finish();
    let what = format!("alone it used {:.1} % of the link", alone * 100.0);
    judge(peer, &record, alone >= 0.5, what)?;
    let what = format!("{:.1} % of the link were taken from CUBIC, allowed 20", share * 100.0);
    judge(peer, &record, share <= 0.2, what)
}

fn two_flows_share(peer: &mut Peer) -> CaseResult {
    let source = source().option("controller", "ledbat++");
    let link = Link::start(peer, source, |conditions| conditions)?;
    link.fill(peer)?;
    peer.sleep(Duration::from_secs(15))?;
    link.fill(peer)?;
    peer.sleep(Duration::from_secs(77))?;
    let shares = link.shares(Duration::from_secs(30), Duration::from_secs(90));
    let [first, later] = shares[..] else {
        return Err(peer.fail(format!("{} flows crossed the link, not two", shares.len())));
    };
    let both = first + later;
    let jain = both * both / (2.0 * (first * first + later * later));
    let of_later = later / both;
    peer.remark(format_args!(
        "Jain's index {jain:.3}, the later one has {:.1} %",
        of_later * 100.0
    ));
    let what = format!("shares are {first:.3} and {later:.3}: Jain's index {jain:.3}, wanted 0.9");
    judge(peer, &link.relay.finish(), jain >= 0.9 && of_later <= 0.65, what)
}

/// The number of the link from the source in the record of a relay.
const TO_CLIENT: usize = 1;

const BITS_PER_S: u64 = 10_000_000;

/// The part of the datagrams that may leave the relay late.
const LATE_MAX: f64 = 0.02;

/// What is not counted at the start.
const START_UP: Duration = Duration::from_secs(10);
