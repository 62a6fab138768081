//! How a file's shape is declared: tables, keys, types, bounds, defaults and a sentence on each key. The reader, the
//! messages and the JSON Schema are all driven by these tables, so they can't drift apart. The shapes themselves are
//! in `shapes.rs`.

use serde_json::{Map, Value, json};

/// A table of a file.
#[derive(Debug)]
pub(super) struct Shape {
    /// What one such table is, as `a point`.
    pub(super) what: &'static str,
    /// Its keys, in the order in which people write them.
    pub(super) keys: &'static [Key],
}

impl Shape {
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }
}

/// A key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) need: Need,
    /// One sentence for messages, editors and documents.
    pub(super) doc: &'static str,
}

/// Whether a key must be there, and what is taken where it is not.
#[derive(Debug)]
pub(super) enum Need {
    Must,
    May,
    Else(Preset),
}

/// What is taken where a key is not written.
#[derive(Debug)]
pub(super) enum Preset {
    Str(&'static str),
    Integer(i64),
    Number(f64),
}

/// The type of a value, with its bounds.
#[derive(Debug)]
pub(super) enum Kind {
    /// The name of a thing: goes into topics and file names.
    Id,
    /// The name of a thing defined elsewhere.
    Ref(&'static str),
    /// One such name, or a list of at most so many.
    Refs(&'static Kind, usize),
    /// A line of text.
    Str,
    /// What people read: one text for both languages, or `{ zh = "…", en = "…" }`.
    Words,
    Flag,
    Integer(i64, i64),
    Number(f64, f64),
    OneOf(&'static [&'static str]),
    /// Values of one kind, at least and at most so many.
    List(&'static Kind, usize, usize),
    Table(&'static Shape),
    /// `[[name]]`, at most so many.
    Tables(&'static Shape, usize),
}

impl Kind {
    /// What a value of this kind is, for "expected …".
    pub(super) fn describe(&self) -> String {
        match self {
            Kind::Id => "an id in quotes (a-z, 0-9, `.`, `_`, `-`)".to_owned(),
            Kind::Ref(what) => format!("the id of {what}, in quotes"),
            Kind::Refs(of, _) => format!("{}, or a list of them", of.describe()),
            Kind::Str => "a text in quotes".to_owned(),
            Kind::Words => "a text in quotes, or { zh = \"…\", en = \"…\" }".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Integer(lo, hi) => format!("a whole number from {lo} to {hi}"),
            Kind::Number(lo, hi) if *hi >= HUGE => {
                format!("a number{}", if *lo >= 0.0 { ", not negative" } else { "" })
            }
            Kind::Number(lo, hi) => format!("a number from {lo} to {hi}"),
            Kind::OneOf(names) => super::faults::one_of(names.iter().copied()),
            Kind::List(of, min, max) if min == max => {
                format!("a list of {min} values, each {}", of.describe())
            }
            Kind::List(of, ..) => format!("a list, each value {}", of.describe()),
            Kind::Table(shape) => format!("a table ({})", shape.what),
            Kind::Tables(shape, _) => format!("tables in double brackets ({})", shape.what),
        }
    }

    fn schema(&self) -> Value {
        match self {
            Kind::Id => json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$" }),
            Kind::Ref(_) | Kind::Str => json!({ "type": "string" }),
            Kind::Refs(of, max) => json!({ "oneOf": [
                of.schema(),
                { "type": "array", "items": of.schema(), "minItems": 1, "maxItems": max },
            ] }),
            Kind::Words => json!({ "$ref": "#/$defs/words" }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Integer(lo, hi) => json!({ "type": "integer", "minimum": lo, "maximum": hi }),
            Kind::Number(lo, hi) => {
                let bounds = [("minimum", lo), ("maximum", hi)].into_iter().filter(|(_, x)| x.abs() < HUGE);
                let mut schema: Map<String, Value> = bounds.map(|(k, x)| (k.to_owned(), json!(x))).collect();
                schema.insert("type".to_owned(), json!("number"));
                Value::Object(schema)
            }
            Kind::OneOf(names) => json!({ "enum": names }),
            Kind::List(of, min, max) => {
                json!({ "type": "array", "items": of.schema(), "minItems": min, "maxItems": max })
            }
            Kind::Table(shape) => shape.schema(),
            Kind::Tables(shape, max) => json!({ "type": "array", "items": shape.schema(), "maxItems": max }),
        }
    }
}

/// Bounds of numbers that have no bound of their own: far beyond any instrument, and finite.
pub(super) const HUGE: f64 = 1e12;

impl Shape {
    fn schema(&self) -> Value {
        let properties = self.keys.iter().map(|key| (key.name.to_owned(), key.schema()));
        let must = self.keys.iter().filter(|k| matches!(k.need, Need::Must)).map(|k| k.name);
        json!({
            "type": "object",
            "description": self.what,
            "properties": properties.collect::<Map<_, _>>(),
            "required": must.collect::<Vec<_>>(),
            "additionalProperties": false,
        })
    }

    /// The JSON Schema of a whole file of this shape.
    pub(super) fn document(&self, title: &str) -> Value {
        let words = json!({ "oneOf": [{ "type": "string" }, super::shapes::WORDS.schema()] });
        let head = [
            ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
            ("title", json!(title)),
            ("$defs", json!({ "words": words })),
        ];
        with(self.schema(), head)
    }
}

/// `schema` and `more`.
fn with<const N: usize>(mut schema: Value, more: [(&str, Value); N]) -> Value {
    if let Value::Object(map) = &mut schema {
        map.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    schema
}

impl Key {
    fn schema(&self) -> Value {
        let schema = with(self.kind.schema(), [("description", json!(self.doc))]);
        match &self.need {
            Need::Must | Need::May => schema,
            Need::Else(Preset::Str(s)) => with(schema, [("default", json!(s))]),
            Need::Else(Preset::Integer(n)) => with(schema, [("default", json!(n))]),
            Need::Else(Preset::Number(x)) => with(schema, [("default", json!(x))]),
        }
    }

    /// A key that must be there.
    pub(super) const fn must(name: &'static str, kind: Kind, doc: &'static str) -> Key {
        Key { name, kind, need: Need::Must, doc }
    }

    /// A key that may be left out.
    pub(super) const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Key {
        Key { name, kind, need: Need::May, doc }
    }

    /// A key that has a default.
    pub(super) const fn preset(name: &'static str, kind: Kind, preset: Preset, doc: &'static str) -> Key {
        Key { name, kind, need: Need::Else(preset), doc }
    }
}
