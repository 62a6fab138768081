//! Two points in the same air: what holds between them by the way the air goes, and what can't be chance.

use super::track::Track;
use super::window::{MINUTE, count, minutes};
use crate::model::plan::Plan;
use crate::model::sign::{Knob, Settings, Side};
use crate::model::table::PointId;
use crate::model::time::{Mono, Span};

/// Points of one area that each point is compared with, to find one sensor on two channels.
pub(super) const ALIKE_MOST: usize = 2;

/// Minutes over which a present ratio is formed.
const RATIO_NOW: f64 = 60.0;

/// Minutes over which the usual ratio is formed: a week.
const RATIO_USUAL: f64 = 10_080.0;

/// Minutes before a ratio is usual: a day.
const RATIO_KNOWN: f64 = 1_440.0;

/// A pair of points. 80 bytes; a point has one with each of two others of its area, and with each neighbour.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    /// Upstream, where there is a direction.
    pub(super) first: PointId,
    pub(super) second: PointId,
    alike: Alike,
    /// Where they are named as neighbours.
    link: Option<Box<Link>>,
}

/// What the air that passes both shows. 56 bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    /// Whether the air goes from the first to the second unmixed.
    flows: bool,
    /// Whole minutes that the air takes.
    lag: usize,
    /// Since when there is more upstream.
    over: Option<Mono>,
    ratio: Ratio,
}

#[derive(Clone, Debug, Default)]
struct Ratio {
    minutes: f64,
    now: f64,
    usual: f64,
    shifted: Option<Mono>,
}

/// Both values over a time: for means, spreads and how they go together.
#[derive(Clone, Debug, Default)]
struct Alike {
    since: Option<Mono>,
    minutes: u32,
    mean: [f64; 2],
    squares: [f64; 2],
    product: f64,
    difference: f64,
}

/// What was seen of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Seen {
    /// Upstream is above downstream by so much (score, since, difference).
    Airflow(f64, Mono, f64),
    /// The ratio has shifted by so much (score, since, factor).
    Ratio(f64, Mono, f64),
    /// They tell the same (score, since, correlation).
    Alike(f64, Mono, f64),
}

/// The pairs of a plan: neighbours, and points of one area that measure the same.
pub(super) fn of(plan: &Plan) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for (id, point) in &plan.watched.points {
        for n in &point.neighbours {
            let (first, second) = match n.side {
                Side::Upstream => continue,
                Side::Downstream | Side::Diluted => (*id, n.point),
                Side::Beside => (*id.min(&n.point), *id.max(&n.point)),
            };
            if !pairs.iter().any(|p| p.first == first && p.second == second) {
                let lag = usize::try_from(minutes(n.lag + Span::from_secs(30))).unwrap_or(0);
                let flows = n.side == Side::Downstream;
                let link = Box::new(Link { flows, lag, ..Link::default() });
                pairs.push(Pair { link: Some(link), ..Pair::new(first, second) });
            }
        }
    }
    let mut rows =
        plan.watched.points.iter().filter(|(_, w)| w.tells.is_none() && w.expects.is_none() && !w.lasting);
    while let Some((id, _)) = rows.next() {
        let point = &plan.points[*id];
        let same = |other: &PointId| {
            let other = &plan.points[*other];
            other.area == point.area && other.unit == point.unit && other.gas == point.gas
        };
        let others = rows.clone().map(|(other, _)| *other).filter(same).take(ALIKE_MOST);
        for other in others.collect::<Vec<_>>() {
            let known = |p: &Pair| (p.first, p.second) == (*id, other) || (p.first, p.second) == (other, *id);
            if !pairs.iter().any(known) {
                pairs.push(Pair::new(*id, other));
            }
        }
    }
    pairs
}

impl Pair {
    fn new(first: PointId, second: PointId) -> Pair {
        Pair { first, second, alike: Alike::default(), link: None }
    }

    /// Whether what was learnt of `old` holds of this one, given that both are of the same two points.
    pub(super) fn take_over(&mut self, old: &Pair) {
        self.alike = old.alike.clone();
        if let (Some(link), Some(old)) = (&mut self.link, &old.link) {
            link.over = old.over;
            link.ratio = old.ratio.clone();
        }
    }

    /// Once a minute.
    pub(super) fn minute(&mut self, now: Mono, first: &Track, second: &Track, seen: &mut Vec<Seen>) {
        let settings = &second.of.settings;
        let (Some(one), Some(two)) = (first.window().mean(0), second.window().mean(0)) else { return };
        let step = first.step.max(second.step);
        seen.extend(self.alike.minute(now, one, two, step, settings));
        let (Some(link), Some(scale)) = (&mut self.link, second.of.scale) else { return };
        let before = if link.lag == 0 { Some(one) } else { first.window().mean(link.lag) };
        let Some(before) = before else { return };
        if link.flows {
            let limit = scale * settings.get(Knob::AirflowOfAlarm);
            let more = before - two;
            if more > limit {
                let since = *link.over.get_or_insert(now - MINUTE);
                if now.since(since) >= settings.span(Knob::AirflowFor) {
                    seen.push(Seen::Airflow(more / limit, since, more));
                }
            } else {
                link.over = None;
            }
        }
        let floor = scale * settings.get(Knob::RatioOfAlarm);
        if before >= floor && two >= floor.max(step) {
            seen.extend(link.ratio.minute(now, before / two, settings));
        }
    }
}

impl Ratio {
    fn minute(&mut self, now: Mono, ratio: f64, settings: &Settings) -> Option<Seen> {
        let log = ratio.ln();
        if !log.is_finite() {
            return None;
        }
        self.minutes += 1.0;
        self.now += (log - self.now) / self.minutes.min(RATIO_NOW);
        self.usual += (log - self.usual) / self.minutes.min(RATIO_USUAL);
        let limit = settings.get(Knob::RatioShift).ln_1p();
        let shift = (self.now - self.usual).abs();
        if self.minutes < RATIO_KNOWN || shift <= limit {
            self.shifted = None;
            return None;
        }
        let since = *self.shifted.get_or_insert(now);
        (now.since(since) >= settings.span(Knob::RatioFor))
            .then(|| Seen::Ratio(shift / limit, since, (self.now - self.usual).exp()))
    }
}

impl Alike {
    fn minute(&mut self, now: Mono, one: f64, two: f64, step: f64, settings: &Settings) -> Option<Seen> {
        let since = *self.since.get_or_insert(now);
        self.minutes = self.minutes.saturating_add(1);
        let n = f64::from(self.minutes);
        let off = [one - self.mean[0], two - self.mean[1]];
        for ((mean, squares), (off, value)) in
            self.mean.iter_mut().zip(&mut self.squares).zip(off.into_iter().zip([one, two]))
        {
            *mean += off / n;
            *squares += off * (value - *mean);
        }
        self.product += off[0] * (two - self.mean[1]);
        self.difference += (one - two).abs();
        let span = settings.span(Knob::IdenticalFor);
        if now.since(since) < span {
            return None;
        }
        let done = std::mem::take(self);
        let wanted = count(usize::try_from(minutes(span)).unwrap_or(0)) / 2.0;
        // Two that both stand still tell nothing of one another.
        let moves = done.squares.iter().all(|s| (s / n).sqrt() > step);
        let correlation = done.product / (done.squares[0] * done.squares[1]).sqrt();
        let difference = done.difference / n;
        let alike = n >= wanted
            && moves
            && correlation > settings.get(Knob::IdenticalCorrelation)
            && difference < settings.get(Knob::IdenticalDifference);
        alike.then_some(Seen::Alike(
            correlation / settings.get(Knob::IdenticalCorrelation),
            since,
            correlation,
        ))
    }
}
