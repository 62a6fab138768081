//! The judge before the pretended plant, in virtual time: what devices answer is read by the codec as a line does it, and
//! what is demanded is written. Of what the plant is the judge learns nothing but by registers.

use davy::config::{self, Extras, Scenario, Source};
use davy::field::codec::{self, Answer, Cells, Question, is_taken};
use davy::model::command::Reply as CommandReply;
use davy::model::element::Demand;
use davy::model::line::LineFault;
use davy::model::plan::Plan;
use davy::model::record::{Body, Record, Standing};
use davy::model::register::{Location, ReadBlock, Scan, Space, Write};
use davy::model::table::{DeviceId, ElementId};
use davy::model::time::{Mono, Now, Span, Wall};
use davy::model::view::View;
use davy::safety::{Effects, Input, Site};
use davy::simulator::mischief::Reply;
use davy::simulator::plant::Plant;
use std::sync::Arc;

const STEP: Span = Span::from_ms(100);

/// The wall clock at the start: 2026-11-24, noon.
const NOON: i64 = 1_795_521_600_000;

/// A plan, its plant, and its judge.
pub(crate) struct Judged {
    pub(crate) plan: Arc<Plan>,
    pub(crate) plant: Plant,
    pub(crate) site: Site,
    pub(crate) now: Now,
    pub(crate) records: Vec<Record>,
}

impl Judged {
    pub(crate) fn new(file: &str) -> Judged {
        let source = Source { name: file.to_owned(), text: std::fs::read_to_string(file).unwrap() };
        let plan = match config::compile(&source, &Extras::default()) {
            Ok(compiled) => Arc::new(compiled.plan),
            Err(faults) => panic!("{}", faults.render(false)),
        };
        let now = Now { mono: Mono::START, wall: Wall::from_ms(NOON) };
        let site = Site::new(Arc::clone(&plan), &Standing::default(), now);
        Judged { plant: Plant::new(&plan), plan, site, now, records: Vec::new() }
    }

    pub(crate) fn view(&self) -> View {
        self.site.view(self.now)
    }

    /// Lets something happen, in the words of `davy sim poke`.
    pub(crate) fn order(&mut self, words: &str) {
        self.try_order(words).unwrap();
    }

    pub(crate) fn try_order(&mut self, words: &str) -> Result<(), String> {
        let deeds = config::order(words.split(' '), &self.plan).map_err(|faults| faults.render(false))?;
        deeds.iter().try_for_each(|deed| self.plant.befall(self.now.mono, deed))
    }

    /// Plays a scenario to its end.
    pub(crate) fn play(&mut self, scenario: &Scenario) {
        let mut events = scenario.events.iter().peekable();
        for _ in 0..scenario.length.us() / 1_000_000 {
            let elapsed = self.now.mono.since(Mono::START);
            while let Some((_, deed)) = events.next_if(|(at, _)| *at <= elapsed) {
                self.plant.befall(self.now.mono, deed).unwrap();
            }
            self.pass(1);
        }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.now.mono + Span::from_secs(seconds);
        while self.now.mono < end {
            self.now = Now { mono: self.now.mono + STEP, wall: self.now.wall.after(STEP) };
            let plan = Arc::clone(&self.plan);
            for (device, row) in plan.devices.iter() {
                if self.now.mono.us().is_multiple_of(row.poll.us()) {
                    self.poll(device);
                }
            }
            self.input(Input::Tick);
            for (element, demand) in plan.elements.ids().zip(self.site.demands()) {
                self.write(element, demand);
            }
        }
    }

    /// What the judge knows of a point.
    pub(crate) fn reads(&self, tag: &str) -> f64 {
        let point = self.plan.points.find(|p| p.tag.as_str() == tag).unwrap();
        self.view().points[point].value.unwrap()
    }

    /// The keys of all alarms that were ever raised.
    pub(crate) fn alarmed(&self) -> Vec<String> {
        let alarm = |record: &Record| match &record.body {
            Body::Alarm(change) => Some(change.key.clone()),
            _ => None,
        };
        let mut keys: Vec<String> = self.records.iter().filter_map(alarm).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// The same with signs of false data, and trips.
    pub(crate) fn said(&self) -> Vec<String> {
        let more = self.records.iter().filter_map(|record| match &record.body {
            Body::Anomaly(anomaly) => Some(format!("{} {}", anomaly.key, anomaly.sign.as_str())),
            Body::Trip(change) => Some(format!("trip {}", change.tag)),
            _ => None,
        });
        self.alarmed().into_iter().chain(more).collect()
    }

    pub(crate) fn input(&mut self, input: Input) -> Option<CommandReply> {
        let mut effects = Effects::default();
        self.site.handle(self.now, input, &mut effects);
        self.records.extend(effects.records);
        effects.reply
    }

    fn poll(&mut self, device: DeviceId) {
        let row = self.plan.devices[device].clone();
        for (n, block) in row.blocks.iter().enumerate() {
            let cells = self.ask(device, Question::Read(*block));
            let input = match cells {
                Ok(cells) => {
                    let points = self.plan.points_of(device);
                    let readings = codec::decode(&row, n, &cells, points, self.now.mono);
                    Input::Readings { device, readings }
                }
                Err(fault) => Input::NoAnswer { device, fault },
            };
            self.input(input);
        }
    }

    fn write(&mut self, element: ElementId, demand: Demand) {
        let row = self.plan.elements[element].clone();
        let value = match demand {
            Demand::Trip => row.command.trip,
            Demand::None => return,
        };
        let readback = ReadBlock { at: row.command.readback, count: 1, scan: Scan::Fast };
        let taken = |cells: &Cells| cells.get(0).is_some_and(|read| is_taken(&row.command, value, read));
        if self.ask(row.device, Question::Read(readback)).is_ok_and(|cells| taken(&cells)) {
            return;
        }
        let question = Question::Write { at: row.command.at, value, how: row.command.how };
        let outcome = self.ask(row.device, question);
        let outcome = outcome.and_then(|_| self.ask(row.device, Question::Read(readback))).map(|_| ());
        self.input(Input::Wrote { element, demand, outcome });
    }

    fn ask(&mut self, device: DeviceId, question: Question) -> Result<Cells, LineFault> {
        let row = &self.plan.devices[device];
        let (pdu, (bus, unit)) = (asked(question), (row.bus, row.unit));
        match self.plant.answer(self.now.mono, bus, unit, &pdu) {
            Reply::Answer { unit: from, pdu, after } if from == unit && after < row.timeout => {
                codec::check_answer(&question, answer(&pdu)?)
            }
            Reply::Answer { .. } | Reply::Silence | Reply::Close => Err(LineFault::NoReply),
        }
    }
}

fn asked(question: Question) -> Vec<u8> {
    let pdu = |function: u8, words: &[u16]| {
        let words = words.iter().flat_map(|word| word.to_be_bytes());
        std::iter::once(function).chain(words).collect::<Vec<u8>>()
    };
    match question {
        Question::Read(ReadBlock { at, count, .. }) => {
            let function = match at.space {
                Space::Coil => 1,
                Space::Discrete => 2,
                Space::Holding => 3,
                Space::Input => 4,
            };
            pdu(function, &[at.address, count])
        }
        Question::Write { at, value, how } => match (at.space.is_bits(), how) {
            (true, Write::Single) => pdu(5, &[at.address, if value == 0 { 0 } else { 0xFF00 }]),
            (true, _) => [pdu(15, &[at.address, 1]), vec![1, u8::from(value != 0)]].concat(),
            (false, Write::Single) => pdu(6, &[at.address, value]),
            (false, Write::Multiple) => {
                [pdu(16, &[at.address, 1]), vec![2], value.to_be_bytes().to_vec()].concat()
            }
            (false, Write::Mask(mask)) => {
                let (and, or) = codec::masks(mask, value);
                pdu(22, &[at.address, and, or])
            }
        },
    }
}

fn answer(pdu: &[u8]) -> Result<Answer, LineFault> {
    let word = |n: usize| u16::from_be_bytes([pdu[n], pdu[n + 1]]);
    let at = |space| Location { space, address: word(1) };
    let bits = || pdu[2..].iter().flat_map(|byte| (0..8).map(move |n| byte >> n & 1 == 1)).collect();
    let words = || pdu[2..].chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    Ok(match pdu[0] {
        1 => Answer::Cells { space: Space::Coil, cells: Cells::Bits(bits()) },
        2 => Answer::Cells { space: Space::Discrete, cells: Cells::Bits(bits()) },
        3 => Answer::Cells { space: Space::Holding, cells: Cells::Words(words()) },
        4 => Answer::Cells { space: Space::Input, cells: Cells::Words(words()) },
        5 => Answer::Echo { at: at(Space::Coil), value: u16::from(word(3) != 0) },
        6 => Answer::Echo { at: at(Space::Holding), value: word(3) },
        15 => Answer::EchoMany { at: at(Space::Coil), count: word(3) },
        16 => Answer::EchoMany { at: at(Space::Holding), count: word(3) },
        22 => Answer::EchoMasked { at: at(Space::Holding), and: word(3), or: word(5) },
        _ => return Err(LineFault::Exception(pdu[1])),
    })
}
