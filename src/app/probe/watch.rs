//! `davy probe watch`: one device through its profile, again and again.

use super::{Bad, Device, check_timeout, err, out, raw};
use crate::app::args::Watch;
use crate::app::load::{LoadError, load};
use crate::config;
use crate::field::codec::{Cells, Question, reading};
use crate::io::clock::Clock;
use crate::model::line::LineFault;
use crate::model::link::Link;
use crate::model::point::Unit;
use crate::model::register::{Field, ReadBlock};
use crate::model::time::Span;
use crate::views::survey::{Seen, seen};
use std::io::IsTerminal;

/// How often it is asked where no site file says so.
const EVERY: Span = Span::from_secs(1);

/// What is watched.
struct Subject {
    title: String,
    link: Link,
    unit: u8,
    timeout_ms: Option<u64>,
    every: Span,
    blocks: Vec<ReadBlock>,
    signals: Vec<Signal>,
}

struct Signal {
    id: String,
    unit: Unit,
    field: Field,
    block: usize,
}

pub(super) async fn watch(args: &Watch) -> Result<bool, Bad> {
    let subject = match (&args.config, &args.link) {
        (Some(_), _) => of_site(args)?,
        (None, Some(_)) => alone(args)?,
        (None, None) => {
            return Err(Bad::Arguments(
                "name --config and --device, or --link, --unit and --profile".to_owned(),
            ));
        }
    };
    check_timeout(&subject.link, &subject.blocks, args.timeout_ms)?;
    if subject.blocks.is_empty() {
        return Err(Bad::Arguments(format!("{}: nothing is read of it", subject.title)));
    }
    let mut device = Device::at(&subject.link, subject.unit, subject.timeout_ms).await?;
    let (clock, terminal) = (Clock::start(), std::io::stdout().is_terminal() && !args.once);
    let begun = clock.mono();
    loop {
        let round = clock.mono();
        let mut answers = Vec::new();
        for block in &subject.blocks {
            answers.push(device.ask(Question::Read(*block)).await.outcome);
        }
        let heard = answers.iter().all(Result::is_ok);
        let rows = rows(&subject, &answers, &clock);
        let at = clock.mono().since(begun);
        let clear = if terminal { "\x1b[H\x1b[2J" } else { "" };
        out(&format!("{clear}{}  after {at}\n{}", subject.title, seen(&rows)));
        let mut told: Vec<String> = Vec::new();
        for fault in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            let text = device.told(fault);
            if !told.contains(&text) {
                err(&format!("{text}\n"));
                told.push(text);
            }
        }
        let over = args.seconds.is_some_and(|seconds| clock.mono().since(begun) >= Span::from_secs(seconds));
        if args.once || over {
            return Ok(heard);
        }
        let next = clock.instant(round + subject.every);
        tokio::time::sleep_until(next.min(clock.instant(begun + args.seconds.map_or(LONG, Span::from_secs))))
            .await;
    }
}

/// Longer than anybody looks.
const LONG: Span = Span::from_secs(10 * 365 * 86_400);

fn rows(subject: &Subject, answers: &[Result<Cells, LineFault>], clock: &Clock) -> Vec<Seen> {
    let row = |signal: &Signal| {
        let (block, answer) = (subject.blocks.get(signal.block)?, answers.get(signal.block)?);
        let at = signal.field.at;
        let first = usize::from(at.address.checked_sub(block.at.address)?);
        let (raw, reading) = match answer {
            Ok(cells) => (
                raw(&part(cells, first, signal.field.encoding.cells().into())),
                Ok(reading(&signal.field, signal.unit, *block, cells, clock.mono())),
            ),
            Err(fault) => ("--".to_owned(), Err(fault.to_string())),
        };
        Some(Seen { id: signal.id.clone(), at, raw, unit: signal.unit, reading })
    };
    subject.signals.iter().filter_map(row).collect()
}

fn part(cells: &Cells, first: usize, count: usize) -> Cells {
    let range = first..first.saturating_add(count);
    match cells {
        Cells::Words(words) => Cells::Words(words.get(range).unwrap_or_default().to_vec()),
        Cells::Bits(bits) => Cells::Bits(bits.get(range).unwrap_or_default().to_vec()),
    }
}

fn unusable(fault: LoadError) -> Bad {
    match fault {
        LoadError::Unreadable(why) => Bad::Arguments(why),
        LoadError::Faulty(faults) => {
            Bad::Arguments(format!("the file can't be used\n{}", faults.render(false)))
        }
    }
}

/// A device of a site, with the points that its file has on it.
fn of_site(args: &Watch) -> Result<Subject, Bad> {
    let (Some(file), Some(id)) = (&args.config, &args.device) else {
        return Err(Bad::Arguments("--config wants --device".to_owned()));
    };
    let plan = load(file).map_err(unusable)?.plan;
    let Some((device, row)) = plan.devices.iter().find(|(_, row)| row.tag.as_str() == id) else {
        let known: Vec<&str> = plan.devices.iter().map(|(_, row)| row.tag.as_str()).collect();
        return Err(Bad::Arguments(format!("the site has no device `{id}`; it has {}", known.join(", "))));
    };
    let (link, unit) = plan.address(device);
    let signals = plan.points_of(device).map(|(_, point)| Signal {
        id: point.tag.to_string(),
        unit: point.unit,
        field: point.field.clone(),
        block: point.block,
    });
    Ok(Subject {
        title: format!("{} unit {unit} on {link}, profile {}", row.tag, row.profile),
        link: link.clone(),
        unit,
        timeout_ms: Some(args.timeout_ms.unwrap_or(row.timeout.ms())),
        every: args.every_ms.map_or(row.poll, Span::from_ms),
        blocks: row.blocks.clone(),
        signals: signals.collect(),
    })
}

/// A device without a site, with all signals of a profile.
fn alone(args: &Watch) -> Result<Subject, Bad> {
    let (Some(line), Some(unit), Some(profile)) = (&args.link, args.unit, &args.profile) else {
        return Err(Bad::Arguments("--link wants --unit and --profile".to_owned()));
    };
    let solo = config::solo(profile, &args.extras().map_err(unusable)?).map_err(Bad::Arguments)?;
    let signals = solo.signals.into_iter().map(|signal| Signal {
        id: signal.id,
        unit: signal.unit,
        field: signal.field,
        block: signal.block,
    });
    Ok(Subject {
        title: format!("unit {unit} on {}, profile {profile}", line.link),
        link: line.link.clone(),
        unit,
        timeout_ms: args.timeout_ms,
        every: args.every_ms.map_or(EVERY, Span::from_ms),
        blocks: solo.blocks,
        signals: signals.collect(),
    })
}
