//! The program `steerage`. The library of this package describes it.

use std::env;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use steerage_cli::FAILED;

fn main() -> ExitCode {
    let colour = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
    let mut finished = steerage_cli::run(env::args_os(), colour);
    if let Err(error) = print(&finished.output) {
        finished.complaint = format!("steerage: cannot write the output: {error}\n");
        finished.status = FAILED;
    }
    // If that fails, the exit code remains.
    let _ = io::stderr().write_all(finished.complaint.as_bytes());
    ExitCode::from(finished.status)
}

fn print(output: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    match stdout
        .write_all(output.as_bytes())
        .and_then(|()| stdout.flush())
    {
        // A reader that has had enough, as `head` has, is no failure.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
