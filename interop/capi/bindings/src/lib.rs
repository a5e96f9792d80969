//! The C interface of this stack, declared as the bindings of libutp that the registry has declare
//! libutp's.
//!
//! What is written over those bindings is linked with this library instead, unchanged. Functions
//! are found by their names alone, as a program of C finds them. Only what the wrapper of the
//! reference calls is here; `include/utp.h` of `utp-capi` has all of it, and says what it means.
#![expect(non_camel_case_types, reason = "the names are those of the interface")]
#![expect(unsafe_code, reason = "the interface is one of C")]
#![allow(missing_docs, reason = "the header documents them")]

use std::ffi::{c_int, c_uint, c_void};

// Brings the definitions, which nothing here names.
use utp as _;

pub type byte = u8;
pub type uint32 = u32;
pub type uint64 = u64;
pub type socklen_t = u32;

#[derive(Debug)]
#[repr(C)]
pub struct utp_context {
    nothing: [u8; 0],
}

#[derive(Debug)]
#[repr(C)]
pub struct utp_socket {
    nothing: [u8; 0],
}

#[derive(Debug)]
#[repr(C)]
pub struct sockaddr {
    pub sa_family: u16,
    pub sa_data: [u8; 14],
}

#[derive(Debug)]
#[repr(C)]
pub struct utp_iovec {
    pub iov_base: *mut c_void,
    pub iov_len: usize,
}

#[derive(Clone, Copy)]
#[repr(C)]
#[expect(missing_debug_implementations, reason = "it has unions")]
pub struct utp_callback_arguments {
    pub context: *mut utp_context,
    pub socket: *mut utp_socket,
    pub len: usize,
    pub flags: uint32,
    pub callback_type: c_int,
    pub buf: *const byte,
    pub unnamed_field1: callback_detail,
    pub unnamed_field2: callback_extra,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub union callback_detail {
    pub address: *const sockaddr,
    pub send: c_int,
    pub sample_ms: c_int,
    pub error_code: c_int,
    pub state: c_int,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub union callback_extra {
    pub address_len: socklen_t,
    pub type_: c_int,
}

pub type utp_callback_t = Option<unsafe extern "C" fn(*mut utp_callback_arguments) -> uint64>;

pub const SHUT_WR: c_uint = 1;

pub const UTP_UDP_DONTFRAG: c_uint = 2;

pub const UTP_STATE_WRITABLE: c_uint = 2;
pub const UTP_STATE_EOF: c_uint = 3;
pub const UTP_STATE_DESTROYING: c_uint = 4;

pub const UTP_ECONNREFUSED: c_uint = 0;
pub const UTP_ECONNRESET: c_uint = 1;

pub const UTP_ON_ACCEPT: c_uint = 1;
pub const UTP_ON_CONNECT: c_uint = 2;
pub const UTP_ON_ERROR: c_uint = 3;
pub const UTP_ON_READ: c_uint = 4;
pub const UTP_ON_STATE_CHANGE: c_uint = 6;
pub const UTP_GET_READ_BUFFER_SIZE: c_uint = 7;
pub const UTP_GET_MILLISECONDS: c_uint = 11;
pub const UTP_GET_MICROSECONDS: c_uint = 12;
pub const UTP_GET_RANDOM: c_uint = 13;
pub const UTP_LOG: c_uint = 14;
pub const UTP_SENDTO: c_uint = 15;
pub const UTP_LOG_NORMAL: c_uint = 16;
pub const UTP_SNDBUF: c_uint = 19;
pub const UTP_RCVBUF: c_uint = 20;

unsafe extern "C" {
    pub fn utp_init(version: c_int) -> *mut utp_context;
    pub fn utp_destroy(context: *mut utp_context);
    pub fn utp_set_callback(context: *mut utp_context, name: c_int, callback: utp_callback_t);
    pub fn utp_context_set_userdata(context: *mut utp_context, data: *mut c_void) -> *mut c_void;
    pub fn utp_context_get_userdata(context: *mut utp_context) -> *mut c_void;
    pub fn utp_context_set_option(context: *mut utp_context, option: c_int, value: c_int) -> c_int;
    pub fn utp_process_udp(
        context: *mut utp_context,
        datagram: *const byte,
        len: usize,
        from: *const sockaddr,
        from_len: socklen_t,
    ) -> c_int;
    pub fn utp_process_icmp_error(
        context: *mut utp_context,
        quoted: *const byte,
        len: usize,
        to: *const sockaddr,
        to_len: socklen_t,
    ) -> c_int;
    pub fn utp_process_icmp_fragmentation(
        context: *mut utp_context,
        quoted: *const byte,
        len: usize,
        to: *const sockaddr,
        to_len: socklen_t,
        next_hop_mtu: u16,
    ) -> c_int;
    pub fn utp_check_timeouts(context: *mut utp_context);
    pub fn utp_issue_deferred_acks(context: *mut utp_context);
    pub fn utp_create_socket(context: *mut utp_context) -> *mut utp_socket;
    pub fn utp_set_userdata(socket: *mut utp_socket, data: *mut c_void) -> *mut c_void;
    pub fn utp_get_userdata(socket: *mut utp_socket) -> *mut c_void;
    pub fn utp_connect(socket: *mut utp_socket, to: *const sockaddr, to_len: socklen_t) -> c_int;
    pub fn utp_writev(socket: *mut utp_socket, vector: *mut utp_iovec, len: usize) -> isize;
    pub fn utp_read_drained(socket: *mut utp_socket);
    pub fn utp_shutdown(socket: *mut utp_socket, how: c_int);
    pub fn utp_close(socket: *mut utp_socket);
}
