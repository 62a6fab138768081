//! The judge over seeded days in virtual time, each with a site of its own, against a world with mischief: gas that
//! comes and goes, detectors that die, lie about their state or answer late, valves that stick, clocks that jump,
//! power that fails, files that change, people at bad moments. After every step the promises of `promises` are checked
//! by a second account of what was read (`account`).
//!
//! ```text
//! cargo test --release --test simulation                          2,000 days
//! DAVY_SEEDS=100000 cargo test --release --test simulation        a long run
//! DAVY_SEED=1234 cargo test --test simulation                     one day again, with its story
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a simulation that can't go on fails"
)]

mod account;
mod day;
mod dice;
mod permits;
mod promises;
mod sites;
mod uplink;
#[path = "../world/mod.rs"]
mod world;

use day::{Day, Summary};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Days of an ordinary run: many where the compiler has made them fast, as in `tests/run`.
const SEEDS: u64 = if cfg!(debug_assertions) { 60 } else { 2_000 };

/// Failing seeds that are told; more say the same.
const TOLD: usize = 3;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Lives through the day of a seed; says how a promise was broken.
fn live(seed: u64) -> Result<Summary, String> {
    let mut day = catch_unwind(|| Day::new(seed)).map_err(|_| format!("seed {seed}: the site panicked"))?;
    let ended = catch_unwind(AssertUnwindSafe(|| day.run()));
    let broken = match ended {
        Ok(Ok(())) => return Ok(day.summary),
        Ok(Err(broken)) => broken,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
        }
    };
    Err(format!(
        "\nseed {seed}: {broken}\n{}  replay: DAVY_SEED={seed} cargo test --test simulation\n",
        day.told()
    ))
}

#[test]
fn the_promises_hold_over_seeded_days_of_mischief() {
    if let Some(seed) = setting("DAVY_SEED") {
        match live(seed) {
            Ok(summary) => println!("seed {seed} holds: {summary:#?}"),
            Err(broken) => panic!("{broken}"),
        }
        return;
    }
    let seeds = setting("DAVY_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(1);
    let (sum, failures) = (Mutex::new(Summary::default()), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while failures.lock().unwrap().len() < TOLD {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds {
                        break;
                    }
                    match live(seed) {
                        Ok(day) => add(&mut sum.lock().unwrap(), &day),
                        Err(broken) => failures.lock().unwrap().push(broken),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.concat());
    let sum = sum.into_inner().unwrap();
    println!("{seeds} days: {sum:?}");
    // A simulation in which nothing happens proves nothing.
    for (what, count) in [
        ("trips", sum.trips),
        ("resets", sum.resets),
        ("refusals", sum.refused),
        ("crashes", sum.crashes),
        ("reloads", sum.reloads),
        ("shelves", sum.shelved),
        ("bypasses", sum.bypasses),
        ("calibrations", sum.calibrations),
        ("permits", sum.permits),
        ("tests", sum.tests),
        ("incidents", sum.incidents),
    ] {
        assert!(count >= seeds / 4, "only {count} {what} in {seeds} days");
    }
}

fn add(sum: &mut Summary, day: &Summary) {
    sum.steps += day.steps;
    sum.inputs += day.inputs;
    sum.records += day.records;
    sum.trips += day.trips;
    sum.resets += day.resets;
    sum.refused += day.refused;
    sum.crashes += day.crashes;
    sum.lost += day.lost;
    sum.reloads += day.reloads;
    sum.shelved += day.shelved;
    sum.bypasses += day.bypasses;
    sum.calibrations += day.calibrations;
    sum.permits += day.permits;
    sum.tests += day.tests;
    sum.aborted += day.aborted;
    sum.incidents += day.incidents;
    sum.signs += day.signs;
}

/// S10: the same seed gives the same journal, to the byte.
#[test]
fn s10_the_same_seed_gives_the_same_bytes() {
    let mut digests = Vec::new();
    for seed in 1..=5 {
        let (one, two) = (live(seed).unwrap(), live(seed).unwrap());
        assert_eq!(one, two, "seed {seed}");
        assert!(!one.digest.is_empty());
        digests.push(one.digest);
    }
    digests.dedup();
    assert_eq!(digests.len(), 5, "other seeds, other days");
}
