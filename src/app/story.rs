//! The story that the demo plays: what is done to the pretended plant, and what must then be observed from outside
//! the agent, at the registers and at the broker. A step that is not observed in time ends the story.

use super::narrator::{Narrator, Place};
use crate::io::clock::Clock;
use crate::io::local;
use crate::io::subscriber::Subscriber;
use crate::model::element::Position;
use crate::model::plan::Plan;
use crate::model::table::{ElementId, PointId};
use crate::model::time::{Mono, Span};
use crate::simulator::plant::{self, Observation, Plant};
use crate::views::overview::position_words;
use anstyle::AnsiColor;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many steps the story has; the progress line counts to it.
pub(super) const STEPS: usize = 25;

/// How long one step may take before the story says that it is missing.
const PATIENCE: Span = Span::from_secs(20);

/// How often the plant is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// A step that was not observed.
#[derive(Debug)]
pub(super) struct Missing(pub(super) String);

type Step<T = ()> = Result<T, Missing>;

/// Something observed from outside the agent.
#[derive(Clone, Debug)]
enum Seen {
    /// At the plant.
    Plant(Observation),
    /// At the broker: the event's kind and body, and when it arrived.
    Told { at: Mono, kind: String, body: Value },
    /// The gateway's own status at the broker.
    Online { at: Mono, online: bool, version: String },
}

/// What a story is played with.
pub(super) struct Stage {
    pub(super) plan: Arc<Plan>,
    pub(super) plant: Arc<Mutex<Plant>>,
    pub(super) subscriber: Subscriber,
    pub(super) clock: Clock,
    pub(super) state_dir: PathBuf,
    pub(super) narrator: Narrator,
    /// Quick: no pauses for reading.
    pub(super) quick: bool,
    seen: Vec<Seen>,
    /// Observations before this one belong to earlier steps.
    mark: usize,
    measured: Vec<(String, Span)>,
}

/// Times of one trip, all observed from outside.
struct Times {
    /// The register first showed the limit.
    register: Mono,
    /// The write arrived.
    written: Mono,
    /// The feedback register said safe.
    moved: Mono,
    /// The agent's confirmation arrived at the broker.
    told: Mono,
}

impl Stage {
    pub(super) fn new(
        plan: Arc<Plan>,
        plant: Arc<Mutex<Plant>>,
        subscriber: Subscriber,
        clock: Clock,
        narrator: Narrator,
        quick: bool,
    ) -> Stage {
        let state_dir = PathBuf::from(&plan.state_dir);
        let (seen, measured) = (Vec::new(), Vec::new());
        Stage { plan, plant, subscriber, clock, state_dir, narrator, quick, seen, mark: 0, measured }
    }

    /// Plays the whole story.
    pub(super) async fn play(&mut self) -> Step {
        self.narrator.rewind();
        self.seen.clear();
        self.mark = 0;
        self.measured.clear();
        self.site_comes_up().await?;
        self.gas_leaks_in_the_bottle_room().await?;
        self.valve_is_reset().await?;
        self.methane_at_the_face().await?;
        self.power_comes_back().await?;
        self.sum_up();
        match self.narrator.steps_done() {
            STEPS => Ok(()),
            done => Err(Missing(format!("{STEPS} steps: the story has {done}"))),
        }
    }

    async fn site_comes_up(&mut self) -> Step {
        self.narrator.heading("The site comes up");
        let online = self.until("the gateway is online at the broker", |s| match s {
            Seen::Online { at, online: true, version } => Some((*at, version.clone())),
            Seen::Online { .. } | Seen::Plant(_) | Seen::Told { .. } => None,
        });
        let (at, version) = online.await?;
        self.narrator.saw(at, Place::Broker, &format!("gateway online, davy {version}"), None);
        self.narrator.done("birth message received by an independent subscriber", None);
        self.until_status("every point reads good and nothing is in alarm", |status| {
            let all = |list: &str, good: &dyn Fn(&Value) -> bool| {
                status.get(list).and_then(Value::as_array).is_some_and(|rows| rows.iter().all(good))
            };
            all("points", &|p| p.get("quality").and_then(Value::as_str) == Some("good"))
                && all("alarms", &|_| false)
                && all("trips", &|t| t.get("tripped") == Some(&json!(false)))
        })
        .await?;
        self.narrator.done("all points good, no alarm, valve open, power on", None);
        self.pause(2).await
    }

    async fn gas_leaks_in_the_bottle_room(&mut self) -> Step {
        self.narrator.heading("LPG leaks in the canteen's bottle room  (液化气泄漏)");
        let gas = self.point("bottle-room.lpg-1")?;
        self.ramp(gas, 32.0, 4);
        self.alarm_occurs("bottle-room.lpg-1:alarm", "level 1 alarm received at the broker").await?;
        self.alarm_occurs("bottle-room.lpg-1:trip", "level 2 alarm received at the broker").await?;
        let valve = self.element("bottle-room.valve")?;
        let times = self.trip_runs(valve, gas, "bottle-room.lpg-1:trip", "valve").await?;
        self.measure("LPG level 2 → valve", &times);
        self.refusal("bottle-room-shutoff", "a reset is refused while there is gas").await
    }

    async fn valve_is_reset(&mut self) -> Step {
        self.narrator.heading("The gas is cut off and disperses  (气体消散)");
        let gas = self.point("bottle-room.lpg-1")?;
        self.ramp(gas, 0.0, 3);
        let alarms = ["bottle-room.lpg-1:trip", "bottle-room.lpg-1:alarm"];
        self.alarms_clear(&alarms, "the gas is gone, the alarms are held until a person looks").await?;
        self.acknowledge_all("the operator acknowledges").await?;
        self.reset("bottle-room-shutoff", "the operator resets; all conditions are met").await?;
        let valve = self.element("bottle-room.valve")?;
        self.stays("bottle-room.valve", "the valve stays closed: it is opened by hand, on the spot").await?;
        self.by_hand("somebody opens the valve on the spot", |plant, now| plant.open_by_hand(now, valve))?;
        self.element_at("bottle-room.valve", "unsafe", "valve open again, the site is normal").await?;
        self.all_normal("nothing is in alarm").await?;
        self.pause(3).await
    }

    async fn methane_at_the_face(&mut self) -> Step {
        self.narrator.heading("Methane rises at the coal face  (采煤工作面瓦斯超限)");
        let gas = self.point("face.t1")?;
        self.ramp(gas, 1.66, 4);
        self.alarm_occurs("face.t1:alarm", "methane alarm (>= 1.00 %) received at the broker").await?;
        self.alarm_occurs("face.t1:trip", "methane cut-off limit (>= 1.50 %) received at the broker").await?;
        let section = self.element("face.section")?;
        let times = self.trip_runs(section, gas, "face.t1:trip", "power of the face").await?;
        self.measure("CH4 1.50 % → power of the face", &times);
        let airway = self.element("face.return")?;
        let times = self.trip_runs_before_now(airway, gas, "power of the return airway")?;
        self.measure("CH4 1.50 % → power of the return airway", &times);
        self.refusal("face-cut", "re-power is refused at the cut-off limit").await
    }

    async fn power_comes_back(&mut self) -> Step {
        self.narrator.heading("Ventilation thins the gas  (通风稀释)");
        let gas = self.point("face.t1")?;
        self.ramp(gas, 1.2, 2);
        self.plant_reads(gas, 1.2, "1.20 %: below the cut-off limit, above the re-power limit").await?;
        self.refusal("face-cut", "re-power is still refused at 1.20 %").await?;
        self.ramp(gas, 0.4, 2);
        let alarms = ["face.t1:trip", "face.t1:alarm"];
        self.alarms_clear(&alarms, "below the re-power limit of 1.00 %, the alarms are held").await?;
        self.acknowledge_all("the operator acknowledges").await?;
        self.reset("face-cut", "the operator permits re-power").await?;
        let (section, airway) = (self.element("face.section")?, self.element("face.return")?);
        self.by_hand("an electrician switches the power on again", |plant, now| {
            plant.repower_by_hand(now, section) && plant.repower_by_hand(now, airway)
        })?;
        self.element_at("face.section", "unsafe", "power is back at the face").await?;
        self.all_normal("nothing is in alarm").await
    }

    fn sum_up(&mut self) {
        self.narrator.heading("Measured from outside the agent: register change → write → feedback → told");
        for (what, span) in std::mem::take(&mut self.measured) {
            self.narrator.print(&format!("  {what:<62} {span:>8}"));
        }
        self.narrator.print("  (the write waits for the next poll of that register: up to 500 ms here)");
    }

    // What is done.

    fn plant(&self) -> MutexGuard<'_, Plant> {
        self.plant.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn point(&self, tag: &str) -> Step<PointId> {
        self.plan
            .points
            .find(|p| p.tag.as_str() == tag)
            .ok_or_else(|| Missing(format!("point {tag} in the site file")))
    }

    fn element(&self, tag: &str) -> Step<ElementId> {
        let found = self.plan.elements.find(|e| e.tag.as_str() == tag);
        found.ok_or_else(|| Missing(format!("element {tag} in the site file")))
    }

    fn ramp(&mut self, point: PointId, to: f64, slow_secs: u64) {
        let over = if self.quick { Span::from_ms(400) } else { Span::from_secs(slow_secs) };
        let now = self.clock.mono();
        self.plant().ramp(now, point, to, over);
        let p = &self.plan.points[point];
        let decimals = usize::from(p.decimals);
        self.narrator.saw(
            now,
            Place::Plant,
            &format!("{} moves towards {to:.decimals$} {}", p.tag, p.unit),
            None,
        );
    }

    fn by_hand(&mut self, what: &str, act: impl FnOnce(&mut Plant, Mono) -> bool) -> Step {
        let now = self.clock.mono();
        if !act(&mut self.plant(), now) {
            return Err(Missing(format!("{what}: the plant refuses, it is still commanded")));
        }
        self.narrator.saw(now, Place::Person, what, None);
        Ok(())
    }

    /// Time to read, for a person.
    async fn pause(&mut self, secs: u64) -> Step {
        if self.quick { Ok(()) } else { self.rest(Duration::from_secs(secs)).await }
    }

    /// Goes on telling the timeline for a while.
    async fn rest(&mut self, duration: Duration) -> Step {
        let until =
            self.clock.mono() + Span::from_us(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
        while self.clock.mono() < until {
            self.look(LOOK).await?;
        }
        Ok(())
    }

    async fn acknowledge_all(&mut self, what: &str) -> Step {
        let status = self.status().await?;
        let seen = status.get("waiting").cloned().unwrap_or_default();
        let answer = self.ask(json!({ "do": "ack-all", "seen": seen, "name": "demo operator" })).await?;
        self.accepted(&answer, what)
    }

    async fn reset(&mut self, target: &str, what: &str) -> Step {
        // The conditions must hold for a while; the operator tries until they do, as operators do.
        let until = self.clock.mono() + PATIENCE;
        self.narrator.waits(what);
        loop {
            let answer =
                self.ask(json!({ "do": "reset", "target": target, "name": "demo operator" })).await?;
            if answer.get("ok") == Some(&json!(true)) || self.clock.mono() > until {
                self.accepted(&answer, what)?;
                break;
            }
            self.rest(Duration::from_millis(200)).await?;
        }
        let tag = target.to_owned();
        self.until("the reset is told", move |s| match s {
            Seen::Told { kind, body, .. } if kind == "trip" => {
                (text(body, "tag") == tag && body.get("tripped") == Some(&json!(false))).then_some(())
            }
            Seen::Told { .. } | Seen::Plant(_) | Seen::Online { .. } => None,
        })
        .await?;
        self.narrator.done(&format!("{target} is reset, told with the operator's name"), None);
        Ok(())
    }

    async fn refusal(&mut self, target: &str, what: &str) -> Step {
        let answer = self.ask(json!({ "do": "reset", "target": target, "name": "demo operator" })).await?;
        let Some(first) = answer.pointer("/refused/0") else {
            return Err(Missing(format!("{what}: the agent answered {answer}")));
        };
        let why = format!("reset {target}: refused, {} / {}", text(first, "zh"), text(first, "en"));
        self.narrator.saw(self.clock.mono(), Place::Person, &why, Some(AnsiColor::Yellow));
        self.narrator.done(what, None);
        Ok(())
    }

    fn accepted(&mut self, answer: &Value, what: &str) -> Step {
        if answer.get("ok") != Some(&json!(true)) {
            return Err(Missing(format!("{what}: the agent answered {answer}")));
        }
        let line = format!("{what}: {} / {}", text(answer, "zh"), text(answer, "en"));
        self.narrator.saw(self.clock.mono(), Place::Person, &line, None);
        Ok(())
    }

    async fn ask(&self, question: Value) -> Step<Value> {
        local::put(&self.state_dir, &question).await.map_err(Missing)
    }

    // What must be observed.

    async fn alarm_occurs(&mut self, key: &str, what: &str) -> Step {
        let is_it = told_of_alarm(key, "occurred");
        self.until(what, move |s| is_it(s).then_some(())).await?;
        self.narrator.done(what, None);
        Ok(())
    }

    /// All of these alarms clear, in any order.
    async fn alarms_clear(&mut self, keys: &[&str], what: &str) -> Step {
        let mut left: Vec<_> = keys.iter().map(|key| told_of_alarm(key, "cleared")).collect();
        let all = move |s: &Seen| {
            left.retain(|is_it| !is_it(s));
            left.is_empty().then_some(())
        };
        self.until(what, all).await?;
        self.narrator.done(what, None);
        Ok(())
    }

    /// A trip, from the register that showed the limit to the confirmation at the broker.
    async fn trip_runs(&mut self, element: ElementId, gas: PointId, cause: &str, what: &str) -> Step<Times> {
        let tag = self.plan.elements[element].tag.to_string();
        let told_tag = tag.clone();
        let waits_for = format!("{what}: confirmed by its feedback");
        let confirmed = self.until(&waits_for, move |s| match s {
            Seen::Told { at, kind, body } if kind == "element" => {
                (text(body, "tag") == told_tag && text(body, "phase") == "confirmed").then_some(*at)
            }
            Seen::Told { .. } | Seen::Plant(_) | Seen::Online { .. } => None,
        });
        let told = confirmed.await?;
        let times = self.times(element, gas, Some(told), what)?;
        self.narrator.done(&format!("{what}: commanded"), Some(times.written.since(times.register)));
        self.narrator.done(&format!("{what}: in its safe state"), Some(times.moved.since(times.register)));
        self.narrator.done(
            &format!("{what}: confirmed at the broker, cause {cause}"),
            Some(told.since(times.register)),
        );
        Ok(times)
    }

    /// The same for a second element of the same trip, whose observations may already be there.
    fn trip_runs_before_now(&mut self, element: ElementId, gas: PointId, what: &str) -> Step<Times> {
        let times = self.times(element, gas, None, what)?;
        self.narrator.done(&format!("{what}: in its safe state"), Some(times.moved.since(times.register)));
        Ok(times)
    }

    fn times(&self, element: ElementId, gas: PointId, told: Option<Mono>, what: &str) -> Step<Times> {
        let trip_limit = self.plan.points[gas]
            .alarms
            .iter()
            .map(|a| &self.plan.alarms[*a])
            .find(|a| a.key.ends_with(":trip"))
            .and_then(|a| a.limit)
            .map_or(f64::INFINITY, |l| l.set);
        let command = self.plan.elements[element].command;
        let device = self.plan.elements[element].device;
        let observed = || {
            self.seen.iter().filter_map(|s| match s {
                Seen::Plant(o) => Some(o),
                Seen::Told { .. } | Seen::Online { .. } => None,
            })
        };
        let missing = |step: &str| Missing(format!("{what}: {step}"));
        // The last crossing upwards: earlier ones belong to an earlier round of the story.
        let (mut register, mut below) = (None, true);
        for o in observed() {
            if let plant::Seen::Changed { point, value } = o.what
                && point == gas
            {
                if below && value >= trip_limit {
                    register = Some(o.at);
                }
                below = value < trip_limit;
            }
        }
        let register = register.ok_or_else(|| missing("the register never showed the limit"))?;
        let written = observed()
            .find(|o| {
                o.at >= register
                    && matches!(o.what, plant::Seen::Written { device: d, location, value }
                        if d == device && location == command.at && value == command.trip)
            })
            .map(|o| o.at)
            .ok_or_else(|| missing("no write arrived at the plant"))?;
        let moved = observed()
            .find(|o| o.at >= written && o.what == plant::Seen::Moved { element, position: Position::Safe })
            .map(|o| o.at)
            .ok_or_else(|| missing("the plant's feedback never said safe"))?;
        Ok(Times { register, written, moved, told: told.unwrap_or(moved) })
    }

    fn measure(&mut self, what: &str, times: &Times) {
        self.measured.push((format!("{what}: write at the plant"), times.written.since(times.register)));
        self.measured.push((format!("{what}: in its safe state"), times.moved.since(times.register)));
        if times.told != times.moved {
            self.measured
                .push((format!("{what}: confirmed at the broker"), times.told.since(times.register)));
        }
    }

    async fn element_at(&mut self, tag: &str, position: &str, what: &str) -> Step {
        let (tag, position) = (tag.to_owned(), position.to_owned());
        self.until(what, move |s| match s {
            Seen::Told { kind, body, .. } if kind == "element" => {
                (text(body, "tag") == tag && text(body, "position") == position).then_some(())
            }
            Seen::Told { .. } | Seen::Plant(_) | Seen::Online { .. } => None,
        })
        .await?;
        self.narrator.done(what, None);
        Ok(())
    }

    /// Lifting a demand moves nothing: the element is still in its safe state a while later.
    async fn stays(&mut self, tag: &str, what: &str) -> Step {
        self.rest(Duration::from_millis(700)).await?;
        let status = self.status().await?;
        let rows = status.get("elements").and_then(Value::as_array).cloned().unwrap_or_default();
        let row = rows.iter().find(|e| text(e, "id") == tag);
        if row.is_some_and(|e| text(e, "position") == "safe" && e.get("demanded") == Some(&json!(false))) {
            self.narrator.done(what, None);
            return Ok(());
        }
        Err(Missing(format!("{what}: {row:?}")))
    }

    async fn plant_reads(&mut self, point: PointId, value: f64, what: &str) -> Step {
        self.until(what, move |s| match s {
            Seen::Plant(o) => match o.what {
                plant::Seen::Changed { point: p, value: v } if p == point && (v - value).abs() < 0.005 => {
                    Some(())
                }
                plant::Seen::Changed { .. } | plant::Seen::Written { .. } | plant::Seen::Moved { .. } => None,
            },
            Seen::Told { .. } | Seen::Online { .. } => None,
        })
        .await?;
        // One poll later the agent has read it too.
        self.rest(Duration::from_millis(600)).await
    }

    async fn all_normal(&mut self, what: &str) -> Step {
        self.until_status(what, |status| {
            status.get("alarms").and_then(Value::as_array).is_some_and(Vec::is_empty)
                && status.get("troubles").and_then(Value::as_array).is_some_and(Vec::is_empty)
        })
        .await?;
        self.narrator.done(what, None);
        Ok(())
    }

    async fn status(&self) -> Step<Value> {
        let answer = self.ask(json!({ "do": "status", "json": true })).await?;
        answer.get("status").cloned().ok_or_else(|| Missing(format!("a status: the agent answered {answer}")))
    }

    async fn until_status(&mut self, what: &str, test: impl Fn(&Value) -> bool) -> Step {
        self.narrator.waits(what);
        let until = self.clock.mono() + PATIENCE;
        loop {
            let status = self.status().await?;
            if test(&status) {
                return Ok(());
            }
            if self.clock.mono() > until {
                let alarms = status.get("alarms").cloned().unwrap_or_default();
                return Err(Missing(format!("{what}; the agent's alarms are {alarms}")));
            }
            self.rest(Duration::from_millis(100)).await?;
        }
    }

    /// Waits until `test` finds what it looks for among the observations since the last step.
    async fn until<T>(&mut self, what: &str, mut test: impl FnMut(&Seen) -> Option<T>) -> Step<T> {
        self.narrator.waits(what);
        let until = self.clock.mono() + PATIENCE;
        let mut next = self.mark;
        loop {
            while let Some(seen) = self.seen.get(next) {
                next += 1;
                if let Some(found) = test(seen) {
                    self.mark = next;
                    return Ok(found);
                }
            }
            if self.clock.mono() > until {
                return Err(Missing(what.to_owned()));
            }
            self.look(LOOK).await?;
        }
    }

    /// Takes in what the plant and the subscriber have seen for a while, and tells the timeline of it.
    async fn look(&mut self, duration: Duration) -> Step {
        let observed = self.plant().observations();
        for o in observed {
            self.tell_plant(&o);
            self.seen.push(Seen::Plant(o));
        }
        let message = match tokio::time::timeout(duration, self.subscriber.next()).await {
            Err(_) => return Ok(()),
            Ok(Err(e)) => return Err(Missing(format!("the subscriber lost the broker: {e}"))),
            Ok(Ok(message)) => message,
        };
        let at = self.clock.mono();
        let Ok(payload) = serde_json::from_slice::<Value>(&message.payload) else {
            return Err(Missing(format!("JSON on {}", message.topic)));
        };
        if message.topic.ends_with("/status") {
            let online = payload.get("online") == Some(&json!(true));
            self.seen.push(Seen::Online { at, online, version: text(&payload, "version").to_owned() });
        } else if message.topic.contains("/event/") {
            let kind = text(&payload, "kind").to_owned();
            let body = payload.get("body").cloned().unwrap_or(Value::Null);
            self.tell_broker(at, &kind, &body);
            self.seen.push(Seen::Told { at, kind, body });
        }
        Ok(())
    }

    fn tell_plant(&mut self, o: &Observation) {
        match o.what {
            plant::Seen::Changed { .. } => {}
            plant::Seen::Written { device, location, value } => {
                let device = &self.plan.devices[device].tag;
                let line = format!(
                    "write arrives at {device}: {} {} = {value}",
                    location.space.as_str(),
                    location.address
                );
                self.narrator.saw(o.at, Place::Plant, &line, Some(AnsiColor::Cyan));
            }
            plant::Seen::Moved { element, position } => {
                let row = &self.plan.elements[element];
                let line = format!("{} is now {}", row.tag, position_words(row.kind, position));
                self.narrator.saw(o.at, Place::Plant, &line, Some(AnsiColor::Cyan));
            }
        }
    }

    fn tell_broker(&mut self, at: Mono, kind: &str, body: &Value) {
        let zh_en = |v: &Value| format!("{} / {}", text(v, "zh"), text(v, "en"));
        let texts = body.get("text").map(zh_en).unwrap_or_default();
        let (line, colour) = match kind {
            "alarm" => {
                let value =
                    body.get("value").and_then(Value::as_f64).map_or(String::new(), |v| format!("  {v:.2}"));
                let colour = match (text(body, "cause"), text(body, "colour")) {
                    ("occurred", "red") => Some(AnsiColor::Red),
                    ("occurred", "orange") => Some(AnsiColor::Magenta),
                    ("occurred", "yellow") => Some(AnsiColor::Yellow),
                    ("occurred", _) => Some(AnsiColor::Blue),
                    (_, _) => None,
                };
                (format!("alarm {} [{}]{value}: {texts}", text(body, "cause"), text(body, "colour")), colour)
            }
            "trip" if body.get("tripped") == Some(&json!(true)) => (
                format!("TRIP {}: {texts}, first-out {}", text(body, "tag"), text(body, "first_out")),
                Some(AnsiColor::Red),
            ),
            "trip" => (format!("trip {} reset", text(body, "tag")), None),
            "element" => (texts, None),
            _ => return,
        };
        self.narrator.saw(at, Place::Broker, &line, colour);
    }
}

/// Whether something observed is the broker's word that this alarm moved by this cause.
fn told_of_alarm(key: &str, cause: &str) -> impl Fn(&Seen) -> bool + use<> {
    let (key, cause) = (key.to_owned(), cause.to_owned());
    move |s| match s {
        Seen::Told { kind, body, .. } => {
            kind == "alarm" && text(body, "key") == key && text(body, "cause") == cause
        }
        Seen::Plant(_) | Seen::Online { .. } => false,
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
