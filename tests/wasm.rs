//! The shipped module, from outside: what it asks of a host, what it offers, and how large it is.
//!
//! Imports are a promise to operators. A proxy with a capability restriction names every function
//! that a module may call, and one that it does not provide keeps the module from loading; so a
//! dependency that drags in files or sockets must be seen here and not in production.
//!
//! `STEERAGE_WASM` names another module than the one of `make build`.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

/// What the filter calls, in `src/host`.
const CALLED: [&str; 23] = [
    "env.proxy_add_header_map_value",
    "env.proxy_continue_stream",
    "env.proxy_define_metric",
    "env.proxy_get_buffer_bytes",
    "env.proxy_get_current_time_nanoseconds",
    "env.proxy_get_header_map_pairs",
    "env.proxy_get_header_map_value",
    "env.proxy_get_log_level",
    "env.proxy_get_property",
    "env.proxy_get_shared_data",
    "env.proxy_http_call",
    "env.proxy_increment_metric",
    "env.proxy_log",
    "env.proxy_record_metric",
    "env.proxy_remove_header_map_value",
    "env.proxy_replace_header_map_value",
    "env.proxy_send_local_response",
    "env.proxy_set_effective_context",
    "env.proxy_set_header_map_pairs",
    "env.proxy_set_property",
    "env.proxy_set_shared_data",
    "env.proxy_set_tick_period_milliseconds",
    "wasi_snapshot_preview1.clock_time_get",
];

/// What the standard library takes: seeds, settings of its own, the message of a panic and its end.
/// No file and no socket.
const STANDARD: [&str; 5] = [
    "wasi_snapshot_preview1.environ_get",
    "wasi_snapshot_preview1.environ_sizes_get",
    "wasi_snapshot_preview1.fd_write",
    "wasi_snapshot_preview1.proc_exit",
    "wasi_snapshot_preview1.random_get",
];

/// What a host looks for: the ABI's version, the start, memory, and the callbacks that are of use.
const EXPORTS: [&str; 16] = [
    "_initialize",
    "memory",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_memory_allocate",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_body",
    "proxy_on_response_headers",
    "proxy_on_response_trailers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

/// The filter's budget in bytes: 600 KiB, and 48 for the retries of the router.
const BUDGET: usize = 648 * 1024;

fn module() -> Vec<u8> {
    let path = env::var_os("STEERAGE_WASM").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/steerage.wasm"),
        Into::into,
    );
    match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => panic!("{}: {error}; run `make build`", path.display()),
    }
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn the_module_imports_what_it_calls_and_nothing_unexpected() {
    let imports = imports(&module());
    let called = set(CALLED);
    let allowed = &called | &set(STANDARD);
    let missing: Vec<_> = called.difference(&imports).collect();
    let unexpected: Vec<_> = imports.difference(&allowed).collect();
    assert!(missing.is_empty(), "not imported: {missing:?}");
    assert!(unexpected.is_empty(), "not allowed: {unexpected:?}");
}

/// A host calls each callback that it finds, and pays for it with every stream, and with `_start` it would
/// take the module for a program, run it to its end and be left with nothing to call.
#[test]
fn the_module_exports_what_a_host_looks_for_and_nothing_else() {
    assert_eq!(exports(&module()), set(EXPORTS));
}

#[test]
fn the_module_stays_within_its_budget() {
    let size = module().len();
    assert!(size <= BUDGET, "{size} bytes, {BUDGET} are allowed");
}

#[test]
fn the_module_names_no_folder_of_the_machine_that_built_it() {
    let module = module();
    let names = |text: &str| {
        module
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    // Panics do name their sources, so there is something to find.
    assert!(names("src/filter/"));
    let here = Some(env!("CARGO_MANIFEST_DIR").to_owned());
    let homes = ["CARGO_HOME", "RUSTUP_HOME", "HOME"].map(|name| env::var(name).ok());
    for folder in homes.into_iter().chain([here]).flatten() {
        // With the slash, for a short home may be the beginning of a file's name in `src/filter`.
        let folder = format!("{}/", folder.trim_end_matches('/'));
        assert!(folder == "/" || !names(&folder), "{folder}");
    }
}

/// `module.name` of every imported function.
fn imports(module: &[u8]) -> BTreeSet<String> {
    const FUNCTION: u8 = 0;
    let mut section = section(module, 2);
    (0..section.number())
        .map(|_| {
            let (module, name) = (section.name(), section.name());
            assert_eq!(section.byte(), FUNCTION, "{module}.{name} is no function");
            section.number();
            format!("{module}.{name}")
        })
        .collect()
}

/// The name of every export.
fn exports(module: &[u8]) -> BTreeSet<String> {
    let mut section = section(module, 7);
    (0..section.number())
        .map(|_| {
            let name = section.name();
            section.byte();
            section.number();
            name
        })
        .collect()
}

/// The contents of the section with this number.
/// <https://webassembly.github.io/spec/core/binary/modules.html#sections>
fn section(module: &[u8], wanted: u8) -> Reader<'_> {
    let Some(rest) = module.strip_prefix(b"\0asm\x01\0\0\0") else {
        panic!("not a WebAssembly module");
    };
    let mut reader = Reader(rest);
    loop {
        let (number, size) = (reader.byte(), reader.number());
        let contents = reader.take(size);
        if number == wanted {
            return Reader(contents);
        }
    }
}

/// What is left to read. A module that ends too early panics, which fails the test.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(size);
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    /// An unsigned number in LEB128: seven bits a byte, the lowest first.
    fn number(&mut self) -> usize {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte();
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        number
    }

    fn name(&mut self) -> String {
        let size = self.number();
        String::from_utf8_lossy(self.take(size)).into_owned()
    }
}
