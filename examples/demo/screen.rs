//! Where text goes: a terminal, where the table is redrawn in place, or a file or pipe, where it is
//! printed from time to time.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::time::Duration;

use crate::format::Style;

/// The standard output.
#[derive(Debug)]
pub(crate) struct Screen {
    /// Whether the cursor can be moved.
    in_place: bool,
    style: Style,
    /// Lines of the text that the next one replaces.
    live: usize,
}

impl Screen {
    /// Looks at what the standard output is, and at `NO_COLOR` (<https://no-color.org>).
    pub(crate) fn new() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let in_place =
            stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|t| t != "dumb");
        Self {
            in_place,
            style: if in_place && !set("NO_COLOR") {
                Style::Coloured
            } else {
                Style::Plain
            },
            live: 0,
        }
    }

    /// How emphasis is shown.
    pub(crate) const fn style(&self) -> Style {
        self.style
    }

    /// How often a changing text is shown.
    pub(crate) const fn every(&self) -> Duration {
        if self.in_place {
            Duration::from_millis(500)
        } else {
            Duration::from_secs(5)
        }
    }

    /// Shows `text` in the place of a changing one, to be replaced.
    pub(crate) fn redraw(&mut self, text: &str) {
        self.put(text);
        self.live = text.lines().count();
    }

    /// Shows `text` in the place of a changing one, for good.
    pub(crate) fn settle(&mut self, text: &str) {
        self.put(text);
        self.live = 0;
    }

    fn put(&self, text: &str) {
        let mut out = stdout().lock();
        // Without wrapping, each line takes one row and is found again, however narrow the terminal.
        let (begin, end) = if self.in_place {
            ("\x1b[?7l", "\x1b[?7h")
        } else {
            ("", "")
        };
        let erase = match self.live {
            lines if self.in_place && lines > 0 => format!("\x1b[{lines}A\x1b[J"),
            _ => String::new(),
        };
        // Nobody may be reading any more; the exit code still tells what came of the promise.
        let _unread = write!(out, "{begin}{erase}{text}{end}").and_then(|()| out.flush());
    }
}
