//! Requests leave no memory behind.

use std::time::Duration;

use crate::scenes::{everything, get, module, pass};

#[test]
fn ten_thousand_requests_leave_the_modules_memory_as_it_was() {
    let (host, meter) = module(&everything());
    let run = |requests| {
        for _ in 0..requests {
            get(&host);
            pass(&host, Duration::from_millis(10));
        }
        meter.memory()
    };
    let before = run(1_000);
    let after = run(10_000);
    println!("linear memory: {before} bytes, {after} after 10,000 requests");
    assert_eq!(after, before);
    assert!(before >= 1 << 20, "{before} cannot be");
}
