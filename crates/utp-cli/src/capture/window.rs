//! The part of a file that is in memory: one record, and what was read behind it.

use std::io::{self, Read};

use super::CaptureError;

/// A window that moves over a file from front to end.
#[derive(Debug)]
pub(super) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    /// Where the current record begins in the buffer, and where what was read ends.
    start: usize,
    end: usize,
    /// Length of the current record, as far as it was asked for.
    len: usize,
    /// Where the current record begins in the file.
    offset: u64,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: vec![0; BUFFER_START], start: 0, end: 0, len: 0, offset: 0 }
    }

    /// Makes the bytes behind the current record the current one, and tells whether there are any.
    pub(super) fn advance(&mut self) -> Result<bool, CaptureError> {
        self.start += self.len;
        self.offset += self.len as u64;
        self.len = 0;
        Ok(self.fill(1)? > 0)
    }

    /// Asks for nothing of the current record any more: it begins where it began.
    pub(super) const fn put_back(&mut self) {
        self.len = 0;
    }

    /// The first bytes of the current record, which are `what`.
    pub(super) fn need<const N: usize>(&mut self, what: &str) -> Result<&[u8; N], CaptureError> {
        let bytes = self.need_len(N, what)?;
        Ok(bytes.first_chunk().expect("so many were asked for"))
    }

    /// As [`Self::need`], for a length that is not known before.
    pub(super) fn need_len(&mut self, len: usize, what: &str) -> Result<&[u8], CaptureError> {
        if len > RECORD_MAX {
            let text = format!("{what} would have {len} bytes: more than {RECORD_MAX}");
            return Err(self.broken(text));
        }
        let there = self.fill(len)?;
        if there < len {
            let text = format!("{what} needs {len} bytes, and the file ends after {there}");
            return Err(self.broken(text));
        }
        self.len = len;
        Ok(self.current().1)
    }

    /// Where the current record begins in the file, and the bytes that were asked for.
    pub(super) fn current(&self) -> (u64, &[u8]) {
        (self.offset, &self.buffer[self.start..self.start + self.len])
    }

    /// The error that the current record is broken.
    pub(super) fn broken(&self, what: impl Into<String>) -> CaptureError {
        CaptureError::Broken { offset: self.offset, what: what.into() }
    }

    /// Reads until `len` bytes of the current record are there, or the file ends. Returns how many
    /// there are, at most `len`.
    fn fill(&mut self, len: usize) -> Result<usize, CaptureError> {
        while self.end - self.start < len {
            if self.start + len > self.buffer.len() {
                self.buffer.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            if self.end == self.buffer.len() {
                // Twice as much at a time: a length that a broken record claims costs no more than
                // what the file really holds.
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(self.end - self.start),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(len)
    }
}

/// What is read at once, if there is as much. Most records are far smaller.
const BUFFER_START: usize = 64 << 10;

/// The longest record: far beyond what a network card hands over at once, and what the buffer may
/// grow to.
const RECORD_MAX: usize = 16 << 20;
