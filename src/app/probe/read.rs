//! `davy probe read`.

use super::{Bad, Device, err, out, raw, short};
use crate::app::args::Read;
use crate::field::codec::Cells;
use crate::field::written::{encoded, manual, value};
use crate::model::register::{Encoding, Location, ReadBlock, Scan};

/// Most registers and most bits of one request.
const MAX: (u16, u16) = (125, 2_000);

pub(super) async fn read(args: &Read) -> Result<bool, Bad> {
    let space = args.at.space;
    let encoding = match args.encoding {
        None if space.is_bits() => Encoding::Bit,
        None => Encoding::U16,
        Some(encoding) if (encoding == Encoding::Bit) == space.is_bits() => encoding,
        Some(encoding) => {
            return Err(Bad::Arguments(format!(
                "{} cells can't be read as {}: coils and discrete inputs are bits, registers are anything else",
                space.as_str(),
                encoded(encoding)
            )));
        }
    };
    let most = if space.is_bits() { MAX.1 } else { MAX.0 };
    let count = args.count.checked_mul(encoding.cells()).filter(|count| *count <= most);
    let count = count
        .ok_or_else(|| Bad::Arguments(format!("one request brings at most {most} cells: lower --count")))?;
    if args.at.address.checked_add(count.saturating_sub(1)).is_none() {
        return Err(Bad::Arguments("the last cell would lie beyond 65535: lower --count".to_owned()));
    }
    let block = ReadBlock { at: args.at, count, scan: Scan::Fast };
    let mut device = Device::open(&args.unit, &[block]).await?;
    match device.read(block).await {
        Ok(cells) => {
            out(&rows(args.at, encoding, &cells));
            Ok(true)
        }
        Err(fault) => {
            err(&format!("{}\n", device.told(&fault)));
            Ok(false)
        }
    }
}

fn rows(first: Location, encoding: Encoding, cells: &Cells) -> String {
    let mut text = String::new();
    let step = encoding.cells();
    let mut address = first.address;
    for part in parts(cells, step.into()) {
        let at = Location { address, ..first };
        let number = value(encoding, at.space, &part).map_or_else(|| "no number".to_owned(), short);
        text.push_str(&format!(
            "{:<9}{:<6}  {}  {:<9}  {} = {number}\n",
            at.space.as_str(),
            at.address,
            manual(at),
            raw(&part),
            encoded(encoding)
        ));
        address = address.saturating_add(step);
    }
    text
}

fn parts(cells: &Cells, size: usize) -> Vec<Cells> {
    match cells {
        Cells::Words(words) => words.chunks_exact(size).map(|part| Cells::Words(part.to_vec())).collect(),
        Cells::Bits(bits) => bits.chunks_exact(size).map(|part| Cells::Bits(part.to_vec())).collect(),
    }
}
