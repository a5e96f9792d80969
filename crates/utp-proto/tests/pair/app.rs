//! What the applications at both ends of a stream do: they write a pattern, read and check one.

use utp_proto::{ConnectionMut, Instant, ReadError, WriteError};

/// A stream's application: writes a pattern, reads and checks one.
#[derive(Debug, Default)]
pub struct App {
    pub to_write: u64,
    pub written: u64,
    pub finish: bool,
    pub finish_called: bool,
    pub read: u64,
    /// Reads stop at this many bytes.
    pub read_max: Option<u64>,
    /// Somebody meddles with the stream: what is read need not be what was written.
    pub unchecked: bool,
    /// Which pattern the peer writes.
    pub reads_pattern: u8,
    /// Takes the pattern from the first byte that is read, which names it.
    pub adopts: bool,
    pub writes_pattern: u8,
    pub connected: bool,
    pub finished: bool,
    pub end_of_stream: bool,
    pub closed: Option<utp_proto::ConnectionError>,
}

/// The byte at `offset` of a pattern. The first one is the name of the pattern.
pub fn pattern(which: u8, offset: u64) -> u8 {
    (offset.wrapping_mul(0x9e37_79b9) >> 16).to_le_bytes()[0] ^ which
}

/// What an acceptor's application does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acceptor {
    pub to_write: u64,
    pub finish: bool,
    pub read_max: Option<u64>,
}

impl App {
    /// Writes what there is room for, ends the stream when all is written, reads what is there.
    pub fn run(&mut self, now: Instant, connection: &mut ConnectionMut<'_>) {
        while self.written < self.to_write {
            let room = connection.send_room().max(1) as u64;
            let len = (self.to_write - self.written).min(5_000).min(room);
            let data: Vec<u8> = (self.written..self.written + len)
                .map(|at| pattern(self.writes_pattern, at))
                .collect();
            match connection.write(now, &data) {
                Ok(written) => self.written += written as u64,
                Err(WriteError::Blocked | WriteError::Closed(_)) => break,
                Err(error) => panic!("write failed: {error}"),
            }
        }
        if self.finish && self.written == self.to_write && !self.finish_called {
            self.finish_called = true;
            connection.finish(now);
        }
        self.read_all(now, connection);
    }

    fn read_all(&mut self, now: Instant, connection: &mut ConnectionMut<'_>) {
        loop {
            let allowed = self.read_max.map_or(u64::MAX, |max| max - self.read);
            if allowed == 0 {
                break;
            }
            let len_max = usize::try_from(allowed).unwrap_or(usize::MAX);
            match connection.read_chunk(now, len_max) {
                Ok(bytes) => {
                    if self.adopts && self.read == 0 {
                        self.reads_pattern = bytes[0];
                    }
                    for byte in &bytes {
                        let expected = pattern(self.reads_pattern, self.read);
                        let good = self.unchecked || *byte == expected;
                        assert!(good, "byte {} of the stream", self.read);
                        self.read += 1;
                    }
                }
                Err(ReadError::Finished) => {
                    self.end_of_stream = true;
                    break;
                }
                Err(_) => break,
            }
        }
    }
}
