//! `davy probe`: the tools of who commissions. They ask over the line of the agent and decide nothing themselves; what is
//! found is told by `views/`.

mod guess;
mod read;
mod scan;
mod watch;
mod write;

use super::args::{Line, Probe, Unit, What};
use super::{BAD_CONFIG, FAILED, err, out};
use crate::field::codec::{Cells, Question};
use crate::field::timing::shortest_answer;
use crate::io::clock::Clock;
use crate::io::line::{Bench, Tried};
use crate::model::line::LineFault;
use crate::model::link::Link;
use crate::model::register::{Location, ReadBlock, Scan, Space};
use crate::model::time::Span;
use std::process::ExitCode;

/// How long a modem may take to dial in: they try again about once a minute.
const MODEM_PATIENCE: Span = Span::from_secs(90);

/// What is added to what the wire takes, where nobody says how long an answer may take: slow heads need a quarter of a
/// second.
const TIMEOUT: Span = Span::from_ms(300);

/// Why a tool came to no good end.
enum Bad {
    /// What was typed can't be done.
    Arguments(String),
    /// The line or the device.
    Line(String),
}

/// `davy probe`.
pub(super) fn probe(args: &Probe) -> ExitCode {
    // One thread: a serial port blocks it.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            err(&format!("error: the system gives no runtime: {e}\n"));
            return ExitCode::from(FAILED);
        }
    };
    let done = runtime.block_on(async {
        match &args.what {
            What::Scan(args) => scan::scan(args).await,
            What::Read(args) => read::read(args).await,
            What::Write(args) => write::write(args).await,
            What::Watch(args) => watch::watch(args).await,
            What::Guess(args) => guess::guess(args).await,
        }
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(Bad::Line(why)) => {
            err(&format!("error: {why}\n"));
            ExitCode::from(FAILED)
        }
        Err(Bad::Arguments(why)) => {
            err(&format!("error: {why}\n"));
            ExitCode::from(BAD_CONFIG)
        }
    }
}

/// One device on a line that is open.
struct Device {
    bench: Bench,
    unit: u8,
    timeout_ms: Option<u64>,
    link: Link,
}

impl Device {
    /// The device, to be asked for `blocks`.
    async fn open(args: &Unit, blocks: &[ReadBlock]) -> Result<Device, Bad> {
        let Line { link, timeout_ms } = &args.line;
        check_timeout(&link.link, blocks, *timeout_ms)?;
        Device::at(&link.link, args.unit, *timeout_ms).await
    }

    async fn at(link: &Link, unit: u8, timeout_ms: Option<u64>) -> Result<Device, Bad> {
        check_unit(link, unit)?;
        let bench = open(link).await?;
        Ok(Device { bench, unit, timeout_ms, link: link.clone() })
    }

    async fn ask(&mut self, question: Question) -> Tried {
        let block = match question {
            Question::Read(block) => block,
            Question::Write { at, .. } => one(at),
        };
        let timeout = timeout(&self.link, &block, self.timeout_ms);
        self.bench.ask(self.unit, timeout, question).await
    }

    /// What these cells hold.
    async fn read(&mut self, block: ReadBlock) -> Result<Cells, LineFault> {
        self.ask(Question::Read(block)).await.outcome
    }

    /// A fault in words that say what to do.
    fn told(&self, fault: &LineFault) -> String {
        let unit = self.unit;
        let hint = match fault {
            LineFault::NoReply => {
                "is that its unit number, and is it on this line? `davy probe scan` shows who answers"
            }
            LineFault::Exception(1) => {
                "the device does not know this function: try the other table (input, holding)"
            }
            LineFault::Exception(2) => {
                "there is nothing at this address: addresses count from 0 here, a manual's 40001 is holding:0, its 30001 input:0"
            }
            LineFault::Exception(3) => "it does not take this value, or not so many at once",
            LineFault::Exception(10 | 11) => "a gateway says that: nobody with this number is behind it",
            LineFault::Exception(_) => "see the device's manual",
            LineFault::Damaged(_) => {
                "two devices with one number answer at once, or the wiring: A, B, the common conductor, a resistor at both ends"
            }
            LineFault::Garbled(_) if self.link.is_rtu() => {
                "wrong baud rate or parity, two devices with one number, or another master on the line"
            }
            LineFault::Garbled(_) => "is that a Modbus/TCP server? A serial server wants rtu+tcp://",
            LineFault::Link(_) => LINK_HINT,
        };
        format!("unit {unit}: {fault}\n  {hint}")
    }
}

const LINK_HINT: &str =
    "a gateway may take one connection only: is the agent, or another program, connected to it?";

/// Opens a line.
async fn open(link: &Link) -> Result<Bench, Bad> {
    let mut bench = Bench::new(link, Clock::start());
    if let Link::Listen { .. } = link {
        err(&format!("waiting at {link} for the modem to dial in, for {MODEM_PATIENCE} at most\n"));
    }
    let hint = match link {
        Link::Serial { .. } => "",
        Link::Listen { .. } => {
            "\n  check: is the port free (an agent listens there too), is that what the modem says first, does its network reach this machine?"
        }
        Link::Tcp { .. } | Link::Tls { .. } | Link::RtuTcp { .. } => {
            "\n  check: address and port, cable, firewall; a gateway may take one connection only"
        }
    };
    match bench.open(MODEM_PATIENCE).await {
        Ok(()) => Ok(bench),
        Err(fault) => Err(Bad::Line(format!("{fault}{hint}"))),
    }
}

fn check_unit(link: &Link, unit: u8) -> Result<(), Bad> {
    if link.is_rtu() && !(1..=247).contains(&unit) {
        return Err(Bad::Arguments(format!("on a serial line units are 1 to 247; {unit} is nobody's")));
    }
    Ok(())
}

/// How long an answer to a question for `block` may take.
fn timeout(link: &Link, block: &ReadBlock, said: Option<u64>) -> Span {
    let floor = link.pace().map(|pace| shortest_answer(pace, block)).unwrap_or_default();
    said.map_or(floor + TIMEOUT, Span::from_ms).max(floor)
}

/// Refuses a time-out that no answer on this wire can keep.
fn check_timeout(link: &Link, blocks: &[ReadBlock], said: Option<u64>) -> Result<(), Bad> {
    let (Some(pace), Some(said)) = (link.pace(), said) else { return Ok(()) };
    let floor = blocks.iter().map(|block| shortest_answer(pace, block)).max().unwrap_or_default();
    if Span::from_ms(said) >= floor {
        return Ok(());
    }
    Err(Bad::Arguments(format!(
        "--timeout-ms {said} is shorter than an answer takes at {} baud, {floor}: give {} or more, or leave it out",
        pace.baud,
        floor.us().div_ceil(1_000)
    )))
}

/// One cell.
const fn one(at: Location) -> ReadBlock {
    ReadBlock { at, count: 1, scan: Scan::Fast }
}

/// Cells as people compare them with a manual: registers in hexadecimal, bits as 0 and 1.
fn raw(cells: &Cells) -> String {
    match cells {
        Cells::Words(words) => words.iter().map(|w| format!("{w:04x}")).collect::<Vec<_>>().join(" "),
        Cells::Bits(bits) => bits.iter().map(|b| if *b { "1" } else { "0" }).collect::<Vec<_>>().join(" "),
    }
}

/// A number as short as it can be told without saying another.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude > 0.0 && !(1e-4..1e9).contains(&magnitude) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

fn place(at: Location) -> String {
    format!("{}:{}", at.space.as_str(), at.address)
}

const fn is_written(space: Space) -> bool {
    match space {
        Space::Coil | Space::Holding => true,
        Space::Discrete | Space::Input => false,
    }
}
