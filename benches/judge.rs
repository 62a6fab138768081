//! The judge alone: what an answer costs whose value has changed, and one that says the same; what the tick costs, which
//! comes ten times a second whatever happens; a whole second of a site that is polled each second with 1 % of its values
//! changing; and what a point takes in memory. At 32, 256 and 2,048 points, to see how it grows.
//!
//! A point is a methane head of a coal face with five alarms on a device of its own with two; eight of them vote in a trip
//! of one load, and that is shared out among them. Memory is the growth of the resident set beside the plan, which judges
//! share: while they are made (the state), over an hour of values that change (the evidence that signs are found in), and
//! when every point goes beyond all its set-points once (what happened).
#![expect(clippy::disallowed_methods, reason = "a stopwatch reads a clock")]
#![expect(clippy::print_stdout, reason = "a bench prints its table")]

mod common;

use common::{Outcome, median, percentile};
use davy::config::{self, Extras, Source};
use davy::model::plan::Plan;
use davy::model::point::{Quality, Reading};
use davy::model::record::Standing;
use davy::model::table::{DeviceId, PointId};
use davy::model::time::{Mono, Now, Span, Wall};
use davy::safety::{Effects, Input, Site};
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sizes of site, in points.
const SIZES: [usize; 3] = [32, 256, 2_048];

/// How long each figure is measured.
const LONG: Duration = Duration::from_secs(1);

/// Calls that are timed together: one alone is of the order of the clock's own cost.
const BATCH: u32 = 100;

/// Points whose memory is measured together, in as many judges as that takes: so many that a page does not matter.
const MEASURED: usize = 16_384;

/// Devices that one line carries.
const LINE: usize = 200;

fn main() -> Outcome {
    common::main(bench)
}

fn bench() -> Outcome {
    let plans = SIZES.into_iter().map(plan).collect::<Outcome<Vec<_>>>()?;
    // Memory first: what was freed once is handed out again, and would not be seen.
    let memories = memory(&plans)?;
    println!("\nThe judge, in microseconds (median and 99th percentile of batches of {BATCH})");
    println!(
        "{:>7} {:>18} {:>18} {:>18} {:>22}",
        "points", "changed answer", "same answer", "tick", "a second, 1 % changes"
    );
    for (points, plan) in SIZES.into_iter().zip(&plans) {
        let mut desk = Desk::new(plan, &Arc::new(Field::new(plan)));
        desk.all();
        let (mut n, devices) = (0usize, desk.field.heads.len());
        let changed = time(|| {
            n += 1;
            desk.answer(n % devices, if n / devices % 2 == 0 { 0.30 } else { 0.40 });
        });
        let same = time(|| {
            n += 1;
            desk.answer(n % devices, 0.30);
        });
        let tick = time(|| desk.tick());
        let second = desk.seconds();
        let show = |times: &[f64]| format!("{:.2} ({:.2})", median(times), percentile(times, 99));
        println!(
            "{points:>7} {:>18} {:>18} {:>18} {:>22}",
            show(&changed),
            show(&same),
            show(&tick),
            show(&second)
        );
    }
    println!("aims: 1 us for a changed point, 5 us for a tick at 256 points");
    println!(
        "\nWhat a point takes in the judge, in bytes\n{:>7} {:>10} {:>28} {:>28}",
        "points", "state", "evidence, after an hour more", "after an alarm of it more"
    );
    for (points, Memory { state, evidence, past }) in SIZES.into_iter().zip(memories) {
        println!("{points:>7} {state:>10} {evidence:>28} {past:>28}");
    }
    println!(
        "aim: 1,024 bytes of state. Evidence grows for two weeks, by 512 bytes of stretches and 192 of shifts at most; \
         what happened does not grow with how often it happens."
    );
    Ok(())
}

/// Microseconds a call, batch by batch.
fn time(mut call: impl FnMut()) -> Vec<f64> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < LONG {
        let batch = Instant::now();
        (0..BATCH).for_each(|_| call());
        times.push(batch.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH));
    }
    times
}

/// Bytes of the resident set that a point takes in a judge, without the plan.
#[derive(Default)]
struct Memory {
    state: usize,
    evidence: usize,
    past: usize,
}

fn memory(plans: &[Arc<Plan>]) -> Outcome<Vec<Memory>> {
    let sites: Vec<(&Arc<Plan>, Arc<Field>)> = plans.iter().map(|p| (p, Arc::new(Field::new(p)))).collect();
    let make = |(plan, field): &(&Arc<Plan>, Arc<Field>)| -> Vec<Desk> {
        (0..MEASURED / field.heads.len()).map(|_| Desk::new(plan, field)).collect()
    };
    // What was freed while the plans were made is used up by judges that do not count.
    let ballast: Vec<Vec<Desk>> = sites.iter().map(make).collect();
    let (mut desks, mut memories) = (Vec::new(), Vec::new());
    for site in &sites {
        let (made, state) = growth(|| make(site))?;
        desks.push(made);
        memories.push(Memory { state, ..Memory::default() });
    }
    for (desks, memory) in desks.iter_mut().zip(&mut memories) {
        let hour = |desk: &mut Desk| (0..130).for_each(|turn| desk.half_minute(0.30, turn));
        memory.evidence = growth(|| desks.iter_mut().for_each(hour))?.1;
    }
    for (desks, memory) in desks.iter_mut().zip(&mut memories) {
        let alarm = |desk: &mut Desk| (0..4).for_each(|turn| desk.half_minute(3.0, turn));
        memory.past = growth(|| desks.iter_mut().for_each(alarm))?.1;
    }
    drop(ballast);
    Ok(memories)
}

/// By how many bytes a point the resident set grows.
fn growth<T>(act: impl FnOnce() -> T) -> Outcome<(T, usize)> {
    let before = resident()?;
    let done = act();
    Ok((done, resident()?.saturating_sub(before) / MEASURED))
}

fn resident() -> Outcome<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize = pages.split_whitespace().nth(1).ok_or("statm has no second number")?.parse()?;
    Ok(pages * 4_096)
}

/// What there is to be heard.
struct Field {
    heads: Vec<(DeviceId, PointId)>,
    /// Feed switches: what they read while the feed is live.
    switches: Vec<(DeviceId, Vec<(PointId, f64)>)>,
}

impl Field {
    fn new(plan: &Plan) -> Field {
        let live = |tag: &str| if tag.ends_with("readback") { 0.0 } else { 1.0 };
        let points =
            |device| plan.points_of(device).map(|(id, p)| (id, live(p.tag.as_str()))).collect::<Vec<_>>();
        let heads = plan.points.iter().filter(|(_, p)| p.gas.is_some());
        Field {
            heads: heads.map(|(id, p)| (p.device, id)).collect(),
            switches: plan.elements.values().map(|e| (e.device, points(e.device))).collect(),
        }
    }
}

/// A judge at work.
struct Desk {
    field: Arc<Field>,
    site: Site,
    now: Now,
}

impl Desk {
    /// Made, and nothing heard yet.
    fn new(plan: &Arc<Plan>, field: &Arc<Field>) -> Desk {
        let now = Now { mono: Mono::from_us(1_000_000), wall: Wall::from_ms(1_795_491_725_000) };
        let site = Site::new(Arc::clone(plan), &Standing::default(), now);
        let mut desk = Desk { field: Arc::clone(field), site, now };
        desk.tick();
        desk
    }

    /// Every device answers, and is calm.
    fn all(&mut self) {
        (0..self.field.heads.len()).for_each(|n| self.answer(n, 0.30));
        (0..self.field.switches.len()).for_each(|n| self.switch(n));
        self.tick();
    }

    /// Half a minute later every device answers again, each head with a value near `value` that is another each time.
    fn half_minute(&mut self, value: f64, turn: u8) {
        self.pass(Span::from_secs(30));
        for n in 0..self.field.heads.len() {
            self.answer(n, value + f64::from(turn % 5) / 100.0);
        }
        (0..self.field.switches.len()).for_each(|n| self.switch(n));
        self.tick();
    }

    fn pass(&mut self, span: Span) {
        self.now = Now { mono: self.now.mono + span, wall: self.now.wall.after(span) };
    }

    fn good(&self, value: f64) -> Reading {
        Reading { value: Some(value), quality: Quality::Good, at: self.now.mono }
    }

    fn answer(&mut self, n: usize, value: f64) {
        let Some((device, point)) = self.field.heads.get(n).copied() else { return };
        let readings = vec![(point, self.good(value))];
        self.give(Input::Readings { device, readings });
    }

    /// A feed switch answers that it is live, as ever.
    fn switch(&mut self, n: usize) {
        let Some((device, points)) = self.field.switches.get(n) else { return };
        let (device, readings) = (*device, points.iter().map(|(id, v)| (*id, self.good(*v))).collect());
        self.give(Input::Readings { device, readings });
    }

    /// The clock stands still, so that nothing goes stale while one thing is measured.
    fn tick(&mut self) {
        self.give(Input::Tick);
    }

    /// Whole seconds: every device answers once, 1 % of the values have changed, and ten ticks.
    fn seconds(&mut self) -> Vec<f64> {
        let (began, mut times, mut turn) = (Instant::now(), Vec::new(), 0usize);
        while began.elapsed() < LONG {
            let second = Instant::now();
            (0..self.field.switches.len()).for_each(|n| self.switch(n));
            let heads = self.field.heads.len();
            for n in 0..heads {
                let changes = (n + turn) % 100 == 0;
                self.answer(n, if changes { 0.40 } else { 0.30 });
                if n % heads.div_ceil(10) == 0 {
                    self.pass(Span::from_ms(100));
                    self.tick();
                }
            }
            turn += 1;
            times.push(second.elapsed().as_secs_f64() * 1e6);
        }
        times
    }

    fn give(&mut self, input: Input) {
        let mut effects = Effects::default();
        self.site.handle(self.now, input, &mut effects);
        black_box(effects);
    }
}

/// A site of so many heads, eight to a trip.
fn plan(points: usize) -> Outcome<Arc<Plan>> {
    let mut text =
        "[gateway]\nid = \"bench\"\noutputs = \"act\"\n[site]\nname = { zh = \"矿\", en = \"mine\" }\n\
                    [[gas]]\nid = \"methane\"\n[[area]]\nid = \"face\"\nkind = \"cn-coal-face\"\n"
            .to_owned();
    for line in 0..points.div_ceil(LINE) {
        writeln!(text, "[[bus]]\nid = \"line-{line}\"\nlink = \"tcp://10.0.{line}.1:502\"")?;
    }
    writeln!(text, "[[bus]]\nid = \"switches\"\nlink = \"tcp://10.1.0.1:502\"")?;
    writeln!(text, "[[bus]]\nid = \"switches-2\"\nlink = \"tcp://10.1.0.2:502\"")?;
    for n in 0..points {
        let (line, unit) = (n / LINE, n % LINE + 1);
        writeln!(
            text,
            "[[device]]\nid = \"d{n}\"\nbus = \"line-{line}\"\nunit = {unit}\nprofile = \"gas-2reg\"\narea = \"face\""
        )?;
        writeln!(
            text,
            "[[point]]\nid = \"p{n}\"\ndevice = \"d{n}\"\nsignal = \"value\"\ngas = \"methane\"\nplace = \"T1\""
        )?;
    }
    for trip in 0..points.div_ceil(8) {
        let (bus, unit) = if trip < LINE { ("switches", trip + 1) } else { ("switches-2", trip - LINE + 1) };
        let when: Vec<String> =
            (trip * 8..(trip * 8 + 8).min(points)).map(|n| format!("\"p{n}:trip\"")).collect();
        writeln!(
            text,
            "[[device]]\nid = \"s{trip}\"\nbus = \"{bus}\"\nunit = {unit}\nprofile = \"feed-breaker\"\narea = \"face\""
        )?;
        writeln!(
            text,
            "[[load]]\nid = \"l{trip}\"\ndevice = \"s{trip}\"\noutput = \"cut\"\nlive = \"live\""
        )?;
        writeln!(text, "[[trip]]\nid = \"t{trip}\"\nwhen = [{}]\neffects = [\"l{trip}\"]", when.join(", "))?;
    }
    let site = Source { name: "bench.toml".to_owned(), text };
    let compiled = config::compile(&site, &Extras::default()).map_err(|faults| faults.render(false))?;
    Ok(Arc::new(compiled.plan))
}
