//! The three arrays of names.
#![expect(unsafe_code, reason = "symbols of C have names that the linker must not change")]

/// A C string behind a thin pointer.
type Text = &'static u8;

macro_rules! text {
    ($name:literal) => {
        &concat!($name, "\0").as_bytes()[0]
    };
}

/// Names of states; there is none with number 0.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub static utp_state_names: [Option<Text>; 5] = [
    None,
    Some(text!("UTP_STATE_CONNECT")),
    Some(text!("UTP_STATE_WRITABLE")),
    Some(text!("UTP_STATE_EOF")),
    Some(text!("UTP_STATE_DESTROYING")),
];

/// Names of errors.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub static utp_error_code_names: [Text; 3] =
    [text!("UTP_ECONNREFUSED"), text!("UTP_ECONNRESET"), text!("UTP_ETIMEDOUT")];

/// Names of callbacks.
// SAFETY: nothing else has this name.
#[unsafe(no_mangle)]
pub static utp_callback_names: [Text; 16] = [
    text!("UTP_ON_FIREWALL"),
    text!("UTP_ON_ACCEPT"),
    text!("UTP_ON_CONNECT"),
    text!("UTP_ON_ERROR"),
    text!("UTP_ON_READ"),
    text!("UTP_ON_OVERHEAD_STATISTICS"),
    text!("UTP_ON_STATE_CHANGE"),
    text!("UTP_GET_READ_BUFFER_SIZE"),
    text!("UTP_ON_DELAY_SAMPLE"),
    text!("UTP_GET_UDP_MTU"),
    text!("UTP_GET_UDP_OVERHEAD"),
    text!("UTP_GET_MILLISECONDS"),
    text!("UTP_GET_MICROSECONDS"),
    text!("UTP_GET_RANDOM"),
    text!("UTP_LOG"),
    text!("UTP_SENDTO"),
];
