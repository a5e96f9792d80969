//! ICMP messages about what a socket sent, which Linux keeps in a queue beside it. Elsewhere there
//! are none.

#[cfg(target_os = "linux")]
pub(super) use linux::{ask_for, next};
#[cfg(not(target_os = "linux"))]
pub(super) use other::{ask_for, next};

use std::net::SocketAddr;

use utp_reference::IcmpError;

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    /// The beginning of the datagram that it is about.
    pub(super) quoted: Vec<u8>,
    /// Where that was sent.
    pub(super) to: SocketAddr,
    pub(super) error: IcmpError,
}

#[cfg(target_os = "linux")]
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

    use super::{IcmpError, Message};

    /// Has the kernel keep messages for a socket, and leave it to the library what follows from
    /// them: by itself it would take datagrams apart.
    pub(crate) fn ask_for(socket: &impl AsFd, local: SocketAddr) -> io::Result<()> {
        match local {
            SocketAddr::V4(_) => {
                setsockopt(socket, sockopt::Ipv4RecvErr, &true)?;
                set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE)?;
            }
            SocketAddr::V6(_) => {
                setsockopt(socket, sockopt::Ipv6RecvErr, &true)?;
                set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE)?;
            }
        }
        Ok(())
    }

    /// Takes the next message that says something about the way or the peer.
    pub(crate) fn next(socket: &impl AsRawFd) -> Option<Message> {
        loop {
            match receive(socket) {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(_) => return None,
            }
        }
    }

    fn receive(socket: &impl AsRawFd) -> io::Result<Option<Message>> {
        let mut quoted = [0; QUOTED_MAX];
        let mut iov = [IoSliceMut::new(&mut quoted)];
        let mut control = nix::cmsg_space!([u8; CONTROL_BYTES]);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut iov, Some(&mut control), flags)?;
        let len = message.bytes.min(QUOTED_MAX);
        let Some(to) = message.address.as_ref().and_then(address) else { return Ok(None) };
        let mut error = None;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::Ipv4RecvErr(extended, _)
            | ControlMessageOwned::Ipv6RecvErr(extended, _) = control
            {
                // Origins 2 and 3 are ICMP of IPv4 and IPv6; then come type and code.
                error = match (extended.ee_origin, extended.ee_type, extended.ee_code) {
                    (2, 3, 4) | (3, 2, 0) => {
                        let mtu = u16::try_from(extended.ee_info).unwrap_or(0);
                        Some(IcmpError::TooLarge { next_hop_mtu: mtu })
                    }
                    (2, 3, _) | (3, 1, _) => Some(IcmpError::Unreachable),
                    _ => None,
                };
            }
        }
        Ok(error.map(|error| Message { quoted: quoted[..len].to_vec(), to, error }))
    }

    fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
        match address.as_sockaddr_in() {
            Some(v4) => Some(SocketAddrV4::from(*v4).into()),
            None => Some(SocketAddrV6::from(*address.as_sockaddr_in6()?).into()),
        }
    }

    /// Enough for the header of a packet; a router quotes little more.
    const QUOTED_MAX: usize = 576;

    /// Room for the error and the address of who reports it.
    const CONTROL_BYTES: usize = 256;
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;
    use std::net::SocketAddr;

    use super::Message;

    pub(crate) fn ask_for<T>(_socket: &T, _local: SocketAddr) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn next<T>(_socket: &T) -> Option<Message> {
        None
    }
}
