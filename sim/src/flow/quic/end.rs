//! One end of the connection: endpoint, connection and stream, without time or network.

use bytes::{Bytes, BytesMut};
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, Event, ReadError,
    StreamEvent, StreamId, VarInt,
};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Instant;

/// A stack at one host.
pub(super) struct End {
    endpoint: Endpoint,
    /// Boxed, since a flow that has not started needs none.
    connection: Option<Box<(ConnectionHandle, Connection)>>,
    stream: Option<StreamId>,
    /// The stream is over for the application: written to its end, read to its end, or given up.
    closed: bool,
    /// Nothing is on its way any more: the peer has all of it, or it was given up.
    done: bool,
    /// What the endpoint itself answers.
    responses: VecDeque<Bytes>,
    buffer: Vec<u8>,
}

impl End {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            connection: None,
            stream: None,
            closed: false,
            done: false,
            responses: VecDeque::new(),
            buffer: Vec::new(),
        }
    }

    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connection.as_deref().map(|(_, connection)| connection)
    }

    /// Whether what was written has arrived, or never will.
    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Begins a handshake.
    pub(super) fn connect(&mut self, now: Instant, config: ClientConfig) {
        let connected = self.endpoint.connect(now, config, PEER, "localhost");
        self.connection = Some(Box::new(connected.expect("address and name are valid")));
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        self.connection.as_deref_mut().and_then(|(_, connection)| connection.poll_timeout())
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            if let Some((_, connection)) = self.connection.as_deref_mut() {
                connection.handle_timeout(now);
            }
            self.settle();
        }
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, data: BytesMut) {
        self.buffer.clear();
        match self.endpoint.handle(now, PEER, None, None, data, &mut self.buffer) {
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                if let Some((_, connection)) = self.connection.as_deref_mut() {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                self.buffer.clear();
                if let Ok(accepted) = self.endpoint.accept(incoming, now, &mut self.buffer, None) {
                    self.connection = Some(Box::new(accepted));
                }
            }
            Some(DatagramEvent::Response(transmit)) => {
                self.responses.push_back(Bytes::copy_from_slice(&self.buffer[..transmit.size]));
            }
            None => {}
        }
        self.settle();
    }

    /// The next datagram to send now.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Bytes> {
        if let Some(response) = self.responses.pop_front() {
            return Some(response);
        }
        self.buffer.clear();
        let (_, connection) = self.connection.as_deref_mut()?;
        let transmit = connection.poll_transmit(now, 1, &mut self.buffer)?;
        let datagram = Bytes::copy_from_slice(&self.buffer[..transmit.size]);
        self.settle();
        Some(datagram)
    }

    /// Writes up to `left` bytes to the stream, which it opens once that is possible, and ends it
    /// with the last of them. Returns how many the stack took.
    pub(super) fn write(&mut self, left: u64) -> u64 {
        let Some((_, connection)) = self.connection.as_deref_mut() else { return 0 };
        if self.closed || connection.is_handshaking() || connection.is_closed() {
            return 0;
        }
        if self.stream.is_none() {
            self.stream = connection.streams().open(Dir::Uni);
        }
        let Some(stream) = self.stream else { return 0 };
        let mut send = connection.send_stream(stream);
        let mut written = 0;
        while written < left {
            let part = usize::try_from(left - written).unwrap_or(usize::MAX).min(ZEROS.len());
            let Ok(taken) = send.write_chunks(&mut [Bytes::from_static(&ZEROS[..part])]) else {
                break;
            };
            written += taken.bytes as u64;
        }
        if written == left {
            // A stream that its peer has stopped is over as well.
            self.closed = true;
            drop(send.finish());
        }
        written
    }

    /// Sends nothing new and repeats nothing.
    pub(super) fn abandon(&mut self) {
        self.closed = true;
        self.done = true;
        if let (Some(stream), Some((_, connection))) = (self.stream, self.connection.as_deref_mut())
        {
            // A finished stream has nothing to give up.
            drop(connection.send_stream(stream).reset(VarInt::from_u32(0)));
        }
    }

    /// Reads all there is, in order, and returns how many bytes it was.
    pub(super) fn read(&mut self) -> u64 {
        let Some((_, connection)) = self.connection.as_deref_mut() else { return 0 };
        if self.closed {
            return 0;
        }
        if self.stream.is_none() {
            self.stream = connection.streams().accept(Dir::Uni);
        }
        let Some(stream) = self.stream else { return 0 };
        let mut receive = connection.recv_stream(stream);
        let Ok(mut chunks) = receive.read(true) else {
            self.closed = true;
            return 0;
        };
        let mut bytes = 0;
        loop {
            match chunks.next(usize::MAX) {
                Ok(Some(chunk)) => bytes += chunk.bytes.len() as u64,
                Err(ReadError::Blocked) => break,
                Ok(None) | Err(ReadError::Reset(_)) => {
                    self.closed = true;
                    break;
                }
            }
        }
        // Credit that becomes due leaves with what is sent next in this call.
        drop(chunks);
        bytes
    }

    /// Carries events between endpoint and connection until there are none.
    fn settle(&mut self) {
        let Some((handle, connection)) = self.connection.as_deref_mut() else { return };
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }
        while let Some(event) = connection.poll() {
            match event {
                Event::Stream(StreamEvent::Finished { .. }) => self.done = true,
                Event::ConnectionLost { .. } => (self.closed, self.done) = (true, true),
                _ => {}
            }
        }
    }
}

/// Any address does: packets are routed by flow.
const PEER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4433));

/// What is transferred. Long, since the stack searches its list of chunks for every packet.
static ZEROS: [u8; 256 << 10] = [0; 256 << 10];
