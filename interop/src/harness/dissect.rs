//! What the uTP dissector of tshark makes of captures.

use std::fmt;
use std::io;
use std::process::Command;

use crate::relay::CaptureFile;

/// What tshark finds in a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dissected {
    /// Packets in the capture.
    pub frames: u64,
    /// Those that its uTP dissector reads.
    pub utp: u64,
    /// Those with a field that it cannot read, or a checksum that is wrong.
    pub bad: u64,
}

/// Why tshark has not said anything.
#[derive(Debug)]
pub enum DissectError {
    /// It is not installed.
    Missing,
    /// It does not read the capture, in its words.
    Refused(String),
}

impl fmt::Display for DissectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("tshark is not installed"),
            Self::Refused(said) => write!(f, "tshark: {said}"),
        }
    }
}

impl std::error::Error for DissectError {}

impl Dissected {
    /// Asks tshark.
    ///
    /// # Errors
    ///
    /// When it is not installed, or does not read the capture.
    pub fn of(capture: &CaptureFile) -> Result<Self, DissectError> {
        let port = format!("udp.port=={},bt-utp", capture.port);
        let output = Command::new("tshark")
            .args(["-d", &port, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"])
            .args(["-T", "fields", "-E", "separator=,", "-e", "frame.protocols"])
            .args(["-e", "ip.checksum.status", "-e", "udp.checksum.status"])
            .arg("-r")
            .arg(&capture.path)
            .output()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => DissectError::Missing,
                _ => DissectError::Refused(error.to_string()),
            })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
            return Err(DissectError::Refused(said));
        }
        Ok(Self::from_lines(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Whether all is well: every packet is uTP, as many as there should be, and none is bad.
    pub const fn is_good(&self, capture: &CaptureFile) -> bool {
        self.frames == capture.packets && self.utp == self.frames && self.bad == 0
    }

    /// A line for each packet: its protocols, and the states of both checksums, 0 for a wrong one.
    fn from_lines(text: &str) -> Self {
        let mut found = Self { frames: 0, utp: 0, bad: 0 };
        for line in text.lines() {
            let mut fields = line.split(',');
            let protocols = fields.next().unwrap_or_default();
            let has = |name| protocols.split(':').any(|protocol| protocol == name);
            found.frames += 1;
            found.utp += u64::from(has("bt-utp"));
            found.bad += u64::from(has("_ws.malformed") || fields.any(|state| state == "0"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_tshark_are_counted() {
        let text = "raw:ip:udp:bt-utp,1,1\n\
                    raw:ipv6:udp:bt-utp:bittorrent,,1\n\
                    raw:ip:udp:bt-utp:_ws.malformed,1,1\n\
                    raw:ip:udp:data,1,0\n";
        let found = Dissected::from_lines(text);
        assert_eq!(found, Dissected { frames: 4, utp: 3, bad: 2 });
        let capture = |packets| CaptureFile { path: "c.pcap".into(), port: 1, packets };
        assert!(!found.is_good(&capture(4)));
        let good = Dissected { frames: 4, utp: 4, bad: 0 };
        assert!(good.is_good(&capture(4)) && !good.is_good(&capture(5)));
    }
}
