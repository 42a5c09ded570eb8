//! The host's metrics. One that is defined twice, by whatever worker, is one metric.

use proxy_wasm_abi as abi;

use super::{Refused, done};

/// Counts up; workers count together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter(u32);

impl Counter {
    /// Defines the counter `name`.
    pub(crate) fn define(name: &str) -> Result<Self, Refused> {
        define(COUNTER, name).map(Self)
    }

    /// Adds `count`, which is not 0.
    pub(crate) fn add(self, count: u64) -> Result<(), Refused> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        // SAFETY: no memory is involved.
        #[expect(unsafe_code, reason = "a hostcall")]
        done(unsafe { abi::proxy_increment_metric(self.0, count) })
    }
}

/// A level; the worker that sets it last wins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauge(u32);

impl Gauge {
    /// Defines the gauge `name`.
    pub(crate) fn define(name: &str) -> Result<Self, Refused> {
        define(GAUGE, name).map(Self)
    }

    /// Sets it.
    pub(crate) fn set(self, value: u64) -> Result<(), Refused> {
        record(self.0, value)
    }
}

/// A distribution; samples of all workers come together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Histogram(u32);

impl Histogram {
    /// Defines the histogram `name`.
    pub(crate) fn define(name: &str) -> Result<Self, Refused> {
        define(HISTOGRAM, name).map(Self)
    }

    /// Adds a sample.
    pub(crate) fn record(self, sample: u64) -> Result<(), Refused> {
        record(self.0, sample)
    }
}

fn define(kind: u32, name: &str) -> Result<u32, Refused> {
    let mut id = 0;
    // SAFETY: `name` and the pointer are valid for the call.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe { abi::proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

fn record(id: u32, value: u64) -> Result<(), Refused> {
    // SAFETY: no memory is involved.
    #[expect(unsafe_code, reason = "a hostcall")]
    done(unsafe { abi::proxy_record_metric(id, value) })
}

/// The ABI's numbers of the kinds.
const COUNTER: u32 = 0;
const GAUGE: u32 = 1;
const HISTOGRAM: u32 = 2;
