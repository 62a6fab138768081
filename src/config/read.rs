//! Text to rows: parses TOML and holds it against a declared shape. Afterwards every key is known, every value has
//! its type and lies in its bounds, every default is filled in, and everything still knows where it was written.
//! What the values mean together is not looked at here.

use super::faults::{Fault, Faults, Place, Source, nearest, quoted};
use super::shape::{HUGE, Key, Kind, Need, Preset, Shape};
use super::shapes::WORDS;
use crate::model::point::{Tag, Text};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Longest text of one value, in characters: nobody reads more on a screen.
const MAX_TEXT: usize = 500;

/// A value that has been held against its kind.
#[derive(Debug)]
pub(super) enum Value {
    Str(String),
    Words(Text),
    Flag(bool),
    Integer(i64),
    Number(f64),
    List(Vec<Cell>),
    Table(Row),
}

/// A value and where it is written.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) value: Value,
    pub(super) place: Place,
}

impl Cell {
    pub(super) fn str(&self) -> Option<&str> {
        if let Value::Str(s) = &self.value { Some(s) } else { None }
    }

    pub(super) fn integer(&self) -> Option<i64> {
        if let Value::Integer(n) = self.value { Some(n) } else { None }
    }

    pub(super) fn row(&self) -> Option<&Row> {
        if let Value::Table(row) = &self.value { Some(row) } else { None }
    }
}

/// A table that has been held against its shape.
#[derive(Debug)]
pub(super) struct Row {
    shape: &'static Shape,
    /// Its header, or its braces.
    pub(super) place: Place,
    /// What is written, with `None` for what is broken and has been told.
    cells: BTreeMap<&'static str, Option<Cell>>,
}

impl Row {
    pub(super) fn cell(&self, key: &str) -> Option<&Cell> {
        debug_assert!(self.shape.key(key).is_some(), "{key} is not a key of {}", self.shape.what);
        self.cells.get(key)?.as_ref()
    }

    /// Whether `key` is written, even if badly: what is broken is not missing as well. One with a preset always is.
    pub(super) fn has(&self, key: &str) -> bool {
        self.cells.contains_key(key)
    }

    /// Where the value of `key` is written, or the table where it is not.
    pub(super) fn at(&self, key: &str) -> Place {
        self.cell(key).map_or_else(|| self.place.clone(), |c| c.place.clone())
    }

    pub(super) fn str(&self, key: &str) -> Option<&str> {
        self.cell(key)?.str()
    }

    pub(super) fn words(&self, key: &str) -> Option<Text> {
        if let Value::Words(text) = &self.cell(key)?.value { Some(text.clone()) } else { None }
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        if let Value::Flag(flag) = self.cell(key)?.value { Some(flag) } else { None }
    }

    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        if let Value::Integer(n) = self.cell(key)?.value { Some(n) } else { None }
    }

    /// A whole number that its shape bounds to `T`.
    pub(super) fn small<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        self.integer(key).and_then(|n| T::try_from(n).ok())
    }

    pub(super) fn number(&self, key: &str) -> Option<f64> {
        if let Value::Number(x) = self.cell(key)?.value { Some(x) } else { None }
    }

    pub(super) fn list(&self, key: &str) -> &[Cell] {
        if let Some(Cell { value: Value::List(cells), .. }) = self.cell(key) { cells } else { &[] }
    }

    pub(super) fn table(&self, key: &str) -> Option<&Row> {
        self.cell(key)?.row()
    }

    pub(super) fn tables(&self, key: &str) -> impl Iterator<Item = &Row> {
        self.list(key).iter().filter_map(Cell::row)
    }

    /// The two values at `key`.
    pub(super) fn pair(&self, key: &str) -> Option<(&Value, &Value)> {
        match self.list(key) {
            [a, b] => Some((&a.value, &b.value)),
            _ => None,
        }
    }
}

/// The file in `source`, held against `shape`; `None` where what is missing can't be told because of its syntax.
pub(super) fn read(source: &Arc<Source>, shape: &'static Shape, faults: &mut Faults) -> Option<Row> {
    Parsed::new(source).held_against(shape, faults)
}

/// A text as TOML, and not held against anything yet.
pub(super) struct Parsed<'a> {
    source: &'a Arc<Source>,
    /// Empty where the text is too long to be looked at.
    pub(super) table: DeTable<'a>,
    errors: Vec<toml::de::Error>,
}

impl<'a> Parsed<'a> {
    pub(super) fn new(source: &'a Arc<Source>) -> Parsed<'a> {
        let text = if source.size_fault().is_none() { source.text.as_str() } else { "" };
        let (table, errors) = DeTable::parse_recoverable(text);
        Parsed { source, table: table.into_inner(), errors }
    }

    /// See [`read`].
    pub(super) fn held_against(self, shape: &'static Shape, faults: &mut Faults) -> Option<Row> {
        let Parsed { source, table, errors } = self;
        if let Some(fault) = source.size_fault() {
            faults.push(fault);
            return None;
        }
        for error in &errors {
            let place = Place::new(source, error.span().unwrap_or(0..0));
            faults.push(syntax_fault(place, error.message()));
        }
        let mut reader = Reader { source, faults, sound: errors.is_empty() };
        let row = reader.table(shape, &table, 0..0);
        errors.is_empty().then_some(row)
    }
}

fn syntax_fault(place: Place, message: &str) -> Fault {
    let (what, expected) = message.split_once(", expected ").unwrap_or((message, ""));
    let fault = match what {
        "duplicate key" => {
            let name = quoted(place.words());
            return Fault::error(
                "duplicate-key",
                place,
                format!("{name} is written twice in the same table"),
            )
            .label("written here again")
            .help("keep one of the two");
        }
        _ => Fault::error("syntax", place, format!("not TOML: {what}")),
    };
    let help = match what {
        "string values must be quoted" => "put text between quotes: key = \"value\"".to_owned(),
        _ if what.contains("unclosed") && what.contains("table") => {
            "close the header with `]` (a list of tables with `]]`)".to_owned()
        }
        _ if what.contains("string") => {
            "close the text with the quote that opened it, on the same line".to_owned()
        }
        _ if expected.is_empty() => {
            "write `key = value` lines under `[table]` headers; text in quotes".to_owned()
        }
        _ => format!("expected {expected} here"),
    };
    fault.label(if expected.is_empty() { String::new() } else { format!("expected {expected}") }).help(help)
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    faults: &'a mut Faults,
    /// Whether the syntax was sound; otherwise what seems to be missing may only be hidden.
    sound: bool,
}

impl Reader<'_> {
    fn place(&self, span: Range<usize>) -> Place {
        Place::new(self.source, span)
    }

    fn table(&mut self, shape: &'static Shape, table: &DeTable<'_>, span: Range<usize>) -> Row {
        let mut cells = BTreeMap::new();
        let mut misspelt = BTreeSet::new();
        for (name, value) in table.iter() {
            let Some(key) = shape.key(name.get_ref()) else {
                misspelt.extend(self.unknown_key(shape, name));
                continue;
            };
            let place = self.place(value.span());
            let cell = self.value(key, &key.kind, value).map(|value| Cell { value, place });
            cells.insert(key.name, cell);
        }
        let place = self.place(span);
        for key in shape.keys {
            let written = table.contains_key(key.name) || misspelt.contains(key.name);
            match &key.need {
                Need::Must if !written && self.sound => self.missing_key(shape, key, place.clone()),
                Need::Else(preset) if !written => {
                    cells.insert(key.name, Some(Cell { value: preset_value(preset), place: place.clone() }));
                }
                Need::Must | Need::May | Need::Else(_) => {}
            }
        }
        Row { shape, place, cells }
    }

    /// Tells an unknown key; the key that was probably meant.
    fn unknown_key(&mut self, shape: &'static Shape, name: &Spanned<Cow<'_, str>>) -> Option<&'static str> {
        let names = || shape.keys.iter().map(|k| k.name);
        let near = nearest(name.get_ref(), names());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{} has the keys {}", shape.what, names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("{} is not a key of {}", quoted(name.get_ref()), shape.what);
        let fault = Fault::error("unknown-key", self.place(name.span()), message);
        self.faults.push(fault.label("unknown key").help(help));
        near
    }

    fn missing_key(&mut self, shape: &'static Shape, key: &Key, place: Place) {
        let example = if let Kind::Table(_) = key.kind {
            format!("[{}]", key.name)
        } else if let Kind::Tables(..) = key.kind {
            format!("[[{}]]", key.name)
        } else {
            format!("{} = …, {}", key.name, key.kind.describe())
        };
        self.faults.push(
            Fault::error("missing-key", place, format!("{} lacks `{}`: {}", shape.what, key.name, key.doc))
                .label(format!("`{}` is missing here", key.name))
                .help(format!("add {example}")),
        );
    }

    fn value(&mut self, key: &Key, kind: &'static Kind, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        match (kind, value.get_ref()) {
            (Kind::Id, DeValue::String(s)) => self.id(s, value.span()),
            (Kind::Ref(_) | Kind::Str, DeValue::String(s)) => self.text(s, value.span()).map(Value::Str),
            (Kind::Refs(..), DeValue::String(s)) => {
                let cell =
                    Cell { value: Value::Str(self.text(s, value.span())?), place: self.place(value.span()) };
                Some(Value::List(vec![cell]))
            }
            (Kind::Refs(of, max), DeValue::Array(list)) => {
                self.bounded(key, list.len(), 1, *max, value.span())?;
                self.cells(key, of, list)
            }
            (Kind::Words, DeValue::String(s)) => {
                self.text(s, value.span()).map(|text| Value::Words(Text::new(text.clone(), text)))
            }
            (Kind::Words, DeValue::Table(table)) => {
                let row = self.table(&WORDS, table, value.span());
                Some(Value::Words(Text::new(row.str("zh")?, row.str("en")?)))
            }
            (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Kind::Integer(lo, hi), DeValue::Integer(n)) => {
                match i64::from_str_radix(n.as_str(), n.radix()) {
                    Ok(n) if (*lo..=*hi).contains(&n) => Some(Value::Integer(n)),
                    Ok(_) | Err(_) => self.out_of_bounds(key, kind, value),
                }
            }
            (Kind::Number(..), DeValue::Integer(n)) => {
                let text = n.as_str();
                let whole =
                    i64::from_str_radix(text, n.radix()).ok().and_then(|n| n.to_string().parse().ok());
                self.number(key, kind, whole.unwrap_or(f64::MAX), value)
            }
            (Kind::Number(..), DeValue::Float(x)) => {
                self.number(key, kind, x.as_str().parse().unwrap_or(f64::NAN), value)
            }
            (Kind::OneOf(names), DeValue::String(s)) => self.one_of(key, names, s, value.span()),
            (Kind::List(of, min, max), DeValue::Array(list)) => {
                self.bounded(key, list.len(), *min, *max, value.span())?;
                self.cells(key, of, list)
            }
            (Kind::Table(shape), DeValue::Table(table)) => {
                Some(Value::Table(self.table(shape, table, value.span())))
            }
            (Kind::Tables(shape, max), DeValue::Array(list)) => {
                self.bounded(key, list.len(), 0, *max, value.span())?;
                let mut rows = Vec::new();
                for item in list.iter() {
                    let DeValue::Table(table) = item.get_ref() else {
                        self.wrong_type(key, kind, item);
                        continue;
                    };
                    let row = self.table(shape, table, item.span());
                    rows.push(Cell { place: row.place.clone(), value: Value::Table(row) });
                }
                Some(Value::List(rows))
            }
            (kind, _) => {
                self.wrong_type(key, kind, value);
                None
            }
        }
    }

    fn cells(&mut self, key: &Key, of: &'static Kind, list: &[Spanned<DeValue<'_>>]) -> Option<Value> {
        let mut cells = Vec::new();
        for item in list {
            let place = self.place(item.span());
            cells.push(Cell { value: self.value(key, of, item)?, place });
        }
        Some(Value::List(cells))
    }

    fn id(&mut self, text: &str, span: Range<usize>) -> Option<Value> {
        if Tag::new(text).is_some() {
            return Some(Value::Str(text.to_owned()));
        }
        let wrong = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-'));
        let label = match text.chars().find(|c| wrong(*c)) {
            _ if text.is_empty() => "empty".to_owned(),
            Some(c) => format!("{} can't be in an id", quoted(&c.to_string())),
            None if text.len() > Tag::MAX => format!("{} characters; at most {}", text.len(), Tag::MAX),
            None => "starts with neither a letter nor a digit".to_owned(),
        };
        let lower: String = text.chars().take(Tag::MAX).collect::<String>().to_lowercase();
        let parts: Vec<&str> = lower.split(wrong).filter(|part| !part.is_empty()).collect();
        let rule = "an id is 1 to 64 of a-z 0-9 . _ - and starts with a letter or digit";
        let help = match Tag::new(parts.join("-").trim_matches(['.', '_', '-'])) {
            Some(tag) => format!("{rule}: try \"{tag}\", and give it a `name` for people"),
            None => rule.to_owned(),
        };
        let message = format!("{} is not an id", quoted(text));
        self.faults.push(Fault::error("bad-id", self.place(span), message).label(label).help(help));
        None
    }

    fn text(&mut self, text: &str, span: Range<usize>) -> Option<String> {
        let fault = if text.chars().count() > MAX_TEXT {
            Fault::error("too-long", self.place(span), format!("a text of more than {MAX_TEXT} characters"))
                .help("shorten it: it is shown on one line of a screen")
        } else if text.chars().any(char::is_control) {
            Fault::error(
                "control-character",
                self.place(span),
                "a text with a line break or another control character",
            )
            .help("write it on one line, between \" and \"")
        } else if text.trim().is_empty() {
            Fault::error("empty-text", self.place(span), "an empty text")
                .help("write something, or leave the key out")
        } else {
            return Some(text.to_owned());
        };
        self.faults.push(fault);
        None
    }

    fn number(&mut self, key: &Key, kind: &Kind, x: f64, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let (lo, hi) = if let Kind::Number(lo, hi) = kind { (*lo, *hi) } else { (-HUGE, HUGE) };
        if !x.is_finite() && value.get_ref().is_float() {
            let message = format!("`{}` is {}, which is not a number to compare with", key.name, x);
            self.faults.push(
                Fault::error("not-finite", self.place(value.span()), message)
                    .label(format!("expected {}", kind.describe()))
                    .help(format!("{}: {}; write the number, or leave the key out", key.name, key.doc)),
            );
            return None;
        }
        if !(lo..=hi).contains(&x) {
            return self.out_of_bounds(key, kind, value);
        }
        Some(Value::Number(x))
    }

    fn out_of_bounds(&mut self, key: &Key, kind: &Kind, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let place = self.place(value.span());
        let message = format!("{} = {} is out of bounds", quoted(key.name), quoted(place.words()));
        self.faults.push(
            Fault::error("out-of-bounds", place, message)
                .label(format!("expected {}", kind.describe()))
                .help(format!("{}: {}", key.name, key.doc)),
        );
        None
    }

    fn one_of(
        &mut self,
        key: &Key,
        names: &'static [&'static str],
        text: &str,
        span: Range<usize>,
    ) -> Option<Value> {
        if names.contains(&text) {
            return Some(Value::Str(text.to_owned()));
        }
        let expected = super::faults::one_of(names.iter().copied());
        let help = match nearest(text, names.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("{}: {}", key.name, key.doc),
        };
        let message = format!("`{}` can't be {}", key.name, quoted(text));
        self.faults.push(
            Fault::error("not-one-of", self.place(span), message)
                .label(format!("expected {expected}"))
                .help(help),
        );
        None
    }

    fn bounded(&mut self, key: &Key, len: usize, min: usize, max: usize, span: Range<usize>) -> Option<()> {
        if (min..=max).contains(&len) {
            return Some(());
        }
        let expected = if min == max { format!("{min}") } else { format!("{min} to {max}") };
        let message = format!("{len} values of `{}`; expected {expected}", key.name);
        self.faults.push(
            Fault::error(if len > max { "too-many" } else { "too-few" }, self.place(span), message)
                .label(format!("expected {expected}"))
                .help(format!("{}: {}", key.name, key.doc)),
        );
        None
    }

    fn wrong_type(&mut self, key: &Key, kind: &Kind, value: &Spanned<DeValue<'_>>) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        // A value that could not be parsed has been told already, and stands there as an empty text.
        if !self.sound && value.span().is_empty() {
            return;
        }
        let help = match (kind, value.get_ref()) {
            (Kind::Tables(..), DeValue::Table(_)) => {
                format!("write it in double brackets, once for each: [[{}]]", key.name)
            }
            (Kind::Table(_), DeValue::Array(_)) => {
                format!("write it in single brackets, once: [{}]", key.name)
            }
            (Kind::Number(..) | Kind::Integer(..) | Kind::Flag, DeValue::String(s)) if !s.is_empty() => {
                format!("take the quotes away ({}: {})", key.name, key.doc)
            }
            _ => format!("{}: {}", key.name, key.doc),
        };
        let message = format!("`{}` is {found}, and should be {}", key.name, kind.describe());
        self.faults.push(
            Fault::error("wrong-type", self.place(value.span()), message)
                .label(format!("expected {}, found {found}", kind.describe()))
                .help(help),
        );
    }
}

fn preset_value(preset: &Preset) -> Value {
    match preset {
        Preset::Str(s) => Value::Str((*s).to_owned()),
        Preset::Integer(n) => Value::Integer(*n),
        Preset::Number(x) => Value::Number(*x),
    }
}
