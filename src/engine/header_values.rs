//! Values of headers that the engine reads.

use core::time::Duration;

/// The number that a value is, if it is one.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    core::str::from_utf8(value).ok()?.parse().ok()
}

/// The time that a gRPC client gives its call: at most eight digits and a unit, e.g. `100m` for
/// 100 ms. <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
pub(crate) fn grpc_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let count = number(digits).filter(|_| digits.len() <= 8)?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3_600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}
