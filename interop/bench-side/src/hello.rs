//! How every connection begins: its number there and back.
//!
//! With that both directions are open and both sides know which stream this is: an acceptor of uTP
//! may not speak before it has heard its peer, and most stacks do not show it a connection before.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Stack;

/// Opens the connection that has this number.
pub(crate) async fn open<S: Stack>(
    socket: &S,
    peer: SocketAddr,
    number: u32,
) -> io::Result<S::Stream> {
    let mut stream = socket.connect(peer).await?;
    stream.write_all(&number.to_be_bytes()).await?;
    stream.flush().await?;
    let mut echo = [0; 4];
    stream.read_exact(&mut echo).await?;
    match u32::from_be_bytes(echo) == number {
        true => Ok(stream),
        false => Err(io::Error::other("the echo of the stream's number is another number")),
    }
}

/// Answers on a connection from outside, and returns its number.
pub(crate) async fn welcome<S: Stack>(stream: &mut S::Stream) -> io::Result<u32> {
    let mut number = [0; 4];
    stream.read_exact(&mut number).await?;
    stream.write_all(&number).await?;
    stream.flush().await?;
    Ok(u32::from_be_bytes(number))
}
