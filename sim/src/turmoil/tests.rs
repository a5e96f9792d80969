//! The engine with hosts that speak a toy protocol: is every moment exact?

use super::toy::*;
use super::*;
use crate::packet::{Datagram, Delivery, UDP_OVERHEAD_V4};
use crate::scenario::model::Scenario;
use crate::scenario::{Loss, Rate};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use tokio::sync::mpsc;
use utp_tokio::runtime::Runtime;
use utp_tokio::transport::{AsyncUdpSocket, Datagrams};

#[test]
fn one_way_delay_through_sockets_is_exact_to_the_nanosecond() {
    let scenario = scenario(7_000_000, Ns(12_345_679));
    let log = Log::default();
    let mut engine = engine(&scenario);
    engine.add_host(HostId::Left, closed_loop(&log, 1, 1_000));
    engine.add_host(HostId::Right, echo(&log));
    run(&mut engine, scenario.duration);
    engine.finish().expect("nothing is late");

    let serialisation = Ns(1_028 * 8_000_000_000 / 7_000_000);
    let one_way = serialisation + Ns(12_345_679);
    let round_trip = one_way + Ns(12_345_679);
    let arrivals = log.of(HostId::Right);
    let expected_count = (scenario.duration - one_way).0.div_ceil(round_trip.0);
    assert_eq!(arrivals.len() as u64, expected_count);
    for (count, arrival) in (0..).zip(arrivals) {
        assert_eq!(arrival, (Ns(round_trip.0 * count) + one_way, count));
    }
    for (count, answer) in (0..).zip(log.of(HostId::Left)) {
        assert_eq!(answer, (Ns(round_trip.0 * (count + 1)), count));
    }
}

/// What the closed loop does on the network alone: the reference for the hosts.
fn closed_loop_reference(scenario: &Scenario, window: u64, len: usize) -> (Vec<(Ns, u64)>, u64) {
    let datagram = |from: HostId, number, len| Datagram {
        source: from.port(0),
        destination: from.peer().port(0),
        overhead: UDP_OVERHEAD_V4,
        dont_fragment: true,
        payload: Bytes::from(numbered(number, len)),
    };
    let mut network = Network::new(scenario);
    for number in 0..window {
        network.inject(Ns::ZERO, HostId::Left, datagram(HostId::Left, number, len));
    }
    let (mut next, mut order) = (window, 0_u64);
    let mut pending = BTreeMap::new();
    let mut log = Vec::new();
    while network.now() < scenario.duration {
        let until = network.now() + TICK;
        network.run_until(network.now(), &mut |_, _, _| unreachable!("it ran up to here"));
        // Answer everything of this window, then let the network take the answers in.
        while let Some(entry) = pending.first_entry() {
            let ((at, _), (host, sent)): (&(Ns, u64), &(HostId, Datagram)) =
                (entry.key(), entry.get());
            if *at >= until {
                break;
            }
            let (at, host, number) = (*at, *host, number(&sent.payload));
            entry.remove();
            match host {
                HostId::Right => {
                    log.push((at, number));
                    network.inject(at, host, datagram(host, number, 8));
                }
                HostId::Left => {
                    network.inject(at, host, datagram(host, next, len));
                    next += 1;
                }
            }
        }
        network.run_until(until, &mut |at, host, delivery| {
            let Delivery::Datagram(sent) = delivery else { panic!("{delivery:?}") };
            pending.insert((at, order), (host, sent));
            order += 1;
        });
    }
    assert_eq!(network.late(), 0);
    (log, network.finish().trace_hash)
}

#[test]
fn a_saturated_link_looks_the_same_as_without_hosts() {
    // Twice the product of bandwidth and delay in flight, so that there is always a queue.
    for (rate_bps, delay, window) in
        [(10_000_000, Ns::from_millis(20), 70), (7_000_000, Ns(1_234_567), 9)]
    {
        let scenario = scenario(rate_bps, delay);
        let log = Log::default();
        let mut engine = engine(&scenario);
        engine.add_host(HostId::Left, closed_loop(&log, window, 1_400));
        engine.add_host(HostId::Right, echo(&log));
        run(&mut engine, scenario.duration);
        let record = engine.finish().expect("nothing is late").record;
        let (arrivals, trace_hash) = closed_loop_reference(&scenario, window, 1_400);
        assert!(arrivals.len() > 1_200, "{}", arrivals.len());
        assert_eq!(log.of(HostId::Right), arrivals);
        assert_eq!(record.trace_hash, trace_hash);
    }
}

#[test]
fn jitter_and_loss_are_the_same_in_every_run_of_a_seed() {
    let mut scenario = scenario(10_000_000, Ns::from_millis(5));
    scenario.links[0].config.loss = Loss::Bernoulli(2_000);
    scenario.links[0].config.jitter.max = Ns::from_millis(3);
    scenario.links[0].config.jitter.reorders = true;
    let run_of = |seed| {
        let scenario = Scenario { seed, ..scenario.clone() };
        let log = Log::default();
        let mut engine = engine(&scenario);
        engine.add_host(HostId::Left, closed_loop(&log, 300, 1_400));
        engine.add_host(HostId::Right, echo(&log));
        run(&mut engine, scenario.duration);
        (engine.finish().expect("nothing is late").record, log.of(HostId::Left))
    };
    let first = run_of(1);
    assert!(first.0.links[0].lost_packets > 0);
    assert_eq!(run_of(1), first);
    assert_ne!(run_of(2).0.trace_hash, first.0.trace_hash);
}

#[test]
fn timers_keep_their_moments_among_arrivals() {
    let scenario = scenario(10_000_000, Ns::from_millis(20));
    let (log, timers) = (Log::default(), Log::default());
    let mut engine = engine(&scenario);
    engine.add_host(HostId::Left, closed_loop(&log, 70, 1_400));
    let (echo, ticks) = (echo(&log), timers.clone());
    engine.add_host(HostId::Right, move |host| {
        let ticks = ticks.clone();
        echo(host);
        let host = host.clone();
        host.clone().spawn(async move {
            let mut interval = tokio::time::interval(Duration::from_millis(10));
            for number in 0.. {
                interval.tick().await;
                ticks.note(&host, number);
            }
        });
    });
    run(&mut engine, scenario.duration);
    engine.finish().expect("nothing is late");
    let ticks = timers.of(HostId::Right);
    assert_eq!(ticks.len(), 200);
    for (at, number) in ticks {
        assert_eq!(at, Ns::from_millis(10 * number));
    }
}

#[test]
fn timers_run_before_arrivals_of_the_same_moment() {
    let mut scenario = scenario(1, Ns::from_millis(7));
    scenario.links[0].config.rate = Rate::Unlimited;
    let log = Log::default();
    let mut engine = engine(&scenario);
    // The packet of millisecond 3 arrives at millisecond 10.
    engine.add_host(HostId::Left, |host| {
        let (host, socket) = (host.clone(), host.socket(0));
        host.clone().spawn(async move {
            tokio::time::sleep(Duration::from_millis(3)).await;
            send(&host, &socket, &numbered(1, 8)).await;
        });
    });
    let noted = log.clone();
    engine.add_host(HostId::Right, move |host| {
        let noted = noted.clone();
        let socket = host.socket(0);
        let (receiver, received) = (host.clone(), noted.clone());
        host.spawn(async move {
            let number = number(&receive(&socket).await);
            received.note(&receiver, number);
        });
        let host = host.clone();
        host.clone().spawn(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            noted.note(&host, 0);
        });
    });
    run(&mut engine, Ns::from_millis(20));
    assert_eq!(log.of(HostId::Right), [(Ns::from_millis(10), 0), (Ns::from_millis(10), 1)]);
}

#[test]
fn a_long_chain_of_tasks_runs_within_the_moment_of_an_arrival() {
    let scenario = scenario(10_000_000, Ns::from_millis(20));
    let log = Log::default();
    let mut engine = engine(&scenario);
    engine.add_host(HostId::Left, closed_loop(&log, 70, 1_400));
    let chained = Log::default();
    let (ends, starts) = (chained.clone(), log.clone());
    engine.add_host(HostId::Right, move |host| {
        let (ends, starts) = (ends.clone(), starts.clone());
        // More hops than one turn of tokio's scheduler polls tasks.
        let (first, mut last) = mpsc::unbounded_channel();
        for _ in 0..200 {
            let (onward, next) = mpsc::unbounded_channel();
            let mut from = std::mem::replace(&mut last, next);
            host.spawn(async move {
                while let Some(number) = from.recv().await {
                    onward.send(number).expect("the chain stays whole");
                }
            });
        }
        let socket = host.socket(0);
        let end = host.clone();
        host.spawn(async move {
            while let Some(number) = last.recv().await {
                ends.note(&end, number);
            }
        });
        let host = host.clone();
        host.clone().spawn(async move {
            loop {
                let number = number(&receive(&socket).await);
                starts.note(&host, number);
                first.send(number).expect("the chain stays whole");
                send(&host, &socket, &numbered(number, 8)).await;
            }
        });
    });
    run(&mut engine, scenario.duration);
    assert!(log.of(HostId::Right).len() > 1_000);
    assert_eq!(chained.of(HostId::Right), log.of(HostId::Right));
}

#[test]
fn paths_shorter_than_a_tick_are_refused() {
    let scenario = scenario(10_000_000, Ns(999_999));
    let error = Engine::new(&scenario, Taps::default()).err().expect("the path is too short");
    assert!(error.to_string().contains("needs at least"), "{error}");
}

#[test]
fn a_task_that_fails_ends_the_run() {
    let mut engine = engine(&scenario(10_000_000, Ns::from_millis(20)));
    engine.add_host(HostId::Left, |host| {
        host.spawn_fallible(async {
            tokio::time::sleep(Duration::from_millis(7)).await;
            Err(io::Error::other("the cable is out").into())
        });
    });
    engine.add_host(HostId::Right, |_| {});
    let result = engine.run_until(Ns::from_secs(1), &mut |_, _| ControlFlow::Continue(()));
    let error = result.expect_err("the task failed");
    assert_eq!(format!("{error:#}"), "a host failed at 0.008 s: the cable is out");
}

#[test]
fn a_task_that_panics_ends_the_run() {
    let mut engine = engine(&scenario(10_000_000, Ns::from_millis(20)));
    engine.add_host(HostId::Left, |_| {});
    engine.add_host(HostId::Right, |host| host.spawn(async { panic!("a bug in the adapter") }));
    let result = engine.run_until(Ns::from_secs(1), &mut |_, _| ControlFlow::Continue(()));
    let error = format!("{:#}", result.expect_err("the task panicked"));
    assert!(error.ends_with("panicked with message \"a bug in the adapter\""), "{error}");
}

#[test]
fn an_observer_can_end_the_run() {
    let mut engine = engine(&scenario(10_000_000, Ns::from_millis(20)));
    engine.add_host(HostId::Left, |_| {});
    engine.add_host(HostId::Right, |_| {});
    let mut seen = Vec::new();
    let observe = &mut |now, _: &Network| {
        seen.push(now);
        if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    engine.run_until(Ns::from_secs(1), observe).expect("nothing fails");
    assert_eq!(seen, [0, 1, 2].map(Ns::from_millis));
    assert_eq!(engine.finish().expect("nothing is late").record.duration, Ns::from_millis(2));
}

#[test]
fn a_batch_travels_as_single_datagrams_and_giants_are_lost() {
    let log = Log::default();
    let mut engine = engine(&scenario(10_000_000, Ns::from_millis(20)));
    engine.add_host(HostId::Left, |host| {
        let (host, socket) = (host.clone(), host.socket(0));
        host.clone().spawn(async move {
            let batch = |contents, segment_size| Datagrams {
                destination: host.address(HostId::Right, 0),
                source: None,
                contents,
                segment_size,
                dont_fragment: true,
            };
            let three = [numbered(1, 100), numbered(2, 100), numbered(3, 60)].concat();
            let giant = numbered(4, 1_473);
            let most = numbered(5, 1_472);
            for batch in [batch(&three, Some(100)), batch(&giant, None), batch(&most, None)] {
                let sent = poll_fn(|cx| socket.poll_send(cx, &batch)).await;
                assert_eq!(sent.expect("there is a route"), batch.contents.len());
            }
            let elsewhere =
                Datagrams { destination: ([9, 9, 9, 9], 9).into(), ..batch(&most, None) };
            let lost = poll_fn(|cx| socket.poll_send(cx, &elsewhere)).await;
            assert_eq!(lost.expect_err("no route").kind(), io::ErrorKind::HostUnreachable);
        });
    });
    engine.add_host(HostId::Right, echo(&log));
    run(&mut engine, Ns::from_millis(100));
    let numbers: Vec<u64> = log.of(HostId::Right).iter().map(|entry| entry.1).collect();
    assert_eq!(numbers, [1, 2, 3, 5]);
}

#[test]
fn datagrams_to_a_closed_socket_vanish() {
    let log = Log::default();
    let scenario = scenario(10_000_000, Ns::from_millis(20));
    let mut engine = engine(&scenario);
    engine.add_host(HostId::Left, closed_loop(&log, 1, 1_000));
    engine.add_host(HostId::Right, |host| drop(host.socket(0)));
    run(&mut engine, scenario.duration);
    assert_eq!(log.of(HostId::Left), []);
    engine.finish().expect("nothing is late");
}

#[test]
fn the_runtime_of_a_host_shows_virtual_time_on_a_clock_of_its_own() {
    let mut engine = engine(&scenario(10_000_000, Ns::from_millis(20)));
    let offsets = Log::default();
    for id in HostId::ALL {
        let offsets = offsets.clone();
        engine.add_host(id, move |host| {
            offsets.note(host, host.clock().now(Ns::ZERO).as_micros());
            let host = host.clone();
            host.clone().spawn_fallible(async move {
                let runtime = SimRuntime::new(host.clone());
                let start = host.clock().now(Ns::ZERO);
                assert_eq!(runtime.now(), start);
                let mut timer = runtime.timer();
                timer.as_mut().reset(start.saturating_add(7_300));
                poll_fn(|cx| timer.as_mut().poll(cx)).await;
                // tokio's timers end on the next whole millisecond.
                assert_eq!(host.now(), Ns::from_millis(8));
                assert_eq!(runtime.now(), start.saturating_add(8_000));
                Err(io::Error::other("reached the end").into())
            });
        });
    }
    let result = engine.run_until(Ns::from_secs(1), &mut |_, _| ControlFlow::Continue(()));
    assert!(format!("{:#}", result.expect_err("the tasks end")).ends_with("reached the end"));
    assert_ne!(offsets.of(HostId::Left)[0].1, offsets.of(HostId::Right)[0].1);
}
