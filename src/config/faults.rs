//! What is wrong with a text, told as a compiler tells it: file, line, the words underlined, what was expected and
//! how to mend it. Finding faults is done elsewhere; nothing here knows what a site file means.

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet, normalize_untrusted_str};
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Arc;

/// Most faults that are kept of one compilation; further ones are counted. A 4 MiB file can hold a million, and
/// nobody reads more than a screenful.
const MAX_KEPT: usize = 1_000;

/// Most faults that are printed, before "and N more".
pub const MAX_SHOWN: usize = 100;

/// Longest stretch of text in bytes that is printed with a fault; beyond it only the place is named. Two far-apart
/// places of a large file are still shown, a line of megabytes is not.
const MAX_SNIPPET: usize = 256 * 1024;

/// Most words of the user that are repeated in a message, in characters.
const MAX_QUOTED: usize = 60;

/// A text with the name that the user knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path, as the user gave it.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl Source {
    /// Largest text that is looked at, in bytes: 2,048 points fit five times over.
    pub const MAX_BYTES: usize = 4 * 1024 * 1024;

    /// The text in `bytes`, or why it is none.
    ///
    /// # Errors
    /// Where it is too large or no UTF-8.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Source, Faults> {
        let named = |text: &str| Source { name: name.to_owned(), text: text.to_owned() };
        if bytes.len() > Source::MAX_BYTES {
            return Err(Faults::of(too_large(named(""), bytes.len())));
        }
        let error = match std::str::from_utf8(bytes) {
            Ok(text) => return Ok(named(text)),
            Err(error) => error,
        };
        let good = error.valid_up_to();
        let bad = bytes.get(good).copied().unwrap_or_default();
        let lossy = named(&String::from_utf8_lossy(bytes));
        let place = Place::new(&Arc::new(lossy), good..good.saturating_add('\u{fffd}'.len_utf8()));
        Err(Faults::of(
            Fault::error("not-utf8", place, format!("byte {good} (0x{bad:02x}) is not UTF-8 text"))
                .label("no character")
                .help("save the file as UTF-8; an editor may have used GBK or UTF-16"),
        ))
    }

    /// The fault of a text that is too large, checked before anything else is done with it.
    pub(super) fn size_fault(&self) -> Option<Fault> {
        let small = Source { name: self.name.clone(), text: String::new() };
        (self.text.len() > Source::MAX_BYTES).then(|| too_large(small, self.text.len()))
    }
}

fn too_large(source: Source, bytes: usize) -> Fault {
    let max = Source::MAX_BYTES;
    Fault::error(
        "too-large",
        Place::new(&Arc::new(source), 0..0),
        format!("{bytes} bytes; at most {max} are read"),
    )
    .help("is this a site file at all? Split a real one by gateway")
}

/// Where something is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// In which text.
    pub source: Arc<Source>,
    /// Which of its bytes.
    pub span: Range<usize>,
}

impl Place {
    /// The bytes `span` of `source`, moved to the nearest characters that exist.
    pub(super) fn new(source: &Arc<Source>, span: Range<usize>) -> Place {
        let text = &source.text;
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
        Place { source: Arc::clone(source), span: start..end }
    }

    /// Line and column, from 1; columns in characters.
    #[must_use]
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.source.text.get(..self.span.start).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
        (line, column)
    }

    /// The words at this place.
    #[must_use]
    pub fn words(&self) -> &str {
        self.source.text.get(self.span.clone()).unwrap_or_default()
    }
}

/// Whether a fault stops the site from being run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but somebody should look at it.
    Warning,
}

impl Severity {
    /// As written in the JSON answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of fault, as `unknown-key`. Stable: tools may rely on it.
    pub code: &'static str,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What is said under the underlined words.
    pub label: String,
    /// How to mend it.
    pub help: String,
    /// Other places that have to do with it, each with what it is.
    pub others: Vec<(Place, String)>,
}

impl Fault {
    /// An error.
    pub(super) fn error(code: &'static str, place: Place, message: impl Into<String>) -> Fault {
        let (label, help, others) = (String::new(), String::new(), Vec::new());
        Fault { severity: Severity::Error, code, place, message: message.into(), label, help, others }
    }

    /// A warning.
    pub(super) fn warning(code: &'static str, place: Place, message: impl Into<String>) -> Fault {
        Fault { severity: Severity::Warning, ..Fault::error(code, place, message) }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Fault {
        self.label = label.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = help.into();
        self
    }

    pub(super) fn other(mut self, place: &Place, what: impl Into<String>) -> Fault {
        self.others.push((place.clone(), what.into()));
        self
    }

    fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(normalize_untrusted_str(&self.message)).id(self.code);
        let mut group = title.elements(self.snippet());
        let (line, column) = self.place.line_column();
        if group.is_empty() {
            let origin = Origin::path(self.place.source.name.as_str()).line(line).char_column(column);
            group = group.element(origin);
        }
        for (place, what) in self.others.iter().filter(|(p, _)| p.source != self.place.source) {
            let (line, column) = place.line_column();
            let note = format!("{what}: {}:{line}:{column}", place.source.name);
            group = group.element(Level::NOTE.message(normalize_untrusted_str(&note)));
        }
        if !self.help.is_empty() {
            group = group.element(Level::HELP.message(normalize_untrusted_str(&self.help)));
        }
        renderer.render(&[group])
    }

    /// The lines around the fault and around its other places in the same text.
    fn snippet(&self) -> Option<Snippet<'_, annotate_snippets::Annotation<'_>>> {
        let here = &self.place.source;
        let others = || self.others.iter().filter(|(p, _)| p.source == *here);
        let from = others().map(|(p, _)| p.span.start).fold(self.place.span.start, usize::min);
        let to = others().map(|(p, _)| p.span.end).fold(self.place.span.end, usize::max);
        let before = here.text.get(..from)?;
        let start = before.rfind('\n').map_or(0, |n| n.saturating_add(1));
        let end = here.text.get(to..)?.find('\n').map_or(here.text.len(), |n| to.saturating_add(n));
        let text = here.text.get(start..end)?;
        if text.trim().is_empty() || text.len() > MAX_SNIPPET {
            return None;
        }
        let within = |p: &Place| p.span.start.saturating_sub(start)..p.span.end.saturating_sub(start);
        let label = |words: &str| normalize_untrusted_str(words);
        let mut snippet = Snippet::source(text)
            .path(here.name.as_str())
            .line_start(before.matches('\n').count().saturating_add(1))
            .annotation(AnnotationKind::Primary.span(within(&self.place)).label(label(&self.label)));
        for (place, what) in others() {
            snippet = snippet.annotation(AnnotationKind::Context.span(within(place)).label(label(what)));
        }
        Some(snippet)
    }

    fn to_json(&self) -> Value {
        let at = |place: &Place| {
            let (line, column) = place.line_column();
            json!({
                "file": place.source.name,
                "line": line,
                "column": column,
                "start": place.span.start,
                "end": place.span.end,
            })
        };
        let others = self.others.iter().map(|(p, what)| json!({ "at": at(p), "what": what }));
        json!({
            "severity": self.severity.as_str(),
            "code": self.code,
            "at": at(&self.place),
            "message": self.message,
            "label": self.label,
            "help": self.help,
            "others": others.collect::<Vec<_>>(),
        })
    }
}

/// Everything that is wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    list: Vec<Fault>,
    errors: usize,
    warnings: usize,
}

impl Faults {
    /// One fault and no other.
    #[must_use]
    pub fn of(fault: Fault) -> Faults {
        let mut faults = Faults::default();
        faults.push(fault);
        faults
    }

    /// Adds one. Errors push warnings out when there are more than are kept.
    pub(super) fn push(&mut self, fault: Fault) {
        match fault.severity {
            Severity::Error => self.errors = self.errors.saturating_add(1),
            Severity::Warning => self.warnings = self.warnings.saturating_add(1),
        }
        if self.list.len() < MAX_KEPT {
            self.list.push(fault);
        } else if fault.severity == Severity::Error
            && let Some(place) = self.list.iter_mut().rev().find(|f| f.severity == Severity::Warning)
        {
            *place = fault;
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many errors there are, those not kept included.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// How many warnings there are, those not kept included.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// Those that are kept: at most 1,000.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.list.iter()
    }

    /// Whether so many errors are there already that finding likely corrections is wasted: they won't be shown. Warnings
    /// are shown after them.
    pub(super) fn is_flooded(&self) -> bool {
        self.errors >= MAX_SHOWN
    }

    /// Puts them in reading order: errors before warnings, the main file before others, top to bottom.
    pub(super) fn sort(&mut self, main: &str) {
        self.list.sort_by_cached_key(|f| {
            let name = &f.place.source.name;
            (f.severity, name != main, name.clone(), f.place.span.start)
        });
    }

    /// For a terminal (`colour`) or a file.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for fault in self.list.iter().take(MAX_SHOWN) {
            out.push_str(&fault.render(&renderer));
            out.push_str("\n\n");
        }
        let total = self.errors.saturating_add(self.warnings);
        if total > MAX_SHOWN {
            out.push_str(&format!("and {} more\n\n", total.saturating_sub(MAX_SHOWN)));
        }
        out.push_str(&self.summary());
        out.push('\n');
        out
    }

    /// `2 errors, 1 warning`.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        format!("{}, {}", count(self.errors, "error"), count(self.warnings, "warning"))
    }

    /// For tools.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let shown = self.list.iter().take(MAX_SHOWN).map(Fault::to_json);
        json!({
            "errors": self.errors,
            "warnings": self.warnings,
            "faults": shown.collect::<Vec<_>>(),
        })
    }
}

/// The user's words, fit to be repeated in a message.
pub(super) fn quoted(words: &str) -> String {
    let shown: String = words.chars().take(MAX_QUOTED).flat_map(char::escape_debug).collect();
    let cut = if words.chars().nth(MAX_QUOTED).is_some() { "…" } else { "" };
    format!("`{shown}{cut}`")
}

/// A list for a message: "`a`, `b` or `c`", cut after a dozen.
pub(super) fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MAX_LISTED: usize = 12;
    let mut names: Vec<String> = names.into_iter().take(MAX_LISTED.saturating_add(1)).map(quoted).collect();
    if names.len() > MAX_LISTED {
        names.truncate(MAX_LISTED);
        return format!("{} …", names.join(", "));
    }
    match names.pop() {
        None => "none".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
    }
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no ids, and the comparison costs the product of both lengths.
    const MAX_COMPARED: usize = 64;
    if word.len() > MAX_COMPARED {
        return None;
    }
    let tolerated = (word.chars().count() / 3).max(1);
    names
        .into_iter()
        .filter(|name| {
            name.len() <= MAX_COMPARED && name.len().abs_diff(word.len()) <= tolerated.saturating_mul(3)
        })
        .map(|name| (strsim::osa_distance(&word.to_lowercase(), name), name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, span: Range<usize>) -> Place {
        Place::new(&Arc::new(Source { name: "x.toml".to_owned(), text: text.to_owned() }), span)
    }

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let text = "a = 1\n名 = \"值\" # x\n";
        assert_eq!(at(text, 0..1).line_column(), (1, 1));
        assert_eq!(at(text, text.find('#').unwrap()..text.len()).line_column(), (2, 9));
        assert_eq!(at(text, text.len()..text.len()).line_column(), (3, 1));
    }

    #[test]
    fn places_beyond_the_text_or_inside_a_character_are_moved_to_one_that_exists() {
        assert_eq!(at("名", 1..2).span, 0..3);
        assert_eq!(at("abc", 7..9).span, 3..3);
        assert_eq!(at("", 0..1).words(), "");
        #[expect(clippy::reversed_empty_ranges, reason = "a parser may hand out anything")]
        let reversed = at("abc", 2..1);
        assert_eq!(reversed.span, 2..2);
    }

    #[test]
    fn likely_names_are_found_and_unlikely_ones_are_not() {
        let names = ["poll_ms", "timeout_ms", "unit", "profile"];
        assert_eq!(nearest("pol_ms", names), Some("poll_ms"));
        assert_eq!(nearest("Profile", names), Some("profile"));
        assert_eq!(nearest("umit", names), Some("unit"));
        assert_eq!(nearest("address", names), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), names), None);
    }

    #[test]
    fn words_of_the_user_can_not_spoil_a_terminal() {
        assert_eq!(quoted("a\u{1b}[31m"), "`a\\u{1b}[31m`");
        assert!(quoted(&"x".repeat(1_000)).chars().count() < 70);
        let place = at("a = \"\u{1b}[31mred\"", 4..14);
        let fault = Fault::error("code", place, "a \u{1b}[31m message").help("help \u{7}");
        assert!(!Faults::of(fault).render(false).contains(['\u{1b}', '\u{7}']));
    }

    #[test]
    fn errors_push_warnings_out_when_there_are_too_many() {
        let mut faults = Faults::default();
        for _ in 0..MAX_KEPT {
            faults.push(Fault::warning("w", at("a", 0..1), "w"));
        }
        faults.push(Fault::error("e", at("a", 0..1), "e"));
        assert_eq!((faults.iter().count(), faults.errors(), faults.warnings()), (MAX_KEPT, 1, MAX_KEPT));
        assert!(faults.iter().any(|f| f.severity == Severity::Error));
    }

    #[test]
    fn warnings_do_not_take_the_likely_correction_away_from_an_error() {
        let mut faults = Faults::default();
        (0..MAX_SHOWN).for_each(|_| faults.push(Fault::warning("w", at("x", 0..1), "w")));
        assert!(!faults.is_flooded());
        (0..MAX_SHOWN).for_each(|_| faults.push(Fault::error("e", at("x", 0..1), "e")));
        assert!(faults.is_flooded());
    }
}
