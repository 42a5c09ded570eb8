//! What is measured: response times, the results of the trailing window, and sums.
//!
//! [`latency`] keeps a decaying average and [`quantile`] quantiles. [`window`] counts the events of
//! the trailing seconds. [`spending`] is what a pool's requests have spent on retries, and
//! [`totals`] are the sums since a worker began.

pub mod latency;
pub mod quantile;
pub mod spending;
pub mod totals;
pub mod window;
