//! Captures, record by record: classic pcap in all four spellings, and pcapng.
//!
//! A file is read once from front to end, through a buffer that holds one record. The parsers of
//! `pcap-file` read the fields; what is here knows where in the file they are, so that a broken
//! file can be refused with the place where it breaks.

mod classic;
mod error;
mod pcapng;
mod window;

use std::fmt;
use std::io::Read;

pub use self::error::CaptureError;
use self::window::Window;

/// A capture that is being read.
///
/// The example of the crate shows it at work.
#[derive(Debug)]
pub struct Capture<R> {
    window: Window<R>,
    format: Format,
    records: u64,
}

/// One record of a capture: a frame as it passed a network interface.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Counts the frames of the file from 1, as other tools do.
    pub number: u64,
    /// Where its record begins in the file, in bytes.
    pub offset: u64,
    /// When it passed, in nanoseconds since 1970; none if the capture does not say.
    pub at_ns: Option<u64>,
    /// What the bytes begin with.
    pub link: LinkType,
    /// What was captured of it, from the header of the link on.
    pub bytes: &'a [u8],
}

/// What a frame begins with: the number of a link type in the registry of tcpdump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkType(pub u32);

/// How a capture is written.
#[derive(Debug)]
enum Format {
    Classic(classic::Classic),
    Pcapng(pcapng::Pcapng),
}

/// A record without its place.
struct Record {
    at_ns: Option<u64>,
    link: LinkType,
    /// Where the frame lies in the record's bytes.
    start: usize,
    end: usize,
}

impl<R: Read> Capture<R> {
    /// Reads the head of a capture.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is not the head of a capture.
    pub fn open(input: R) -> Result<Self, CaptureError> {
        let mut window = Window::new(input);
        let magic = *window.need::<4>("the magic number of a capture")?;
        let format = match magic {
            [0x1f, 0x8b, ..] => {
                return Err(window.broken("the file is compressed: unpack it with gunzip first"));
            }
            pcapng::MAGIC => {
                window.put_back(); // They are those of the first block.
                Format::Pcapng(pcapng::Pcapng::default())
            }
            _ => Format::Classic(classic::Classic::open(&mut window)?),
        };
        Ok(Self { window, format, records: 0 })
    }

    /// The next frame, none at the end of the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is broken from here on.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let record = match &mut self.format {
            Format::Classic(classic) => classic.next(&mut self.window)?,
            Format::Pcapng(pcapng) => pcapng.next(&mut self.window)?,
        };
        let Some(Record { at_ns, link, start, end }) = record else { return Ok(None) };
        self.records += 1;
        let (offset, bytes) = self.window.current();
        Ok(Some(Frame { number: self.records, offset, at_ns, link, bytes: &bytes[start..end] }))
    }

    /// How the file is written, in words.
    pub fn format(&self) -> String {
        match &self.format {
            Format::Classic(classic) => classic.to_string(),
            Format::Pcapng(_) => "pcapng".into(),
        }
    }
}

impl LinkType {
    /// BSD loopback: the protocol family as a number of four bytes, in the order of the machine.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// IPv4 or IPv6 without anything before it.
    pub const RAW: Self = Self(101);
    /// As [`Self::NULL`], in the order of the network.
    pub const LOOP: Self = Self(108);
    /// What Linux captures of several interfaces at once, first version.
    pub const LINUX_SLL: Self = Self(113);
    /// IPv4.
    pub const IPV4: Self = Self(228);
    /// IPv6.
    pub const IPV6: Self = Self(229);
    /// What Linux captures of several interfaces at once, second version.
    pub const LINUX_SLL2: Self = Self(276);

    /// Whether [`crate::datagram::read`] knows what follows.
    pub fn is_readable(self) -> bool {
        self.name().is_some()
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::NULL => Some("BSD loopback"),
            Self::ETHERNET => Some("Ethernet"),
            Self::RAW => Some("raw IP"),
            Self::LOOP => Some("OpenBSD loopback"),
            Self::LINUX_SLL => Some("Linux cooked v1"),
            Self::IPV4 => Some("raw IPv4"),
            Self::IPV6 => Some("raw IPv6"),
            Self::LINUX_SLL2 => Some("Linux cooked v2"),
            _ => None,
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "link type {}", self.0),
        }
    }
}
