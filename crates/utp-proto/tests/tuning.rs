//! The receive buffer that follows the path, and the memory of all connections together.
#![allow(clippy::unwrap_used, reason = "tests")]

mod pair;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use pair::{Draws, Pair};
use utp_ledbat::FixedWindowFactory;
use utp_proto::{
    Config, ConnectionError, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Event,
    Instant, RecvMeta, WriteError,
};
use utp_wire::PacketType;
use wire::{MS, SECOND, Wire, plain};

/// The largest window side 1 announces while it receives `bytes` with a round trip of `rtt_us`.
fn largest_window(rtt_us: u64, bytes: u64, config: Config) -> u32 {
    let mut pair = Pair::with_config(5, config);
    pair.latency_us = rtt_us / 2;
    pair.keep_bytes = true;
    pair.connect(bytes, true);
    assert!(
        pair.run_until(600 * SECOND, |pair| { pair.apps[1].values().any(|app| app.end_of_stream) })
    );
    pair.sent(1, PacketType::State).iter().map(|seen| window(&seen.bytes)).max().unwrap()
}

fn window(datagram: &[u8]) -> u32 {
    u32::from_be_bytes(datagram[12..16].try_into().unwrap())
}

fn fixed(window_bytes: u64) -> Config {
    let mut config = Config::default();
    config.controller = Arc::new(FixedWindowFactory(window_bytes));
    config.send_buffer_bytes = 8 << 20;
    config
}

#[test]
fn the_receive_buffer_grows_to_twice_the_bandwidth_delay_product() {
    // 1 200 000 bytes in flight, on a path of any length.
    for rtt_us in [20 * MS, 100 * MS, 345 * MS] {
        let largest = largest_window(rtt_us, 30 << 20, fixed(1_200_000));
        assert!((1_500_000..=4 << 20).contains(&largest), "{largest} at {rtt_us} us");
    }
}

#[test]
fn a_slow_sender_makes_no_large_buffer() {
    let largest = largest_window(100 * MS, 4 << 20, fixed(50_000));
    assert_eq!(largest, 256 << 10);
}

#[test]
fn the_receive_buffer_stops_at_its_cap() {
    let mut config = fixed(1_200_000);
    config.receive_buffer_max_bytes = 500_000;
    assert_eq!(largest_window(100 * MS, 20 << 20, config), 500_000);
    // A cap below the beginning changes nothing.
    let mut config = fixed(1_200_000);
    config.receive_buffer_max_bytes = 0;
    assert_eq!(largest_window(20 * MS, 20 << 20, config), 256 << 10);
}

#[test]
fn an_application_that_does_not_read_gets_no_larger_buffer() {
    let mut pair = Pair::with_config(6, fixed(1_200_000));
    pair.accepts.read_max = Some(100_000);
    pair.connect(20 << 20, true);
    pair.run_for(60 * SECOND);
    let handle = pair.only_handle(1);
    let stats = pair.endpoints[1].connection(handle).unwrap().stats();
    assert_eq!(stats.receive_buffer_bytes, 256 << 10);
    assert!(stats.receive_charged_bytes <= (256 << 10) + 1_400);
}

#[test]
fn a_peer_that_measures_no_delay_gets_a_window_too() {
    let mut wire = Wire::with(plain());
    for seq in 0..2_000 {
        let mut packet = wire.data(seq, -1, &[7; 1_000]);
        packet.diff = 0;
        wire.recv(packet.stamp(0));
        wire.read();
        wire.advance(MS);
    }
    // 1 MB/s; half a second of it, twice.
    assert_eq!(wire.stats().receive_buffer_bytes, 1 << 20);
}

/// An endpoint that connects to many peers, each of them played by the test.
struct Many {
    now: Instant,
    endpoint: Endpoint,
    handles: Vec<ConnectionHandle>,
    closed: Vec<ConnectionError>,
    /// What waits to be answered: the peer's index and the packet.
    sent: VecDeque<(usize, wire::Sent)>,
    window: u32,
    /// Whose window is always open.
    open: Option<usize>,
}

impl Many {
    fn new(memory_max_bytes: usize, peers: u16, window: u32, config: &Config) -> Self {
        let mut limits = EndpointConfig::default();
        limits.memory_max_bytes = memory_max_bytes;
        let mut many = Self {
            now: Instant::from_micros(1_000_000),
            endpoint: Endpoint::new(Arc::new(limits), Box::new(Draws(7))),
            handles: Vec::new(),
            closed: Vec::new(),
            sent: VecDeque::new(),
            window,
            open: Some(8),
        };
        let config = Arc::new(config.clone());
        for peer in 0..peers {
            let handle = many.endpoint.connect(many.now, address(peer), config.clone()).unwrap();
            many.handles.push(handle);
        }
        many.settle();
        many
    }

    /// Everything is answered at once, as an attentive peer does with the window there is.
    fn settle(&mut self) {
        loop {
            while let Some((handle, event)) = self.endpoint.poll_event() {
                if let Event::Closed(error) = event {
                    self.closed.push(error);
                    self.endpoint.release(self.now, handle);
                }
            }
            let mut buf = Vec::new();
            let one = std::num::NonZeroUsize::MIN;
            while let Some(transmit) = self.endpoint.poll_transmit(self.now, one, &mut buf) {
                let bytes = &buf[transmit.start..transmit.start + transmit.size];
                let peer = usize::from(transmit.destination.port()) - 1;
                let sent = wire::Sent::new(self.now, transmit.destination, bytes);
                self.sent.push_back((peer, sent));
            }
            let Some((peer, sent)) = self.sent.pop_front() else { return };
            self.answer(peer, &sent);
        }
    }

    fn answer(&mut self, peer: usize, sent: &wire::Sent) {
        let header = sent.header;
        let id = match header.packet_type {
            PacketType::Syn => header.connection_id.0,
            PacketType::Data | PacketType::Fin => header.connection_id.0.wrapping_sub(1),
            _ => return,
        };
        let raw = wire::Raw {
            packet_type: PacketType::State,
            id,
            seq_nr: 1,
            ack_nr: header.seq_nr.0,
            wnd_size: if self.open == Some(peer) { 1 << 20 } else { self.window },
            stamp: None,
            diff: 30_000,
            extensions: Vec::new(),
            payload: Vec::new(),
        };
        let remote = address(u16::try_from(peer).unwrap());
        let meta = RecvMeta { remote, local_ip: None, received_at: None };
        let bytes = raw.encode(self.now);
        let disposition = self.endpoint.handle_datagram(self.now, meta, &bytes);
        assert!(matches!(disposition, Disposition::Consumed));
    }

    fn advance(&mut self, us: u64) {
        let end = self.now.saturating_add(us);
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// Writes until it is refused; says how much was taken.
    fn fill(&mut self, peer: usize) -> usize {
        let now = self.now;
        let Some(mut connection) = self.endpoint.connection_mut(self.handles[peer]) else {
            return 0;
        };
        let mut taken = 0;
        loop {
            match connection.write(now, &[7; 16 * 1024]) {
                Ok(len) => taken += len,
                Err(WriteError::Blocked) => return taken,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn held(&self) -> usize {
        let connections = self.handles.iter().filter_map(|at| self.endpoint.connection(*at));
        let held = connections.map(|connection| {
            let stats = connection.stats();
            stats.send_buffered_bytes + stats.receive_charged_bytes
        });
        usize::try_from(held.sum::<u64>()).unwrap()
    }
}

fn address(peer: u16) -> std::net::SocketAddr {
    ([10, 0, 0, 2], peer + 1).into()
}

// req: HO-09, WN-11
#[test]
fn a_thousand_peers_that_take_nothing_stay_within_the_budget_and_end() {
    // Less than a thousand writers may have waiting whatever the others have.
    const BUDGET: usize = 12 << 20;
    let mut many = Many::new(BUDGET, 1_000, 0, &Config::default());
    many.open = None;
    let start = many.now;
    for peer in 0..1_000 {
        many.fill(peer);
        many.settle();
        assert!(many.held() <= BUDGET + 1_000 * 4_096);
    }
    assert!(many.endpoint.stats().memory_bytes >= BUDGET);
    while many.endpoint.stats().connections > 0 {
        many.advance(SECOND);
        assert_eq!(many.endpoint.stats().memory_bytes, many.held());
        assert!(many.held() <= BUDGET + 1_000 * 4_096);
        assert!(many.now.saturating_since(start) <= 330 * SECOND);
    }
    assert_eq!(many.closed, [ConnectionError::StalledByPeer; 1_000]);
    assert_eq!(many.endpoint.stats().memory_bytes, 0);
}

// req: HO-09
#[test]
fn those_who_take_something_get_on_while_others_hold_the_memory() {
    let mut config = plain();
    config.persist_limit_us = None;
    let mut many = Many::new(4 << 20, 9, 0, &config);
    for peer in 0..8 {
        many.fill(peer);
        many.settle();
    }
    let stats = many.endpoint.stats();
    assert!(stats.memory_bytes >= 4 << 20);
    // The ninth takes what it gets.
    let mut taken = 0;
    for _ in 0..100 {
        taken += many.fill(8);
        many.settle();
    }
    assert!(taken >= 100 * 4_096, "a few packets for everybody: {taken}");
    // After half a minute the worst is given up, and there is room for the rest.
    many.advance(60 * SECOND);
    assert_eq!(many.closed.first(), Some(&ConnectionError::StalledByPeer));
    let culled = many.endpoint.stats().stalled_culled;
    assert!((1..8).contains(&culled), "only as many as needed: {culled}");
    assert!(many.fill(8) > 100_000);
}

#[test]
fn a_writer_that_was_refused_for_the_memory_of_others_is_told_when_there_is_some() {
    let mut config = plain();
    config.persist_limit_us = None;
    let mut many = Many::new(1 << 20, 3, 0, &config);
    many.fill(0);
    many.settle();
    assert!(many.fill(1) <= 4_096);
    assert!(many.fill(2) <= 4_096);
    many.settle();
    let now = many.now;
    many.endpoint.connection_mut(many.handles[0]).unwrap().abort(now);
    let mut told = Vec::new();
    while let Some((handle, event)) = many.endpoint.poll_event() {
        if event == Event::Writable {
            told.push(handle);
        }
    }
    told.sort_unstable();
    assert_eq!(told, many.handles[1..]);
}

#[test]
fn the_ledger_is_the_sum_of_what_is_held_at_any_time() {
    for seed in 0..40 {
        let mut draws = Draws(seed);
        let mut config = plain();
        config.send_buffer_bytes = 100_000;
        let mut many = Many::new(300_000, 10, 1 << 20, &config);
        for _ in 0..300 {
            let peer = usize::try_from(draws.next() % 10).unwrap();
            let now = many.now;
            let gone = many.endpoint.connection(many.handles[peer]).is_none();
            match draws.next() % 12 {
                0 if gone => {
                    let remote = address(u16::try_from(peer).unwrap());
                    let config = Arc::new(config.clone());
                    if let Ok(handle) = many.endpoint.connect(now, remote, config) {
                        many.handles[peer] = handle;
                    }
                }
                1 => many.endpoint.release(now, many.handles[peer]),
                2 if !gone => many.endpoint.connection_mut(many.handles[peer]).unwrap().abort(now),
                3 => many.window = 0,
                4 | 5 => many.window = 3_000,
                6 => many.advance(draws.next() % (20 * SECOND)),
                7 => many.settle(),
                _ if !gone => {
                    let mut connection = many.endpoint.connection_mut(many.handles[peer]).unwrap();
                    let len = usize::try_from(draws.next() % 60_000).unwrap();
                    let _refused = connection.write(now, &vec![7; len]);
                }
                _ => {}
            }
            assert_eq!(many.endpoint.stats().memory_bytes, many.held(), "seed {seed}");
            assert!(many.held() <= 300_000 + 10 * 4_096);
        }
    }
}

// req: WN-10
#[test]
fn data_that_nobody_reads_stays_within_the_budget_on_all_connections_together() {
    let mut pair = Pair::with_config(9, fixed(1 << 20));
    pair.accepts.read_max = Some(0);
    let mut limits = EndpointConfig::default();
    limits.memory_max_bytes = 1 << 20;
    pair.endpoints[1] = Endpoint::new(Arc::new(limits), Box::new(Draws(3)));
    for _ in 0..20 {
        pair.connect(1 << 20, false);
    }
    let mut largest = 0;
    for _ in 0..100 {
        pair.run_for(100 * MS);
        let held: u64 = pair.apps[1]
            .keys()
            .map(|handle| {
                pair.endpoints[1].connection(*handle).unwrap().stats().receive_charged_bytes
            })
            .sum();
        assert_eq!(pair.endpoints[1].stats().memory_bytes as u64, held);
        largest = largest.max(held);
    }
    assert!((900_000..=(1 << 20) + 20 * 5_500).contains(&largest), "{largest}");
    // Everybody goes on once they are read.
    for app in pair.apps[1].values_mut() {
        app.read_max = None;
    }
    pair.drain(1);
    assert!(
        pair.run_until(120 * SECOND, |pair| {
            pair.apps[1].values().all(|app| app.read == 1 << 20)
        })
    );
}
