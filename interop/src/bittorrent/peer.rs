//! Fetches a file from a peer, and serves it to one.

use std::io;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, BufReader, split};

use super::message::{Block, Message, invalid, read_handshake, write_handshake};
use super::metainfo::{Metainfo, sha1};

/// What was fetched.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fetched {
    pub(super) file: Vec<u8>,
    /// Pieces whose hash was checked: all of them.
    pub(super) pieces: usize,
    /// From the first block to the last.
    pub(super) seconds: f64,
}

/// Fetches everything that the torrent describes.
///
/// # Errors
///
/// When the connection fails, the peer has not everything, or a piece is not what the torrent says.
pub(super) async fn fetch(
    stream: impl AsyncRead + AsyncWrite,
    metainfo: &Metainfo,
) -> io::Result<Fetched> {
    let (from, mut to) = split(stream);
    let mut from = BufReader::new(from);
    write_handshake(&mut to, &metainfo.info_hash).await?;
    read_handshake(&mut from, &metainfo.info_hash).await?;
    let mut fetching = Fetching::new(metainfo);
    while fetching.pieces < metainfo.hashes.len() {
        match Message::read(&mut from).await? {
            Message::Bitfield(bits) => {
                let has = bits.iter().map(|byte| byte.count_ones() as usize).sum::<usize>();
                if has != metainfo.hashes.len() {
                    return Err(invalid("the peer has not every piece"));
                }
                Message::Interested.write(&mut to).await?;
            }
            Message::Unchoke => fetching.ask(&mut to).await?,
            Message::Choke => return Err(invalid("the peer chokes")),
            Message::Piece(block, bytes) => {
                if let Some(piece) = fetching.take(block, &bytes)? {
                    Message::Have(piece).write(&mut to).await?;
                }
                fetching.ask(&mut to).await?;
            }
            _ => {}
        }
    }
    let seconds = fetching.first.map_or(0.0, |first| first.elapsed().as_secs_f64());
    Ok(Fetched { file: fetching.file, pieces: fetching.pieces, seconds })
}

/// How far a fetch is. Blocks are asked for in their order.
struct Fetching<'a> {
    metainfo: &'a Metainfo,
    file: Vec<u8>,
    /// Bytes of each piece that are still to come.
    missing: Vec<usize>,
    /// How many pieces are complete and right.
    pieces: usize,
    /// Where what was not asked for yet begins.
    asked: usize,
    /// Bytes that were asked for and have not come.
    awaited: usize,
    first: Option<Instant>,
}

impl<'a> Fetching<'a> {
    fn new(metainfo: &'a Metainfo) -> Self {
        let missing = (0..metainfo.hashes.len()).map(|piece| metainfo.range(piece).len());
        Self {
            metainfo,
            file: vec![0; metainfo.length],
            missing: missing.collect(),
            pieces: 0,
            asked: 0,
            awaited: 0,
            first: None,
        }
    }

    /// Asks for as much as may be on its way.
    async fn ask(&mut self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        while self.awaited < AWAITED_MAX && self.asked < self.metainfo.length {
            let piece = self.asked / self.metainfo.piece_length;
            let range = self.metainfo.range(piece);
            let len = (range.end - self.asked).min(BLOCK_LEN);
            let block = Block { piece: u32_of(piece)?, begin: u32_of(self.asked - range.start)? };
            Message::Request(block, u32_of(len)?).write(to).await?;
            self.asked += len;
            self.awaited += len;
        }
        Ok(())
    }

    /// Takes a block, and says which piece is complete by it.
    fn take(&mut self, block: Block, bytes: &[u8]) -> io::Result<Option<u32>> {
        self.first.get_or_insert_with(Instant::now);
        let piece = block.piece as usize;
        let missing = self.missing.get_mut(piece).filter(|missing| **missing >= bytes.len());
        let missing = missing.ok_or_else(|| invalid("a block that was not asked for"))?;
        let range = self.metainfo.range(piece);
        let start = range.start + block.begin as usize;
        if start + bytes.len() > range.end {
            return Err(invalid("a block beyond its piece"));
        }
        self.file[start..start + bytes.len()].copy_from_slice(bytes);
        *missing -= bytes.len();
        self.awaited = self.awaited.saturating_sub(bytes.len());
        if *missing > 0 {
            return Ok(None);
        }
        if sha1(&self.file[range]) != self.metainfo.hashes[piece] {
            return Err(invalid(&format!("piece {piece} has a wrong hash")));
        }
        self.pieces += 1;
        Ok(Some(block.piece))
    }
}

/// Serves a file to a peer until it leaves, and says how many bytes of blocks went there.
///
/// # Errors
///
/// When the peer is of another torrent, or the connection fails before the whole file has gone.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite,
    metainfo: &Metainfo,
    file: &[u8],
) -> io::Result<u64> {
    let (from, mut to) = split(stream);
    let mut from = BufReader::new(from);
    read_handshake(&mut from, &metainfo.info_hash).await?;
    write_handshake(&mut to, &metainfo.info_hash).await?;
    Message::Bitfield(full_bitfield(metainfo.hashes.len())).write(&mut to).await?;
    let mut served = 0;
    loop {
        let message = match Message::read(&mut from).await {
            Ok(message) => message,
            // A peer that has everything leaves, one way or another.
            Err(_) if served >= file.len() as u64 => return Ok(served),
            Err(error) => return Err(error),
        };
        match message {
            Message::Interested => Message::Unchoke.write(&mut to).await?,
            Message::Request(block, len) => {
                let start = block.piece as usize * metainfo.piece_length + block.begin as usize;
                let bytes = file.get(start..start + len as usize);
                let bytes = bytes.ok_or_else(|| invalid("a request beyond the file"))?;
                Message::Piece(block, bytes.to_vec()).write(&mut to).await?;
                served += u64::from(len);
            }
            _ => {}
        }
    }
}

fn full_bitfield(pieces: usize) -> Vec<u8> {
    let mut bits = vec![0xff; pieces.div_ceil(8)];
    if let Some(last) = bits.last_mut() {
        *last <<= pieces.div_ceil(8) * 8 - pieces;
    }
    bits
}

fn u32_of(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| invalid("a file too large for the protocol"))
}

/// What every client asks for at once.
const BLOCK_LEN: usize = 16 * 1024;

/// How much is asked for and on its way: far more than a window, and less than the 2 000 requests
/// that libtorrent takes.
const AWAITED_MAX: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;
    use crate::shim::Pattern;

    fn torrent(length: usize) -> (Metainfo, Vec<u8>) {
        let mut file = vec![0; length];
        Pattern::new(4).fill(&mut file);
        let piece_length = 40_000;
        let hashes = file.chunks(piece_length).map(sha1).collect();
        (Metainfo { info_hash: [1; 20], length, piece_length, hashes }, file)
    }

    #[tokio::test]
    async fn a_file_goes_from_one_to_the_other_and_every_piece_is_checked() {
        let (metainfo, file) = torrent(1_000_001);
        let (near, far) = duplex(64 * 1024);
        let (fetched, served) = tokio::join!(
            async { fetch(near, &metainfo).await.expect("everything arrives") },
            async { serve(far, &metainfo, &file).await.expect("everything goes") },
        );
        assert_eq!((fetched.pieces, served), (26, 1_000_001));
        assert_eq!(fetched.file, file);
    }

    #[tokio::test]
    async fn a_piece_with_a_wrong_byte_is_refused() {
        let (metainfo, mut file) = torrent(200_000);
        file[100_000] ^= 1;
        let (near, far) = duplex(64 * 1024);
        let (fetched, _) = tokio::join!(fetch(near, &metainfo), serve(far, &metainfo, &file));
        assert_eq!(fetched.expect_err("a wrong hash").to_string(), "piece 2 has a wrong hash");
    }

    #[test]
    fn a_bitfield_has_a_bit_for_each_piece_and_none_beyond() {
        assert_eq!(full_bitfield(8), [0xff]);
        assert_eq!(full_bitfield(11), [0xff, 0xe0]);
        assert!(full_bitfield(0).is_empty());
    }
}
