//! Owns the class of service that datagrams carry in their IP header (RFC 2474).
//!
//! The option of the socket is not enough: quinn-udp writes the whole field anew for each datagram,
//! for the sake of congestion marks. So a socket of a class has its own system call for sending.

/// A class of service, from 0 to 63: what networks may sort packets by (RFC 2474).
///
/// Networks are free to ignore or to clear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dscp(u8);

impl Dscp {
    /// Lower effort (RFC 8622): may be delayed or dropped before all other traffic. What LEDBAT
    /// does end to end this asks of every queue on the way.
    pub const LE: Self = Self(1);

    /// The class with the given number; none above 63.
    #[must_use]
    pub const fn new(code: u8) -> Option<Self> {
        if code < 64 { Some(Self(code)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }
}

#[cfg(any(target_os = "android", target_os = "linux"))]
pub(super) use linux::{send, set};
#[cfg(not(any(target_os = "android", target_os = "linux")))]
pub(super) use other::{send, set};

#[cfg(any(target_os = "android", target_os = "linux"))]
mod linux {
    use std::io::{self, IoSlice};
    use std::net::{IpAddr, SocketAddr};
    use std::os::fd::{AsFd, AsRawFd};

    use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
    use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
    use quinn_udp::Transmit;
    use rustix::net::sockopt::{set_ip_tos, set_ipv6_tclass};

    use super::Dscp;

    /// Sets the class of everything that leaves by [`send`].
    pub(in crate::transport) fn set(
        socket: &impl AsFd,
        local_addr: SocketAddr,
        dscp: Dscp,
    ) -> io::Result<()> {
        // The two lowest bits are for congestion marks. A socket of IPv6 sends IPv4, too.
        let field = dscp.0 << 2;
        set_ip_tos(socket, field)?;
        if local_addr.is_ipv6() {
            set_ipv6_tclass(socket, u32::from(field))?;
        }
        Ok(())
    }

    /// Hands datagrams to the kernel as quinn-udp does, but for the class.
    pub(in crate::transport) fn send(
        socket: &impl AsRawFd,
        transmit: &Transmit<'_>,
    ) -> io::Result<()> {
        let contents = [IoSlice::new(transmit.contents)];
        let segment = transmit.segment_size.filter(|size| *size < transmit.contents.len());
        let segment = segment.and_then(|size| u16::try_from(size).ok());
        let (v4, v6) = match transmit.src_ip {
            Some(IpAddr::V4(ip)) => {
                let ipi_spec_dst = in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
                let ipi_addr = in_addr { s_addr: 0 };
                (Some(in_pktinfo { ipi_ifindex: 0, ipi_spec_dst, ipi_addr }), None)
            }
            Some(IpAddr::V6(ip)) => {
                let ipi6_addr = in6_addr { s6_addr: ip.octets() };
                (None, Some(in6_pktinfo { ipi6_ifindex: 0, ipi6_addr }))
            }
            None => (None, None),
        };
        let control = [
            segment.as_ref().map(ControlMessage::UdpGsoSegments),
            v4.as_ref().map(ControlMessage::Ipv4PacketInfo),
            v6.as_ref().map(ControlMessage::Ipv6PacketInfo),
        ];
        let control: Vec<_> = control.into_iter().flatten().collect();
        let destination = SockaddrStorage::from(transmit.destination);
        let fd = socket.as_raw_fd();
        sendmsg(fd, &contents, &control, MsgFlags::MSG_DONTWAIT, Some(&destination))?;
        Ok(())
    }
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod other {
    use std::io;
    use std::net::SocketAddr;

    use quinn_udp::Transmit;

    use super::Dscp;

    pub(in crate::transport) fn set<T>(_: &T, _: SocketAddr, _: Dscp) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::transport) fn send<T>(_: &T, _: &Transmit<'_>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::future::poll_fn;
    use std::io::IoSliceMut;
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
    };
    use rustix::net::sockopt::{ip_tos, ipv6_tclass};

    use super::*;
    use crate::transport::{AsyncUdpSocket, Datagrams, UdpTransport};

    /// The class of the next datagram that `socket` receives, and how long it is.
    fn receive(socket: &UdpSocket) -> (Option<u8>, usize) {
        let mut space = [0; 2_000];
        let mut iov = [IoSliceMut::new(&mut space)];
        let mut control = nix::cmsg_space!([u8; 128]);
        let flags = MsgFlags::empty();
        let fd = socket.as_raw_fd();
        let message =
            recvmsg::<SockaddrStorage>(fd, &mut iov, Some(&mut control), flags).expect("it came");
        let field = message.cmsgs().expect("they fit").find_map(|control| match control {
            ControlMessageOwned::Ipv4Tos(field) => Some(field),
            ControlMessageOwned::Ipv6TClass(field) => u8::try_from(field).ok(),
            _ => None,
        });
        (field.map(|field| field >> 2), message.bytes)
    }

    async fn send(from: &UdpTransport, destination: SocketAddr, segment_size: Option<usize>) {
        let datagrams = Datagrams {
            destination,
            source: None,
            contents: &[7; 2_500],
            segment_size,
            dont_fragment: true,
        };
        let sent = poll_fn(|cx| from.poll_send(cx, &datagrams)).await.expect("it goes");
        assert_eq!(sent, 2_500);
    }

    #[tokio::test]
    async fn every_datagram_carries_the_class_and_the_socket_tells_it() {
        let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let to = UdpSocket::bind(any).expect("loopback");
        setsockopt(&to, sockopt::IpRecvTos, &true).expect("option");
        let socket = UdpSocket::bind(any).expect("loopback");
        let same = socket.try_clone().expect("clone");
        let mut from = UdpTransport::from_std(socket, 1 << 16).expect("transport");
        from.set_dscp(Dscp::LE).expect("option");
        assert_eq!(ip_tos(&same).expect("option"), 1 << 2);
        send(&from, to.local_addr().expect("bound"), Some(1_000)).await;
        let received = [receive(&to), receive(&to), receive(&to)];
        assert_eq!(received, [(Some(1), 1_000), (Some(1), 1_000), (Some(1), 500)]);
    }

    #[tokio::test]
    async fn the_same_holds_for_ipv6() {
        let any: SocketAddr = (Ipv6Addr::LOCALHOST, 0).into();
        let Ok(to) = UdpSocket::bind(any) else { return };
        setsockopt(&to, sockopt::Ipv6RecvTClass, &true).expect("option");
        let socket = UdpSocket::bind(any).expect("loopback");
        let same = socket.try_clone().expect("clone");
        let mut from = UdpTransport::from_std(socket, 1 << 16).expect("transport");
        from.set_dscp(Dscp::LE).expect("option");
        assert_eq!(ipv6_tclass(&same).expect("option"), 1 << 2);
        send(&from, to.local_addr().expect("bound"), Some(1_000)).await;
        assert_eq!(receive(&to), (Some(1), 1_000));
    }

    #[test]
    fn classes_have_six_bits() {
        assert_eq!(Dscp::new(1), Some(Dscp::LE));
        assert_eq!(Dscp::new(63).map(Dscp::code), Some(63));
        assert_eq!(Dscp::new(64), None);
    }
}
