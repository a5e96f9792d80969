//! The UDP transport over the loopback interface.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::future::poll_fn;
use std::io::{IoSliceMut, Result};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::time::timeout;
use utp_tokio::transport::{
    AsyncUdpSocket, Datagrams, IcmpError, IcmpMessage, RecvMeta, UdpTransport,
};

const BUFFER_BYTES: usize = 1 << 20;
const LIMIT: Duration = Duration::from_secs(60);

fn v4() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn bind(address: SocketAddr) -> UdpTransport {
    UdpTransport::bind(address, BUFFER_BYTES).unwrap()
}

fn datagrams(destination: SocketAddr, contents: &[u8], segment_size: usize) -> Datagrams<'_> {
    Datagrams {
        destination,
        source: None,
        contents,
        segment_size: Some(segment_size),
        dont_fragment: true,
    }
}

async fn send_all(transport: &UdpTransport, batch: Datagrams<'_>) -> Result<()> {
    let mut rest = batch;
    while !rest.contents.is_empty() {
        let sent = poll_fn(|cx| transport.poll_send(cx, &rest)).await?;
        assert!(sent > 0, "a transport that is ready takes something");
        rest.contents = &rest.contents[sent..];
    }
    Ok(())
}

/// Receives datagrams until there are `count`, with what is known about each.
async fn receive(transport: &UdpTransport, count: usize) -> Vec<(Vec<u8>, RecvMeta)> {
    let mut space = vec![vec![0; 65_535]; 8];
    let mut received = Vec::new();
    while received.len() < count {
        let mut bufs: Vec<_> = space.iter_mut().map(|buf| IoSliceMut::new(buf)).collect();
        let mut meta = [RecvMeta::default(); 8];
        let polled = poll_fn(|cx| transport.poll_recv(cx, &mut bufs, &mut meta));
        let filled = timeout(LIMIT, polled).await.expect("datagrams arrive").unwrap();
        for (buf, meta) in bufs.iter().zip(&meta[..filled]) {
            for datagram in buf[..meta.len].chunks(meta.stride.max(1)) {
                received.push((datagram.to_vec(), *meta));
            }
        }
    }
    received
}

/// `count` datagrams of `size` bytes, each beginning with its number.
fn numbered(count: u8, size: usize) -> Vec<u8> {
    let mut contents = vec![0xa5; usize::from(count) * size];
    for (datagram, number) in contents.chunks_mut(size).zip(0..count) {
        datagram[0] = number;
    }
    contents
}

#[tokio::test]
async fn batch_arrives_datagram_by_datagram() {
    let (from, to) = (bind(v4()), bind(v4()));
    let mut contents = numbered(40, 1_200);
    contents.truncate(contents.len() - 700);
    send_all(&from, datagrams(to.local_addr().unwrap(), &contents, 1_200)).await.unwrap();
    let received = receive(&to, 40).await;
    let sent: Vec<_> = contents.chunks(1_200).collect();
    assert!(received.iter().map(|(datagram, _)| datagram.as_slice()).eq(sent));
    for (_, meta) in received {
        assert_eq!(meta.source, from.local_addr().unwrap());
        if cfg!(target_os = "linux") {
            assert_eq!(meta.local_ip, Some(Ipv4Addr::LOCALHOST.into()));
            assert!(meta.age.is_some());
        }
    }
}

#[tokio::test]
async fn batch_larger_than_one_call_takes_goes_in_parts() {
    let (from, to) = (bind(v4()), bind(v4()));
    let contents = numbered(12, 16_000);
    let destination = to.local_addr().unwrap();
    let whole = datagrams(destination, &contents, 16_000);
    let first = poll_fn(|cx| from.poll_send(cx, &whole)).await.unwrap();
    assert!(first <= 65_507);
    assert_eq!(first % 16_000, 0);
    let rest = datagrams(destination, &contents[first..], 16_000);
    send_all(&from, rest).await.unwrap();
    let received = receive(&to, 12).await;
    assert!(received.iter().map(|(datagram, _)| datagram[0]).eq(0..12));
}

#[tokio::test]
async fn datagrams_of_the_largest_size_go_one_by_one() {
    let (from, to) = (bind(v4()), bind(v4()));
    let contents = numbered(3, 65_507);
    send_all(&from, datagrams(to.local_addr().unwrap(), &contents, 65_507)).await.unwrap();
    let received = receive(&to, 3).await;
    assert!(received.iter().all(|(datagram, _)| datagram.len() == 65_507));
}

#[tokio::test]
async fn socket_for_both_families_speaks_plain_ipv4() {
    let any = match UdpTransport::bind((Ipv6Addr::UNSPECIFIED, 0).into(), BUFFER_BYTES) {
        Ok(any) => any,
        Err(error) => return eprintln!("skipped, no IPv6 here: {error}"),
    };
    let peer = bind(v4());
    let port = any.local_addr().unwrap().port();
    send_all(&peer, datagrams((Ipv4Addr::LOCALHOST, port).into(), b"question", 8)).await.unwrap();
    let (question, meta) = receive(&any, 1).await.remove(0);
    assert_eq!(question, b"question");
    assert_eq!(meta.source, peer.local_addr().unwrap());
    assert_eq!(meta.local_ip, Some(Ipv4Addr::LOCALHOST.into()));
    let answer = Datagrams {
        destination: meta.source,
        source: meta.local_ip,
        contents: b"answer",
        segment_size: None,
        dont_fragment: true,
    };
    send_all(&any, answer).await.unwrap();
    let (answer, meta) = receive(&peer, 1).await.remove(0);
    assert_eq!(answer, b"answer");
    assert_eq!(meta.source, (Ipv4Addr::LOCALHOST, port).into());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn answer_leaves_from_the_address_that_was_asked() {
    let any = bind((Ipv4Addr::UNSPECIFIED, 0).into());
    let peer = bind(v4());
    let asked: SocketAddr = (Ipv4Addr::new(127, 0, 0, 2), any.local_addr().unwrap().port()).into();
    send_all(&peer, datagrams(asked, b"question", 8)).await.unwrap();
    let (_, meta) = receive(&any, 1).await.remove(0);
    assert_eq!(meta.local_ip, Some(asked.ip()));
    let answer = Datagrams {
        destination: meta.source,
        source: meta.local_ip,
        contents: b"answer",
        segment_size: None,
        dont_fragment: true,
    };
    send_all(&any, answer).await.unwrap();
    let (_, meta) = receive(&peer, 1).await.remove(0);
    assert_eq!(meta.source, asked);
}

#[cfg(target_os = "linux")]
async fn next_icmp(transport: &UdpTransport) -> IcmpMessage {
    let polled = poll_fn(|cx| transport.poll_icmp(cx));
    timeout(LIMIT, polled).await.expect("the kernel reports the failure")
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn port_without_listener_is_reported_with_the_datagram() {
    for address in [v4(), (Ipv6Addr::LOCALHOST, 0).into()] {
        let Ok(from) = UdpTransport::bind(address, BUFFER_BYTES) else {
            continue;
        };
        let Ok(gone) = std::net::UdpSocket::bind(address) else {
            continue;
        };
        let nobody = gone.local_addr().unwrap();
        drop(gone);
        for round in 0..3_u8 {
            let contents = [round; 30];
            send_all(&from, datagrams(nobody, &contents, 30)).await.unwrap();
            let message = next_icmp(&from).await;
            assert_eq!(message.destination, nobody);
            assert_eq!(message.error, IcmpError::Unreachable);
            assert_eq!(message.quoted(), contents);
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn failure_of_one_peer_spares_the_others() {
    let (from, to) = (bind(v4()), bind(v4()));
    let gone = bind(v4());
    let nobody = gone.local_addr().unwrap();
    drop(gone);
    for round in 0..50_u8 {
        send_all(&from, datagrams(nobody, b"lost", 4)).await.unwrap();
        send_all(&from, datagrams(to.local_addr().unwrap(), &[round; 9], 9)).await.unwrap();
        send_all(&to, datagrams(from.local_addr().unwrap(), &[round; 7], 7)).await.unwrap();
        assert_eq!(receive(&to, 1).await[0].0, [round; 9]);
        assert_eq!(receive(&from, 1).await[0].0, [round; 7]);
    }
}

#[tokio::test]
async fn kernel_buffers_are_reported_as_granted() {
    let transport = bind(v4());
    let granted = transport.buffer_bytes();
    assert!(granted.receive.unwrap() >= 4_096);
    assert!(granted.send.unwrap() >= 4_096);
    assert!(granted.receive.unwrap() <= 2 * BUFFER_BYTES, "more than asked for");
}

#[tokio::test]
async fn bound_socket_is_taken_over_with_its_address() {
    let socket = std::net::UdpSocket::bind(v4()).unwrap();
    let address = socket.local_addr().unwrap();
    let transport = UdpTransport::from_std(socket, BUFFER_BYTES).unwrap();
    assert_eq!(transport.local_addr().unwrap(), address);
    let peer = bind(v4());
    send_all(&peer, datagrams(address, b"hello", 5)).await.unwrap();
    assert_eq!(receive(&transport, 1).await[0].0, b"hello");
}

#[tokio::test]
async fn datagram_to_the_other_family_is_lost_and_nothing_else() {
    let (from, to) = (bind(v4()), bind(v4()));
    let wrong = datagrams((Ipv6Addr::LOCALHOST, 9).into(), b"lost", 4);
    assert!(send_all(&from, wrong).await.is_err());
    send_all(&from, datagrams(to.local_addr().unwrap(), b"hello", 5)).await.unwrap();
    assert_eq!(receive(&to, 1).await[0].0, b"hello");
}

#[tokio::test]
async fn segmentation_survives_a_peer_without_a_port() {
    let (from, to) = (bind(v4()), bind(v4()));
    let segments = from.max_send_segments();
    let contents = numbered(4, 100);
    for _ in 0..20 {
        let wrong = datagrams((Ipv4Addr::LOCALHOST, 0).into(), &contents, 100);
        assert!(send_all(&from, wrong).await.is_err());
    }
    assert_eq!(from.max_send_segments(), segments);
    send_all(&from, datagrams(to.local_addr().unwrap(), &contents, 100)).await.unwrap();
    assert_eq!(receive(&to, 4).await.len(), 4);
}
