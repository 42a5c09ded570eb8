//! `man`: manual pages, made of the help of the commands.
//!
//! Without a folder the page of the program is printed; into a folder goes a page for each command.
//!
//! Example: `steerage man pages` writes `pages/steerage.1`, `pages/steerage-check.1` and others.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::finished::Finished;

/// Carries out the command.
pub(crate) fn run(folder: Option<&Path>) -> Finished {
    match folder {
        None => match page() {
            Ok(page) => Finished::with(page),
            Err(error) => Finished::failed(&format!("cannot write the manual: {error}")),
        },
        Some(folder) => match pages(folder) {
            Ok(()) => Finished::default(),
            Err(error) => {
                let folder = folder.display();
                Finished::failed(&format!("cannot write into {folder}: {error}"))
            }
        },
    }
}

fn page() -> io::Result<String> {
    let mut page = Vec::new();
    Man::new(Arguments::command()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)
}
