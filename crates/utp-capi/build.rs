//! Gives the shared library the name that programs ask the loader for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |key| std::env::var(key).unwrap_or_default();
    let argument = match target("CARGO_CFG_TARGET_OS").as_str() {
        "macos" => "-Wl,-install_name,@rpath/libutp.dylib",
        _ if target("CARGO_CFG_TARGET_FAMILY") == "unix" => "-Wl,-soname,libutp.so",
        _ => return,
    };
    println!("cargo::rustc-cdylib-link-arg={argument}");
}
