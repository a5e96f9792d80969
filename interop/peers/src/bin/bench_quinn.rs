//! `bench-quinn`: a side of a benchmark on QUIC, a connection with one stream for each stream.
//!
//! It encrypts, which the others do not.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, Incoming, RecvStream, SendStream,
    ServerConfig, TokioRuntime, TransportConfig,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Mutex, mpsc};
use tokio::task::spawn_local;
use utp_bench_side::{Options, Stack};

fn main() {
    utp_bench_side::main::<Quinn>(&[]);
}

struct Quinn {
    endpoint: Endpoint,
    port: u16,
    accepted: Mutex<mpsc::UnboundedReceiver<QuinnStream>>,
}

impl Stack for Quinn {
    type Stream = QuinnStream;

    async fn bind(local: SocketAddr, _options: &Options) -> io::Result<Self> {
        let socket = UdpSocket::bind(local)?;
        let options = SockRef::from(&socket);
        options.set_recv_buffer_size(UDP_BUFFER)?;
        options.set_send_buffer_size(UDP_BUFFER)?;
        let port = socket.local_addr()?.port();
        let runtime = Arc::new(TokioRuntime);
        let server = Some(server_config()?);
        let mut endpoint = Endpoint::new(EndpointConfig::default(), server, socket, runtime)?;
        endpoint.set_default_client_config(client_config()?);
        let (sender, accepted) = mpsc::unbounded_channel();
        let incoming = endpoint.clone();
        spawn_local(async move {
            while let Some(incoming) = incoming.accept().await {
                spawn_local(greet(incoming, sender.clone()));
            }
        });
        Ok(Self { endpoint, port, accepted: Mutex::new(accepted) })
    }

    fn port(&self) -> u16 {
        self.port
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<QuinnStream> {
        let connecting = self.endpoint.connect(peer, "localhost").map_err(io::Error::other)?;
        let connection = connecting.await?;
        let (send, receive) = connection.open_bi().await?;
        Ok(QuinnStream { send, receive, _connection: connection })
    }

    async fn accept(&self) -> io::Result<QuinnStream> {
        let next = self.accepted.lock().await.recv().await;
        next.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// Waits for the handshake and the stream of a connection; those of others go on meanwhile.
async fn greet(incoming: Incoming, to: mpsc::UnboundedSender<QuinnStream>) {
    let stream = async {
        let connection = incoming.await?;
        let (send, receive) = connection.accept_bi().await?;
        Ok::<_, quinn::ConnectionError>(QuinnStream { send, receive, _connection: connection })
    };
    // What fails here, the other side reports.
    if let Ok(stream) = stream.await {
        drop(to.send(stream));
    }
}

/// A stream, and the connection that would close without it.
struct QuinnStream {
    send: SendStream,
    receive: RecvStream,
    _connection: Connection,
}

impl AsyncRead for QuinnStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.receive), cx, buffer)
    }
}

impl AsyncWrite for QuinnStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.send), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.send), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut self.send), cx)
    }
}

/// Everything by default, but that idle connections stay.
fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout(None);
    Arc::new(transport)
}

fn server_config() -> io::Result<ServerConfig> {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let certified = certified.map_err(io::Error::other)?;
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let chain = vec![certified.cert.der().clone()];
    let mut config = ServerConfig::with_single_cert(chain, key.into()).map_err(io::Error::other)?;
    config.transport_config(transport());
    Ok(config)
}

fn client_config() -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trust))
        .with_no_client_auth();
    let tls = QuicClientConfig::try_from(tls).map_err(io::Error::other)?;
    let mut config = ClientConfig::new(Arc::new(tls));
    config.transport_config(transport());
    Ok(config)
}

/// Believes any certificate: the other side is a process of the same benchmark.
#[derive(Debug)]
struct Trust;

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// Buffers of the UDP socket, as ours asks for them.
const UDP_BUFFER: usize = 4 << 20;
