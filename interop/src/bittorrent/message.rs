//! How peers speak: the handshake and the messages of BEP-3.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::metainfo::Hash;

/// A message that follows the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// One bit for each piece that the sender has, the most significant first.
    Bitfield(Vec<u8>),
    /// Nothing will be sent to the receiver.
    Choke,
    /// The sender has this piece now.
    Have(u32),
    /// The sender wants pieces of the receiver.
    Interested,
    /// Part of a piece.
    Piece(Block, Vec<u8>),
    /// The sender wants part of a piece.
    Request(Block, u32),
    /// Something that this client has no use for, and silence that is to be kept.
    Other,
    /// The receiver may ask for pieces.
    Unchoke,
}

/// Where a part of a piece begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) piece: u32,
    pub(super) begin: u32,
}

/// Sends a handshake.
pub(super) async fn write_handshake(
    to: &mut (impl AsyncWrite + Unpin),
    info_hash: &Hash,
) -> io::Result<()> {
    let parts: [&[u8]; 4] = [PROTOCOL, &[0; 8], info_hash, PEER_ID];
    to.write_all(&parts.concat()).await
}

/// Takes a handshake, which must name this torrent.
pub(super) async fn read_handshake(
    from: &mut (impl AsyncRead + Unpin),
    info_hash: &Hash,
) -> io::Result<()> {
    let mut handshake = [0; 68];
    from.read_exact(&mut handshake).await?;
    match handshake.starts_with(PROTOCOL) && handshake[28..48] == *info_hash {
        true => Ok(()),
        false => Err(invalid("a handshake of something else")),
    }
}

impl Message {
    /// Takes the next message.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let len = from.read_u32().await? as usize;
        if len == 0 {
            return Ok(Self::Other);
        }
        if len > LEN_MAX {
            return Err(invalid("a message beyond all measure"));
        }
        let kind = from.read_u8().await?;
        let mut body = vec![0; len - 1];
        from.read_exact(&mut body).await?;
        let message = match (kind, body.len()) {
            (0, 0) => Self::Choke,
            (1, 0) => Self::Unchoke,
            (2, 0) => Self::Interested,
            (4, 4) => Self::Have(number(&body, 0)),
            (5, _) => Self::Bitfield(body),
            (6, 12) => Self::Request(block(&body), number(&body, 8)),
            (7, 8..) => {
                let block = block(&body);
                body.drain(..8);
                Self::Piece(block, body)
            }
            _ => Self::Other,
        };
        Ok(message)
    }

    /// Sends this message.
    pub(super) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let at = |block: &Block| [block.piece.to_be_bytes(), block.begin.to_be_bytes()].concat();
        let (kind, head, body): (u8, Vec<u8>, &[u8]) = match self {
            Self::Choke => (0, vec![], &[]),
            Self::Unchoke => (1, vec![], &[]),
            Self::Interested => (2, vec![], &[]),
            Self::Have(piece) => (4, piece.to_be_bytes().into(), &[]),
            Self::Bitfield(bits) => (5, vec![], bits),
            Self::Request(block, len) => (6, [at(block), len.to_be_bytes().into()].concat(), &[]),
            Self::Piece(block, bytes) => (7, at(block), bytes),
            Self::Other => return to.write_u32(0).await,
        };
        let len = u32::try_from(1 + head.len() + body.len()).map_err(io::Error::other)?;
        let mut message = Vec::with_capacity(5 + head.len() + body.len());
        message.extend(len.to_be_bytes());
        message.push(kind);
        message.extend(head);
        message.extend_from_slice(body);
        to.write_all(&message).await
    }
}

fn number(body: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]])
}

fn block(body: &[u8]) -> Block {
    Block { piece: number(body, 0), begin: number(body, 4) }
}

/// What a peer says that cannot be.
pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

const PROTOCOL: &[u8] = b"\x13BitTorrent protocol";

const PEER_ID: &[u8; 20] = b"-UT0001-interop-test";

/// A block has 16 KiB, and a bitfield a bit for each piece: no peer has reason to send more.
const LEN_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Message> {
        Message::read(&mut &bytes[..]).await
    }

    #[tokio::test]
    async fn what_is_written_is_read() {
        let at = Block { piece: 3, begin: 16384 };
        for message in [
            Message::Choke,
            Message::Unchoke,
            Message::Interested,
            Message::Have(7),
            Message::Bitfield(vec![0xf0]),
            Message::Request(at, 16384),
            Message::Piece(at, vec![1, 2, 3]),
            Message::Other,
        ] {
            let mut bytes = Vec::new();
            message.write(&mut bytes).await.expect("a vector takes it");
            assert_eq!(read(&bytes).await.expect("a message"), message);
        }
    }

    #[tokio::test]
    async fn what_a_peer_must_not_send_is_refused_and_what_is_unknown_is_passed_over() {
        assert!(read(&[0, 0x20, 0, 0, 7]).await.is_err(), "too long");
        assert!(read(&[0, 0, 0, 5, 4, 0]).await.is_err(), "cut short");
        assert_eq!(read(&[0, 0, 0, 2, 20, 0]).await.expect("an extension"), Message::Other);
        assert_eq!(read(&[0, 0, 0, 2, 4, 0]).await.expect("a broken have"), Message::Other);
    }

    #[tokio::test]
    async fn a_handshake_names_the_torrent() {
        let mut bytes = Vec::new();
        write_handshake(&mut bytes, &[9; 20]).await.expect("a vector takes it");
        assert_eq!(bytes.len(), 68);
        assert!(read_handshake(&mut &bytes[..], &[9; 20]).await.is_ok());
        assert!(read_handshake(&mut &bytes[..], &[8; 20]).await.is_err());
    }
}
