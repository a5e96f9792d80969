//! The shared library as a linker sees it: its name, and what it exports.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::env;
use std::fs;
use std::path::PathBuf;

use object::read::elf::{Dyn, ElfFile64, FileHeader};
use object::{Endianness, Object, ObjectSymbol, elf};

const FUNCTIONS: [&str; 28] = [
    "utp_check_timeouts",
    "utp_close",
    "utp_connect",
    "utp_context_get_option",
    "utp_context_get_userdata",
    "utp_context_set_option",
    "utp_context_set_userdata",
    "utp_create_socket",
    "utp_destroy",
    "utp_get_context",
    "utp_get_context_stats",
    "utp_get_delays",
    "utp_get_stats",
    "utp_get_userdata",
    "utp_getpeername",
    "utp_getsockopt",
    "utp_init",
    "utp_issue_deferred_acks",
    "utp_process_icmp_error",
    "utp_process_icmp_fragmentation",
    "utp_process_udp",
    "utp_read_drained",
    "utp_set_callback",
    "utp_set_userdata",
    "utp_setsockopt",
    "utp_shutdown",
    "utp_write",
    "utp_writev",
];

/// With their sizes on 64-bit systems.
const ARRAYS: [(&str, u64); 3] =
    [("utp_callback_names", 128), ("utp_error_code_names", 24), ("utp_state_names", 40)];

/// Cargo builds the library beside the tests.
fn library() -> Vec<u8> {
    let test = env::current_exe().expect("a running program has a path");
    let folder: PathBuf = test.parent().expect("it is in a folder").into();
    fs::read(folder.join("libutp.so")).expect("the library was built")
}

#[test]
fn exactly_the_interface_is_exported() {
    let library = library();
    let elf = ElfFile64::<Endianness>::parse(&*library).expect("an ELF file");
    let exported = elf.dynamic_symbols().filter(|symbol| symbol.is_definition());
    let mut exported: Vec<_> = exported
        .map(|symbol| {
            let size = if symbol.kind() == object::SymbolKind::Data { symbol.size() } else { 0 };
            (symbol.name().expect("a name").to_owned(), size)
        })
        .collect();
    exported.sort();
    let functions = FUNCTIONS.map(|name| (name.to_owned(), 0));
    let arrays = ARRAYS.map(|(name, size)| (name.to_owned(), size));
    let mut expected: Vec<_> = functions.into_iter().chain(arrays).collect();
    expected.sort();
    assert_eq!(exported, expected);
}

#[test]
fn the_library_asks_to_be_found_by_its_plain_name() {
    let library = library();
    let elf = ElfFile64::<Endianness>::parse(&*library).expect("an ELF file");
    let (endian, header) = (elf.endian(), elf.elf_header());
    let sections = header.sections(endian, &*library).expect("sections");
    let (dynamic, strings) =
        sections.dynamic(endian, &*library).expect("readable").expect("a dynamic section");
    let strings = sections.strings(endian, &*library, strings).expect("their strings");
    let name = dynamic
        .iter()
        .find(|entry| entry.d_tag(endian) == u64::from(elf::DT_SONAME))
        .and_then(|entry| entry.string(endian, strings).ok());
    assert_eq!(name, Some(&b"libutp.so"[..]));
}
