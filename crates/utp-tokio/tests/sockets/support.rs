//! What the tests share: sockets, data and limits.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use utp_tokio::{UtpSocket, UtpStream};

/// No test takes this long.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn localhost() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

pub(crate) async fn bind() -> UtpSocket {
    UtpSocket::bind(localhost()).await.unwrap()
}

/// Fails instead of waiting for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("the test ends in time")
}

/// A connection between two sockets: the initiator's end and the acceptor's.
pub(crate) async fn pair(initiator: &UtpSocket, acceptor: &UtpSocket) -> (UtpStream, UtpStream) {
    let (ours, theirs) =
        within(async { tokio::join!(initiator.connect(acceptor.local_addr()), acceptor.accept()) })
            .await;
    (ours.unwrap(), theirs.unwrap())
}

/// A number that looks random (`SplitMix64`).
pub(crate) fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Bytes in which nothing repeats.
pub(crate) fn data(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| next_random(&mut state).to_le_bytes());
    words.flatten().take(len).collect()
}

pub(crate) fn digest(data: &[u8]) -> Vec<u8> {
    Sha256::digest(data).to_vec()
}

/// Writes all of `data` in pieces of odd sizes and ends the direction.
pub(crate) async fn send(writer: &mut (impl AsyncWrite + Unpin), data: &[u8]) {
    let mut rest = data;
    let mut size = 1;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(size.min(rest.len()));
        writer.write_all(piece).await.unwrap();
        rest = tail;
        size = size * 3 % 100_003 + 1;
    }
    writer.shutdown().await.unwrap();
}

pub(crate) async fn receive(reader: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut received = Vec::new();
    reader.read_to_end(&mut received).await.unwrap();
    received
}

/// Sends `data` both ways at once and compares what arrives.
pub(crate) async fn exchange(ours: UtpStream, theirs: UtpStream, data: [&[u8]; 2]) {
    let (mut our_reader, mut our_writer) = ours.into_split();
    let (mut their_reader, mut their_writer) = theirs.into_split();
    let ((), (), here, there) = within(async {
        tokio::join!(
            send(&mut our_writer, data[0]),
            send(&mut their_writer, data[1]),
            receive(&mut our_reader),
            receive(&mut their_reader),
        )
    })
    .await;
    assert_eq!(digest(&there), digest(data[0]));
    assert_eq!(digest(&here), digest(data[1]));
}
