//! Captures of what passes a relay, one as each end sees it, as Wireshark reads them.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, PcapError, TsResolution};
use utp_sim::ip::udp_packet;

use super::Passed;

/// The captures of one relay: `NAME-client.pcap` and `NAME-server.pcap`.
pub struct Captures {
    client: Capture,
    server: Capture,
    /// When the first datagram passed, since 1970.
    start: Option<Duration>,
    /// The first thing that went wrong.
    failure: Option<io::Error>,
}

/// A capture that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureFile {
    /// The file.
    pub path: PathBuf,
    /// The port that clients connect to in it.
    pub port: u16,
    /// Datagrams in it.
    pub packets: u64,
}

struct Capture {
    path: PathBuf,
    output: PcapWriter<BufWriter<File>>,
    port: u16,
    packets: u64,
}

impl Captures {
    /// Opens both files in `folder`. Their names begin with a dot until they are complete.
    ///
    /// # Errors
    ///
    /// When a file cannot be made.
    pub fn create(folder: &Path, name: &str) -> io::Result<Self> {
        let open = |end: &str| Capture::create(folder.join(format!("{name}-{end}.pcap")));
        Ok(Self { client: open("client")?, server: open("server")?, start: None, failure: None })
    }

    /// Takes what passes.
    pub fn take(&mut self, passed: &Passed<'_>) {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = *self.start.get_or_insert_with(|| now().saturating_sub(passed.at));
        let at = start + passed.at;
        let capture = if passed.is_at_client() { &mut self.client } else { &mut self.server };
        if let Err(error) = capture.write(at, passed) {
            self.failure.get_or_insert(error);
        }
    }

    /// Completes both files.
    ///
    /// # Errors
    ///
    /// When something could not be written, now or before.
    pub fn finish(self) -> io::Result<[CaptureFile; 2]> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok([self.client.finish()?, self.server.finish()?]),
        }
    }
}

impl Capture {
    fn create(path: PathBuf) -> io::Result<Self> {
        let header = PcapHeader {
            datalink: DataLink::RAW,
            ts_resolution: TsResolution::NanoSecond,
            ..PcapHeader::default()
        };
        let output = BufWriter::new(File::create(partial(&path))?);
        let output = PcapWriter::with_header(output, header).map_err(io_error)?;
        Ok(Self { path, output, port: 0, packets: 0 })
    }

    fn write(&mut self, at: Duration, passed: &Passed<'_>) -> io::Result<()> {
        let Passed { source, destination, to_server, payload, .. } = *passed;
        self.port = if to_server { destination.port() } else { source.port() };
        #[expect(clippy::cast_possible_truncation, reason = "packets are numbered in a circle")]
        let packet = udp_packet(source, destination, self.packets as u16, payload)?;
        self.packets += 1;
        let len = u32::try_from(packet.len()).map_err(io::Error::other)?;
        self.output.write_packet(&PcapPacket::new(at, len, &packet)).map_err(io_error)?;
        Ok(())
    }

    fn finish(self) -> io::Result<CaptureFile> {
        self.output.into_writer().flush()?;
        std::fs::rename(partial(&self.path), &self.path)?;
        Ok(CaptureFile { path: self.path, port: self.port, packets: self.packets })
    }
}

/// The name of a file that is not complete.
fn partial(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        error => io::Error::other(error),
    }
}
