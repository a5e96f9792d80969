//! What takes time, in virtual time.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use utp_tokio::{Config, UtpSocket};
use utp_wire::{
    ConnectionId, HEADER_LEN, Header, Packet, PacketType, SeqNr, Timestamp, TimestampDiff,
};

use crate::memory::{DELAY, Network, RECEIVE_BYTES, address};
use crate::support::{data, digest, exchange, localhost, pair, receive, send, within};

fn two(network: &Network) -> (UtpSocket, UtpSocket) {
    (network.socket(1, UtpSocket::builder()), network.socket(2, UtpSocket::builder()))
}

#[tokio::test(start_paused = true)]
async fn connect_to_a_black_hole_times_out_after_21_s() {
    let network = Network::new();
    let a = network.socket(1, UtpSocket::builder());
    let started = Instant::now();
    let error = a.connect(address(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let waited = started.elapsed();
    assert!(waited > Duration::from_millis(20_990) && waited < Duration::from_millis(21_010));
    assert!(network.trace().len() >= 3, "the SYN was repeated");
}

#[tokio::test(start_paused = true)]
async fn handshake_takes_one_round_trip() {
    let network = Network::new();
    let (a, b) = two(&network);
    let started = Instant::now();
    let (_ours, _theirs) = pair(&a, &b).await;
    // The acceptor hears of it with the first packet after the handshake.
    let waited = started.elapsed();
    assert!(waited >= 3 * DELAY && waited < 3 * DELAY + Duration::from_millis(5), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn loss_in_both_directions_is_made_good() {
    let network = Network::new();
    network.deliver_if(|nr, _| nr % 13 != 7);
    let (a, b) = two(&network);
    let (ours, theirs) = pair(&a, &b).await;
    exchange(ours, theirs, [&data(1, 300_000), &data(2, 200_000)]).await;
}

#[tokio::test(start_paused = true)]
async fn silent_peer_fails_the_writer() {
    let network = Network::new();
    let (a, b) = two(&network);
    let (mut ours, _theirs) = pair(&a, &b).await;
    network.deliver_if(|_, _| false);
    ours.write_all(b"anybody there?").await.unwrap();
    let started = Instant::now();
    let error = ours.shutdown().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(120));
    assert_eq!(ours.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn same_seed_gives_the_same_run() {
    async fn run() -> Vec<(Duration, Vec<u8>)> {
        let network = Network::new();
        network.deliver_if(|nr, _| nr % 17 != 3);
        let (a, b) = two(&network);
        let (ours, theirs) = pair(&a, &b).await;
        exchange(ours, theirs, [&data(3, 100_000), &data(4, 50_000)]).await;
        drop((a, b));
        // The drivers answer repeated FINs for a while.
        sleep(Duration::from_secs(30)).await;
        network.trace()
    }
    let (first, second) = (run().await, run().await);
    assert!(first.len() > 100);
    assert_eq!(first.len(), second.len());
    for (nr, (first, second)) in first.iter().zip(&second).enumerate() {
        assert_eq!(first, second, "datagram {nr}");
    }
}

#[tokio::test(start_paused = true)]
async fn datagrams_that_had_to_wait_carry_the_time_they_go() {
    let network = Network::new();
    let (a, b) = two(&network);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let stamp_error = |nr: usize| {
        let trace = network.trace();
        let (at, datagram) = &trace[nr];
        let stamp = Packet::decode(datagram).unwrap().header.timestamp_microseconds.0;
        i64::from(stamp) - i64::try_from(at.as_micros()).unwrap()
    };
    // The clocks of socket and trace differ by a constant.
    let offset = stamp_error(0);

    within(async {
        // The window has to open first.
        let mut received = vec![0; 100_000];
        let sent = data(5, 100_000);
        let (written, read) = tokio::join!(ours.write_all(&sent), theirs.read_exact(&mut received));
        written.unwrap();
        read.unwrap();
        // Nothing else shall wake the driver meanwhile, as what the connect waited for.
        sleep(Duration::from_millis(400)).await;

        network.block(a.local_addr(), true);
        ours.write_all(&data(5, 10_000)).await.unwrap();
        sleep(Duration::from_millis(40)).await;
        let before = network.trace().len();
        network.block(a.local_addr(), false);
        sleep(Duration::from_millis(5)).await;
        let sent = network.trace().len() - before;
        assert!(sent >= 2, "a batch was waiting");
        for nr in before..before + sent {
            let (_, datagram) = &network.trace()[nr];
            assert_eq!(Packet::decode(datagram).unwrap().header.packet_type, PacketType::Data);
            assert!((stamp_error(nr) - offset).abs() < 5_000, "datagram {nr} is stale");
        }
        let mut received = vec![0; 10_000];
        theirs.read_exact(&mut received).await.unwrap();
        assert_eq!(received, data(5, 10_000));
    })
    .await;
    assert_eq!(a.stats().batches_restamped, 1);
    assert!(a.stats().sends_blocked >= 1);
}

// req: F-15
#[tokio::test(start_paused = true)]
async fn a_socket_that_takes_nothing_for_a_while_is_no_loss() {
    for blocked_ms in [1, 50, 700, 3_000, 10_000] {
        let network = Network::new();
        let (a, b) = two(&network);
        let (mut ours, mut theirs) = pair(&a, &b).await;
        let sent = data(7, 1_000_000);
        within(async {
            let block = async {
                sleep(Duration::from_millis(300)).await;
                network.block(a.local_addr(), true);
                sleep(Duration::from_millis(blocked_ms)).await;
                network.block(a.local_addr(), false);
            };
            let mut received = vec![0; sent.len()];
            let (written, read, ()) =
                tokio::join!(ours.write_all(&sent), theirs.read_exact(&mut received), block);
            written.unwrap();
            read.unwrap();
            assert!(received == sent);
        })
        .await;
        assert!(a.stats().sends_blocked >= 1, "{blocked_ms} ms");
        let _stale = ours.stats();
        sleep(Duration::from_millis(50)).await;
        let stats = ours.stats();
        assert_eq!((stats.timeouts, stats.retransmissions), (0, 0), "{blocked_ms} ms: {stats:?}");
        assert!(stats.rtt_us < 60_000, "{blocked_ms} ms: {stats:?}");
    }
}

// req: F-15
#[tokio::test(start_paused = true)]
async fn a_batch_that_had_to_wait_for_the_socket_tells_no_false_round_trip() {
    for blocked_ms in [50, 700, 10_000] {
        let network = Network::new();
        let (a, b) = two(&network);
        let (mut ours, mut theirs) = pair(&a, &b).await;
        within(async {
            let mut received = vec![0; 5_000];
            network.block(a.local_addr(), true);
            ours.write_all(&data(3, 5_000)).await.unwrap();
            sleep(Duration::from_millis(blocked_ms)).await;
            network.block(a.local_addr(), false);
            theirs.read_exact(&mut received).await.unwrap();
            sleep(Duration::from_millis(100)).await;
        })
        .await;
        let _stale = ours.stats();
        sleep(Duration::from_millis(50)).await;
        let rtt_us = ours.stats().rtt_us;
        assert!(rtt_us < 21_000, "{blocked_ms} ms: {rtt_us}");
    }
}

#[tokio::test(start_paused = true)]
async fn reader_that_stops_bounds_memory_and_loses_nothing() {
    let network = Network::new();
    let (a, b) = two(&network);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let buffer = u64::from(Config::default().receive_buffer_bytes);
    let sent = data(6, 6_000_000);
    let copy = sent.clone();
    let mut written = 0;
    within(async {
        // Read a little, so that bytes sit in every queue there is.
        let mut start = vec![0; 10];
        tokio::join!(async { written = ours.write(&copy).await.unwrap() }, async {
            theirs.read_exact(&mut start).await.unwrap();
        });
        // Write until nothing goes any more.
        while let Ok(more) = timeout(Duration::from_secs(15), ours.write(&copy[written..])).await {
            written += more.unwrap();
        }
    })
    .await;
    let charged = theirs.stats().receive_charged_bytes;
    assert!(charged > buffer * 9 / 10 && charged <= buffer + buffer / 10, "{charged} of {buffer}");
    let send_side = Config::default().send_buffer_bytes as usize + 256 * 1024 + 64 * 1024;
    let buffer = usize::try_from(buffer).unwrap();
    assert!(written <= buffer * 11 / 10 + send_side, "{written} bytes taken");

    let writer = tokio::spawn(async move {
        ours.write_all(&copy[written..]).await.unwrap();
        ours.shutdown().await.unwrap();
        ours
    });
    let rest = within(receive(&mut theirs)).await;
    assert_eq!(digest(&rest), digest(&sent[10..]));
    within(writer).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn idle_stream_stays_open_for_hours() {
    let network = Network::new();
    let (a, b) = two(&network);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    sleep(Duration::from_secs(4 * 3600)).await;
    within(async {
        send(&mut ours, b"good morning").await;
        assert_eq!(receive(&mut theirs).await, b"good morning");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_repeats_itself_for_ever_does_not_keep_a_dropped_socket() {
    let network = Network::new();
    let transport = network.transport(1);
    let alive = Arc::downgrade(&transport);
    let a = network.socket_on(transport, 1, UtpSocket::builder());
    let b = network.socket(2, UtpSocket::builder());
    let (ours, theirs) = pair(&a, &b).await;
    exchange(ours, theirs, [b"one", b"two"]).await;
    let fins: Vec<Vec<u8>> = network
        .trace()
        .into_iter()
        .map(|(_, datagram)| datagram)
        .filter(|datagram| datagram[0] >> 4 == PacketType::Fin as u8)
        .collect();
    assert!(fins.len() >= 2);
    drop(a);
    let mut answered = 0;
    for _ in 0..100 {
        sleep(Duration::from_secs(5)).await;
        let before = network.trace().len() + fins.len();
        fins.iter().for_each(|fin| network.inject(address(2), address(1), fin));
        sleep(2 * DELAY).await;
        answered += u32::from(network.trace().len() > before);
    }
    assert!((6..30).contains(&answered), "{answered} times 5 s");
    assert_eq!(alive.strong_count(), 0);
}

/// A SYN from nobody in particular.
fn syn() -> [u8; HEADER_LEN] {
    let header = Header {
        packet_type: PacketType::Syn,
        connection_id: ConnectionId(4711),
        timestamp_microseconds: Timestamp(5),
        timestamp_difference_microseconds: TimestampDiff(0),
        wnd_size: 100_000,
        seq_nr: SeqNr(1),
        ack_nr: SeqNr(0),
    };
    let mut datagram = [0; HEADER_LEN];
    header.encode(0, &mut datagram);
    datagram
}

#[tokio::test(start_paused = true)]
async fn accept_waits_for_data_unless_told_otherwise() {
    let network = Network::new();
    let patient = network.socket(1, UtpSocket::builder());
    let eager = network.socket(2, UtpSocket::builder().accept_at_syn(true));
    network.inject(address(9), address(1), &syn());
    network.inject(address(9), address(2), &syn());
    let stream = timeout(Duration::from_secs(1), eager.accept()).await.unwrap().unwrap();
    assert_eq!(stream.peer_addr(), address(9));
    assert!(timeout(Duration::from_secs(100), patient.accept()).await.is_err());
    assert_eq!(patient.stats().streams, 0, "it was forgotten");
}

#[tokio::test(start_paused = true)]
async fn stream_accepted_at_its_syn_carries_data() {
    let network = Network::new();
    let a = network.socket(1, UtpSocket::builder());
    let b = network.socket(2, UtpSocket::builder().accept_at_syn(true));
    let started = Instant::now();
    let (ours, theirs) = tokio::join!(a.connect(address(2)), async {
        let theirs = b.accept().await;
        assert!(started.elapsed() < 2 * DELAY);
        theirs
    });
    exchange(ours.unwrap(), theirs.unwrap(), [&data(7, 100_000), &data(8, 100_000)]).await;
}

#[tokio::test(start_paused = true)]
async fn receive_window_is_held_to_the_socket_buffer() {
    let network = Network::new();
    let mut config = Config::default();
    config.receive_buffer_bytes = 64 << 20;
    let (_a, b) = two(&network);
    let a = network.socket(3, UtpSocket::builder().config(config.clone()));
    let config = Arc::new(config);
    let (first, second) =
        within(async { tokio::join!(a.connect(address(2)), a.connect_with(address(2), config)) })
            .await;
    drop((first.unwrap(), second.unwrap(), b));
    for (_, datagram) in network.trace() {
        let wnd_size = Packet::decode(&datagram).unwrap().header.wnd_size;
        assert!(wnd_size as usize <= RECEIVE_BYTES / 2);
    }
}

#[tokio::test]
async fn age_of_datagrams_is_that_of_the_kernel() {
    // A datagram that waits in the socket while the driver is kept from running is not measured
    // as if the network had delayed it.
    let a = UtpSocket::bind(localhost()).await.unwrap();
    let udp = UdpSocket::bind(localhost()).unwrap();
    udp.send_to(&syn(), a.local_addr()).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let mut buf = [0; 100];
    udp.set_nonblocking(true).unwrap();
    let len = within(async {
        loop {
            match udp.recv(&mut buf) {
                Ok(len) => return len,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let answer = Packet::decode(&buf[..len]).unwrap();
    assert_eq!(answer.header.packet_type, PacketType::State);
}
