//! What strangers send harms no stream.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use utp_tokio::UtpSocket;
use utp_wire::{ConnectionId, HEADER_LEN, Header, PacketType, SeqNr, Timestamp, TimestampDiff};

use crate::memory::{Network, address};
use crate::support::{bind, data, exchange, localhost, next_random, pair, within};

/// A datagram that is anything: random bytes, a broken packet, a packet for nobody.
fn garbage(state: &mut u64) -> Vec<u8> {
    let random = next_random(state);
    let len = usize::try_from(random >> 8).unwrap() % 200;
    match random % 3 {
        0 => data(random, len),
        1 => {
            // A uTP header with a chain of extensions that leads nowhere.
            let mut datagram = packet(PacketType::Data, random);
            datagram[1] = 1;
            datagram.extend([2, 255, 0]);
            datagram.truncate(len.max(1));
            datagram
        }
        _ => packet(PacketType::Data, random),
    }
}

fn packet(packet_type: PacketType, random: u64) -> Vec<u8> {
    let id = u16::try_from(random & 0xffff).unwrap();
    let header = Header {
        packet_type,
        connection_id: ConnectionId(id),
        timestamp_microseconds: Timestamp(1),
        timestamp_difference_microseconds: TimestampDiff(0),
        wnd_size: 0,
        seq_nr: SeqNr(id.reverse_bits()),
        ack_nr: SeqNr(!id),
    };
    let mut bytes = [0; HEADER_LEN];
    header.encode(0, &mut bytes);
    bytes.to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_counted_and_streams_go_on() {
    let (a, b) = (bind().await, bind().await);
    let (ours, theirs) = pair(&a, &b).await;
    let targets = [a.local_addr(), b.local_addr()];
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let attacker = thread::spawn(move || {
        let udp = UdpSocket::bind(localhost()).unwrap();
        let mut state = 7;
        let mut sent = 0;
        while sent < 2_000 || (!stop.load(Ordering::Relaxed) && sent < 100_000) {
            for target in targets {
                // A full buffer is no reason to stop.
                udp.send_to(&garbage(&mut state), target).ok();
                sent += 1;
            }
        }
    });
    exchange(ours, theirs, [&data(1, 3_000_000), &data(2, 3_000_000)]).await;
    done.store(true, Ordering::Relaxed);
    attacker.join().unwrap();
    let stats = within(async {
        loop {
            let endpoint = a.stats().endpoint;
            if endpoint.not_utp > 0 && endpoint.malformed > 0 && endpoint.unmatched > 0 {
                return a.stats();
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(stats.endpoint.resets_suppressed > 0, "resets are rationed");
    within(a.recv_unclaimed()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn garbage_in_the_name_of_the_peer_is_ignored() {
    let network = Network::new();
    let (a, b) = (network.socket(1, UtpSocket::builder()), network.socket(2, UtpSocket::builder()));
    let (ours, theirs) = pair(&a, &b).await;
    let flood = network.clone();
    let attacker = tokio::spawn(async move {
        let mut state = 11;
        loop {
            for _ in 0..20 {
                flood.inject(address(2), address(1), &garbage(&mut state));
                flood.inject(address(1), address(2), &garbage(&mut state));
            }
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        }
    });
    exchange(ours, theirs, [&data(3, 300_000), &data(4, 300_000)]).await;
    attacker.abort();
    assert!(a.stats().endpoint.not_utp > 0);
    assert!(b.stats().endpoint.malformed > 0);
}

/// Answers whatever is not uTP, as a node of a DHT would.
async fn echo(socket: &UtpSocket) {
    while let Ok(query) = socket.recv_unclaimed().await {
        socket.send_unclaimed(query.source, &query.data).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn another_protocol_shares_the_port_while_streams_run() {
    let network = Network::new();
    let (a, b) = (network.socket(1, UtpSocket::builder()), network.socket(2, UtpSocket::builder()));
    let (ours, theirs) = pair(&a, &b).await;
    let queries = async {
        for nr in 0..200_u8 {
            let query = [b'd', b'1', b':', nr];
            a.send_unclaimed(b.local_addr(), &query).unwrap();
            let answer = a.recv_unclaimed().await.unwrap();
            assert_eq!((answer.source, &answer.data[..]), (b.local_addr(), &query[..]));
        }
    };
    let data = [&data(5, 2_000_000)[..], &data(6, 2_000_000)];
    tokio::select! {
        biased;
        ((), ()) = async { tokio::join!(exchange(ours, theirs, data), queries) } => {}
        () = echo(&b) => unreachable!("the socket lives"),
    }
    assert_eq!((a.stats().unclaimed_dropped, b.stats().unclaimed_dropped), (0, 0));
}

#[tokio::test]
async fn what_is_not_utp_is_handed_out_and_bounded() {
    let a = bind().await;
    let udp = UdpSocket::bind(localhost()).unwrap();
    within(async {
        for round in 0..20_u8 {
            udp.send_to(&[b'd', round], a.local_addr()).unwrap();
            let datagram = a.recv_unclaimed().await.unwrap();
            assert_eq!(datagram.source, udp.local_addr().unwrap());
            assert_eq!(datagram.data[..], [b'd', round]);
        }
        a.send_unclaimed(udp.local_addr().unwrap(), b"answer").unwrap();
        udp.set_nonblocking(true).unwrap();
        let mut buf = [0; 100];
        let len = loop {
            match udp.recv(&mut buf) {
                Ok(len) => break len,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(buf[..len], *b"answer");

        // Nobody reads now: the newest are dropped, the oldest stay.
        let mut sent = 0_u64;
        while a.stats().unclaimed_dropped == 0 {
            assert!(sent < 100_000, "the queue is bounded");
            udp.send_to(&sent.to_be_bytes(), a.local_addr()).unwrap();
            sent += 1;
            tokio::task::yield_now().await;
        }
        for nr in 0..200_u64 {
            let datagram = a.recv_unclaimed().await.unwrap();
            assert_eq!(datagram.data[..], nr.to_be_bytes());
        }
    })
    .await;
}
