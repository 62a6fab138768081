//! What a scan of a line found: who answers and how fast, the time-outs that follow from it, and the lines for the
//! site file.

use super::sheet::Sheet;
use crate::field::guess::Guess;
use crate::field::timing::shortest_answer;
use crate::model::line::{LineFault, Stray};
use crate::model::link::Link;
use crate::model::point::{Displayed, Reading, Unit};
use crate::model::register::{Location, ReadBlock, Space};
use crate::model::time::Span;

/// A unit that answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its number.
    pub unit: u8,
    /// What it was asked when it was measured.
    pub asked: ReadBlock,
    /// How long each of its answers took.
    pub times: Vec<Span>,
    /// Questions after which no answer came.
    pub lost: usize,
    /// What it says of each table: nothing, or the exception.
    pub tables: Vec<(Space, Result<(), LineFault>)>,
}

/// A time-out is so many times the worst answer that was measured: a device that is busy with its own work takes longer
/// than it did in ten questions.
pub const FACTOR: u64 = 3;

/// Shorter time-outs are not proposed: computer and network have their pauses too.
const SHORTEST: Span = Span::from_ms(100);

/// Nor longer ones than a site file may have.
const LONGEST_MS: u64 = 60_000;

impl Found {
    /// How long half of its answers took at most, and the worst one.
    #[must_use]
    pub fn figures(&self) -> (Span, Span) {
        let mut times = self.times.clone();
        times.sort_unstable();
        let at = |n: usize| times.get(n).copied().unwrap_or_default();
        (at(times.len().saturating_sub(1) / 2), at(times.len().saturating_sub(1)))
    }

    /// The time-out for the site file, in milliseconds: a multiple of the worst answer, never below what the wire needs.
    #[must_use]
    pub fn timeout_ms(&self, link: &Link) -> u64 {
        let floor = link.pace().map(|pace| shortest_answer(pace, &self.asked)).unwrap_or_default();
        let (_, worst) = self.figures();
        let wanted = worst.times(FACTOR).max(SHORTEST).max(floor);
        wanted.us().div_ceil(10_000).saturating_mul(10).min(LONGEST_MS)
    }
}

/// The table, and the lines for the site file.
#[must_use]
pub fn found(text: &str, link: &Link, found: &[Found]) -> String {
    let mut sheet = Sheet::new(["unit", "p50", "worst", "lost", "timeout_ms", "answers to"]);
    for one in found {
        let (median, worst) = one.figures();
        let says = |(space, said): &(Space, Result<(), LineFault>)| match said {
            Ok(()) => space.as_str().to_owned(),
            Err(LineFault::Exception(code)) => format!("{} (exception {code})", space.as_str()),
            Err(LineFault::Damaged(_)) => format!("{} (damaged)", space.as_str()),
            Err(LineFault::NoReply | LineFault::Garbled(_) | LineFault::Link(_)) => {
                format!("{} (silent)", space.as_str())
            }
        };
        let asked = one.times.len().saturating_add(one.lost);
        sheet.row(vec![
            one.unit.to_string(),
            milliseconds(median),
            milliseconds(worst),
            format!("{} of {asked}", one.lost),
            one.timeout_ms(link).to_string(),
            one.tables.iter().map(says).collect::<Vec<_>>().join(", "),
        ]);
    }
    let mut told = sheet.text();
    told.push_str(&format!("\ntimeout_ms is {FACTOR} times the worst answer to a question for one cell, at least {} ms{}; a profile that asks\n\
         for much at once may need more: `davy check` says so.\n\nFor the site file (choose profile and area, then add a [[point]] for each signal that is to be watched):\n\n",
        SHORTEST.ms(),
        match link.pace() {
            Some(_) => " and what the wire takes",
            None => "",
        }
    ));
    told.push_str(&fragment(text, link, found));
    told
}

/// Units that answer every question with exception 4; nothing where there are none.
#[must_use]
pub fn doubtful(units: &[u8]) -> String {
    if units.is_empty() {
        return String::new();
    }
    format!(
        "units {} say \"device failure\" (exception 4) to every question: many servers say that in place of units that\n\
         they do not have; a device that stands there all the same has failed\n\n",
        ranges(units)
    )
}

/// Numbers as `1-5,9`.
fn ranges(units: &[u8]) -> String {
    let mut told: Vec<(u8, u8)> = Vec::new();
    for unit in units {
        match told.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*unit) => *last = *unit,
            Some(_) | None => told.push((*unit, *unit)),
        }
    }
    let part =
        |(first, last): &(u8, u8)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    told.iter().map(part).collect::<Vec<_>>().join(",")
}

/// A span in milliseconds, to a tenth.
#[must_use]
pub fn milliseconds(span: Span) -> String {
    format!("{}.{} ms", span.us() / 1_000, span.us() % 1_000 / 100)
}

/// `[[bus]]` and `[[device]]`s as a site file has them; profile and area are for a person to choose.
#[must_use]
pub fn fragment(text: &str, link: &Link, found: &[Found]) -> String {
    let common = found.iter().map(|one| one.timeout_ms(link)).max().unwrap_or(500);
    let all = found.iter().map(|one| one.figures().1.ms().saturating_add(1)).fold(0_u64, u64::saturating_add);
    // The line is to be free for half of the time.
    let poll = all.saturating_mul(2).max(common).max(1_000).div_ceil(100).saturating_mul(100).min(600_000);
    let mut lines = format!(
        "[[bus]]\nid = \"line-1\"\nlink = {}\npoll_ms = {poll}\ntimeout_ms = {common}\n",
        quoted(text)
    );
    for one in found {
        let unit = one.unit;
        lines.push_str(&format!(
            "\n[[device]]\nid = \"line-1-unit-{unit}\"\nbus = \"line-1\"\nunit = {unit}\n\
             profile = \"CHOOSE\"   # the register map of this model, as \"gas-2reg\"\n\
             area = \"CHOOSE\"      # the [[area]] where it stands\n"
        ));
        let own = one.timeout_ms(link);
        if own != common {
            lines.push_str(&format!("timeout_ms = {own}\n"));
        }
    }
    lines
}

/// A text as TOML writes it, which writes what needs it as JSON does.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What to look at where nobody answers.
#[must_use]
pub fn nobody(link: &Link, heard: &[String], stray: Stray) -> String {
    let mut told = String::from("nobody answered\n");
    let noise = !stray.is_none() || !heard.is_empty();
    let serial = match link {
        Link::Tcp { .. } | Link::Tls { .. } => false,
        Link::RtuTcp { .. } | Link::Serial { .. } | Link::Listen { .. } => true,
    };
    if noise {
        if let Some(first) = heard.first() {
            told.push_str(&format!("  something was heard that is no answer: {first} ({stray})\n"));
        } else {
            told.push_str(&format!("  something was heard that is no answer: {stray}\n"));
        }
        if stray.misshapen > 0 {
            told.push_str("  the port says that parity or frame of characters was wrong: another baud rate or parity is spoken here\n");
        }
        if stray.foreign > 0 {
            told.push_str("  there are whole frames of others: another master asks on this line\n");
        } else if serial {
            told.push_str(
                "  bytes that are no frames are most often the wrong baud rate or parity: compare with the devices\n",
            );
        }
    }
    told.push_str(match link {
        Link::Serial { .. } => {
            "  check: A and B swapped? the common conductor? power at the devices? a resistor of 120 ohm at both ends?\n  \
             baud rate, parity and stop bits as the devices have them? `--try-baud` tries the usual ones\n  \
             an adapter that does not switch its direction by itself needs rs485=on in the link\n"
        }
        Link::RtuTcp { .. } | Link::Listen { .. } => {
            "  check: does the serial server pass bytes on unchanged (\"transparent\", not \"Modbus gateway\": for that use tcp://)?\n  \
             baud rate, parity and stop bits as set there? A and B swapped? power at the devices?\n"
        }
        Link::Tcp { .. } | Link::Tls { .. } => {
            "  check: the connection came up, so that the unit numbers are what is left, or the line behind a gateway;\n  \
             a serial server that is no Modbus gateway wants rtu+tcp://; a slow one wants a larger --timeout-ms\n"
        }
    });
    told
}

/// The ways to read two registers. Those that fit what is expected have a star, those that an instrument could show a
/// plus.
#[must_use]
pub fn guessed(all: &[Guess], expected: Option<f64>) -> String {
    let mut sheet = Sheet::new(["", "value", "type", "decimals", "registers"]);
    for guess in all {
        let mark = match (guess.fits, guess.plausible) {
            (true, _) => "*",
            (false, true) => "+",
            (false, false) => "",
        };
        let decimals = if guess.decimals == 0 { String::new() } else { guess.decimals.to_string() };
        let magnitude = guess.value.abs();
        let value = match magnitude > 0.0 && !(1e-4..1e10).contains(&magnitude) {
            true => format!("{:.4e}", guess.value),
            false => guess.value.to_string(),
        };
        let registers = if guess.registers == 1 { "the first" } else { "both" };
        sheet.row(vec![mark.to_owned(), value, guess.way.clone(), decimals, registers.to_owned()]);
    }
    let mut told = sheet.text();
    told.push_str("\n+ could be what an instrument shows");
    if let Some(expected) = expected {
        told.push_str(&format!("   * is {expected}"));
        if all.iter().all(|guess| !guess.fits) {
            told.push_str(": none; is it the right register, and does the device show the same unit?");
        }
    }
    told.push('\n');
    told
}

/// One signal of a device that is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its id.
    pub id: String,
    /// Where it lies.
    pub at: Location,
    /// Its cells.
    pub raw: String,
    /// The unit of its value.
    pub unit: Unit,
    /// What it reads, or why it does not.
    pub reading: Result<Reading, String>,
}

/// What a device says, one signal a line.
#[must_use]
pub fn seen(rows: &[Seen]) -> String {
    let mut sheet = Sheet::new(["signal", "place", "raw", "value", "quality"]);
    for row in rows {
        let (value, quality) = match &row.reading {
            Ok(reading) => {
                let value = reading.value.map(|value| Displayed::text(value, 3));
                // As few digits as the number has.
                let value = value.map(|v| {
                    if v.contains('.') { v.trim_end_matches('0').trim_end_matches('.').to_owned() } else { v }
                });
                let value = value.map_or_else(|| "--".to_owned(), |value| format!("{value} {}", row.unit));
                (value, reading.quality.to_string())
            }
            Err(why) => ("--".to_owned(), why.clone()),
        };
        let place = format!("{}:{}", row.at.space.as_str(), row.at.address);
        sheet.row(vec![row.id.clone(), place, row.raw.clone(), value, quality]);
    }
    sheet.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::model::register::Scan;

    fn link(text: &str) -> Link {
        config::parse_link(text).unwrap()
    }

    fn found_at(unit: u8, worst: Span) -> Found {
        let at = Location { space: Space::Holding, address: 0 };
        let asked = ReadBlock { at, count: 1, scan: Scan::Fast };
        let times = vec![Span::from_ms(1), worst, Span::from_ms(2)];
        Found { unit, asked, times, lost: 0, tables: vec![(Space::Holding, Ok(()))] }
    }

    #[test]
    fn a_proposed_time_out_is_three_times_the_worst_and_never_below_what_the_wire_takes() {
        let tcp = link("tcp://h");
        assert_eq!(found_at(1, Span::from_ms(120)).timeout_ms(&tcp), 360);
        assert_eq!(found_at(1, Span::from_us(121_001)).timeout_ms(&tcp), 370, "rounded up");
        assert_eq!(found_at(1, Span::from_ms(3)).timeout_ms(&tcp), 100);
        assert_eq!(found_at(1, Span::from_secs(60)).timeout_ms(&tcp), 60_000);
        let slow = link("rtu:///dev/ttyS0?baud=300");
        let floor = shortest_answer(slow.pace().unwrap(), &found_at(1, Span::ZERO).asked);
        assert!(found_at(1, Span::from_ms(1)).timeout_ms(&slow) >= floor.ms());
    }

    #[test]
    fn the_median_is_told_and_the_worst() {
        assert_eq!(found_at(1, Span::from_ms(9)).figures(), (Span::from_ms(2), Span::from_ms(9)));
        let nothing = Found { times: Vec::new(), ..found_at(1, Span::ZERO) };
        assert_eq!(nothing.figures(), (Span::ZERO, Span::ZERO));
    }

    #[test]
    fn the_lines_for_the_site_file_are_taken_whatever_the_link() {
        for text in [
            "tcp://10.0.0.5:502",
            "tls://h?ca=a&cert=b&key=c",
            "rtu+tcp://h:4001?baud=9600",
            "rtu:///dev/serial/by-id/usb-\"odd\"?baud=9600&parity=even&stop=1&rs485=on",
            "rtu+listen://0.0.0.0:4002?id=DTU-7",
        ] {
            let all = [found_at(1, Span::from_ms(20)), found_at(2, Span::from_ms(400))];
            let lines = fragment(text, &link(text), &all);
            let lines = lines.replace("profile = \"CHOOSE\"", "profile = \"gas-2reg\"");
            let lines = lines.replace("area = \"CHOOSE\"", "area = \"face\"");
            let site = format!(
                "[gateway]\nid = \"g\"\n[site]\nname = \"x\"\n[[gas]]\nid = \"methane\"\nlel_pct_vol = 5.0\n\
                 [[area]]\nid = \"face\"\nkind = \"cn-coal-face\"\nname = \"face\"\n{lines}\n\
                 [[point]]\nid = \"t1\"\nname = \"t1\"\ndevice = \"line-1-unit-1\"\nsignal = \"value\"\n\
                 gas = \"methane\"\nplace = \"T1\"\n"
            );
            let source = config::Source { name: "site.toml".to_owned(), text: site };
            let compiled = config::compile(&source, &config::Extras::default());
            let plan = compiled.map_err(|faults| faults.render(false)).unwrap().plan;
            assert_eq!(plan.buses.iter().next().unwrap().1.link, link(text));
            let timeouts: Vec<u64> = plan.devices.iter().map(|(_, d)| d.timeout.ms()).collect();
            assert_eq!(timeouts, [100, 1_200], "{text}");
        }
    }

    #[test]
    fn units_in_a_row_are_told_as_ranges() {
        assert_eq!(ranges(&[1, 2, 3, 9, 254, 255]), "1-3,9,254-255");
        assert_eq!(doubtful(&[]), "");
    }

    #[test]
    fn bytes_that_are_no_frames_point_to_the_speed_and_whole_ones_to_another_master() {
        let serial = link("rtu:///dev/ttyS0?baud=9600");
        let noise = Stray { bytes: 9, ..Stray::default() };
        assert!(nobody(&serial, &[], noise).contains("wrong baud rate or parity"));
        assert!(nobody(&serial, &[], Stray { foreign: 1, ..noise }).contains("another master"));
        let silence = nobody(&serial, &[], Stray::default());
        assert!(!silence.contains("was heard") && silence.contains("A and B swapped"));
    }
}
