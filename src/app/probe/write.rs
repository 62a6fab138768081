//! `davy probe write`: one cell, after a person has typed the value once more.

use super::{Bad, Device, err, is_written, one, out, place, raw};
use crate::app::args::Write;
use crate::field::codec::{Cells, Question, as_written};
use crate::field::written::{manual, number};
use crate::model::line::LineFault;
use crate::model::register::{Space, Write as How};
use std::io::{BufRead, IsTerminal};

pub(super) async fn write(args: &Write) -> Result<bool, Bad> {
    let (at, readback) = (args.at, args.readback.unwrap_or(args.at));
    if args.unit.unit == 0 {
        return Err(Bad::Arguments(
            "unit 0 is everybody at once: nobody answers, and nobody knows what it did; name one unit"
                .to_owned(),
        ));
    }
    if !is_written(at.space) {
        return Err(Bad::Arguments(format!(
            "{} can't be written: only coils and holding registers can",
            place(at)
        )));
    }
    let value = parse(at.space, &args.value)?;
    let mut device = Device::open(&args.unit, &[one(at), one(readback)]).await?;
    let before = match device.read(one(readback)).await {
        Ok(cells) => Some(cells),
        Err(LineFault::Exception(code)) => {
            err(&format!(
                "{} can't be read (exception {code}), so that nobody will see what it did\n",
                place(readback)
            ));
            None
        }
        Err(fault) => {
            err(&format!("{}\nnothing was written\n", device.told(&fault)));
            return Ok(false);
        }
    };
    let function = match (args.multiple, at.space) {
        (false, Space::Coil) => 5,
        (true, Space::Coil) => 15,
        (false, _) => 6,
        (true, _) => 16,
    };
    let stands = before.as_ref().map_or_else(|| "not known".to_owned(), shown);
    out(&format!(
        "unit {}  {} (a manual's {})  by function {function}\n  now:  {stands}\n  then: {}\n\
         Type the value once more to write it ({}), anything else to leave it: ",
        args.unit.unit,
        place(at),
        manual(at),
        shown(&cell(at.space, value)),
        args.value,
    ));
    let confirmed = confirmed(&args.value);
    if !std::io::stdin().is_terminal() {
        // Nobody has pressed enter there.
        out("\n");
    }
    if !confirmed {
        out("nothing was written\n");
        return Ok(false);
    }
    let how = if args.multiple { How::Multiple } else { How::Single };
    let wrote = device.ask(Question::Write { at, value, how }).await.outcome;
    match &wrote {
        Ok(_) => {}
        Err(LineFault::Exception(_)) => {
            err(&format!(
                "{}\nthe device refused it\n",
                device.told(&wrote.err().unwrap_or(LineFault::NoReply))
            ));
            return Ok(false);
        }
        // It may have been taken all the same: what stands there tells.
        Err(fault) => err(&format!("{}\n", device.told(fault))),
    }
    let wanted = as_written(readback.space, value);
    match device.read(one(readback)).await {
        Ok(cells) if cells.get(0) == Some(wanted) => {
            out(&format!("taken: {} holds {}\n", place(readback), shown(&cells)));
            Ok(true)
        }
        Ok(cells) => {
            out(&format!("not taken: {} holds {}\n", place(readback), shown(&cells)));
            Ok(false)
        }
        Err(fault) => {
            err(&format!("{}\n", device.told(&fault)));
            out(
                "not known whether it was taken: it can't be read back; --readback says where it can be seen\n",
            );
            Ok(false)
        }
    }
}

fn parse(space: Space, text: &str) -> Result<u16, Bad> {
    let coil = |n: i64| (0..=1).contains(&n);
    match number(text) {
        Some(n) if space == Space::Coil => match u16::try_from(n) {
            Ok(bit) if coil(n) => Ok(bit),
            Ok(_) | Err(_) => Err(Bad::Arguments(format!("a coil is 0 or 1, not {text}"))),
        },
        Some(n) => match (u16::try_from(n), i16::try_from(n)) {
            (Ok(word), _) => Ok(word),
            (Err(_), Ok(word)) => Ok(word.cast_unsigned()),
            (Err(_), Err(_)) => Err(Bad::Arguments(format!("a register holds -32768 to 65535, not {text}"))),
        },
        None => Err(Bad::Arguments(format!(
            "`{text}` is no whole number: write 0 or 1 for a coil, -32768 to 65535 or 0x0000 to 0xffff for a register"
        ))),
    }
}

fn cell(space: Space, value: u16) -> Cells {
    if space.is_bits() { Cells::Bits(vec![value != 0]) } else { Cells::Words(vec![value]) }
}

fn shown(cells: &Cells) -> String {
    match cells {
        Cells::Bits(_) => raw(cells),
        Cells::Words(words) => format!("{} (0x{})", words.first().copied().unwrap_or(0), raw(cells)),
    }
}

/// Longest line that is looked at.
const LINE_MAX: u64 = 256;

fn confirmed(value: &str) -> bool {
    let mut typed = String::new();
    let mut input = std::io::Read::take(std::io::stdin().lock(), LINE_MAX);
    input.read_line(&mut typed).is_ok() && typed.trim() == value
}
