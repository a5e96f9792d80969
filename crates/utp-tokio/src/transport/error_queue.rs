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

    use nix::libc;
    use nix::sys::socket::sockopt::SetStruct;
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

    /// The size to which the kernel takes apart what it sends over IPv6; 0 is that of the path.
    #[derive(Clone, Copy)]
    struct FragmentBytes;

    nix::setsockopt_impl!(
        FragmentBytes,
        libc::IPPROTO_IPV6,
        libc::IPV6_MTU,
        libc::c_int,
        SetStruct<'_, libc::c_int>
    );

    /// Says whether datagrams go whole or not at all, here and on the way.
    ///
    /// What the kernel thinks it knows of the path is ignored then: anybody can send it ICMP
    /// messages. Over IPv6 no router takes a datagram apart. One that may be, and is larger than
    /// what the device carries, is taken apart here, to the size that every link carries, since a
    /// path that has shrunk need not have said so. A smaller one goes whole all the same: Linux
    /// looks at its device first.
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
            setsockopt(socket, FragmentBytes, &if on { 0 } else { IPV6_LINK_BYTES_MIN })?;
        }
        Ok(())
    }

    /// What every link of IPv6 carries (RFC 8200 section 5).
    const IPV6_LINK_BYTES_MIN: libc::c_int = 1_280;

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
mod tests;
