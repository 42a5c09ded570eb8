//! Lines of the crate `log`, and the message of a panic, go to the host's log.

use std::panic;

use log::{LevelFilter, Log, Metadata, Record};

use super::abi;

/// The host's log. What it shows is `log`'s maximum level, which the worker keeps at the host's.
struct HostLog;

/// Makes the host's log the one of this VM.
pub(crate) fn log_to_host() {
    // It is set already where several filters are tested in one process.
    if log::set_logger(&HostLog).is_ok() {
        panic::set_hook(Box::new(|panic| write(CRITICAL, &panic.to_string())));
    }
    log::set_max_level(LevelFilter::Info);
}

impl Log for HostLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        // The ABI counts from `trace` on, the crate down to it.
        let level = match record.level() {
            log::Level::Trace => 0,
            log::Level::Debug => 1,
            log::Level::Info => 2,
            log::Level::Warn => 3,
            log::Level::Error => 4,
        };
        write(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Writes a line.
pub(super) fn write(level: u32, line: &str) {
    // SAFETY: `line` is valid for the call, which only reads it.
    #[expect(unsafe_code, reason = "a hostcall")]
    let _ = unsafe { abi::proxy_log(level, line.as_ptr(), line.len()) };
}

/// The ABI's level above `error`.
const CRITICAL: u32 = 5;
