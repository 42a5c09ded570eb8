//! What docs/performance.md says that things cost, which is also what they may cost.
//!
//! What is measured must be within 3 % of it. So the page is always true, and a change that makes something
//! dearer or cheaper says so there. Where it says 9,415 instructions, 9,500 pass and 9,700 fail; where it says 7
//! hostcalls, only 7 pass.

use std::fs;
use std::path::Path;

/// How far what is measured may be from what is said.
const PERCENT: u64 = 3;

/// Holds what was measured to the row of the page that begins with this cell.
#[track_caller]
pub(crate) fn check(row: &str, measured: &[u64]) {
    let said = said(row);
    println!("{}", written(row, measured));
    let near = |(said, measured): (&u64, &u64)| said.abs_diff(*measured) * 100 <= said * PERCENT;
    assert!(
        said.len() == measured.len() && said.iter().zip(measured).all(near),
        "docs/performance.md says\n{}\nand measured was\n{}",
        written(row, &said),
        written(row, measured)
    );
}

fn said(row: &str) -> Vec<u64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
    let page = fs::read_to_string(path).unwrap();
    let first = format!("| {row} | ");
    let Some(cells) = page.lines().find_map(|line| line.strip_prefix(&first)) else {
        panic!("docs/performance.md has no row {row:?}");
    };
    let numbers = cells.split('|').map(|cell| cell.trim().replace(',', ""));
    numbers
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().unwrap())
        .collect()
}

/// A row as the page has it.
fn written(row: &str, numbers: &[u64]) -> String {
    let cells: String = numbers
        .iter()
        .map(|n| format!("{} | ", grouped(*n)))
        .collect();
    format!("| {row} | {}", cells.trim_end())
}

fn grouped(number: u64) -> String {
    match number / 1000 {
        0 => number.to_string(),
        thousands => format!("{},{:03}", grouped(thousands), number % 1000),
    }
}
