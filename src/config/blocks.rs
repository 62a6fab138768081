//! Which requests a poll of a device takes: as few as its profile allows, with a value and its status always in the
//! same one.

use super::profile::{Reach, hull};
use crate::model::register::{Field, Location, ReadBlock, Scan, Space};

/// The cells that must come in one answer: first, and one beyond the last. What is read at each poll is never read
/// along with what is read every few minutes.
type Item = (Scan, Space, u32, u32);

fn item(field: &Field) -> Item {
    let (start, end) = hull(field);
    (field.scan, field.at.space, start, end)
}

/// The requests that bring all of `fields`.
pub(super) fn pack<'a>(fields: impl Iterator<Item = &'a Field>, reach: &Reach) -> Vec<ReadBlock> {
    let mut items: Vec<Item> = fields.map(item).collect();
    items.sort_unstable();
    let mut blocks: Vec<Item> = Vec::new();
    for (scan, space, start, end) in items {
        if let Some((block_scan, block_space, block_start, block_end)) = blocks.last_mut()
            && (*block_scan, *block_space) == (scan, space)
            && start <= block_end.saturating_add(u32::from(reach.max_gap))
            && end.saturating_sub(*block_start) <= reach.max(space)
            && reach.forbidden(space, *block_start, end).is_none()
        {
            *block_end = end.max(*block_end);
        } else {
            blocks.push((scan, space, start, end));
        }
    }
    let narrow = |n: u32| u16::try_from(n).unwrap_or(u16::MAX);
    let block = |(scan, space, start, end): Item| ReadBlock {
        scan,
        at: Location { space, address: narrow(start) },
        count: narrow(end.saturating_sub(start)),
    };
    blocks.into_iter().map(block).collect()
}

/// Which of `blocks` holds the whole of `field`.
pub(super) fn block_of(field: &Field, blocks: &[ReadBlock]) -> Option<usize> {
    let (scan, space, start, end) = item(field);
    blocks.iter().position(|b| {
        let from = u32::from(b.at.address);
        (b.scan, b.at.space) == (scan, space)
            && from <= start
            && end <= from.saturating_add(u32::from(b.count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::register::{Encoding, StatusField, StatusMeaning, WordOrder};

    fn reach(max_registers: u16, max_gap: u16) -> Reach {
        Reach { max_registers, max_gap, never: Vec::new() }
    }

    fn field(space: Space, address: u16, encoding: Encoding, status: Option<u16>) -> Field {
        let status = status.map(|address| StatusField {
            at: Location { space, address },
            encoding: Encoding::U16,
            meaning: StatusMeaning::Codes(Vec::new()),
        });
        let at = Location { space, address };
        Field { statuses: status.into_iter().collect(), ..Field::plain(at, encoding) }
    }

    fn packed(fields: &[Field], reach: &Reach) -> Vec<(Space, u16, u16)> {
        pack(fields.iter(), reach).iter().map(|b| (b.at.space, b.at.address, b.count)).collect()
    }

    #[test]
    fn neighbours_share_a_request_and_strangers_do_not() {
        let registers = |addresses: &[u16]| -> Vec<Field> {
            addresses.iter().map(|a| field(Space::Input, *a, Encoding::U16, None)).collect()
        };
        assert_eq!(packed(&registers(&[2, 0, 1]), &reach(100, 0)), [(Space::Input, 0, 3)]);
        assert_eq!(packed(&registers(&[0, 2]), &reach(100, 0)), [(Space::Input, 0, 1), (Space::Input, 2, 1)]);
        assert_eq!(packed(&registers(&[0, 2]), &reach(100, 1)), [(Space::Input, 0, 3)]);
        assert_eq!(
            packed(&registers(&[0, 1, 2]), &reach(2, 0)),
            [(Space::Input, 0, 2), (Space::Input, 2, 1)]
        );
        assert_eq!(packed(&[], &reach(100, 0)), []);
    }

    #[test]
    fn a_value_and_its_status_are_never_split() {
        let f32_with_status = field(Space::Input, 0, Encoding::F32(WordOrder::Abcd), Some(5));
        let fields = [
            f32_with_status,
            field(Space::Input, 4, Encoding::U16, Some(9)),
            field(Space::Coil, 3, Encoding::Bit, None),
        ];
        let small = reach(6, 0);
        assert_eq!(
            packed(&fields, &small),
            [(Space::Coil, 3, 1), (Space::Input, 0, 6), (Space::Input, 4, 6)]
        );
        let blocks = pack(fields.iter(), &small);
        assert_eq!(fields.map(|f| block_of(&f, &blocks)), [Some(1), Some(2), Some(0)]);
    }

    #[test]
    fn what_is_read_rarely_shares_no_request_with_what_is_read_at_each_poll() {
        let fast = |address| field(Space::Input, address, Encoding::U16, None);
        let slow = |address| Field { scan: Scan::Slow, ..fast(address) };
        let fields = [fast(0), slow(1), fast(2), slow(0), slow(3)];
        let blocks = pack(fields.iter(), &reach(100, 1));
        let told: Vec<_> = blocks.iter().map(|b| (b.scan, b.at.address, b.count)).collect();
        assert_eq!(told, [(Scan::Fast, 0, 3), (Scan::Slow, 0, 4)]);
        assert_eq!(fields.map(|f| block_of(&f, &blocks)), [Some(0), Some(1), Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn no_request_spans_what_must_never_be_touched() {
        let fields = [0, 1, 4].map(|address| field(Space::Input, address, Encoding::U16, None));
        let never = |space| Reach { never: vec![(space, 3, 3)], ..reach(100, 8) };
        assert_eq!(packed(&fields, &never(Space::Holding)), [(Space::Input, 0, 5)]);
        assert_eq!(packed(&fields, &never(Space::Input)), [(Space::Input, 0, 2), (Space::Input, 4, 1)]);
    }

    #[test]
    fn the_last_address_is_reached_without_wrapping() {
        let last = [field(Space::Holding, 65_534, Encoding::U32(WordOrder::Abcd), None)];
        assert_eq!(packed(&last, &reach(125, 64)), [(Space::Holding, 65_534, 2)]);
    }
}
