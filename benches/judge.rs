//! The judge alone: what an answer costs whose value has changed, and one that says the same; what the tick costs, which
//! comes ten times a second whatever happens; a whole second of a site that is polled each second with 1 % of its values
//! changing; and what a point takes in memory. At 32, 256 and 2,048 points, to see how it grows.
//!
//! A point is a methane head of a coal face with five alarms on a device of its own with two; eight of them vote in a trip
//! of one load. Memory is the growth of the resident set while judges are made, beside the plan that they share.
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

/// Devices that one line carries.
const LINE: usize = 200;

fn main() -> Outcome {
    common::main(bench)
}

fn bench() -> Outcome {
    // Memory first: what was freed once is handed out again, and would not be seen.
    let (mut memories, mut kept) = (Vec::new(), Vec::new());
    for points in SIZES {
        memories.push(memory(&plan(points)?, &mut kept)?);
    }
    drop(kept);
    println!("\nThe judge, in microseconds (median and 99th percentile of batches of {BATCH})");
    println!(
        "{:>7} {:>18} {:>18} {:>18} {:>22} {:>14}",
        "points", "changed answer", "same answer", "tick", "a second, 1 % changes", "bytes a point"
    );
    for (points, memory) in SIZES.into_iter().zip(memories) {
        let plan = plan(points)?;
        let mut desk = Desk::new(&plan);
        let (mut n, devices) = (0usize, desk.heads.len());
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
            "{points:>7} {:>18} {:>18} {:>18} {:>22} {memory:>14}",
            show(&changed),
            show(&same),
            show(&tick),
            show(&second)
        );
    }
    println!("aims: 1 us for a changed point, 5 us for a tick at 256 points, 1,024 bytes a point");
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

/// Bytes of the resident set that a point takes in a judge that has heard it, without the plan.
fn memory(plan: &Arc<Plan>, kept: &mut Vec<Desk>) -> Outcome<usize> {
    // So many judges that one page more or less does not matter.
    let heads = plan.points.values().filter(|p| p.gas.is_some()).count();
    let judges = 16_384 / heads;
    let before = resident()?;
    kept.extend((0..judges).map(|_| Desk::new(plan)));
    Ok(resident()?.saturating_sub(before) / judges / heads)
}

fn resident() -> Outcome<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize = pages.split_whitespace().nth(1).ok_or("statm has no second number")?.parse()?;
    Ok(pages * 4_096)
}

/// A judge at work.
struct Desk {
    heads: Vec<(DeviceId, PointId)>,
    switches: Vec<DeviceId>,
    plan: Arc<Plan>,
    site: Site,
    now: Now,
}

impl Desk {
    /// Heard once, and calm.
    fn new(plan: &Arc<Plan>) -> Desk {
        let now = Now { mono: Mono::from_us(1_000_000), wall: Wall::from_ms(1_795_491_725_000) };
        let mut desk = Desk {
            heads: plan
                .points
                .iter()
                .filter(|(_, p)| p.gas.is_some())
                .map(|(id, p)| (p.device, id))
                .collect(),
            switches: plan.elements.values().map(|e| e.device).collect(),
            site: Site::new(Arc::clone(plan), &Standing::default(), now),
            plan: Arc::clone(plan),
            now,
        };
        desk.all();
        desk.tick();
        desk
    }

    fn all(&mut self) {
        let plan = Arc::clone(&self.plan);
        for device in plan.devices.ids() {
            let value = |gas: bool| self.good(if gas { 0.30 } else { 0.0 });
            let readings = plan.points_of(device).map(|(id, p)| (id, value(p.gas.is_some()))).collect();
            self.give(Input::Readings { device, readings });
        }
    }

    fn good(&self, value: f64) -> Reading {
        Reading { value: Some(value), quality: Quality::Good, at: self.now.mono }
    }

    fn answer(&mut self, n: usize, value: f64) {
        let Some((device, point)) = self.heads.get(n).copied() else { return };
        let readings = vec![(point, self.good(value))];
        self.give(Input::Readings { device, readings });
    }

    /// A feed switch answers that it is live, as ever.
    fn switch(&mut self, n: usize) {
        let Some(device) = self.switches.get(n).copied() else { return };
        let live = |cell: bool| self.good(if cell { 0.0 } else { 1.0 });
        let points = self.plan.points_of(device);
        let readings = points.map(|(id, p)| (id, live(p.tag.as_str().ends_with("readback")))).collect();
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
            for n in 0..self.switches.len() {
                self.switch(n);
            }
            for n in 0..self.heads.len() {
                let changes = (n + turn) % 100 == 0;
                self.answer(n, if changes { 0.40 } else { 0.30 });
                if n % self.heads.len().div_ceil(10) == 0 {
                    let tick = Span::from_ms(100);
                    self.now = Now { mono: self.now.mono + tick, wall: self.now.wall.after(tick) };
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
