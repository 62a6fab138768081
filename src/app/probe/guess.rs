//! `davy probe guess`.

use super::{Bad, Device, err, out, place, raw};
use crate::app::args::Guess;
use crate::field::guess::guesses;
use crate::model::register::{ReadBlock, Scan};
use crate::views::survey;

pub(super) async fn guess(args: &Guess) -> Result<bool, Bad> {
    if args.at.space.is_bits() {
        return Err(Bad::Arguments(
            "a coil or discrete input is one bit: there is nothing to guess".to_owned(),
        ));
    }
    if args.at.address == u16::MAX {
        return Err(Bad::Arguments("the second register would lie beyond 65535".to_owned()));
    }
    if args.expect.is_some_and(|expected| !expected.is_finite()) {
        return Err(Bad::Arguments("what is expected must be a number, as 1.25".to_owned()));
    }
    let block = ReadBlock { at: args.at, count: 2, scan: Scan::Fast };
    let mut device = Device::open(&args.unit, &[block]).await?;
    let cells = match device.read(block).await {
        Ok(cells) => cells,
        Err(fault) => {
            err(&format!("{}\n", device.told(&fault)));
            return Ok(false);
        }
    };
    out(&format!("unit {}  {}  {}\n\n", args.unit.unit, place(args.at), raw(&cells)));
    let (first, second) = (cells.get(0).unwrap_or(0), cells.get(1).unwrap_or(0));
    out(&survey::guessed(&guesses(first, second, args.expect), args.expect));
    Ok(true)
}
