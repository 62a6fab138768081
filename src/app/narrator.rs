//! The demo's terminal: a timeline of what was observed, and a progress line where the terminal can move its cursor.

use crate::model::time::{Mono, Span};
use anstyle::{AnsiColor, Style};
use std::io::{IsTerminal, Write};

/// Where an observation was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the simulated registers.
    Plant,
    /// By the subscriber at the broker.
    Broker,
    /// At the command socket: a person.
    Person,
}

impl Place {
    const fn label(self) -> (&'static str, AnsiColor) {
        match self {
            Place::Plant => ("plant ", AnsiColor::Cyan),
            Place::Broker => ("mqtt  ", AnsiColor::Magenta),
            Place::Person => ("person", AnsiColor::Green),
        }
    }
}

/// Writes the timeline.
#[derive(Debug)]
pub(super) struct Narrator {
    colour: bool,
    live: bool,
    start: Mono,
    steps: usize,
    step: usize,
    waiting: String,
}

impl Narrator {
    /// A narrator of a story of `steps` steps that begins at `start`.
    #[must_use]
    pub(super) fn new(steps: usize, start: Mono) -> Narrator {
        let live = std::io::stdout().is_terminal();
        let colour = live && std::env::var_os("NO_COLOR").is_none();
        Narrator { colour, live, start, steps, step: 0, waiting: String::new() }
    }

    fn paint(&self, text: &str, colour: AnsiColor, bold: bool) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let style = Style::new().fg_color(Some(colour.into()));
        let style = if bold { style.bold() } else { style };
        format!("{style}{text}{style:#}")
    }

    /// A heading.
    pub(super) fn heading(&mut self, text: &str) {
        let line = self.paint(text, AnsiColor::White, true);
        self.print(&format!("\n{line}"));
    }

    /// Something observed at `at`.
    pub(super) fn saw(&mut self, at: Mono, place: Place, text: &str, colour: Option<AnsiColor>) {
        let since = at.since(self.start).ms();
        let (label, label_colour) = place.label();
        let label = self.paint(label, label_colour, false);
        let text = colour.map_or(text.to_owned(), |c| self.paint(text, c, true));
        self.print(&format!("{:>3}.{:03}  {label}  {text}", since / 1000, since % 1000));
    }

    /// A step of the story was observed.
    pub(super) fn done(&mut self, what: &str, took: Option<Span>) {
        self.step = self.step.saturating_add(1);
        let tick = self.paint("✓", AnsiColor::Green, true);
        let took = took.map_or(String::new(), |t| format!("  ({t})"));
        let count = format!("{}/{}", self.step, self.steps);
        self.print(&format!("         {tick} {count:<6} {what}{took}"));
    }

    /// How many steps were observed so far.
    pub(super) fn steps_done(&self) -> usize {
        self.step
    }

    /// The story begins anew.
    pub(super) fn rewind(&mut self) {
        self.step = 0;
    }

    /// What the story waits for now; stands on the progress line.
    pub(super) fn waits(&mut self, what: &str) {
        what.clone_into(&mut self.waiting);
        self.progress();
    }

    fn progress(&self) {
        if !self.live {
            return;
        }
        const WIDTH: usize = 24;
        let full = (self.step * WIDTH).checked_div(self.steps).unwrap_or(0).min(WIDTH);
        let bar = format!("{}{}", "━".repeat(full), "─".repeat(WIDTH - full));
        let bar = self.paint(&bar, AnsiColor::Green, false);
        let waiting: String = self.waiting.chars().take(48).collect();
        write_out(&format!("\r\x1b[2K{bar} {}/{}  {waiting}", self.step, self.steps));
    }

    /// A line of its own, above the progress line.
    pub(super) fn print(&mut self, line: &str) {
        if self.live {
            write_out(&format!("\r\x1b[2K{line}\n"));
            self.progress();
        } else {
            write_out(&format!("{line}\n"));
        }
    }

    /// Takes the progress line away.
    pub(super) fn end(&mut self) {
        if self.live {
            write_out("\r\x1b[2K");
        }
        self.live = false;
    }
}

/// A reader that has gone away (`davy demo | head`) is no fault of the story.
fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()));
    drop(out.flush());
}
