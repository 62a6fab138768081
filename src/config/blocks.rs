//! Which requests a poll of a device takes: as few as its profile allows, with a value and its status always in the
//! same one.

use super::profile::{MAX_BITS, Profile, hull};
use crate::model::register::{Field, Location, ReadBlock, Space};

/// The cells that must come in one answer: first, and one beyond the last.
type Item = (Space, u32, u32);

fn item(field: &Field) -> Item {
    let (start, end) = hull(field);
    (field.at.space, start, end)
}

/// The requests that bring all of `fields`.
pub(super) fn pack<'a>(fields: impl Iterator<Item = &'a Field>, profile: &Profile) -> Vec<ReadBlock> {
    let mut items: Vec<Item> = fields.map(item).collect();
    items.sort_unstable();
    let mut blocks: Vec<Item> = Vec::new();
    for (space, start, end) in items {
        let max = u32::from(if space.is_bits() { MAX_BITS } else { profile.max_registers });
        if let Some((block_space, block_start, block_end)) = blocks.last_mut()
            && *block_space == space
            && start <= block_end.saturating_add(u32::from(profile.max_gap))
            && end.saturating_sub(*block_start) <= max
        {
            *block_end = end.max(*block_end);
        } else {
            blocks.push((space, start, end));
        }
    }
    let narrow = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    let block = |(space, start, end): Item| ReadBlock {
        at: Location { space, address: narrow(start) },
        count: narrow(end.saturating_sub(start)),
    };
    blocks.into_iter().map(block).collect()
}

/// Which of `blocks` holds the whole of `field`.
pub(super) fn block_of(field: &Field, blocks: &[ReadBlock]) -> Option<usize> {
    let (space, start, end) = item(field);
    blocks.iter().position(|b| {
        let from = u32::from(b.at.address);
        b.at.space == space && from <= start && end <= from.saturating_add(u32::from(b.count))
    })
}
