//! The functions of `utp.h`.
//!
//! Each looks its handle up, reads what its pointers lead to, and lets no panic out. A handle that
//! is null, or whose context or socket is gone, is answered with the value for failure.
//!
//! # Safety
//!
//! What the header asks of its callers: a pointer beside a length leads to so many bytes, or is
//! null; a callback is a function of the right type that returns.
#![expect(unsafe_code, reason = "the interface is one of C")]

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use utp_proto::IcmpError;

use crate::address;
use crate::context::Context;
use crate::handles::{self, Id};
use crate::types::{
    API_VERSION, Callback, IOV_MAX, IoVec, SockAddr, SockLen, UtpContext, UtpSocket,
};

/// Runs what a function does, and answers for it if it panics.
fn guarded<T>(failure: T, body: impl FnOnce() -> Option<T>) -> T {
    // What a panic leaves behind is not used again: see `Context::lock`.
    catch_unwind(AssertUnwindSafe(body)).ok().flatten().unwrap_or(failure)
}

fn with_context<T>(
    context: *mut UtpContext,
    failure: T,
    body: impl FnOnce(Arc<Context>) -> Option<T>,
) -> T {
    guarded(failure, || body(handles::context(context)?))
}

fn with_socket<T>(
    socket: *mut UtpSocket,
    failure: T,
    body: impl FnOnce(Arc<Context>, Id) -> Option<T>,
) -> T {
    guarded(failure, || {
        let (context, id) = handles::socket(socket)?;
        context.flags(id)?;
        body(context, id)
    })
}

/// The bytes that a pointer and a length name. `None` for a null pointer to something.
///
/// # Safety
/// `bytes` leads to `len` bytes, which stay as they are for `'a`, or is null.
unsafe fn bytes_at<'a>(bytes: *const u8, len: usize) -> Option<&'a [u8]> {
    if len == 0 {
        return Some(&[]);
    }
    if bytes.is_null() || isize::try_from(len).is_err() {
        return None;
    }
    // SAFETY: the caller says so, and a slice may have this length.
    Some(unsafe { slice::from_raw_parts(bytes, len) })
}

/// Makes a context, for a program that asks for version 2.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_init(version: c_int) -> *mut UtpContext {
    guarded(ptr::null_mut(), || (version == API_VERSION).then(handles::register)?)
}

/// Ends a context and its sockets.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_destroy(context: *mut UtpContext) {
    with_context(context, (), |context| {
        context.destroy();
        None
    });
}

/// Sets or clears a callback.
///
/// # Safety
/// See the module.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn utp_set_callback(
    context: *mut UtpContext,
    name: c_int,
    callback: Option<Callback>,
) {
    with_context(context, (), |context| {
        let mut state = context.lock()?;
        state.callbacks.set(name, callback);
        state.on_callbacks_changed();
        None
    });
}

/// Keeps a pointer for the program.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_context_set_userdata(
    context: *mut UtpContext,
    userdata: *mut c_void,
) -> *mut c_void {
    with_context(context, ptr::null_mut(), |context| {
        context.userdata.store(userdata, Ordering::Relaxed);
        Some(userdata)
    })
}

/// Gives it back.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_context_get_userdata(context: *mut UtpContext) -> *mut c_void {
    with_context(context, ptr::null_mut(), |context| Some(context.userdata.load(Ordering::Relaxed)))
}

/// Sets an option of a context, for sockets that are made later.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_context_set_option(
    context: *mut UtpContext,
    option: c_int,
    value: c_int,
) -> c_int {
    with_context(context, -1, |context| Some(context.set_option(option, value)))
}

/// Says what an option of a context is set to.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_context_get_option(context: *mut UtpContext, option: c_int) -> c_int {
    with_context(context, -1, |context| Some(context.option(option)))
}

/// Takes a datagram and who sent it. 1 if it was uTP, otherwise 0.
///
/// # Safety
/// See the module.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn utp_process_udp(
    context: *mut UtpContext,
    buf: *const u8,
    len: usize,
    from: *const SockAddr,
    from_len: SockLen,
) -> c_int {
    with_context(context, 0, |context| {
        // SAFETY: the caller says so.
        let (datagram, from) = unsafe { (bytes_at(buf, len)?, address::read(from, from_len)) };
        Some(context.process_udp(datagram, from).into())
    })
}

/// Takes an ICMP error and what it quotes of a datagram to this address.
///
/// # Safety
/// See the module.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn utp_process_icmp_error(
    context: *mut UtpContext,
    quoted: *const u8,
    len: usize,
    to: *const SockAddr,
    to_len: SockLen,
) -> c_int {
    with_context(context, 0, |context| {
        // SAFETY: the caller says so.
        let (quoted, to) = unsafe { (bytes_at(quoted, len)?, address::read(to, to_len)) };
        Some(context.process_icmp(IcmpError::Unreachable, quoted, to).into())
    })
}

/// Takes the ICMP message that a datagram to this address was too large.
///
/// # Safety
/// See the module.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn utp_process_icmp_fragmentation(
    context: *mut UtpContext,
    quoted: *const u8,
    len: usize,
    to: *const SockAddr,
    to_len: SockLen,
    next_hop_mtu: u16,
) -> c_int {
    with_context(context, 0, |context| {
        // SAFETY: the caller says so.
        let (quoted, to) = unsafe { (bytes_at(quoted, len)?, address::read(to, to_len)) };
        let mtu = (next_hop_mtu > 0).then_some(next_hop_mtu);
        Some(context.process_icmp(IcmpError::MessageTooLarge { mtu }, quoted, to).into())
    })
}

/// Acts on what is due.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_check_timeouts(context: *mut UtpContext) {
    with_context(context, (), |context| {
        context.check_timeouts();
        None
    });
}

/// Sends the acks that wait.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_issue_deferred_acks(context: *mut UtpContext) {
    with_context(context, (), |context| {
        context.issue_deferred_acks();
        None
    });
}

/// Where the counters of a context are, for as long as it lives.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_get_context_stats(context: *mut UtpContext) -> *mut c_void {
    with_context(context, ptr::null_mut(), |context| {
        Some(ptr::from_ref(&context.stats).cast_mut().cast())
    })
}

/// Makes a socket.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_create_socket(context: *mut UtpContext) -> *mut UtpSocket {
    with_context(context, ptr::null_mut(), |context| Some(context.create_socket()?.socket_handle()))
}

/// Keeps a pointer for the program.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_set_userdata(socket: *mut UtpSocket, userdata: *mut c_void) -> *mut c_void {
    with_socket(socket, ptr::null_mut(), |context, id| {
        context.lock()?.sockets.get(id)?.userdata.store(userdata, Ordering::Relaxed);
        Some(userdata)
    })
}

/// Gives it back.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_get_userdata(socket: *mut UtpSocket) -> *mut c_void {
    with_socket(socket, ptr::null_mut(), |context, id| {
        Some(context.lock()?.sockets.get(id)?.userdata.load(Ordering::Relaxed))
    })
}

/// Sets an option of a socket.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_setsockopt(socket: *mut UtpSocket, option: c_int, value: c_int) -> c_int {
    with_socket(socket, -1, |context, id| Some(context.set_socket_option(id, option, value)))
}

/// Says what an option of a socket is set to.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_getsockopt(socket: *mut UtpSocket, option: c_int) -> c_int {
    with_socket(socket, -1, |context, id| Some(context.socket_option(id, option)))
}

/// Connects a socket.
///
/// # Safety
/// See the module.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn utp_connect(
    socket: *mut UtpSocket,
    to: *const SockAddr,
    to_len: SockLen,
) -> c_int {
    with_socket(socket, -1, |context, id| {
        // SAFETY: the caller says so.
        let to = unsafe { address::read(to, to_len) };
        Some(context.connect(id, to))
    })
}

/// Writes what the window takes.
///
/// # Safety
/// See the module.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn utp_write(socket: *mut UtpSocket, buf: *mut c_void, len: usize) -> isize {
    with_socket(socket, -1, |context, id| {
        // SAFETY: the caller says so.
        let bytes = unsafe { bytes_at(buf.cast_const().cast(), len) };
        let bytes = bytes.filter(|_| !buf.is_null())?;
        isize::try_from(context.write(id, std::iter::once(bytes))?).ok()
    })
}

/// Writes what the window takes of several pieces.
///
/// # Safety
/// See the module.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn utp_writev(
    socket: *mut UtpSocket,
    vector: *mut IoVec,
    count: usize,
) -> isize {
    with_socket(socket, -1, |context, id| {
        if vector.is_null() || count == 0 {
            return None;
        }
        // SAFETY: the caller says so.
        let pieces = unsafe { slice::from_raw_parts(vector.cast_const(), count.min(IOV_MAX)) };
        // SAFETY: the caller says so of each.
        let bytes_of =
            |piece: &IoVec| unsafe { bytes_at(piece.base.cast_const().cast(), piece.len) };
        if pieces.iter().any(|piece| bytes_of(piece).is_none()) {
            return None;
        }
        isize::try_from(context.write(id, pieces.iter().filter_map(bytes_of))?).ok()
    })
}

/// Says who the peer is.
///
/// # Safety
/// See the module.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn utp_getpeername(
    socket: *mut UtpSocket,
    address: *mut SockAddr,
    address_len: *mut SockLen,
) -> c_int {
    with_socket(socket, -1, |context, id| {
        let peer = address::RawAddress::new(context.peer_of(id)?);
        // SAFETY: the caller says so.
        let written = unsafe { peer.write_to(address, address_len) };
        written.then_some(0)
    })
}

/// The program has read of what it held.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_read_drained(socket: *mut UtpSocket) {
    with_socket(socket, (), |context, id| {
        context.read_drained(id);
        None
    });
}

/// Says how long packets wait on the way.
///
/// # Safety
/// See the module; each pointer may be null.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn utp_get_delays(
    socket: *mut UtpSocket,
    ours: *mut u32,
    theirs: *mut u32,
    age: *mut u32,
) -> c_int {
    let delays = with_socket(socket, None, |context, id| Some(context.delays(id)));
    for (place, value) in [ours, theirs, age].into_iter().zip(delays.unwrap_or_default()) {
        // SAFETY: the caller says that it leads to a number, if it is not null.
        if let Some(place) = unsafe { place.as_mut() } {
            *place = value;
        }
    }
    if delays.is_some() { 0 } else { -1 }
}

/// Where the counters of a socket are, for as long as it lives.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_get_stats(socket: *mut UtpSocket) -> *mut c_void {
    with_socket(socket, ptr::null_mut(), |context, id| {
        Some(context.socket_stats(id)?.cast_mut().cast())
    })
}

/// The context of a socket.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_get_context(socket: *mut UtpSocket) -> *mut UtpContext {
    with_socket(socket, ptr::null_mut(), |context, _| Some(context.id().context_handle()))
}

/// Ends a direction of a socket.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_shutdown(socket: *mut UtpSocket, how: c_int) {
    with_socket(socket, (), |context, id| {
        context.shutdown(id, how);
        None
    });
}

/// Ends a socket.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub extern "C" fn utp_close(socket: *mut UtpSocket) {
    with_socket(socket, (), |context, id| {
        context.close(id);
        None
    });
}
