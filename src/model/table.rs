//! Rows with typed row numbers, so that a point's number can't be used for a device.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A row number of a [`Table`].
pub trait Row: Copy + Ord {
    /// The row number `n`; the compiler of the site file bounds every table to [`MAX_ROWS`].
    fn from_usize(n: usize) -> Self;
    /// The row number as an index.
    fn to_usize(self) -> usize;
}

/// Upper bound of any table of a plan: 2,048 points with a dozen alarms each, and room to spare.
pub const MAX_ROWS: usize = 65_535;

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u16);
        impl Row for $name {
            fn from_usize(n: usize) -> Self {
                $name(u16::try_from(n).unwrap_or(u16::MAX))
            }
            fn to_usize(self) -> usize {
                usize::from(self.0)
            }
        }
    )*};
}

rows! {
    /// Row number of an area.
    AreaId,
    /// Row number of a bus.
    BusId,
    /// Row number of a device.
    DeviceId,
    /// Row number of a point.
    PointId,
    /// Row number of an alarm.
    AlarmId,
    /// Row number of an element (valve, load, siren).
    ElementId,
    /// Row number of a trip (a row of the cause-and-effect table).
    TripId,
    /// Row number of a destination.
    DestinationId,
}

/// A list that is indexed by its own kind of row number.
#[derive(Clone, Debug, PartialEq)]
pub struct Table<I, T> {
    rows: Vec<T>,
    kind: PhantomData<fn(I) -> I>,
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Table { rows: Vec::new(), kind: PhantomData }
    }
}

impl<I: Row, T> Table<I, T> {
    /// Adds a row and says its number.
    pub fn push(&mut self, row: T) -> I {
        self.rows.push(row);
        I::from_usize(self.rows.len().saturating_sub(1))
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Every row with its number, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (I, &T)> + DoubleEndedIterator {
        self.rows.iter().enumerate().map(|(n, row)| (I::from_usize(n), row))
    }

    /// Every row with its number, to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (I, &mut T)> {
        self.rows.iter_mut().enumerate().map(|(n, row)| (I::from_usize(n), row))
    }

    /// The rows without their numbers.
    pub fn values(&self) -> std::slice::Iter<'_, T> {
        self.rows.iter()
    }

    /// The row numbers.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = I> + use<I, T> {
        (0..self.rows.len()).map(I::from_usize)
    }

    /// The first row for which `test` holds.
    pub fn find(&self, mut test: impl FnMut(&T) -> bool) -> Option<I> {
        self.rows.iter().position(&mut test).map(I::from_usize)
    }

    /// A table of the same length and row numbers.
    pub fn map<U>(&self, mut f: impl FnMut(I, &T) -> U) -> Table<I, U> {
        Table { rows: self.iter().map(|(id, row)| f(id, row)).collect(), kind: PhantomData }
    }
}

impl<I, T> FromIterator<T> for Table<I, T> {
    fn from_iter<It: IntoIterator<Item = T>>(rows: It) -> Self {
        Table { rows: rows.into_iter().collect(), kind: PhantomData }
    }
}

/// For each row of a table a list of its own. They lie one behind the other, because most are short or empty.
#[derive(Clone, Debug)]
pub struct Lists<I, T> {
    items: Vec<T>,
    /// Where each list ends; the next begins there.
    ends: Table<I, u32>,
}

impl<I: Row, T> Lists<I, T> {
    /// The lists of `table`.
    #[must_use]
    pub fn of(table: Table<I, Vec<T>>) -> Lists<I, T> {
        let mut end = 0_u32;
        let ends = table.map(|_, list| {
            end = end.saturating_add(u32::try_from(list.len()).unwrap_or(u32::MAX));
            end
        });
        Lists { items: table.rows.into_iter().flatten().collect(), ends }
    }
}

impl<I: Row, T> Index<I> for Lists<I, T> {
    type Output = [T];
    fn index(&self, id: I) -> &[T] {
        let begin = id.to_usize().checked_sub(1).map_or(0, |n| self.ends[I::from_usize(n)]);
        let place = |end: u32| usize::try_from(end).unwrap_or(usize::MAX);
        self.items.get(place(begin)..place(self.ends[id])).unwrap_or_default()
    }
}

impl<I: Row, T> Index<I> for Table<I, T> {
    type Output = T;
    /// Row numbers are only made by the table they number, so a miss is a mistake in Davy, not in its input.
    #[expect(clippy::indexing_slicing, reason = "the one place where typed row numbers are followed")]
    fn index(&self, id: I) -> &T {
        &self.rows[id.to_usize()]
    }
}

impl<I: Row, T> IndexMut<I> for Table<I, T> {
    #[expect(clippy::indexing_slicing, reason = "the one place where typed row numbers are followed")]
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.rows[id.to_usize()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_own_list() {
        let table: Table<PointId, Vec<u8>> = [vec![], vec![1, 2], vec![], vec![3]].into_iter().collect();
        let lists = Lists::of(table.clone());
        for (id, list) in table.iter() {
            assert_eq!(&lists[id], list.as_slice());
        }
    }
}
