//! One random call, with arguments that are mostly right.

use std::ffi::{c_int, c_void};
use std::ptr;

use utp::{IoVec, SockAddr, UtpContext, UtpSocket};

use super::{PLACES, address_of, chance, complain, draw, on_callback, raw, with};

/// Sockets that are still of interest: older ones are called now and then.
const RECENT: usize = 12;

/// Makes a call.
pub(super) fn one() {
    with(|world| world.calls += 1);
    match draw(100) {
        0..=1 => make_context(),
        2 if chance(20) => destroy_context(),
        2..=6 => connect(),
        7..=20 => write(),
        21..=24 => end_socket(),
        25..=29 => ask_socket(),
        30..=33 => set_something(),
        34..=35 => icmp(),
        36..=38 => garbage(),
        39..=50 => pass_time(),
        51..=60 => utp::utp_issue_deferred_acks(context()),
        _ => deliver(),
    }
}

/// A context: one that lives, mostly.
fn context() -> *mut UtpContext {
    with(|world| {
        if world.draws.chance(2) {
            let count = world.contexts.len();
            let place = world.draws.below(count + 1);
            return world.contexts.get(place).copied().unwrap_or_else(ptr::null_mut);
        }
        if world.draws.chance(1) {
            return ptr::without_provenance_mut(world.draws.below(usize::MAX));
        }
        let place = world.draws.below(PLACES);
        world.places[place]
    })
}

/// A socket: a recent one, mostly.
fn socket() -> *mut UtpSocket {
    with(|world| {
        if world.draws.chance(1) {
            return ptr::without_provenance_mut(world.draws.below(usize::MAX));
        }
        let count = world.sockets.len();
        let recent = if world.draws.chance(95) { RECENT } else { count };
        let place = count.checked_sub(1 + world.draws.below(recent));
        place.map_or_else(ptr::null_mut, |place| world.sockets[place])
    })
}

fn make_context() {
    let place = draw(PLACES);
    if !with(|world| world.places[place].is_null()) {
        return;
    }
    let context = utp::utp_init(if chance(90) { 2 } else { 1 });
    if context.is_null() {
        return;
    }
    with(|world| {
        world.places[place] = context;
        world.contexts.push(context);
    });
    for name in 0..16 {
        // Some are not always there. Without time and random numbers no run were like the other.
        if !matches!(name, 5 | 7..=10 | 14) || chance(50) {
            // SAFETY: it is a callback.
            unsafe { utp::utp_set_callback(context, name, Some(on_callback)) };
        }
    }
    for option in 16..19 {
        utp::utp_context_set_option(context, option, c_int::from(chance(20)));
    }
}

fn destroy_context() {
    let place = draw(PLACES);
    let context = with(|world| std::mem::replace(&mut world.places[place], ptr::null_mut()));
    utp::utp_destroy(context);
    with(|world| {
        // Within one of its own callbacks the outer destroy goes on.
        if !context.is_null() && world.depth == 0 {
            world.gone.insert(context.addr());
        }
    });
}

fn connect() {
    let socket = utp::utp_create_socket(context());
    if !socket.is_null() {
        with(|world| world.sockets.push(socket));
    }
    let (address, len) = raw(address_of(draw(PLACES), chance(70)));
    let len = if chance(3) { 7 } else { len };
    let address: *const SockAddr = if chance(2) { ptr::null() } else { address.as_ptr().cast() };
    let socket = if chance(95) { socket } else { self::socket() };
    // SAFETY: the address is as long as that, or null.
    unsafe { utp::utp_connect(socket, address, len) };
}

fn write() {
    static BYTES: [u8; 20_000] = [0x55; 20_000];
    let start: *mut c_void = BYTES.as_ptr().cast_mut().cast();
    let len = [0, 1, 100, 1_500, 20_000][draw(5)];
    let socket = socket();
    let written = if chance(70) {
        let start = if chance(1) { ptr::null_mut() } else { start };
        // SAFETY: there are as many bytes, or the pointer is null.
        unsafe { utp::utp_write(socket, start, len) }
    } else {
        let count = draw(4);
        let mut vector = vec![IoVec { base: start, len }; count];
        if chance(1) && count > 0 {
            vector[0].base = ptr::null_mut();
        }
        let vector = if chance(1) { ptr::null_mut() } else { vector.as_mut_ptr() };
        // SAFETY: there are as many elements, and each has as many bytes or a null pointer.
        unsafe { utp::utp_writev(socket, vector, count) }
    };
    if !(-1..=80_000).contains(&written) {
        complain(format!("{written} bytes written"));
    }
}

fn end_socket() {
    let socket = socket();
    match draw(4) {
        0 => utp::utp_shutdown(socket, c_int::try_from(draw(5)).expect("it is small")),
        1 => utp::utp_read_drained(socket),
        _ => utp::utp_close(socket),
    }
}

fn ask_socket() {
    let socket = socket();
    match draw(7) {
        0 => {
            let mut room = [0_u8; 40];
            let mut len = u32::try_from(draw(40)).expect("it is small");
            let null = chance(5);
            let address = if null { ptr::null_mut() } else { room.as_mut_ptr().cast() };
            // SAFETY: there is as much room.
            unsafe { utp::utp_getpeername(socket, address, &raw mut len) };
        }
        1 => {
            let (mut ours, mut theirs) = (0, 0);
            // SAFETY: each leads to a number or is null.
            unsafe {
                utp::utp_get_delays(socket, &raw mut ours, &raw mut theirs, ptr::null_mut());
            }
        }
        2 => {
            let stats: *const [u64; 5] = utp::utp_get_stats(socket).cast();
            // SAFETY: if it is not null, the socket lives and so do its counters.
            let _counted = unsafe { stats.as_ref() }.copied();
        }
        3 => {
            let stats: *const [u32; 10] = utp::utp_get_context_stats(context()).cast();
            // SAFETY: if it is not null, the context lives and so do its counters.
            let _counted = unsafe { stats.as_ref() }.copied();
        }
        4 => {
            let context = utp::utp_get_context(socket);
            utp::utp_context_get_userdata(context);
        }
        5 => {
            let value = ptr::without_provenance_mut(draw(1_000) + 1);
            let set = utp::utp_set_userdata(socket, value);
            if !set.is_null() && utp::utp_get_userdata(socket) != value {
                complain("user data is not kept".to_owned());
            }
        }
        _ => {
            let option = c_int::try_from(draw(26)).expect("it is small");
            utp::utp_getsockopt(socket, option);
            utp::utp_context_get_option(context(), option);
        }
    }
}

fn set_something() {
    let option = c_int::try_from(14 + draw(9)).expect("it is small");
    let value = [0, 1, 4_096, 100_000, 1 << 20, -1, c_int::MAX][draw(7)];
    match draw(4) {
        0 => drop(utp::utp_setsockopt(socket(), option, value)),
        1 => drop(utp::utp_context_set_option(context(), option, value)),
        2 => {
            // Names that are none, too.
            let name = c_int::try_from(draw(30)).expect("it is small") - 5;
            let callback = chance(80).then_some(on_callback as utp::Callback);
            if !matches!(name, 11 | 12 | 13 | 15) {
                // SAFETY: it is a callback or none.
                unsafe { utp::utp_set_callback(context(), name, callback) };
            }
        }
        _ => drop(utp::utp_context_set_userdata(context(), ptr::null_mut())),
    }
}

fn icmp() {
    let sent = with(|world| {
        let place = world.draws.below(world.network.len());
        world.network.get(place).map(|datagram| (datagram.bytes.clone(), datagram.to))
    });
    let Some((bytes, to)) = sent else { return };
    let len = if chance(50) { bytes.len().min(20 + draw(8)) } else { draw(bytes.len() + 1) };
    let (address, address_len) = raw(address_of(to, chance(70)));
    let (context, address) = (context(), address.as_ptr().cast());
    let taken = if chance(50) {
        // SAFETY: there are as many bytes, and the address is whole.
        unsafe { utp::utp_process_icmp_error(context, bytes.as_ptr(), len, address, address_len) }
    } else {
        let mtu = [0, 100, 576, 1_300, u16::MAX][draw(5)];
        // SAFETY: as above.
        unsafe {
            utp::utp_process_icmp_fragmentation(
                context,
                bytes.as_ptr(),
                len,
                address,
                address_len,
                mtu,
            )
        }
    };
    if !matches!(taken, 0 | 1) {
        complain(format!("process_icmp answers {taken}"));
    }
}

fn garbage() {
    let len = [0, 5, 19, 20, 40, 300][draw(6)];
    let draw_byte = |_| with(|world| world.draws.next().to_le_bytes()[0]);
    let mut bytes: Vec<u8> = (0..len).map(draw_byte).collect();
    if chance(80) && !bytes.is_empty() {
        bytes[0] = u8::try_from(draw(5) << 4 | 1).expect("it fits");
        bytes.iter_mut().skip(1).take(2).for_each(|byte| *byte = 0);
    }
    process(draw(PLACES), draw(PLACES), &bytes);
}

fn process(to: usize, from: usize, bytes: &[u8]) {
    let (address, len) = raw(address_of(from, chance(80)));
    let context = if chance(98) { with(|world| world.places[to]) } else { context() };
    // SAFETY: there are as many bytes, and the address is whole.
    let taken = unsafe {
        utp::utp_process_udp(context, bytes.as_ptr(), bytes.len(), address.as_ptr().cast(), len)
    };
    if !matches!(taken, 0 | 1) {
        complain(format!("process_udp answers {taken}"));
    }
}

fn deliver() {
    let datagram = with(|world| world.network.pop_front());
    let Some(mut datagram) = datagram else { return };
    if chance(3) {
        return; // It is lost.
    }
    if chance(2) && !datagram.bytes.is_empty() {
        let place = draw(datagram.bytes.len());
        datagram.bytes[place] ^= 1 << draw(8);
    }
    if chance(1) {
        datagram.bytes.truncate(draw(30));
    }
    let (address, len) = raw(datagram.from);
    let context = with(|world| world.places[datagram.to]);
    for _ in 0..=usize::from(chance(2)) {
        // SAFETY: there are as many bytes, and the address is whole.
        let taken = unsafe {
            let bytes = &datagram.bytes;
            utp::utp_process_udp(context, bytes.as_ptr(), bytes.len(), address.as_ptr().cast(), len)
        };
        if !matches!(taken, 0 | 1) {
            complain(format!("process_udp answers {taken}"));
        }
    }
}

fn pass_time() {
    with(|world| {
        let step_us = match world.draws.below(200) {
            0 => 100_000_000,
            1 => 1 << world.draws.below(40),
            2..=9 => 1_000_000,
            _ => 10_000,
        };
        world.now_us = match world.draws.chance(1) {
            true => world.now_us.saturating_sub(step_us),
            false => world.now_us.saturating_add(step_us),
        };
    });
    utp::utp_check_timeouts(context());
}
