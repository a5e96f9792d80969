//! The memory that a reader who has stopped costs, as the allocator sees it.
//!
//! The peer is a bare socket, so that it can send what no honest sender would: single bytes, and
//! batches in which a few new bytes come with many that are not kept.
#![allow(clippy::unwrap_used, reason = "tests")]
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::IoSliceMut;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use utp_tokio::transport::{AsyncUdpSocket, Datagrams, RecvMeta, UdpTransport};
use utp_tokio::{UtpSocket, UtpStream};
use utp_wire::{ConnectionId, HEADER_LEN, Header, Packet, PacketType, SeqNr};
use utp_wire::{Timestamp, TimestampDiff};

struct Counting;

static ALLOCATED: AtomicI64 = AtomicI64::new(0);

fn count(bytes: usize, sign: i64) {
    ALLOCATED.fetch_add(sign * i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
}

// SAFETY: every call is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The tests count the same allocations, so that they take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A peer made of raw packets, and the stream it has opened.
struct Peer {
    transport: UdpTransport,
    to: SocketAddr,
    seq_nr: SeqNr,
    ack_nr: SeqNr,
    buf: Vec<u8>,
}

impl Peer {
    async fn open(socket: &UtpSocket) -> (Self, UtpStream) {
        let transport = UdpTransport::bind((Ipv4Addr::LOCALHOST, 0).into(), 4 << 20).unwrap();
        let mut peer = Self {
            transport,
            to: socket.local_addr(),
            seq_nr: SeqNr(1),
            ack_nr: SeqNr(0),
            buf: vec![0; 70_000],
        };
        let syn = peer.packet(PacketType::Syn, 100, SeqNr(1), b"");
        peer.send(&syn, None).await;
        peer.ack_nr = peer.answer().await.seq_nr.previous();
        let first = peer.next(b"first");
        peer.send(&first, None).await;
        peer.answer().await;
        (peer, socket.accept().await.unwrap())
    }

    fn packet(&self, packet_type: PacketType, id: u16, seq_nr: SeqNr, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            packet_type,
            connection_id: ConnectionId(id),
            timestamp_microseconds: Timestamp(1_000),
            timestamp_difference_microseconds: TimestampDiff(1_000),
            wnd_size: 1 << 20,
            seq_nr,
            ack_nr: self.ack_nr,
        };
        let mut bytes = [0; HEADER_LEN];
        header.encode(0, &mut bytes);
        [&bytes, payload].concat()
    }

    fn next(&mut self, payload: &[u8]) -> Vec<u8> {
        self.seq_nr = self.seq_nr.next();
        self.packet(PacketType::Data, 101, self.seq_nr, payload)
    }

    async fn send(&self, contents: &[u8], segment_size: Option<usize>) {
        let datagrams = Datagrams {
            destination: self.to,
            source: None,
            contents,
            segment_size,
            dont_fragment: true,
        };
        std::future::poll_fn(|cx| self.transport.poll_send(cx, &datagrams)).await.unwrap();
    }

    async fn answer(&mut self) -> Header {
        let mut meta = [RecvMeta::default()];
        let (transport, buf) = (&self.transport, &mut self.buf);
        let received = std::future::poll_fn(|cx| {
            transport.poll_recv(cx, &mut [IoSliceMut::new(buf)], &mut meta)
        });
        timeout(Duration::from_secs(10), received).await.expect("an answer").unwrap();
        Packet::decode(&self.buf[..meta[0].len]).expect("uTP").header
    }
}

fn run(test: impl Future<Output = ()>) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

#[test]
fn single_bytes_cost_no_more_than_a_little_beyond_themselves() {
    run(async {
        let socket = UtpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let (mut peer, stream) = Peer::open(&socket).await;
        let before = ALLOCATED.load(Ordering::Relaxed);
        for _ in 0..20_000 {
            let packet = peer.next(b"x");
            peer.send(&packet, None).await;
            peer.answer().await;
        }
        let grown = ALLOCATED.load(Ordering::Relaxed) - before;
        // A queue of 64 chunks that hold a byte each, and half of one that is not full.
        assert!(grown < 20_000 + 32_000, "{grown} bytes for 20 000");
        drop(stream);
    });
}

#[test]
fn bytes_that_came_with_others_do_not_pin_those() {
    run(async {
        let socket = UtpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let (mut peer, stream) = Peer::open(&socket).await;
        let known = peer.next(&[7; 600]);
        peer.send(&known, None).await;
        peer.answer().await;
        let segments = peer.transport.max_send_segments().min(65_000 / known.len());
        let before = ALLOCATED.load(Ordering::Relaxed);
        for _ in 0..400 {
            let mut batch = known.repeat(segments.saturating_sub(1));
            batch.extend_from_slice(&peer.next(&[7; 600]));
            peer.send(&batch, Some(known.len())).await;
            drop(batch);
            // The ack of the new packet may come behind those of the others.
            while peer.answer().await.ack_nr != peer.seq_nr {}
        }
        let grown = ALLOCATED.load(Ordering::Relaxed) - before;
        assert!(grown < 240_000 + 60_000, "{grown} bytes for 240 000");
        drop(stream);
    });
}
