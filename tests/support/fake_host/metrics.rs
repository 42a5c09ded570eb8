//! Counters, gauges and histograms, by Envoy's rules.
//!
//! Every definition gives a new id, and ids of one type and name share one value.

use std::collections::BTreeMap;

use super::numbers::{MetricType, Status};

/// All metrics of the process.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// The metric of each id; the id is the place in this list, plus one.
    defined: Vec<(MetricType, String)>,
    values: BTreeMap<(MetricType, String), u64>,
    samples: BTreeMap<String, Vec<u64>>,
}

impl Metrics {
    pub(super) fn define(&mut self, kind: MetricType, name: &str) -> Option<u32> {
        self.defined.push((kind, name.to_owned()));
        if kind == MetricType::Histogram {
            self.samples.entry(name.to_owned()).or_default();
        } else {
            self.values.entry((kind, name.to_owned())).or_default();
        }
        u32::try_from(self.defined.len()).ok()
    }

    /// Adds to a counter, which takes only what is above 0, or moves a gauge.
    ///
    /// `Err` names a gauge that was moved below 0. Envoy wraps it round to 1.8e19 and says nothing.
    pub(super) fn increment(&mut self, id: u32, offset: i64) -> Result<Status, String> {
        let Some(metric) = self.metric(id) else {
            return Ok(Status::NotFound);
        };
        match metric.0 {
            MetricType::Histogram => return Ok(Status::BadArgument),
            MetricType::Counter if offset <= 0 => return Ok(Status::BadArgument),
            MetricType::Counter | MetricType::Gauge => {}
        }
        let value = self.values.entry(metric.clone()).or_default();
        let wraps = value.checked_add_signed(offset).is_none();
        *value = value.wrapping_add_signed(offset);
        if wraps { Err(metric.1) } else { Ok(Status::Ok) }
    }

    /// Adds to a counter, sets a gauge, or gives a histogram one more sample.
    pub(super) fn record(&mut self, id: u32, amount: u64) -> Status {
        let Some(metric) = self.metric(id) else {
            return Status::NotFound;
        };
        match metric.0 {
            MetricType::Counter => {
                let value = self.values.entry(metric).or_default();
                *value = value.wrapping_add(amount);
            }
            MetricType::Gauge => {
                self.values.insert(metric, amount);
            }
            MetricType::Histogram => self.samples.entry(metric.1).or_default().push(amount),
        }
        Status::Ok
    }

    /// A counter's or a gauge's value by name; a counter first, should both exist.
    pub(super) fn value(&self, name: &str) -> Option<u64> {
        [MetricType::Counter, MetricType::Gauge]
            .into_iter()
            .find_map(|kind| self.values.get(&(kind, name.to_owned())).copied())
    }

    pub(super) fn samples(&self, name: &str) -> Option<&[u64]> {
        self.samples.get(name).map(Vec::as_slice)
    }

    /// Every counter and gauge with its value.
    pub(super) fn all(&self) -> BTreeMap<String, u64> {
        self.values
            .iter()
            .map(|((_, name), value)| (name.clone(), *value))
            .collect()
    }

    fn metric(&self, id: u32) -> Option<(MetricType, String)> {
        let place = usize::try_from(id).ok()?.checked_sub(1)?;
        self.defined.get(place).cloned()
    }
}
