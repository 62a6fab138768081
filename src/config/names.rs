//! Names and what they stand for: declared once, looked up by reference, with an answer for those that are unknown
//! or taken. A name whose row is broken is known all the same, so that one fault does not bring a dozen others.

use super::faults::{Fault, Faults, Place, nearest, one_of, quoted};
use super::read::Row;
use std::collections::BTreeMap;

/// The names of one kind of thing.
#[derive(Debug)]
pub(super) struct Names<I> {
    /// What one of them is, as `device`.
    what: &'static str,
    known: BTreeMap<String, (Option<I>, Place)>,
}

impl<I: Clone> Names<I> {
    pub(super) fn new(what: &'static str) -> Names<I> {
        Names { what, known: BTreeMap::new() }
    }

    /// Declares the name at `key` of `row`. `meaning` is `None` where the row is broken.
    pub(super) fn declare(&mut self, row: &Row, key: &str, meaning: Option<I>, faults: &mut Faults) -> bool {
        let Some(name) = row.str(key) else { return false };
        self.declare_as(name, row.at(key), meaning, faults)
    }

    /// Declares `name`, written at `place`; whether it was free.
    pub(super) fn declare_as(
        &mut self,
        name: &str,
        place: Place,
        meaning: Option<I>,
        faults: &mut Faults,
    ) -> bool {
        if let Some((_, first)) = self.known.get(name) {
            let message = format!("the {} {} is defined twice", self.what, quoted(name));
            faults.push(
                Fault::error("duplicate-id", place, message)
                    .label("defined here again")
                    .help("give one of the two another id, and name that one where it is meant")
                    .other(first, "first defined here"),
            );
            return false;
        }
        self.known.insert(name.to_owned(), (meaning, place));
        true
    }

    /// What `name` stands for; `None` for the unknown and the broken alike.
    pub(super) fn get(&self, name: &str) -> Option<&I> {
        self.known.get(name)?.0.as_ref()
    }

    /// Whether `name` is declared by a row that is broken.
    pub(super) fn is_broken(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|(meaning, _)| meaning.is_none())
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// Every name, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// What the name at `key` of `row` stands for. An unknown one is a fault; a broken one has been told already.
    pub(super) fn find(&self, row: &Row, key: &str, faults: &mut Faults) -> Option<&I> {
        self.find_as(row.str(key)?, row.at(key), faults)
    }

    /// What `name`, written at `place`, stands for.
    pub(super) fn find_as(&self, name: &str, place: Place, faults: &mut Faults) -> Option<&I> {
        if let Some((meaning, _)) = self.known.get(name) {
            return meaning.as_ref();
        }
        let message = format!("there is no {} {}", self.what, quoted(name));
        let mut fault = Fault::error("unknown-id", place, message).label("not defined");
        let near = if faults.is_flooded() { None } else { nearest(name, self.all()) };
        match near {
            Some(near) => {
                fault = fault.help(format!("did you mean \"{near}\"?"));
                if let Some((_, at)) = self.known.get(near) {
                    fault = fault.other(at, "a similar one is defined here");
                }
            }
            None if self.known.is_empty() => {
                fault = fault.help(format!(
                    "none is defined that can be used: add a {}, or mend the one that is there",
                    self.what
                ))
            }
            None => fault = fault.help(format!("known: {}", one_of(self.all()))),
        }
        faults.push(fault);
        None
    }
}
