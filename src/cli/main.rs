//! The program `steerage`: see the library of this package.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    let colour = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
    let finished = steerage_cli::run(env::args_os(), colour);
    // A reader that has had enough, as `head` has, is no failure of ours.
    let _ = io::stdout().write_all(finished.output.as_bytes());
    let _ = io::stderr().write_all(finished.complaint.as_bytes());
    ExitCode::from(finished.status)
}
