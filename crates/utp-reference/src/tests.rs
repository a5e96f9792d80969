//! Tests of the wrapper: both ends are libutp, in virtual time.

use super::*;
use std::thread;

struct Datagram {
    bytes: Vec<u8>,
    to: SocketAddr,
    dont_fragment: bool,
}

/// Time that stands still until somebody moves it, and a network that keeps everything.
struct Still {
    now_us: Cell<u64>,
    random: Cell<u16>,
    queue: RefCell<VecDeque<Datagram>>,
}

impl Outside for Still {
    fn now_us(&self) -> u64 {
        self.now_us.get()
    }

    fn random(&self) -> u16 {
        self.random.set(self.random.get().wrapping_mul(25_173).wrapping_add(13_849));
        self.random.get()
    }

    fn send(&self, datagram: &[u8], to: SocketAddr, dont_fragment: bool) {
        let datagram = Datagram { bytes: datagram.to_vec(), to, dont_fragment };
        self.queue.borrow_mut().push_back(datagram);
    }
}

/// One context is both ends: what it sends to one address comes in from the other.
struct Loop {
    context: Context,
    outside: Rc<Still>,
}

impl Loop {
    fn new(seed: u16, options: Options) -> Self {
        let outside = Rc::new(Still {
            now_us: Cell::new(1_000_000),
            random: Cell::new(seed),
            queue: RefCell::default(),
        });
        let context = Context::new(Options { accept: true, ..options }, outside.clone());
        Self { context, outside }
    }

    /// Delivers until nothing is under way, 10 ms each way, and returns what happened.
    fn run(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            self.outside.now_us.set(self.outside.now_us.get() + 10_000);
            let batch: Vec<Datagram> = self.outside.queue.borrow_mut().drain(..).collect();
            if batch.is_empty() {
                return events;
            }
            for Datagram { bytes, to, .. } in batch {
                let from = if to == client() { server() } else { client() };
                assert!(self.context.process_udp(&bytes, from));
            }
            self.context.issue_deferred_acks();
            events.extend(std::iter::from_fn(|| self.context.poll_event()));
        }
    }

    fn last_sent(&self) -> Vec<u8> {
        self.outside.queue.borrow().back().expect("something was sent").bytes.clone()
    }

    /// Connects, and returns both sockets, the initiator's first.
    fn connected(&mut self) -> (SocketId, SocketId) {
        let ours = self.context.connect(server());
        match self.run()[..] {
            [Event::Accepted(theirs), Event::Connected(connected)] if connected == ours => {
                (ours, theirs)
            }
            ref events => panic!("{events:?}"),
        }
    }
}

fn client() -> SocketAddr {
    ([10, 0, 0, 1], 1).into()
}

fn server() -> SocketAddr {
    ([0xfd00, 0, 0, 0, 0, 0, 0, 1], 2).into()
}

#[test]
fn a_stream_goes_through_the_wrapper() {
    let mut ends = Loop::new(1, Options::default());
    let (ours, theirs) = ends.connected();
    assert_eq!(ends.context.write(ours, b"hello"), 5);
    assert_eq!(ends.run(), [Event::Readable(theirs)]);
    assert_eq!(ends.context.unread(theirs), 5);
    let mut got = Vec::new();
    assert_eq!(ends.context.read(theirs, 4, |bytes| got.extend_from_slice(bytes)), 4);
    assert_eq!(ends.context.read(theirs, 9, |bytes| got.extend_from_slice(bytes)), 1);
    assert_eq!(got, b"hello");

    ends.context.shutdown(ours);
    assert_eq!(ends.run(), [Event::Eof(theirs)]);
    ends.context.close(theirs);
    ends.context.close(theirs);
    assert_eq!(ends.run(), [Event::Eof(ours)]);
    ends.context.close(ours);
    assert_eq!(ends.context.write(ours, b"late"), 0);
}

#[test]
fn a_socket_that_is_not_connected_takes_no_bytes() {
    let mut ends = Loop::new(1, Options::default());
    let ours = ends.context.connect(server());
    assert_eq!(ends.context.write(ours, b"early"), 0);
}

#[test]
fn syn_numbers_lie_where_asked() {
    for (seed, syn_seq) in (0..16).zip([SynSeq::Above, SynSeq::Below].into_iter().cycle()) {
        let mut ends = Loop::new(seed, Options { syn_seq, ..Options::default() });
        ends.context.connect(server());
        let syn = ends.last_sent();
        assert_eq!(syn[16] >= 0x80, syn_seq == SynSeq::Above, "SYN number in bytes 16 and 17");
    }
}

#[test]
fn names_of_syn_numbers_are_parsed_as_they_are_shown() {
    for (name, syn_seq) in SynSeq::NAMES.iter().zip([SynSeq::Above, SynSeq::Any, SynSeq::Below]) {
        assert_eq!((name.parse(), syn_seq.to_string()), (Ok(syn_seq), (*name).to_owned()));
    }
    assert!("over".parse::<SynSeq>().is_err());
}

#[test]
fn packets_show_the_clock_from_outside_and_probe_the_path_once() {
    let mut ends = Loop::new(3, Options::default());
    let (ours, _) = ends.connected();
    let now_us = u32::try_from(ends.outside.now_us.get()).expect("the test is short");
    assert_eq!(ends.context.write(ours, &[7; 1_212]), 1_212);
    assert_eq!(ends.last_sent()[4..8], now_us.to_be_bytes());
    let probes =
        |ends: &Loop| ends.outside.queue.borrow().iter().filter(|d| d.dont_fragment).count();
    assert_eq!(probes(&ends), 1);
    ends.run();
    assert!(ends.context.write(ours, &[7; 1_212]) > 0);
    assert_eq!(probes(&ends), 0, "its size is known now");
}

#[test]
fn a_silent_peer_is_given_up_in_virtual_time_and_the_timeouts_are_counted() {
    let mut ends = Loop::new(5, Options { gauges: true, ..Options::default() });
    let (ours, _) = ends.connected();
    assert_eq!(ends.context.write(ours, b"into the void"), 13);
    ends.outside.queue.borrow_mut().clear();
    let began = ends.outside.now_us.get();
    let failed = loop {
        ends.outside.now_us.set(ends.outside.now_us.get() + 500_000);
        ends.context.check_timeouts();
        if let Some(event) = ends.context.poll_event() {
            break event;
        }
    };
    assert_eq!(failed, Event::Error(ours, Failure::TimedOut));
    let took_ms = (ends.outside.now_us.get() - began) / 1_000;
    assert!((31_000..=33_000).contains(&took_ms), "{took_ms} ms");
    assert_eq!(ends.context.gauges(ours).timeouts, 4);
}

#[test]
fn gauges_show_a_window_that_grows() {
    let mut ends = Loop::new(9, Options { gauges: true, ..Options::default() });
    let (ours, _) = ends.connected();
    for _ in 0..4 {
        ends.context.write(ours, &[1; 100_000]);
        ends.run();
    }
    let gauges = ends.context.gauges(ours);
    assert!(gauges.window_bytes > 4 * 1_382, "{gauges:?}");
    assert_eq!((gauges.rtt_ms, gauges.timeouts), (20, 0), "{gauges:?}");
}

#[test]
fn contexts_run_side_by_side_and_the_same_way_every_time() {
    let packets = |seed| {
        let mut ends = Loop::new(seed, Options { gauges: true, ..Options::default() });
        let (ours, theirs) = ends.connected();
        let mut read = 0;
        for round in 0..40_u8 {
            ends.context.write(ours, &[round; 50_000]);
            ends.run();
            read += ends.context.read(theirs, usize::MAX, |bytes| {
                assert!(bytes.iter().all(|&byte| byte == round), "another context's bytes");
            });
        }
        (read, ends.context.gauges(ours))
    };
    let alone: Vec<_> = (0..4).map(packets).collect();
    let together: Vec<_> = (0..4).map(|seed| thread::spawn(move || packets(seed))).collect();
    let together: Vec<_> =
        together.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    assert_eq!(together, alone);
}

/// Ours keeps silent towards an initiator until its SYNs are over because of this.
#[test]
fn data_before_the_syn_ack_ends_the_syns_and_is_no_answer() {
    let syns_after = |data: bool| {
        let mut ends = Loop::new(1, Options::default());
        ends.context.connect(server());
        let syn = ends.last_sent();
        ends.outside.queue.borrow_mut().clear();
        if data {
            let mut bytes = [0; 21];
            (bytes[0], bytes[2], bytes[3]) = (0x01, syn[2], syn[3]);
            (bytes[18], bytes[19]) = (syn[16], syn[17]);
            assert!(ends.context.process_udp(&bytes, server()));
        }
        for _ in 0..120 {
            ends.outside.now_us.set(ends.outside.now_us.get() + 500_000);
            ends.context.check_timeouts();
        }
        let failed = ends.context.poll_event().is_some();
        (ends.outside.queue.borrow().len(), failed)
    };
    assert_eq!(syns_after(false), (2, true));
    assert_eq!(syns_after(true), (0, false), "neither connected nor failed in a minute");
}
