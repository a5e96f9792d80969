//! The thread that owns the network: it moves the model's time along with the real one, takes what
//! arrives at the sockets, and sends on each datagram at its moment.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use utp_sim::network::Network;
use utp_sim::packet::{Datagram, Delivery, HostId};
use utp_sim::time::Ns;

use super::{Moment, Observer, Passed, RelayRecord};

/// What the threads of the sockets tell.
#[derive(Debug)]
pub(super) enum Input {
    /// A datagram arrived.
    Datagram {
        at: Instant,
        /// The client that sent it or is to have it.
        client: u16,
        from: HostId,
        payload: Bytes,
    },
    /// The client with the next number was seen for the first time.
    Opened(Ends),
}

/// Where the datagrams of one client go.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) client: SocketAddr,
    /// The socket that the server answers to, and its address.
    pub(super) back: Arc<UdpSocket>,
    pub(super) back_address: SocketAddr,
}

pub(super) struct Clockwork {
    network: Network,
    front: Arc<UdpSocket>,
    front_address: SocketAddr,
    server: SocketAddr,
    /// Bytes that headers add on a link.
    overhead: u32,
    ends: Vec<Ends>,
    due: BinaryHeap<Reverse<Due>>,
    pushed: u64,
    observer: Option<Observer>,
    record: RelayRecord,
}

/// A datagram that leaves at a moment; among those of one moment the one that was first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Ns,
    number: u64,
    client: u16,
    to_server: bool,
    payload: Bytes,
}

impl Clockwork {
    pub(super) fn new(
        network: Network,
        (front, front_address): (Arc<UdpSocket>, SocketAddr),
        server: SocketAddr,
        overhead: u32,
        observer: Option<Observer>,
    ) -> Self {
        Self {
            network,
            front,
            front_address,
            server,
            overhead,
            ends: Vec::new(),
            due: BinaryHeap::new(),
            pushed: 0,
            observer,
            record: RelayRecord::default(),
        }
    }

    /// Carries datagrams until nobody is left who could hand one in, and returns what happened.
    pub(super) fn run(mut self, inputs: &Receiver<Input>) -> RelayRecord {
        loop {
            let input = match self.advance() {
                None => inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(next) => inputs.recv_timeout(next.saturating_duration_since(Instant::now())),
            };
            match input {
                Ok(input) => {
                    self.take(input);
                    // What came with it enters before time goes on.
                    while let Ok(input) = inputs.try_recv() {
                        self.take(input);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.record.network = self.network.finish();
        self.record
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Opened(ends) => self.ends.push(ends),
            Input::Datagram { at, client, from, payload } => {
                // The first one is the beginning of the model's time.
                let start = *self.record.start.get_or_insert(at);
                let at = Ns::from_duration(at.saturating_duration_since(start));
                self.show(at, Moment::Entered, client, from == HostId::Left, &payload);
                let datagram = Datagram {
                    source: from.port(client),
                    destination: from.peer().port(client),
                    overhead: self.overhead,
                    // A socket does not tell how a datagram was sent that it receives.
                    dont_fragment: false,
                    payload,
                };
                self.network.inject(at.max(self.network.now()), from, datagram);
            }
        }
    }

    /// Moves the model up to now and sends what is due. Returns when there is more to do.
    fn advance(&mut self) -> Option<Instant> {
        let start = self.record.start?;
        let now = Ns::from_duration(start.elapsed());
        let Self { network, due, pushed, .. } = self;
        // One more, since what happens at a moment is not before it.
        network.run_until(now + Ns(1), &mut |at, to, delivery| {
            let Delivery::Datagram(datagram) = delivery else { return };
            let to_server = to == HostId::Right;
            let Some(client) = to.flow_of_port(datagram.destination) else { return };
            *pushed += 1;
            let Datagram { payload, .. } = datagram;
            due.push(Reverse(Due { at, number: *pushed, client, to_server, payload }));
        });
        while self.due.peek().is_some_and(|Reverse(due)| due.at <= now) {
            let Some(Reverse(due)) = self.due.pop() else { break };
            self.send(start, &due);
        }
        let due = self.due.peek().map(|Reverse(due)| due.at);
        let event = self.network.next_event_at();
        let next = [due, event].into_iter().flatten().min()?;
        Some(start + next.as_duration())
    }

    fn send(&mut self, start: Instant, due: &Due) {
        let Due { at, client, to_server, payload, .. } = due;
        let now = Ns::from_duration(start.elapsed());
        let late = now.saturating_sub(*at).as_duration();
        self.record.sent += 1;
        self.record.late += u64::from(late > LATE);
        self.record.late_max = self.record.late_max.max(late);
        self.show(now, Moment::Left, *client, *to_server, payload);
        let ends = &self.ends[usize::from(*client)];
        // A datagram that cannot be sent is a lost one.
        drop(match to_server {
            true => ends.back.send_to(payload, self.server),
            false => self.front.send_to(payload, ends.client),
        });
    }

    fn show(&mut self, at: Ns, moment: Moment, client: u16, to_server: bool, payload: &[u8]) {
        let Some(observer) = &mut self.observer else { return };
        let Ends { client, back_address, .. } = self.ends[usize::from(client)];
        let at_client = to_server == (moment == Moment::Entered);
        let (near, far) = match at_client {
            true => (client, self.front_address),
            false => (back_address, self.server),
        };
        let (source, destination) = if to_server { (near, far) } else { (far, near) };
        let at = at.as_duration();
        observer(&Passed { at, moment, to_server, source, destination, payload });
    }
}

/// What is later than this was late: the shortest delay of interest is some milliseconds.
const LATE: Duration = Duration::from_millis(1);
