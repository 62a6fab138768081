//! `davy probe scan`: who is on a line, and how fast.

use super::{Bad, check_timeout, check_unit, err, one, open, out, timeout};
use crate::app::args::{Scan, Units, Written};
use crate::field::codec::Question;
use crate::io::clock::duration;
use crate::io::line::Bench;
use crate::model::line::LineFault;
use crate::model::link::{Link, Pace, Parity};
use crate::model::register::{Location, ReadBlock, Space};
use crate::model::time::Span;
use crate::views::survey::{self, Found};
use std::io::IsTerminal;
use tokio::time::sleep;

/// How often a unit that answered is asked once more, to measure it.
const SAMPLES: usize = 10;

/// Units that are asked while speeds are tried, unless somebody says which.
const TRIED_UNITS: std::ops::RangeInclusive<u8> = 1..=10;

/// Speeds that devices come with, the most common ones first.
const BAUDS: [u32; 8] = [9_600, 19_200, 4_800, 38_400, 115_200, 2_400, 57_600, 1_200];

/// How often a link that went down is tried again, and how long after.
const LINK_TRIES: u32 = 3;
const LINK_PAUSE: Span = Span::from_secs(1);

/// Modbus exception 4.
const DEVICE_FAILURE: u8 = 4;

/// Every table, those first that most devices have.
const TABLES: [Space; 4] = [Space::Holding, Space::Input, Space::Coil, Space::Discrete];

/// Most answers that are none and are kept for the message.
const HEARD_MAX: usize = 4;

/// Where progress does not go to a terminal, it is told once in so many units.
const SPARSE: usize = 32;

pub(super) async fn scan(args: &Scan) -> Result<bool, Bad> {
    let units: Vec<u8> = match &args.units {
        Some(Units(units)) => units.clone(),
        None => (1..=247).collect(),
    };
    units.iter().try_for_each(|unit| check_unit(&args.line.link.link, *unit))?;
    // While speeds are tried, the slow ones get what they take.
    if !args.try_baud {
        let asked: Vec<ReadBlock> = args.ask.iter().copied().map(one).collect();
        check_timeout(&args.line.link.link, &asked, args.line.timeout_ms)?;
    }
    let link = match args.try_baud {
        true => match try_bauds(args, &units).await? {
            Some(link) => link,
            None => return Ok(false),
        },
        false => args.line.link.clone(),
    };
    let bench = open(&link.link).await?;
    let mut search = Search::new(bench, &link.link, args.line.timeout_ms);
    let answered = search.search(&units, &args.ask).await?;
    out(&survey::doubtful(&search.doubtful));
    if answered.is_empty() {
        err(&survey::nobody(&link.link, &search.heard, search.bench.strays()));
        return Ok(false);
    }
    let mut found = Vec::new();
    for (unit, at) in answered {
        found.push(search.measure(unit, at).await);
    }
    if !search.heard.is_empty() {
        err(&format!("also heard, and no answers: {}\n", search.heard.join("; ")));
    }
    out(&survey::found(&link.text, &link.link, &found));
    Ok(true)
}

/// A line that is searched.
struct Search {
    bench: Bench,
    link: Link,
    timeout_ms: Option<u64>,
    /// What came that was no answer.
    heard: Vec<String>,
    /// Units that say "device failure" and nothing else.
    doubtful: Vec<u8>,
}

impl Search {
    fn new(bench: Bench, link: &Link, timeout_ms: Option<u64>) -> Search {
        Search { bench, link: link.clone(), timeout_ms, heard: Vec::new(), doubtful: Vec::new() }
    }
}

/// What a unit's silence or answer says.
enum Presence {
    There,
    /// It says "device failure" in every table, as some servers do in place of units that they do not have.
    Doubtful,
    Nobody,
}

impl Search {
    /// Who answers, and to what, in the order of the units.
    async fn search(&mut self, units: &[u8], asks: &[Location]) -> Result<Vec<(u8, Location)>, Bad> {
        let mut found: Vec<(u8, Location)> = Vec::new();
        for at in asks {
            let is_open =
                |unit: &u8| found.iter().all(|(one, _)| one != unit) && !self.doubtful.contains(unit);
            let silent: Vec<u8> = units.iter().copied().filter(is_open).collect();
            let mut progress = Progress::new(*at, silent.len());
            for unit in silent {
                progress.next(unit, found.len());
                match self.is_there(unit, *at).await? {
                    Presence::There => {
                        found.push((unit, *at));
                        progress.found(unit);
                    }
                    Presence::Doubtful => self.doubtful.push(unit),
                    Presence::Nobody => {}
                }
            }
            progress.end();
        }
        found.sort_unstable_by_key(|(unit, _)| *unit);
        Ok(found)
    }

    async fn is_there(&mut self, unit: u8, at: Location) -> Result<Presence, Bad> {
        let (mut garbled, mut down) = (0_u32, 0_u32);
        loop {
            match self.ask(unit, one(at)).await.0 {
                // A gateway answers in place of who is not there.
                Err(LineFault::Exception(10 | 11)) | Err(LineFault::NoReply) => return Ok(Presence::Nobody),
                Err(LineFault::Exception(DEVICE_FAILURE)) => return Ok(self.fails_only(unit).await),
                Ok(()) | Err(LineFault::Exception(_)) => return Ok(Presence::There),
                // Noise may have hit an answer: once more.
                Err(LineFault::Garbled(_) | LineFault::Damaged(_)) if garbled == 0 => garbled = 1,
                Err(LineFault::Garbled(what) | LineFault::Damaged(what)) => {
                    if self.heard.len() < HEARD_MAX {
                        self.heard.push(format!("unit {unit}: {what}"));
                    }
                    return Ok(Presence::Nobody);
                }
                // A serial server may need a moment before it takes the next connection.
                Err(LineFault::Link(_)) if down < LINK_TRIES => {
                    down = down.saturating_add(1);
                    sleep(duration(LINK_PAUSE)).await;
                }
                Err(LineFault::Link(why)) => {
                    return Err(Bad::Line(format!("the link went down while unit {unit} was asked: {why}")));
                }
            }
        }
    }

    /// Whether a unit that says "device failure" has anything else to say.
    async fn fails_only(&mut self, unit: u8) -> Presence {
        for space in TABLES {
            let at = Location { space, address: 0 };
            let (said, _) = self.ask(unit, one(at)).await;
            if !matches!(said, Err(LineFault::Exception(DEVICE_FAILURE))) {
                return Presence::There;
            }
        }
        Presence::Doubtful
    }

    async fn ask(&mut self, unit: u8, block: ReadBlock) -> (Result<(), LineFault>, Span) {
        let timeout = timeout(&self.link, &block, self.timeout_ms);
        let tried = self.bench.ask(unit, timeout, Question::Read(block)).await;
        (tried.outcome.map(drop), tried.took)
    }

    async fn measure(&mut self, unit: u8, at: Location) -> Found {
        let asked = one(at);
        let (mut times, mut lost) = (Vec::new(), 0_usize);
        for _ in 0..SAMPLES {
            match self.ask(unit, asked).await {
                (Ok(()) | Err(LineFault::Exception(_)), took) => times.push(took),
                (Err(_), _) => lost = lost.saturating_add(1),
            }
        }
        let mut tables = Vec::new();
        for space in TABLES {
            let at = if space == at.space { at } else { Location { space, address: 0 } };
            tables.push((space, self.ask(unit, one(at)).await.0));
        }
        Found { unit, asked, times, lost, tables }
    }
}

/// Asks at every usual speed until somebody answers. Gives the link as it should be written, or says that nobody did.
async fn try_bauds(args: &Scan, units: &[u8]) -> Result<Option<Written>, Bad> {
    let Link::Serial { path, pace: written, rs485 } = &args.line.link.link else {
        return Err(Bad::Arguments(
            "--try-baud is for a serial port (rtu://…): behind a serial server or modem the speed is set there".to_owned(),
        ));
    };
    let tried: Vec<u8> = match args.units {
        Some(_) => units.to_vec(),
        None => TRIED_UNITS.collect(),
    };
    let usual = BAUDS.into_iter().flat_map(|baud| Parity::ALL.map(|parity| Pace { baud, parity, stop: 1 }));
    let paces = std::iter::once(*written).chain(usual.filter(|pace| pace != written));
    let mut noisy = Vec::new();
    for pace in paces {
        err(&format!("trying {pace}\n"));
        let link = Link::Serial { path: path.clone(), pace, rs485: *rs485 };
        let bench = open(&link).await?;
        let mut search = Search::new(bench, &link, args.line.timeout_ms);
        let found = search.search(&tried, args.ask.get(..1).unwrap_or_default()).await?;
        if !found.is_empty() {
            let direction = if *rs485 { "&rs485=on" } else { "" };
            return Ok(Some(Written { text: format!("rtu://{path}?{pace}{direction}"), link }));
        }
        if !search.bench.strays().is_none() || !search.heard.is_empty() {
            noisy.push(pace.to_string());
        }
    }
    err("nobody answered at any usual speed\n");
    err(&match noisy.is_empty() {
        true => "  not a byte was heard: check the wiring (A and B swapped?), the power of the devices and the port\n".to_owned(),
        false => format!("  something was heard at {}: other unit numbers (--units), noise, or another master\n", noisy.join(", ")),
    });
    Ok(None)
}

/// Where the search is, on standard error: in place on a terminal, a line now and then elsewhere.
struct Progress {
    at: Location,
    terminal: bool,
    done: usize,
    all: usize,
}

impl Progress {
    fn new(at: Location, all: usize) -> Progress {
        Progress { at, terminal: std::io::stderr().is_terminal(), done: 0, all }
    }

    fn next(&mut self, unit: u8, found: usize) {
        let place = super::place(self.at);
        if self.terminal {
            err(&format!(
                "\r\x1b[Kunit {unit}: asked for {place} ({} of {}), {found} found",
                self.done, self.all
            ));
        } else if self.done.is_multiple_of(SPARSE) {
            err(&format!("unit {unit}: asked for {place} ({} of {}), {found} found\n", self.done, self.all));
        }
        self.done = self.done.saturating_add(1);
    }

    fn found(&self, unit: u8) {
        let clear = if self.terminal { "\r\x1b[K" } else { "" };
        err(&format!("{clear}unit {unit} answers\n"));
    }

    fn end(&self) {
        if self.terminal {
            err("\r\x1b[K");
        }
    }
}
