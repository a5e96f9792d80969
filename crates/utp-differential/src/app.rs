//! An application: it does what its side of the script says.

use crate::script::{Ending, Read, Side, Write};
use crate::stack::{Failure, Got, Stack, StreamId};

/// Bytes handed to a stack at once.
const WRITE_BYTES: usize = 5_000;

/// What an application did and saw until now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Bytes that its stack took.
    pub written: u64,
    /// It ended its direction, by itself or by leaving, after all it had to write.
    pub finished: bool,
    /// Bytes that it read.
    pub read: u64,
    /// The first byte that was not what its peer wrote there.
    pub wrong_at: Option<u64>,
    /// It read the end of the stream.
    pub end: bool,
    /// It heard that the stream had failed.
    pub failure: Option<Failure>,
    /// When its stack knew of a failure, in microseconds of the run.
    pub broke_at_us: Option<u64>,
    /// When it left, in microseconds of the run.
    pub left_at_us: Option<u64>,
}

/// An application with its stream.
pub(crate) struct App<'a> {
    script: &'a Side,
    side: usize,
    pub(crate) id: StreamId,
    /// How far its clock is ahead of the run's.
    clock_us: u64,
    write_step: Step,
    read_step: Step,
    /// Its writer was told of a failure.
    cannot_write: bool,
    pub(crate) seen: Seen,
}

/// Where it is in a list of steps.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    at: usize,
    /// Bytes of this step that are done.
    done: u64,
    /// When the pause that this step is ends.
    until_us: Option<u64>,
}

impl Step {
    fn next(&mut self) {
        *self = Self { at: self.at + 1, ..Self::default() };
    }

    /// Whether a pause is over.
    fn is_over(&mut self, now_us: u64, pause_us: u64) -> bool {
        *self.until_us.get_or_insert(now_us + pause_us) <= now_us
    }
}

/// The byte at `offset` of what `side` writes.
fn pattern(side: usize, offset: u64) -> u8 {
    let salt = [0x35, 0xca][side];
    (offset.wrapping_mul(0x9e37_79b9) >> 16).to_le_bytes()[0] ^ salt
}

impl<'a> App<'a> {
    pub(crate) fn new(script: &'a Side, side: usize, id: StreamId) -> Self {
        Self {
            script,
            side,
            id,
            clock_us: script.clock_us,
            write_step: Step::default(),
            read_step: Step::default(),
            cannot_write: false,
            seen: Seen::default(),
        }
    }

    /// Whether it has left.
    pub(crate) fn is_over(&self) -> bool {
        self.seen.left_at_us.is_some()
    }

    /// When it goes on by itself.
    pub(crate) fn wakes_at_us(&self) -> Option<u64> {
        let pauses = [self.write_step.until_us, self.read_step.until_us];
        pauses.into_iter().flatten().min().filter(|_| !self.is_over())
    }

    /// Does what it can now. Says whether that was anything.
    pub(crate) fn run(&mut self, now_us: u64, stack: &mut dyn Stack) -> bool {
        let mut moved = false;
        loop {
            if self.is_over() {
                return moved;
            }
            let failure = stack.failure(self.id);
            if failure.is_some() {
                self.seen.broke_at_us.get_or_insert(now_us);
            }
            if !stack.is_open(self.id) {
                let Some(failure) = failure else { return moved };
                self.seen.failure = Some(failure);
                self.leave(now_us, stack);
                return true;
            }
            let read = self.read(now_us, stack);
            let written = self.write(now_us, stack);
            if !read && !written {
                return moved;
            }
            moved = true;
        }
    }

    fn read(&mut self, now_us: u64, stack: &mut dyn Stack) -> bool {
        if self.seen.end {
            return false;
        }
        let max = match self.script.reads.get(self.read_step.at) {
            Some(Read::Pause(us)) => {
                let is_over = self.read_step.is_over(now_us, *us);
                if is_over {
                    self.read_step.next();
                }
                return is_over;
            }
            Some(Read::Bytes(bytes)) => u64::from(*bytes) - self.read_step.done,
            None => u64::MAX,
        };
        let (seen, writer) = (&mut self.seen, 1 - self.side);
        let mut check = |bytes: &[u8]| {
            for byte in bytes {
                if *byte != pattern(writer, seen.read) {
                    seen.wrong_at.get_or_insert(seen.read);
                }
                seen.read += 1;
            }
        };
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        match stack.read(now_us + self.clock_us, self.id, max, &mut check) {
            Got::Nothing => return false,
            Got::Bytes(bytes) => {
                self.read_step.done += bytes as u64;
                if bytes == max {
                    self.read_step.next();
                }
            }
            Got::End => {
                self.seen.end = true;
                self.read_step = Step::default();
                // Nothing is left to wait for, so that a pause of the reader must not wake it.
                self.read_step.at = self.script.reads.len();
                if self.cannot_write {
                    self.leave(now_us, stack);
                }
            }
            Got::Failed(failure) => {
                self.seen.failure.get_or_insert(failure);
                self.leave(now_us, stack);
            }
        }
        true
    }

    fn write(&mut self, now_us: u64, stack: &mut dyn Stack) -> bool {
        if self.cannot_write || self.is_over() {
            return false;
        }
        let Some(step) = self.script.writes.get(self.write_step.at) else {
            return self.end(now_us, stack);
        };
        match *step {
            Write::Await(bytes) => {
                let is_over = self.seen.read >= bytes || self.seen.end;
                if is_over {
                    self.write_step.next();
                }
                is_over
            }
            Write::Pause(us) => {
                let is_over = self.write_step.is_over(now_us, us);
                if is_over {
                    self.write_step.next();
                }
                is_over
            }
            Write::Bytes(bytes) => self.write_bytes(now_us, stack, bytes.into()),
        }
    }

    fn write_bytes(&mut self, now_us: u64, stack: &mut dyn Stack, bytes: u64) -> bool {
        let left = usize::try_from(bytes - self.write_step.done).unwrap_or(usize::MAX);
        let end = self.seen.written + left.min(WRITE_BYTES) as u64;
        let data: Vec<u8> = (self.seen.written..end).map(|at| pattern(self.side, at)).collect();
        match stack.write(now_us + self.clock_us, self.id, &data) {
            Ok(0) => false,
            Ok(written) => {
                self.seen.written += written as u64;
                self.write_step.done += written as u64;
                if self.write_step.done == bytes {
                    self.write_step.next();
                }
                true
            }
            Err(failure) => {
                self.cannot_write = true;
                self.write_step.until_us = None;
                self.seen.failure.get_or_insert(failure);
                if self.seen.end {
                    self.leave(now_us, stack);
                }
                true
            }
        }
    }

    /// All is written.
    fn end(&mut self, now_us: u64, stack: &mut dyn Stack) -> bool {
        let leaves = match self.script.ending {
            Ending::AfterPeer => self.seen.end,
            Ending::Leave => true,
            Ending::Finish if !self.seen.finished => {
                self.seen.finished = stack.finish(now_us + self.clock_us, self.id);
                return self.seen.finished;
            }
            Ending::Finish => self.seen.end,
        };
        if leaves {
            self.seen.finished = true;
            self.leave(now_us, stack);
        }
        leaves
    }

    fn leave(&mut self, now_us: u64, stack: &mut dyn Stack) {
        self.seen.left_at_us = Some(now_us);
        stack.leave(now_us + self.clock_us, self.id);
    }
}
