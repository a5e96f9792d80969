//! What an implementation has to bring.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

/// An implementation, behind its own public interface: one socket of it.
///
/// It runs on a [`LocalSet`](tokio::task::LocalSet), so that nothing needs to cross threads.
pub trait Stack: Sized + 'static {
    /// Its streams. Shutting one down ends its own direction, or both where the stack knows no
    /// half a close.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Binds a socket, with the defaults of the stack but for `options`.
    fn bind(local: SocketAddr, options: &Options) -> impl Future<Output = io::Result<Self>>;

    /// The port that the socket is bound to.
    fn port(&self) -> u16;

    /// Opens a connection.
    fn connect(&self, peer: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>>;

    /// The next connection from outside.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>>;

    /// Datagrams sent so far, if the stack counts them.
    fn datagrams_sent(&self) -> Option<u64> {
        None
    }
}

/// What is to be other than by default.
#[derive(Debug, Clone, Default)]
pub struct Options(Vec<String>);

impl Options {
    /// These words, each of which has to be in `known`.
    ///
    /// # Errors
    ///
    /// `Unsupported` when one is not.
    pub fn among(words: &[String], known: &[&str]) -> io::Result<Self> {
        match words.iter().find(|word| !known.contains(&word.as_str())) {
            None => Ok(Self(words.to_vec())),
            Some(word) => Err(unable(format!("`{word}` is none of {known:?}"))),
        }
    }

    /// Whether a word was said.
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|said| said == word)
    }
}

/// The error for what a stack cannot do.
pub(crate) fn unable(words: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, words.into())
}
