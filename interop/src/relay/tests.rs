//! Tests with real sockets and in real time: bounds from below are exact, those from above leave a
//! loaded machine its time.

use std::sync::Mutex;

use utp_sim::link::{Link, Offer};
use utp_sim::packet::{Body, Packet};
use utp_sim::rng::Streams;
use utp_sim::scenario::{LinkConfig, Loss, Queue, Rate};
use utp_sim::time::Ns;

use super::*;

/// Few enough for the default buffer of the receiving socket.
const COUNT: u32 = 200;

fn lossy() -> LinkConfig {
    LinkConfig {
        delay: Ns::from_millis(20),
        loss: Loss::Bernoulli(100_000),
        ..LinkConfig::default()
    }
}

fn milliseconds(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Sends numbered datagrams and returns which came out, and the shortest and longest way.
fn send_numbered(from: &UdpSocket, to: SocketAddr, at: &UdpSocket) -> (Vec<u32>, [Duration; 2]) {
    at.set_read_timeout(Some(milliseconds(500))).expect("a time-out can be set");
    let mut sent = Vec::new();
    for number in 0..COUNT {
        sent.push(Instant::now());
        from.send_to(&number.to_be_bytes(), to).expect("loopback takes it");
    }
    let mut buffer = [0; 4];
    let mut numbers = Vec::new();
    let mut delays = [Duration::MAX, Duration::ZERO];
    while let Ok((4, _)) = at.recv_from(&mut buffer) {
        let number = u32::from_be_bytes(buffer);
        let delay = sent[number as usize].elapsed();
        delays = [delays[0].min(delay), delays[1].max(delay)];
        numbers.push(number);
    }
    (numbers, delays)
}

/// What a link of the simulator lets through, which does not depend on time.
fn expected(link: usize, seed: u64) -> Vec<u32> {
    let mut link = Link::new(&lossy(), link, &Streams::new(seed));
    let passes = |number: &u32| {
        let packet = Packet {
            id: u64::from(*number),
            flow: 0,
            to: HostId::Right,
            hop: 0,
            corrupt: false,
            bytes: 32,
            sent: Ns::ZERO,
            body: Body::Datagram(utp_sim::packet::Datagram {
                source: 0,
                destination: 0,
                overhead: UDP_OVERHEAD_V4,
                dont_fragment: false,
                payload: Bytes::new(),
            }),
        };
        let Offer::Started(done) = link.offer(Ns::ZERO, packet) else { return false };
        link.depart(done);
        true
    };
    (0..COUNT).filter(passes).collect()
}

#[test]
fn both_ways_are_delayed_and_lose_what_the_simulator_would() {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(server) = UdpSocket::bind(local) else {
            println!("{local} is missing on this machine");
            continue;
        };
        let address = server.local_addr().expect("bound");
        let conditions = Conditions::symmetric(lossy());
        let relay = Relay::start(address, &conditions, 7, None).expect("starts");
        let client = UdpSocket::bind(local).expect("binds");

        let (there, delays) = send_numbered(&client, relay.local_addr(), &server);
        assert_eq!(there, expected(0, 7));
        assert!(delays[0] >= milliseconds(20), "{delays:?}");
        assert!(delays[0] < milliseconds(120), "{delays:?}");

        // What a second client sends tells the server where to answer it.
        let other = UdpSocket::bind(local).expect("binds");
        let mut buffer = [0; 4];
        server.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out can be set");
        let back = loop {
            other.send_to(b"open", relay.local_addr()).expect("loopback takes it");
            if let Ok((_, back)) = server.recv_from(&mut buffer) {
                break back;
            }
        };
        let (here, delays) = send_numbered(&server, back, &other);
        assert_eq!(here, expected(1, 7));
        assert!(delays[0] >= milliseconds(20), "{delays:?}");
        let record = relay.finish();
        let [_, to_client] = &record.network.links[..] else { panic!("two links") };
        assert_eq!(to_client.lost_packets + here.len() as u64, u64::from(COUNT));
    }
}

#[test]
fn a_slow_link_queues_and_drops_what_its_queue_does_not_hold() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("binds");
    // 32 bytes with headers: 200 take 51.2 ms at this rate, and half of them fit.
    let link = LinkConfig {
        rate: Rate::Constant(1_000_000),
        queue: Queue::Droptail { bytes_max: Some(3_200), packets_max: None },
        ..LinkConfig::default()
    };
    let conditions = Conditions { to_server: link, ..Conditions::default() };
    let address = server.local_addr().expect("bound");
    let relay = Relay::start(address, &conditions, 1, None).expect("starts");
    let client = UdpSocket::bind("127.0.0.1:0").expect("binds");
    let (numbers, delays) = send_numbered(&client, relay.local_addr(), &server);
    // The sender may have been slow, so that more fit.
    assert!(numbers.len() >= 101 && numbers.is_sorted(), "{numbers:?}");
    assert!(delays[1] >= milliseconds(20), "{delays:?}");
    let record = relay.finish();
    let link = &record.network.links[0];
    assert_eq!(link.dropped_packets + numbers.len() as u64, u64::from(COUNT));
    assert!(link.queue_delay_us.iter().any(|&us| us > 5_000), "{:?}", link.queue_delay_us);
}

#[test]
fn an_outage_begins_and_ends_after_the_first_datagram() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("binds");
    let conditions = Conditions::default().without_link(milliseconds(100), milliseconds(400));
    let address = server.local_addr().expect("bound");
    let relay = Relay::start(address, &conditions, 1, None).expect("starts");
    let client = UdpSocket::bind("127.0.0.1:0").expect("binds");
    // The time until the first datagram does not count.
    thread::sleep(milliseconds(200));
    let start = Instant::now();
    let mut sent = Vec::new();
    for number in 0..70_u32 {
        thread::sleep(
            (start + milliseconds(10) * number).saturating_duration_since(Instant::now()),
        );
        client.send_to(&number.to_be_bytes(), relay.local_addr()).expect("loopback takes it");
        sent.push(start.elapsed());
    }
    server.set_read_timeout(Some(milliseconds(300))).expect("a time-out can be set");
    let mut buffer = [0; 4];
    let mut passed = vec![false; sent.len()];
    while let Ok((4, _)) = server.recv_from(&mut buffer) {
        passed[u32::from_be_bytes(buffer) as usize] = true;
    }
    // What was sent near an edge may be on either side of it.
    for (&at, passed) in sent.iter().zip(passed) {
        if at < milliseconds(80) || at > milliseconds(600) {
            assert!(passed, "{at:?}");
        } else if at > milliseconds(200) && at < milliseconds(480) {
            assert!(!passed, "{at:?}");
        }
    }
}

#[test]
fn an_observer_sees_what_comes_and_what_goes() {
    let server = UdpSocket::bind("127.0.0.1:0").expect("binds");
    let address = server.local_addr().expect("bound");
    let seen = Arc::new(Mutex::new([0_u32; 2]));
    let counts = Arc::clone(&seen);
    let observer: Observer = Box::new(move |passed| {
        assert!(passed.to_server && passed.payload.len() == 4);
        let (entered, at_server) =
            (passed.moment == Moment::Entered, passed.destination == address);
        assert_eq!((entered, at_server), (passed.is_at_client(), !passed.is_at_client()));
        let moment = usize::from(passed.moment == Moment::Left);
        counts.lock().expect("one thread")[moment] += 1;
    });
    let conditions = Conditions::symmetric(lossy());
    let relay = Relay::start(address, &conditions, 7, Some(observer)).expect("starts");
    let client = UdpSocket::bind("127.0.0.1:0").expect("binds");
    let (there, _) = send_numbered(&client, relay.local_addr(), &server);
    let record = relay.finish();
    let passed = u32::try_from(there.len()).expect("few");
    assert_eq!(*seen.lock().expect("one thread"), [COUNT, passed]);
    assert_eq!(record.sent, u64::from(passed));
}

#[test]
fn cubic_fills_the_link_to_the_client_from_its_start_on() {
    let link = LinkConfig { rate: Rate::Constant(10_000_000), ..lossy() };
    let link = LinkConfig { loss: Loss::None, ..link };
    let conditions = Conditions::symmetric(link).with_cubic(Duration::from_secs(2));
    let mut network = conditions.network(1, 1);
    network.run_until(Ns::from_secs(4), &mut |_, _, _| unreachable!("no host takes part"));
    let [to_server, to_client] = &network.finish().links[..] else { panic!("there are two") };
    // In tenths of a second.
    let busy_ms = |busy_ns: &[u64]| busy_ns.iter().sum::<u64>() / 1_000_000;
    assert_eq!(busy_ms(&to_client.busy_ns[..20]), 0);
    assert!(busy_ms(&to_client.busy_ns[20..]) > 1000);
    assert!(busy_ms(&to_server.busy_ns) < 200);
}
