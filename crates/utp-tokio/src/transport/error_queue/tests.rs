//! What the kernel is told about fragments, and what it does then.

use std::future::poll_fn;
use std::io::IoSliceMut;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::libc;
use nix::sys::socket::sockopt::SetStruct;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, getsockopt, recvmsg, setsockopt, sockopt,
};
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

/// Asks for the size of the largest fragment of each datagram that comes in fragments.
#[derive(Clone, Copy)]
struct ReceiveFragmentBytes;

nix::setsockopt_impl!(
    ReceiveFragmentBytes,
    libc::IPPROTO_IPV6,
    libc::IPV6_RECVFRAGSIZE,
    libc::c_int,
    SetStruct<'_, libc::c_int>
);

/// How large a datagram is that comes next, and its largest fragment if it comes in fragments.
fn receive_fragments(socket: &UdpSocket) -> (usize, Option<i32>) {
    let mut space = vec![0; 1 << 16];
    let mut iov = [IoSliceMut::new(&mut space)];
    let mut control = nix::cmsg_space!(libc::c_int);
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::empty());
    let message = recvmsg::<SockaddrStorage>(fd, &mut iov, Some(&mut control), flags);
    let message = message.expect("a datagram");
    let fragment = message.cmsgs().expect("there is room").find_map(|control| match control {
        ControlMessageOwned::Unknown(control) => control.data_bytes.first_chunk().copied(),
        _ => None,
    });
    (message.bytes, fragment.map(i32::from_ne_bytes))
}

#[tokio::test]
async fn ipv6_datagram_too_large_for_its_device_goes_in_fragments_that_fit_every_link() {
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    let to = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).expect("one more");
    setsockopt(&to, ReceiveFragmentBytes, &1).expect("Linux can tell");
    let transport = UdpTransport::from_std(socket, 1 << 18).expect("transport");
    // The loopback device takes 65536 bytes, headers included; what every link takes is 1280.
    for (size, fragment) in [(65_488, None), (65_500, Some(1_280))] {
        let datagrams = Datagrams {
            destination: to.local_addr().expect("bound"),
            source: None,
            contents: &vec![7; size],
            segment_size: None,
            dont_fragment: false,
        };
        poll_fn(|cx| transport.poll_send(cx, &datagrams)).await.expect("it goes");
        assert_eq!(receive_fragments(&to), (size, fragment));
        let whole = Datagrams { dont_fragment: true, ..datagrams };
        let sent = poll_fn(|cx| transport.poll_send(cx, &whole)).await;
        assert_eq!(sent.is_ok(), fragment.is_none(), "{size}");
        if sent.is_ok() {
            assert_eq!(receive_fragments(&to), (size, None));
        }
    }
}
