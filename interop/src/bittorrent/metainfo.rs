//! What a torrent of one file says (BEP-3).

use bt_bencode::{ByteString, Value};
use serde::Deserialize;
use sha1::{Digest as _, Sha1};

/// A SHA-1 digest.
pub(super) type Hash = [u8; 20];

/// A file, its pieces and their hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metainfo {
    /// Names the torrent to peers: the hash of its dictionary `info`.
    pub(super) info_hash: Hash,
    /// How long the file is, in bytes.
    pub(super) length: usize,
    /// How long every piece but the last is, in bytes.
    pub(super) piece_length: usize,
    /// The hash of each piece.
    pub(super) hashes: Vec<Hash>,
}

#[derive(Deserialize)]
struct Info {
    length: u64,
    #[serde(rename = "piece length")]
    piece_length: u32,
    pieces: ByteString,
}

impl Metainfo {
    /// Reads a torrent file.
    ///
    /// # Errors
    ///
    /// When it is none, or not of one file.
    pub(super) fn parse(torrent: &[u8]) -> anyhow::Result<Self> {
        let torrent: Value = bt_bencode::from_slice(torrent)?;
        let info = torrent.get("info").ok_or_else(|| anyhow::anyhow!("a torrent without info"))?;
        // Dictionaries are sorted, so that what is written is what was read.
        let info_hash = sha1(&bt_bencode::to_vec(info)?);
        let Info { length, piece_length, pieces } = bt_bencode::from_value(info.clone())?;
        let (hashes, rest) = pieces.as_slice().as_chunks::<20>();
        let length = usize::try_from(length)?;
        let piece_length = usize::try_from(piece_length)?;
        let whole = piece_length > 0 && hashes.len() == length.div_ceil(piece_length);
        anyhow::ensure!(whole && rest.is_empty(), "a torrent with a wrong number of hashes");
        Ok(Self { info_hash, length, piece_length, hashes: hashes.to_vec() })
    }

    /// Where a piece lies in the file.
    pub(super) fn range(&self, piece: usize) -> std::ops::Range<usize> {
        let start = piece * self.piece_length;
        start..(start + self.piece_length).min(self.length)
    }
}

/// The SHA-1 digest of some bytes.
pub(super) fn sha1(bytes: &[u8]) -> Hash {
    Sha1::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_of_one_file_is_read_and_named_by_the_hash_of_its_info() {
        let info = [&b"d6:lengthi5e4:name1:f12:piece lengthi4e6:pieces40:"[..], &[7; 40], b"e"];
        let info = info.concat();
        let torrent = [&b"d8:announce0:4:info"[..], &info, b"e"].concat();
        let metainfo = Metainfo::parse(&torrent).expect("a torrent");
        assert_eq!(metainfo.info_hash, sha1(&info));
        assert_eq!((metainfo.length, metainfo.piece_length), (5, 4));
        assert_eq!((metainfo.range(0), metainfo.range(1)), (0..4, 4..5));
        for broken in [&torrent[..torrent.len() - 1], b"de", b"d4:infodee", b""] {
            assert!(Metainfo::parse(broken).is_err());
        }
        let short = String::from_utf8_lossy(&torrent).replace("i5e", "i9e");
        assert!(Metainfo::parse(short.as_bytes()).is_err(), "two hashes for three pieces");
    }
}
