//! Our core behind [`Stack`].

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

use utp_proto::{
    Config, ConnectionError, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Event,
    Instant, ReadError, RecvMeta, WriteError,
};

use super::{Failure, Got, Stack, StreamId, address, seed};
use crate::draws::Draws;
use crate::script::Script;

pub(super) struct Ours {
    endpoint: Endpoint,
    config: Arc<Config>,
    /// The other side.
    peer: usize,
    streams: Vec<Stream>,
    accepted: VecDeque<StreamId>,
    buffer: Vec<u8>,
}

struct Stream {
    handle: ConnectionHandle,
    initiator: bool,
    connected: bool,
    closed: Option<ConnectionError>,
}

impl Ours {
    pub(super) fn new(script: &Script, side: usize) -> Self {
        let host = &script.sides[side];
        let mut endpoint_config = EndpointConfig::default();
        endpoint_config.report_at_syn = host.reports_at_syn;
        let mut config = Config::default();
        if let Some(bytes) = host.receive_buffer_bytes {
            config.receive_buffer_bytes = bytes;
            config.receive_buffer_max_bytes = bytes;
        }
        let entropy = Draws(seed(script, side));
        Self {
            endpoint: Endpoint::new(Arc::new(endpoint_config), Box::new(entropy)),
            config: Arc::new(config),
            peer: 1 - side,
            streams: Vec::new(),
            accepted: VecDeque::new(),
            buffer: Vec::new(),
        }
    }

    fn add(&mut self, handle: ConnectionHandle, initiator: bool) -> StreamId {
        self.streams.push(Stream { handle, initiator, connected: false, closed: None });
        self.streams.len() - 1
    }

    fn take_events(&mut self) {
        while let Some((handle, event)) = self.endpoint.poll_event() {
            let stream = self.streams.iter_mut().find(|stream| stream.handle == handle);
            let Some(stream) = stream else { continue };
            match event {
                Event::Connected => stream.connected = true,
                Event::Closed(error) => stream.closed = Some(error),
                _ => {}
            }
        }
    }
}

impl Stack for Ours {
    fn connect(&mut self, now_us: u64) -> StreamId {
        let (now, remote) = (Instant::from_micros(now_us), address(self.peer));
        let handle = self.endpoint.connect(now, remote, self.config.clone());
        self.add(handle.expect("the endpoint is empty"), true)
    }

    fn accept(&mut self) -> Option<StreamId> {
        self.accepted.pop_front()
    }

    fn is_open(&self, id: StreamId) -> bool {
        self.streams[id].connected || !self.streams[id].initiator
    }

    fn failure(&self, id: StreamId) -> Option<Failure> {
        self.streams[id].closed.map(failure)
    }

    fn is_proven(&self, id: StreamId) -> bool {
        self.streams[id].connected
    }

    fn write(&mut self, now_us: u64, id: StreamId, bytes: &[u8]) -> Result<usize, Failure> {
        let handle = self.streams[id].handle;
        let Some(mut connection) = self.endpoint.connection_mut(handle) else {
            return Err(Failure::Other("the connection is gone before it was released"));
        };
        match connection.write(Instant::from_micros(now_us), bytes) {
            Ok(written) => Ok(written),
            Err(WriteError::Blocked) => Ok(0),
            Err(WriteError::Closed(error)) => Err(failure(error)),
            Err(_) => Err(Failure::Other("the stream refuses a write before its end")),
        }
    }

    fn read(&mut self, now_us: u64, id: StreamId, max: usize, take: &mut dyn FnMut(&[u8])) -> Got {
        let handle = self.streams[id].handle;
        let Some(mut connection) = self.endpoint.connection_mut(handle) else {
            return Got::Failed(Failure::Other("the connection is gone before it was released"));
        };
        match connection.read_chunk(Instant::from_micros(now_us), max) {
            Ok(bytes) => {
                take(&bytes);
                Got::Bytes(bytes.len())
            }
            Err(ReadError::Blocked) => Got::Nothing,
            Err(ReadError::Finished) => Got::End,
            Err(ReadError::Closed(error)) => Got::Failed(failure(error)),
            Err(_) => Got::Failed(Failure::Other("the stream refuses a read")),
        }
    }

    fn finish(&mut self, now_us: u64, id: StreamId) -> bool {
        let handle = self.streams[id].handle;
        if let Some(mut connection) = self.endpoint.connection_mut(handle) {
            connection.finish(Instant::from_micros(now_us));
        }
        true
    }

    fn leave(&mut self, now_us: u64, id: StreamId) {
        self.endpoint.release(Instant::from_micros(now_us), self.streams[id].handle);
    }

    fn handle_datagram(&mut self, now_us: u64, datagram: &[u8]) {
        let now = Instant::from_micros(now_us);
        let meta = RecvMeta { remote: address(self.peer), local_ip: None, received_at: None };
        if let Disposition::Incoming(incoming) = self.endpoint.handle_datagram(now, meta, datagram)
        {
            let handle = self.endpoint.accept(now, incoming, self.config.clone());
            let id = self.add(handle.expect("the endpoint has room"), false);
            self.accepted.push_back(id);
        }
        self.take_events();
    }

    fn next_timeout_us(&mut self) -> Option<u64> {
        self.endpoint.poll_timeout().map(Instant::as_micros)
    }

    fn handle_timeout(&mut self, now_us: u64) {
        self.endpoint.handle_timeout(Instant::from_micros(now_us));
        self.take_events();
    }

    fn flush(&mut self, now_us: u64, send: &mut dyn FnMut(Vec<u8>)) {
        self.take_events();
        let (now, max) = (Instant::from_micros(now_us), NonZeroUsize::new(10).expect("ten"));
        self.buffer.clear();
        while let Some(transmit) = self.endpoint.poll_transmit(now, max, &mut self.buffer) {
            let bytes = &self.buffer[transmit.start..transmit.start + transmit.size];
            let size = transmit.segment_size.unwrap_or(transmit.size);
            bytes.chunks(size).for_each(|datagram| send(datagram.to_vec()));
        }
        self.take_events();
    }
}

fn failure(error: ConnectionError) -> Failure {
    match error {
        ConnectionError::Refused => Failure::Refused,
        ConnectionError::Reset => Failure::Reset,
        ConnectionError::TimedOut | ConnectionError::Idle => Failure::TimedOut,
        ConnectionError::Conflict => Failure::Other("Conflict"),
        ConnectionError::FalseAck => Failure::Other("FalseAck"),
        ConnectionError::StalledByPeer => Failure::Other("StalledByPeer"),
        _ => Failure::Other("an error that no peer causes"),
    }
}
