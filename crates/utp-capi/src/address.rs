//! Socket addresses of the system, byte by byte: what programs pass in and what callbacks get.
#![expect(unsafe_code, reason = "addresses come and go by pointer")]

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::types::{SockAddr, SockLen};

/// The number of IPv4, the same on every system.
const AF_INET: u16 = 2;

/// The number of IPv6.
const AF_INET6: u16 = if cfg!(windows) {
    23
} else if cfg!(any(target_vendor = "apple")) {
    30
} else if cfg!(any(target_os = "freebsd", target_os = "dragonfly")) {
    28
} else if cfg!(any(target_os = "netbsd", target_os = "openbsd")) {
    24
} else {
    10
};

/// Whether the first byte is the length and the second the family.
const HAS_LENGTH: bool = cfg!(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
));

/// Bytes that are looked at of an address of IPv4: family, port, address.
const LEN_V4: usize = 8;
/// The same of IPv6: family, port, flow label, address.
const LEN_V6: usize = 24;

/// Sizes of the structures.
const SIZE_V4: u8 = 16;
const SIZE_V6: u8 = 28;

/// An address as the system has it.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct RawAddress {
    bytes: [u8; SIZE_V6 as usize],
    len: u8,
}

impl RawAddress {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let mut bytes = [0; SIZE_V6 as usize];
        let (family, len) = match address.ip() {
            IpAddr::V4(ip) => {
                bytes[4..LEN_V4].copy_from_slice(&ip.octets());
                (AF_INET, SIZE_V4)
            }
            IpAddr::V6(ip) => {
                bytes[8..LEN_V6].copy_from_slice(&ip.octets());
                (AF_INET6, SIZE_V6)
            }
        };
        let family = family.to_ne_bytes();
        match HAS_LENGTH {
            true => bytes[..2].copy_from_slice(&[len, family[0].max(family[1])]),
            false => bytes[..2].copy_from_slice(&family),
        }
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        Self { bytes, len }
    }

    pub(crate) const fn as_ptr(&self) -> *const SockAddr {
        self.bytes.as_ptr().cast()
    }

    pub(crate) fn len(&self) -> SockLen {
        self.len.into()
    }

    /// Copies as much as `address_len` has room for, and says there how long it is.
    ///
    /// # Safety
    /// If they are not null, `address` has room for `address_len` bytes.
    pub(crate) unsafe fn write_to(
        &self,
        address: *mut SockAddr,
        address_len: *mut SockLen,
    ) -> bool {
        // SAFETY: the caller says so.
        let Some(address_len) = (unsafe { address_len.as_mut() }) else { return false };
        let room = usize::try_from(*address_len).unwrap_or(0);
        let len = room.min(self.len.into());
        if address.is_null() {
            return false;
        }
        // SAFETY: `address` has room for `room` bytes, ours are no fewer than `len`, and nobody
        // else can know where they are.
        unsafe { self.bytes.as_ptr().copy_to_nonoverlapping(address.cast(), len) };
        *address_len = SockLen::try_from(len).unwrap_or(0);
        true
    }
}

/// Reads an address. Of a family that is not IPv4 the rest is taken for IPv6, and an IPv4 address
/// within that for what it is; a null pointer or too few bytes give none.
///
/// # Safety
/// `address` is null or leads to `address_len` bytes.
pub(crate) unsafe fn read(address: *const SockAddr, address_len: SockLen) -> Option<SocketAddr> {
    let len = usize::try_from(address_len).ok()?;
    if address.is_null() || len < LEN_V4 {
        return None;
    }
    // SAFETY: the caller says so, and bytes have no alignment.
    let bytes = unsafe { std::slice::from_raw_parts(address.cast::<u8>(), len.min(LEN_V6)) };
    let family = match HAS_LENGTH {
        true => bytes[1].into(),
        false => u16::from_ne_bytes([bytes[0], bytes[1]]),
    };
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    let ip = if family == AF_INET {
        IpAddr::from(*bytes[4..].first_chunk::<4>()?)
    } else {
        IpAddr::from(Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?).octets())
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(address: &str) -> (String, u32) {
        let raw = RawAddress::new(address.parse().unwrap());
        // SAFETY: it is an address of its own.
        let read = unsafe { read(raw.as_ptr(), raw.len()) };
        (read.unwrap().to_string(), u32::from(raw.len))
    }

    #[test]
    fn addresses_come_back_as_they_went() {
        assert_eq!(there_and_back("10.1.2.3:6881"), ("10.1.2.3:6881".to_owned(), 16));
        assert_eq!(there_and_back("[2001:db8::1]:1"), ("[2001:db8::1]:1".to_owned(), 28));
    }

    #[test]
    fn mapped_addresses_are_those_of_ipv4() {
        assert_eq!(there_and_back("[::ffff:10.1.2.3]:5").0, "10.1.2.3:5");
    }

    #[test]
    fn what_is_too_short_is_no_address() {
        let v4 = RawAddress::new("10.1.2.3:6881".parse().unwrap());
        let v6 = RawAddress::new("[::1]:6881".parse().unwrap());
        for (raw, len) in [(v4, 0), (v4, 7), (v6, 16), (v6, 23)] {
            // SAFETY: it has more bytes than that.
            assert_eq!(unsafe { read(raw.as_ptr(), len) }, None);
        }
        // SAFETY: null is looked at.
        assert_eq!(unsafe { read(std::ptr::null(), 16) }, None);
        // SAFETY: it has as many.
        assert!(unsafe { read(v4.as_ptr(), 8) }.is_some());
    }

    #[test]
    fn what_has_no_room_is_cut() {
        let raw = RawAddress::new("10.1.2.3:6881".parse().unwrap());
        let mut room = [0xff_u8; 16];
        let mut len = 6;
        // SAFETY: there is room for six bytes.
        assert!(unsafe { raw.write_to(room.as_mut_ptr().cast(), &raw mut len) });
        assert_eq!((len, room[5], room[6]), (6, 1, 0xff));
        // SAFETY: null is looked at.
        assert!(!unsafe { raw.write_to(std::ptr::null_mut(), &raw mut len) });
    }
}
