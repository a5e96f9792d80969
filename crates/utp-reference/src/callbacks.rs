//! What libutp calls: one function that takes notes in [`Shared`].

use std::ffi::{CStr, c_int};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr::NonNull;
use std::rc::Rc;

use libutp_rs2_sys as sys;

use super::{Draw, Event, Failure, Options, Shared, SocketId};

/// Makes a fresh context call [`callback`], with `shared` as its user data.
///
/// The caller keeps `shared` for as long as the context lives.
pub(super) fn register(context: NonNull<sys::utp_context>, shared: &Rc<Shared>, options: Options) {
    let callbacks = [
        sys::UTP_GET_MICROSECONDS,
        sys::UTP_GET_MILLISECONDS,
        sys::UTP_GET_RANDOM,
        sys::UTP_GET_READ_BUFFER_SIZE,
        sys::UTP_ON_CONNECT,
        sys::UTP_ON_ERROR,
        sys::UTP_ON_READ,
        sys::UTP_ON_STATE_CHANGE,
        sys::UTP_SENDTO,
    ];
    // Without an accept callback the library ignores every SYN.
    let accept = options.accept.then_some(sys::UTP_ON_ACCEPT);
    let log = options.gauges.then_some(sys::UTP_LOG);
    for name in callbacks.into_iter().chain(accept).chain(log) {
        // SAFETY: the context is alive, the name in range, the function of the right type.
        unsafe { sys::utp_set_callback(context.as_ptr(), name.cast_signed(), Some(callback)) }
    }
    let user_data = Rc::as_ptr(shared).cast_mut().cast();
    // SAFETY: the context is alive, and its user data is ours.
    unsafe { sys::utp_context_set_userdata(context.as_ptr(), user_data) };
}

/// Takes every callback. A panic in here ends the process, as unwinding stops at this boundary.
///
/// # Safety
///
/// Called by libutp alone, with arguments that are valid for the call.
unsafe extern "C" fn callback(arguments: *mut sys::utp_callback_arguments) -> sys::uint64 {
    // Fields that the callback does not use are not initialised, so that none is read before the
    // callback is known, and no reference is made to the whole.
    // SAFETY: context and callback type are set for every callback.
    let (context, callback_type) = unsafe { ((*arguments).context, (*arguments).callback_type) };
    // SAFETY: `register` set the user data, and `Context` keeps it alive for longer than libutp's
    // context; it is only ever shared.
    let shared = unsafe { &*sys::utp_context_get_userdata(context).cast::<Shared>() };
    match callback_type.cast_unsigned() {
        // SAFETY: these are the callbacks they are made for.
        sys::UTP_SENDTO => unsafe { on_send(shared, arguments) },
        // SAFETY: as above.
        sys::UTP_ON_READ => unsafe { on_read(shared, arguments) },
        sys::UTP_GET_MICROSECONDS => return shared.outside.now_us(),
        sys::UTP_GET_MILLISECONDS => return shared.outside.now_us() / 1_000,
        sys::UTP_GET_RANDOM => return shared.random().into(),
        // SAFETY: as above.
        sys::UTP_LOG => unsafe { on_log(shared, arguments) },
        sys::UTP_GET_READ_BUFFER_SIZE => {
            // Within a connect, the library asks for this just before it draws the SYN number.
            if shared.draw.get() == Draw::ConnectionId {
                shared.draw.set(Draw::SynSeq);
            }
            // SAFETY: the socket is set for this callback.
            return unsafe { socket_of(arguments) }.map_or(0, |socket| unread(shared, socket));
        }
        sys::UTP_ON_ACCEPT => {
            // SAFETY: the socket is set for this callback.
            let raw = unsafe { (*arguments).socket };
            let raw = NonNull::new(raw).expect("libutp names the socket");
            shared.push(Event::Accepted(shared.adopt(raw)));
        }
        name => {
            // SAFETY: the socket is set for these callbacks.
            if let Some(socket) = unsafe { socket_of(arguments) } {
                // SAFETY: the callbacks that are left have a state or an error code, which share
                // their place; `connect` has neither, and its is not read.
                let event = unsafe { event_of(name, arguments, socket) };
                if let Some(Event::Destroyed(_)) = event {
                    shared.sockets.borrow_mut()[socket.0].raw = None;
                }
                event.into_iter().for_each(|event| shared.push(event));
            }
        }
    }
    0
}

/// Passes a datagram on.
///
/// # Safety
///
/// The arguments are those of `SENDTO`.
unsafe fn on_send(shared: &Shared, arguments: *const sys::utp_callback_arguments) {
    // SAFETY: all of these are set for this callback, and valid during it.
    let (datagram, to, flags) = unsafe {
        let datagram = std::slice::from_raw_parts((*arguments).buf, (*arguments).len);
        (datagram, address_from((*arguments).unnamed_field1.address), (*arguments).flags)
    };
    shared.outside.send(datagram, to, flags & sys::UTP_UDP_DONTFRAG != 0);
}

/// Reads what the library says of a socket.
///
/// # Safety
///
/// The arguments are those of `LOG`.
unsafe fn on_log(shared: &Shared, arguments: *const sys::utp_callback_arguments) {
    // SAFETY: the socket is set for this callback, if there is one.
    let Some(socket) = (unsafe { socket_of(arguments) }) else { return };
    // SAFETY: the text ends with a zero and is valid during the callback.
    let text = unsafe { CStr::from_ptr((*arguments).buf.cast()) };
    let sockets = shared.sockets.borrow();
    let gauges = &sockets[socket.0].gauges;
    gauges.set(gauges.get().after(&text.to_string_lossy()));
}

/// Copies what arrived into the socket's inbox.
///
/// # Safety
///
/// The arguments are those of `ON_READ`.
unsafe fn on_read(shared: &Shared, arguments: *const sys::utp_callback_arguments) {
    // SAFETY: socket, buffer and length are set for this callback, and valid during it.
    let (socket, bytes) = unsafe {
        let bytes = std::slice::from_raw_parts((*arguments).buf, (*arguments).len);
        (socket_of(arguments), bytes)
    };
    let Some(socket) = socket else { return };
    let mut sockets = shared.sockets.borrow_mut();
    let inbox = &mut sockets[socket.0].inbox;
    if inbox.is_empty() {
        shared.push(Event::Readable(socket));
    }
    inbox.extend_from_slice(bytes);
}

/// Tells the library how much the application has not read.
fn unread(shared: &Shared, socket: SocketId) -> u64 {
    let sockets = shared.sockets.borrow();
    let entry = &sockets[socket.0];
    let unread = entry.unread();
    if unread > 0 {
        entry.told_unread.set(true);
    }
    unread as u64
}

/// The number of the socket that a callback is about; `None` before it has one.
///
/// # Safety
///
/// The socket is set for this callback.
unsafe fn socket_of(arguments: *const sys::utp_callback_arguments) -> Option<SocketId> {
    // SAFETY: the caller's promise.
    let raw = NonNull::new(unsafe { (*arguments).socket })?;
    // SAFETY: a socket is alive during every callback about it.
    let number = unsafe { sys::utp_get_userdata(raw.as_ptr()) }.addr();
    number.checked_sub(1).map(SocketId)
}

/// What a callback without data means.
///
/// # Safety
///
/// State and error code are set for the callbacks that have them.
unsafe fn event_of(
    name: u32,
    arguments: *const sys::utp_callback_arguments,
    socket: SocketId,
) -> Option<Event> {
    // SAFETY: the caller's promise; both share their place and have the same type.
    let code = || -> u32 { unsafe { (*arguments).unnamed_field1.state }.cast_unsigned() };
    Some(match name {
        sys::UTP_ON_CONNECT => Event::Connected(socket),
        sys::UTP_ON_ERROR => Event::Error(
            socket,
            match code() {
                sys::UTP_ECONNREFUSED => Failure::Refused,
                sys::UTP_ECONNRESET => Failure::Reset,
                _ => Failure::TimedOut,
            },
        ),
        sys::UTP_ON_STATE_CHANGE => match code() {
            sys::UTP_STATE_DESTROYING => Event::Destroyed(socket),
            sys::UTP_STATE_EOF => Event::Eof(socket),
            sys::UTP_STATE_WRITABLE => Event::Writable(socket),
            // The connect callback is set, so that this state never comes.
            _ => return None,
        },
        _ => return None,
    })
}

/// Reads a socket address of the system.
///
/// # Safety
///
/// The pointer leads to a whole `sockaddr_in` or `sockaddr_in6`, as its family says.
unsafe fn address_from(address: *const sys::sockaddr) -> SocketAddr {
    // Both layouts start with a family of two bytes and a port of two bytes, the latter in network
    // order. IPv6 has four bytes of flow label between the port and the address.
    let bytes = address.cast::<u8>();
    // SAFETY: the caller's promise; bytes need no alignment.
    let read = |offset: usize| unsafe { bytes.add(offset).read() };
    let port = u16::from_be_bytes([read(2), read(3)]);
    // SAFETY: as above.
    let family = c_int::from(unsafe { (*address).sa_family });
    let ip = if family == AF_INET {
        IpAddr::V4(Ipv4Addr::from(std::array::from_fn(|i| read(4 + i))))
    } else {
        IpAddr::V6(Ipv6Addr::from(std::array::from_fn(|i| read(8 + i))))
    };
    SocketAddr::new(ip, port)
}

/// The family of IPv4, the same number on every system.
const AF_INET: c_int = 2;
