//! Lines of the crate `log`, and the message of a panic, go to the host's log.

use std::panic;

use log::{LevelFilter, Log, Metadata, Record};

use proxy_wasm_abi as abi;

/// A level of the host's log. The numbers are the ABI's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    /// `trace`
    Trace = 0,
    /// `debug`
    Debug = 1,
    /// `info`
    Info = 2,
    /// `warn`
    Warn = 3,
    /// `error`
    Error = 4,
    /// `critical`
    Critical = 5,
}

/// The host's log. What it shows is `log`'s maximum level, which the worker keeps at the host's.
struct HostLog;

/// Makes the host's log the one of this VM.
pub(crate) fn log_to_host() {
    // It is set already where several filters are tested in one process.
    if log::set_logger(&HostLog).is_ok() {
        panic::set_hook(Box::new(|panic| write(Level::Critical, &panic.to_string())));
    }
    log::set_max_level(LevelFilter::Info);
}

impl Log for HostLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            log::Level::Trace => Level::Trace,
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        write(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Writes a line.
pub(super) fn write(level: Level, line: &str) {
    // SAFETY: `line` is valid for the call, which only reads it.
    #[expect(unsafe_code, reason = "a hostcall")]
    let _ = unsafe { abi::proxy_log(level as u32, line.as_ptr(), line.len()) };
}
