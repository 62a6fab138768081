//! Register images: cells as a device sends them, and the readings that they must give. A profile that does not read its
//! own images as they say is not believed.

use super::cells::{hull, quality_of, range};
use super::{Signal, Watch};
use crate::config::faults::{Fault, Faults, quoted};
use crate::config::names::Names;
use crate::config::read::{Row, Value};
use crate::field::codec::{Cells, reading};
use crate::model::point::{Quality, Reading, Unit};
use crate::model::register::{Field, Location, ReadBlock, Space};
use crate::model::time::Mono;
use std::collections::BTreeMap;

/// The cells of an image.
type Image = BTreeMap<(Space, u16), u16>;

/// How far a value may lie beside the one expected, as part of it: one digit in the seven of a 32-bit float.
const NEAR: f64 = 1e-6;

/// Reads what `row` holds and compares.
pub(super) fn check(row: &Row, signals: &Names<Signal>, faults: &mut Faults) {
    let Some(image) = cells(row, faults) else { return };
    for read in row.tables("reads") {
        if let Some(signal) = signals.find(read, "signal", faults) {
            compare(read, signal, signals, &image, faults);
        }
    }
}

fn cells(row: &Row, faults: &mut Faults) -> Option<Image> {
    let mut image = Image::new();
    for part in row.tables("cells") {
        let space = Space::ALL.into_iter().find(|s| Some(s.as_str()) == part.str("space"))?;
        let first = part.small::<u16>("address")?;
        for (n, cell) in (0_u16..).zip(part.list("words")) {
            let Value::Integer(word) = cell.value else { return None };
            let (Some(address), Ok(word)) = (first.checked_add(n), u16::try_from(word)) else {
                let message = "cells beyond the last address, 65535";
                faults.push(
                    Fault::error("out-of-bounds", cell.place.clone(), message).help("check the address"),
                );
                return None;
            };
            image.insert((space, address), word);
        }
    }
    Some(image)
}

fn compare(read: &Row, signal: &Signal, signals: &Names<Signal>, image: &Image, faults: &mut Faults) {
    let unit = read.str("unit").and_then(Unit::parse).unwrap_or(signal.unit);
    let own = range(read, faults);
    let field = Field { range: own.or(signal.field.range), ..signal.field.clone() };
    let Some((block, cells)) = block(&field, image) else {
        let message =
            format!("the image does not hold all of {}", quoted(read.str("signal").unwrap_or_default()));
        let (from, to) = hull(&field);
        let (space, last) = (field.at.space.as_str(), to.saturating_sub(1));
        faults.push(
            Fault::error("image-lacks", read.at("signal"), message)
                .label("not in these cells")
                .help(format!("give {space} {from} to {last}: value, status, decimals and unit")),
        );
        return;
    };
    let found = reading(&field, unit, block, &cells, Mono::START);
    let found = Reading { quality: found.quality.worse(doubted(read, signals, image)), ..found };
    let (value, quality) = (read.number("value"), quality_of(read).unwrap_or(Quality::Good));
    let near = match (found.value, value) {
        (Some(a), Some(b)) => (a - b).abs() <= NEAR * b.abs().max(1.0),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if near && found.quality == quality {
        return;
    }
    let words = |value: Option<f64>, quality: Quality| match value {
        Some(value) => format!("{value} {unit}, {quality}"),
        None => format!("no value, {quality}"),
    };
    let (found, wanted) = (words(found.value, found.quality), words(value, quality));
    let message = format!("{} reads {found}", quoted(read.str("signal").unwrap_or_default()));
    faults.push(
        Fault::error("image-differs", read.place.clone(), message).label(format!("should be {wanted}")).help(
            "go through address, encoding, order, scale and status with the manual; or the image is wrong",
        ),
    );
}

/// What the device's own contacts make of the signal, as far as the image holds them.
fn doubted(read: &Row, signals: &Names<Signal>, image: &Image) -> Quality {
    let contacts = signals.all().filter_map(|id| signals.get(id));
    let set = contacts.filter_map(|contact| match &contact.watch {
        Some(Watch::Tells(tells, Some(of))) if read.str("signal") == Some(of) => {
            let (block, cells) = block(&contact.field, image)?;
            let said = reading(&contact.field, contact.unit, block, &cells, Mono::START);
            tells.doubt().filter(|_| said.value.is_some_and(|value| value > 0.5)).map(Quality::Uncertain)
        }
        _ => None,
    });
    set.fold(Quality::Good, Quality::worse)
}

/// The request that reads all of `field`, and its answer out of `image`; cells between that nobody needs are 0.
fn block(field: &Field, image: &Image) -> Option<(ReadBlock, Cells)> {
    let (from, to) = hull(field);
    let (first, count) = (u16::try_from(from).ok()?, u16::try_from(to.saturating_sub(from)).ok()?);
    let space = field.at.space;
    let needed = field.places().flat_map(|(at, encoding)| {
        (0..encoding.cells()).map(move |n| (at.space, at.address.saturating_add(n)))
    });
    needed.into_iter().all(|cell| image.contains_key(&cell)).then_some(())?;
    let words = (from..to).map(|address| {
        let address = u16::try_from(address).ok()?;
        Some(image.get(&(space, address)).copied().unwrap_or(0))
    });
    let words: Vec<u16> = words.collect::<Option<_>>()?;
    let cells = match space.is_bits() {
        true => Cells::Bits(words.into_iter().map(|bit| bit != 0).collect()),
        false => Cells::Words(words),
    };
    Some((ReadBlock { at: Location { space, address: first }, count, scan: field.scan }, cells))
}
