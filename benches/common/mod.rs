//! What the benches share: a Modbus server with a stopwatch, the bare loop that Davy is held against, the site file of
//! both, child processes and their cost. What is measured is in each bench.
#![allow(dead_code, reason = "no bench uses all of it")]
#![expect(clippy::print_stdout, reason = "a bench prints its table")]

pub(crate) mod bare;
pub(crate) mod child;
pub(crate) mod field;
pub(crate) mod site;

use davy::io::broker::Broker;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// What went wrong with a bench; it ends it.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// The argument with which a bench starts itself again as the bare loop.
const BARE: &str = "--as-bare-loop";

/// The main function of a bench: the bare loop in a child process, the bench itself under `cargo bench`, and nothing
/// under `cargo test`, which runs benches too.
pub(crate) fn main(bench: fn() -> Outcome) -> Outcome {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().position(|a| a == BARE) {
        Some(n) => bare::run(args.get(n..).unwrap_or_default()),
        None if args.iter().any(|a| a == "--bench") => bench(),
        None => Ok(()),
    }
}

/// Whether `name` is to be measured: all are, unless an argument names some.
pub(crate) fn is_wanted(name: &str) -> bool {
    let mut wanted = std::env::args().skip(1).filter(|a| !a.starts_with("--")).peekable();
    wanted.peek().is_none() || wanted.any(|w| name.contains(&w))
}

/// A number from the environment, for longer or shorter runs.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The value below which `percent` of `values` lie.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).copied().unwrap_or(f64::NAN)
}

/// The middle one of `values`.
pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// A line of a table: what, the bare loop's, Davy's, their ratio, and whether the aim is met.
pub(crate) fn row(what: &str, unit: &str, bare: f64, davy: f64, aim: Option<Aim>) {
    let ratio = davy / bare;
    let verdict = aim.map(|aim| match aim {
        Aim::Ratio(most) if ratio <= most => format!("met (at most {most} x)"),
        Aim::Ratio(most) => format!("MISSED (at most {most} x)"),
        Aim::AtLeast(least) if ratio >= least => format!("met (at least {least} x)"),
        Aim::AtLeast(least) => format!("MISSED (at least {least} x)"),
        Aim::Value(most) if davy <= most => format!("met (at most {most} {unit})"),
        Aim::Value(most) => format!("MISSED (at most {most} {unit})"),
    });
    println!("{what:<44} {bare:>9.3} {davy:>9.3} {unit:<4} {ratio:>7.2} x  {}", verdict.unwrap_or_default());
}

/// The head of such a table.
pub(crate) fn head(title: &str) {
    println!("\n{title}\n{:<44} {:>9} {:>9} {:<4} {:>9}  aim", "", "bare loop", "davy", "", "ratio");
}

/// What a figure should be.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    /// At most so many times the bare loop's.
    Ratio(f64),
    /// At least so many times the bare loop's.
    AtLeast(f64),
    /// At most so much.
    Value(f64),
}

/// A folder that is gone after the bench. It lies under `target/`, so that syncs go to a real disk.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Outcome<Folder> {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Starts a broker on a thread of its own, for as long as the bench runs; gives its address.
pub(crate) fn broker() -> Outcome<SocketAddr> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let broker = Broker::start().await?;
            tell.send(broker.addr()).unwrap_or_default(); // Nobody waits any more: the bench has failed.
            std::future::pending::<std::io::Result<()>>().await
        })
    });
    Ok(told.recv_timeout(Duration::from_secs(5))?)
}

/// Pretended chance: the same in each run, so that two runs are of the same moments.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new() -> Dice {
        Dice(0x9E37_79B9_7F4A_7C15)
    }

    /// Anything from zero up to `most`.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        most.mul_f64(f64::from(u32::try_from(self.0 >> 40).unwrap_or(0)) / f64::from(1_u32 << 24))
    }
}
