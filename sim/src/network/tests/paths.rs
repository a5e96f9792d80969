//! Paths of several links, links that change, middleboxes and messages of routers.

use super::*;
use crate::packet::TooBig;
use crate::scenario::{Change, FlowEvent, Lie, LinkState, Mtu, What};
use utp_wire::{ConnectionId, HEADER_LEN, Header, PacketType, SeqNr, Timestamp, TimestampDiff};

const MS: fn(u64) -> Ns = Ns::from_millis;

/// A flow over two links of 10 and 5 Mbit/s, 10 and 30 ms.
fn two_links() -> Scenario {
    let mut scenario = scenario(link(10_000_000, MS(10), 15_000), vec![host_flow()]);
    let config = link(5_000_000, MS(30), 15_000);
    scenario.links.push(LinkSpec { name: "access".into(), config });
    scenario.flows[0].via = vec![0, 1];
    scenario
}

fn change(at: Ns, link: usize, config: LinkConfig) -> Change {
    Change { at, what: What::Link { link, config: Box::new(config) } }
}

fn deliveries(network: &mut Network, until: Ns) -> Vec<(Ns, HostId, Delivery)> {
    let mut delivered = Vec::new();
    network.run_until(until, &mut |at, host, delivery| delivered.push((at, host, delivery)));
    delivered
}

#[test]
fn a_path_of_two_links_adds_their_times() {
    let mut network = Network::new(&two_links());
    for _ in 0..2 {
        network.inject(Ns(0), HostId::Left, datagram(HostId::Left, 0, 1472));
    }
    network.inject(Ns(0), HostId::Right, datagram(HostId::Right, 0, 20));
    // 1.2 ms and 10 ms, then 2.4 ms and 30 ms; the second waits for the slower link.
    let arrivals = [
        (MS(40), HostId::Left, 20),
        (Ns::from_micros(43_600), HostId::Right, 1472),
        (Ns::from_micros(46_000), HostId::Right, 1472),
    ];
    assert_eq!(run(&mut network, MS(100)), arrivals);
}

#[test]
fn arrivals_are_announced_when_the_last_link_has_sent_them() {
    let scenario = two_links();
    let mut network = Network::new(&scenario);
    assert_eq!(network.min_path_delay(), Some(MS(30)), "the ideal way back takes 40 ms");
    network.inject(Ns(0), HostId::Left, datagram(HostId::Left, 0, 1472));
    assert_eq!(run(&mut network, Ns::from_micros(13_600)), []);
    assert_eq!(run(&mut network, Ns::from_micros(13_601)).len(), 1);
    let mut shorter = scenario.clone();
    shorter.changes = vec![change(MS(5), 1, link(5_000_000, MS(7), 15_000))];
    assert_eq!(Network::new(&shorter).min_path_delay(), Some(MS(7)));
}

#[test]
fn a_packet_leaves_its_steps_at_every_link() {
    let mut network = Network::new(&two_links());
    let events = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&events);
    network.set_trace_sink(Box::new(move |event| store.lock().expect("one thread").push(*event)));
    network.inject(Ns(0), HostId::Left, datagram(HostId::Left, 0, 1472));
    run(&mut network, MS(100));
    let events = events.lock().expect("one thread");
    let steps: Vec<(u64, u16, Step)> =
        events.iter().map(|event| (event.at.as_micros(), event.link, event.step)).collect();
    let expected = [
        (0, 0, Step::Sent),
        (0, 0, Step::Enqueued),
        (0, 0, Step::TxStart),
        (1_200, 0, Step::TxDone),
        (11_200, 0, Step::Delivered),
        (11_200, 1, Step::Forwarded),
        (11_200, 1, Step::Enqueued),
        (11_200, 1, Step::TxStart),
        (13_600, 1, Step::TxDone),
        (43_600, 1, Step::Delivered),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_flow_inside_the_network_crosses_all_links_of_its_path() {
    let mut scenario = two_links();
    scenario.duration = Ns::from_secs(20);
    scenario.flows[0].kind = FlowKind::Reno { bytes: None };
    scenario.flows[0].back = Some(vec![1, 0]);
    // With a buffer of the product of bandwidth and delay Reno fills the slower link.
    for link in &mut scenario.links {
        link.config.queue = Queue::Droptail { bytes_max: Some(60_000), packets_max: None };
    }
    let record = run_alone(&scenario);
    let goodput = record.flows[0].delivered_bytes[50..].iter().sum::<u64>() * 8 / 15;
    assert!((4_000_000..4_830_000).contains(&goodput), "{goodput}");
    assert!(record.links[1].dropped_packets > 0);
}

#[test]
fn a_change_of_rate_and_delay_holds_for_the_next_packet() {
    let config = link(10_000_000, MS(25), 125_000);
    let mut scenario = scenario(config, vec![host_flow()]);
    scenario.changes = vec![change(MS(1), 0, link(1_000_000, MS(5), 125_000))];
    let mut network = Network::new(&scenario);
    for _ in 0..2 {
        network.inject(Ns(0), HostId::Left, datagram(HostId::Left, 0, 1472));
    }
    // The first ends at its rate and takes the new delay, the second takes 12 ms.
    let arrivals = [1_200 + 5_000, 13_200 + 5_000];
    let expected = arrivals.map(|us| (Ns::from_micros(us), HostId::Right, 1472));
    assert_eq!(run(&mut network, MS(100)), expected);
}

#[test]
fn a_stalled_link_keeps_its_queue_and_a_dead_one_does_not() {
    let config = link(10_000_000, MS(25), 125_000);
    for (state, kept) in [(LinkState::Stalled, 3), (LinkState::Down, 1)] {
        let mut scenario = scenario(config.clone(), vec![host_flow()]);
        let stopped = LinkConfig { state, ..config.clone() };
        scenario.changes = vec![change(MS(1), 0, stopped), change(MS(500), 0, config.clone())];
        let mut network = Network::new(&scenario);
        for at in [0, 0, 100] {
            network.inject(MS(at), HostId::Left, datagram(HostId::Left, 0, 1472));
        }
        let arrivals = run(&mut network, Ns::from_secs(1));
        // What is being transmitted leaves; the rest waits for the link to be up again.
        let all = [26_200, 526_200, 527_400].map(Ns::from_micros);
        let moments: Vec<Ns> = arrivals.iter().map(|arrival| arrival.0).collect();
        assert_eq!(moments, all[..kept]);
        let record = &network.finish().links[0];
        let lost = 3 - kept as u64;
        assert_eq!(record.drops.get("down").copied().unwrap_or(0), lost);
        assert_eq!(record.lost_packets, lost);
    }
}

#[test]
fn a_change_comes_before_everything_else_at_its_moment() {
    let config = link(10_000_000, MS(25), 125_000);
    let mut scenario = scenario(config.clone(), vec![host_flow()]);
    let down = LinkConfig { state: LinkState::Down, ..config.clone() };
    scenario.changes = vec![change(MS(10), 0, down), change(MS(20), 0, config)];
    let mut network = Network::new(&scenario);
    for at in [10, 20] {
        network.inject(MS(at), HostId::Left, datagram(HostId::Left, 0, 1472));
    }
    let arrivals = run(&mut network, Ns::from_secs(1));
    assert_eq!(arrivals, [(Ns::from_micros(46_200), HostId::Right, 1472)]);
}

#[test]
fn a_router_tells_the_sender_what_fits_if_it_is_one_that_tells() {
    for icmp in [true, false] {
        let mut scenario = two_links();
        scenario.links[1].config.mtu = Some(Mtu { bytes: 1_280, icmp });
        let mut network = Network::new(&scenario);
        for payload in [1_253, 1_252] {
            network.inject(Ns(0), HostId::Left, datagram(HostId::Left, 0, payload));
        }
        let mut told = deliveries(&mut network, MS(100));
        assert!(matches!(told.pop(), Some((_, HostId::Right, Delivery::Datagram(_)))));
        let message = TooBig {
            source: HostId::Left.port(0),
            destination: HostId::Right.port(0),
            mtu: 1_280,
            quoted: Bytes::from(vec![7; 520]),
        };
        // 1281 bytes at 10 Mbit/s and 10 ms to the router, and 40 ms of the ideal way back.
        let at = Ns(1_024_800) + MS(50);
        let expected = [(at, HostId::Left, Delivery::TooBig(message))];
        assert_eq!(told, if icmp { &expected[..] } else { &[] });
        assert_eq!(network.finish().links[1].drops["mtu"], 1);
    }
}

#[test]
fn a_forgotten_mapping_moves_the_sender_and_loses_what_went_to_it() {
    let mut scenario = scenario(link(10_000_000, MS(25), 125_000), vec![host_flow()]);
    let what = What::Flow { flow: 0, event: FlowEvent::NatRebind };
    scenario.changes = vec![Change { at: MS(100), what }];
    let mut network = Network::new(&scenario);
    let old = HostId::Left.port(0);
    let to = |destination| Datagram { destination, ..datagram(HostId::Right, 0, 20) };
    for at in [99, 100] {
        network.inject(MS(at), HostId::Left, datagram(HostId::Left, 0, 20));
    }
    // Of two to the old port the first arrives just in time.
    network.inject(MS(74), HostId::Right, to(old));
    network.inject(MS(76), HostId::Right, to(old));
    let mut delivered = deliveries(&mut network, MS(300));
    let mut ports = |host| {
        let here = delivered.extract_if(.., |(_, to, _)| *to == host);
        let ports = here.map(|(at, _, delivery)| {
            let Delivery::Datagram(datagram) = delivery else { panic!("{delivery:?}") };
            (at.0 / 1_000_000, datagram.source, datagram.destination)
        });
        ports.collect::<Vec<_>>()
    };
    let (right, seen) = (HostId::Right.port(0), ports(HostId::Right));
    let new = seen[1].1;
    assert_eq!(seen, [(124, old, right), (125, new, right)]);
    assert_ne!(new, old);
    assert_eq!(ports(HostId::Left), [(99, right, old)]);
    // The new one leads to the socket that the left host has had all the time.
    network.inject(MS(300), HostId::Right, to(new));
    let delivered = deliveries(&mut network, MS(400));
    let [(at, HostId::Left, Delivery::Datagram(datagram))] = &delivered[..] else {
        panic!("{delivered:?}")
    };
    assert_eq!((*at, datagram.destination), (MS(325), old));
    assert_eq!(network.unroutable(), 0);
}

#[test]
fn a_lying_receivers_acks_are_rewritten_on_their_way_in() {
    let mut scenario = scenario(link(10_000_000, MS(25), 125_000), vec![host_flow()]);
    let FlowKind::Utp(utp) = &mut scenario.flows[0].kind else { panic!("it is one") };
    utp.lie = Some(Lie::Ack);
    scenario.links[0].config.loss = Loss::List([1].into());
    let mut network = Network::new(&scenario);
    let sent = |host, packet_type, seq_nr, ack_nr| {
        let header = Header {
            packet_type,
            connection_id: ConnectionId(1),
            timestamp_microseconds: Timestamp(1),
            timestamp_difference_microseconds: TimestampDiff(1),
            wnd_size: 1,
            seq_nr: SeqNr(seq_nr),
            ack_nr: SeqNr(ack_nr),
        };
        let mut bytes = [0; HEADER_LEN];
        header.encode(0, &mut bytes);
        Datagram { payload: Bytes::copy_from_slice(&bytes), ..datagram(host, 0, 0) }
    };
    // The second is lost, and acknowledged all the same.
    network.inject(MS(0), HostId::Left, sent(HostId::Left, PacketType::Data, 1, 0));
    network.inject(MS(1), HostId::Left, sent(HostId::Left, PacketType::Data, 2, 0));
    network.inject(MS(30), HostId::Right, sent(HostId::Right, PacketType::State, 9, 1));
    let delivered = deliveries(&mut network, MS(100));
    assert_eq!(delivered.len(), 2);
    let Delivery::Datagram(ack) = &delivered[1].2 else { panic!("{delivered:?}") };
    assert_eq!(*ack, sent(HostId::Right, PacketType::State, 9, 2));
}

#[test]
fn copies_and_damage_reach_hosts_and_the_flows_inside_drop_what_is_damaged() {
    let config = LinkConfig {
        duplicate_ppm: 1_000_000,
        corrupt_header_ppm: 1_000_000,
        ..link(10_000_000, MS(25), 125_000)
    };
    let mut network = Network::new(&scenario(config.clone(), vec![host_flow()]));
    network.inject(Ns(0), HostId::Left, datagram(HostId::Left, 0, 1472));
    let delivered = deliveries(&mut network, MS(100));
    assert_eq!(delivered.len(), 2);
    assert_eq!(delivered[0], delivered[1]);
    let Delivery::Datagram(damaged) = &delivered[0].2 else { panic!("{delivered:?}") };
    let flipped: u32 = damaged.payload.iter().map(|byte| (byte ^ 7).count_ones()).sum();
    assert_eq!(flipped, 1);

    let call = FlowKind::Cbr { rate_bps: 64_000, interval: MS(20) };
    let mut scenario = scenario(config, vec![flow("voice", call)]);
    scenario.duration = Ns::from_secs(1);
    let record = run_alone(&scenario);
    assert_eq!(record.flows[0].delivered_bytes.iter().sum::<u64>(), 0);
    // The last of fifty, and its copy, are still on their way.
    assert_eq!(record.links[0].drops["corrupt"], 2 * 49);
}
