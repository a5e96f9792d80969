//! Owns what only Linux has: the error queue of a socket, read with the destination and the first
//! bytes of the datagram that failed, and the setting that keeps datagrams from being fragmented.
//!
//! Elsewhere there is no such queue, and nothing is set beyond what quinn-udp does.

#[cfg(any(target_os = "android", target_os = "linux"))]
pub(super) use linux::{next, set_dont_fragment};
#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub(super) use other::{next, set_dont_fragment};

use std::io;

/// Reads on after an entry that cannot be read. When every one fails the queue counts as empty,
/// so that it is read again as soon as the kernel flags the next error.
pub(super) fn skip_failures<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..FAILURES_MAX {
        match read() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                tracing::debug!(%error, "an entry of the error queue cannot be read");
            }
            result => return result,
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}

/// Failures in a row to read the error queue before it counts as empty. Each takes an entry away
/// unless the queue as a whole cannot be read.
const FAILURES_MAX: usize = 8;

#[cfg(any(target_os = "android", target_os = "linux"))]
mod linux {
    use std::io::{self, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::{AsFd, AsRawFd};

    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
    };
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };

    use crate::transport::{IcmpError, IcmpMessage, QUOTED_MAX};

    /// Takes one message out of the error queue; nothing if it is of no interest.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the queue is empty.
    pub(in crate::transport) fn next(socket: &impl AsRawFd) -> io::Result<Option<IcmpMessage>> {
        let mut quoted = [0; QUOTED_MAX];
        let mut iov = [IoSliceMut::new(&mut quoted)];
        let mut control = nix::cmsg_space!([u8; CONTROL_BYTES]);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut iov, Some(&mut control), flags)?;
        let Some(destination) = message.address.as_ref().and_then(socket_addr) else {
            return Ok(None);
        };
        let mut error = None;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::Ipv4RecvErr(extended, _)
            | ControlMessageOwned::Ipv6RecvErr(extended, _) = control
            {
                let info = u16::try_from(extended.ee_info).ok();
                error = icmp_error(extended.ee_origin, extended.ee_type, extended.ee_code, info);
            }
        }
        let len = message.bytes;
        Ok(error.map(|error| IcmpMessage::new(destination, error, &quoted[..len.min(QUOTED_MAX)])))
    }

    /// Reads `sock_extended_err`: its origin (2 is ICMP, 3 is ICMPv6), type, code and the MTU.
    fn icmp_error(origin: u8, kind: u8, code: u8, mtu: Option<u16>) -> Option<IcmpError> {
        match (origin, kind, code) {
            (2, 3, 4) | (3, 2, 0) => Some(IcmpError::MessageTooLarge { mtu }),
            (2, 3, _) | (3, 1, _) => Some(IcmpError::Unreachable),
            _ => None,
        }
    }

    fn socket_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
        if let Some(v4) = address.as_sockaddr_in() {
            return Some(SocketAddr::V4(SocketAddrV4::from(*v4)));
        }
        let v6 = SocketAddrV6::from(*address.as_sockaddr_in6()?);
        match v6.ip().to_ipv4_mapped() {
            Some(v4) => Some(SocketAddr::V4(SocketAddrV4::new(v4, v6.port()))),
            None => Some(SocketAddr::V6(v6)),
        }
    }

    /// Says whether datagrams go whole or not at all, here and on the way.
    ///
    /// What the kernel thinks it knows of the path is ignored then: anybody can send it ICMP
    /// messages.
    pub(in crate::transport) fn set_dont_fragment(
        socket: &impl AsFd,
        local_addr: SocketAddr,
        on: bool,
    ) -> io::Result<()> {
        let (v4, v6) = if on {
            (Ipv4PathMtuDiscovery::PROBE, Ipv6PathMtuDiscovery::PROBE)
        } else {
            (Ipv4PathMtuDiscovery::DONT, Ipv6PathMtuDiscovery::DONT)
        };
        set_ip_mtu_discover(socket, v4)?;
        if local_addr.is_ipv6() {
            set_ipv6_mtu_discover(socket, v6)?;
            setsockopt(socket, sockopt::Ipv6DontFrag, &on)?;
        }
        Ok(())
    }

    /// Room for the error, the address of the host that reports it, and what else is turned on.
    const CONTROL_BYTES: usize = 256;
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod other {
    use std::io;
    use std::net::SocketAddr;

    use crate::transport::IcmpMessage;

    pub(in crate::transport) fn next<T>(_socket: &T) -> io::Result<Option<IcmpMessage>> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    pub(in crate::transport) fn set_dont_fragment<T>(
        _socket: &T,
        _local_addr: SocketAddr,
        _on: bool,
    ) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::future::poll_fn;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

    use nix::sys::socket::{getsockopt, sockopt};
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, ip_mtu_discover, ipv6_mtu_discover,
    };

    use super::*;
    use crate::transport::{AsyncUdpSocket, Datagrams, UdpTransport};

    #[test]
    fn entry_of_the_error_queue_that_cannot_be_read_is_skipped() {
        let mut entries = [Err(io::ErrorKind::InvalidData.into()), Ok(7)].into_iter();
        let read = || entries.next().unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()));
        assert_eq!(skip_failures(read).expect("the second can be read"), 7);
    }

    #[test]
    fn error_queue_that_cannot_be_read_counts_as_empty() {
        let mut reads = 0;
        let result = skip_failures::<()>(|| {
            reads += 1;
            Err(io::ErrorKind::PermissionDenied.into())
        });
        // Then poll_icmp waits for the next error, which registers its waker.
        assert_eq!(result.expect_err("no entry").kind(), io::ErrorKind::WouldBlock);
        assert_eq!(reads, FAILURES_MAX);
    }

    #[tokio::test]
    async fn datagrams_go_whole_but_for_those_that_may_not() {
        for local in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let Ok(socket) = UdpSocket::bind(SocketAddr::new(local, 0)) else { continue };
            let same = socket.try_clone().expect("clone");
            let transport = UdpTransport::from_std(socket, 1 << 16).expect("transport");
            let destination = same.local_addr().expect("bound");
            for dont_fragment in [true, false, false, true] {
                let datagrams = Datagrams {
                    destination,
                    source: None,
                    contents: b"any",
                    segment_size: None,
                    dont_fragment,
                };
                poll_fn(|cx| transport.poll_send(cx, &datagrams)).await.expect("it goes");
                let v4 = if dont_fragment {
                    Ipv4PathMtuDiscovery::PROBE
                } else {
                    Ipv4PathMtuDiscovery::DONT
                };
                assert_eq!(ip_mtu_discover(&same).expect("option"), v4);
                if local.is_ipv6() {
                    let v6 = if dont_fragment {
                        Ipv6PathMtuDiscovery::PROBE
                    } else {
                        Ipv6PathMtuDiscovery::DONT
                    };
                    assert_eq!(ipv6_mtu_discover(&same).expect("option"), v6);
                    let whole = getsockopt(&same, sockopt::Ipv6DontFrag).expect("option");
                    assert_eq!(whole, dont_fragment);
                }
            }
        }
    }
}
