//! One line: sends what its schedule asks, and hands in what comes back. The only file that speaks to tokio-modbus,
//! of which it takes frames and transaction numbers; whether an answer fits is checked in `field/codec.rs`, because
//! the library's typed calls check it in debug builds only. It decides nothing.

use super::clock::{Clock, duration};
use crate::field::codec::{Answer, Cells, Question, as_written, check_answer, masks};
use crate::field::schedule::{Ask, Event, Purpose, Schedule, Step};
use crate::model::element::Demand;
use crate::model::line::LineFault;
use crate::model::plan::{Link, Plan};
use crate::model::register::{Location, ReadBlock, Space, Write};
use crate::model::table::{BusId, DeviceId, ElementId, Row};
use crate::model::time::{Mono, Span};
use crate::safety::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::coop::has_budget_remaining;
use tokio::time::{sleep_until, timeout};
use tokio_modbus::client::{Client, Context as Session, tcp};
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_modbus::{Error, Request, Response};

/// How long a connection may take to come up: a mine ring or a 4G link answers within a second or not at all.
const CONNECT_TIMEOUT: Span = Span::from_secs(3);

/// First pause after a connection did not come up.
const RECONNECT_MIN: Span = Span::from_ms(200);

/// Longest such pause. Trips do not wait for it.
const RECONNECT_MAX: Span = Span::from_secs(10);

/// Runs a line until the sender of `demands` is gone. `demands` holds one demand per element, by row number; every
/// outcome goes to `hand_in`, which must not block.
pub async fn run(
    plan: Arc<Plan>,
    bus: BusId,
    clock: Clock,
    mut demands: watch::Receiver<Vec<Demand>>,
    hand_in: impl Fn(Input),
) {
    let mut schedule = Schedule::new(Arc::clone(&plan), bus, clock.mono());
    let mut wire = Wire::new(plan.buses[bus].link.clone(), clock);
    let mut voice = Voice { plan: &plan, bus, said: BTreeMap::new(), unsaid: BTreeSet::new() };
    while demands.has_changed().is_ok() {
        for (n, demand) in demands.borrow_and_update().iter().enumerate() {
            schedule.demand(ElementId::from_usize(n), *demand);
        }
        match schedule.next(clock.mono()) {
            Step::Wait(at) => tokio::select! {
                // Its error, that the sender is gone, ends the loop above.
                _ = demands.changed() => {}
                () = sleep_until(clock.instant(at)) => {}
            },
            // Never cancelled: a device answers all the same, and its answer would meet the next question.
            Step::Ask(ask) => {
                let outcome = wire.ask(&ask).await;
                for event in schedule.done(clock.mono(), &ask, outcome) {
                    voice.tell(&event, clock.mono());
                    if let Some(input) = input(event) {
                        hand_in(input);
                    }
                }
            }
        }
    }
}

fn input(event: Event) -> Option<Input> {
    match event {
        Event::Read { device, readings, .. } | Event::Refused { device, readings, .. } => {
            Some(Input::Readings { device, readings })
        }
        Event::NoAnswer { device, fault } => Some(Input::NoAnswer { device, fault }),
        Event::Wrote { element, demand, outcome } => Some(Input::Wrote { element, demand, outcome }),
        Event::Undone { .. } | Event::Skipped { .. } => None,
    }
}

/// The connection of a line, made when it is needed and dropped at the first doubt.
struct Wire {
    link: Link,
    clock: Clock,
    session: Option<Session>,
    /// Polls do not try to connect before.
    retry_at: Mono,
    backoff: Span,
    /// Why the connection last failed to come up.
    why: String,
}

/// How one attempt to ask went wrong.
enum Miss {
    /// The connection was of no use before this request was sent: it costs nothing to ask again on another.
    HungUp,
    Fault(LineFault),
}

impl Wire {
    fn new(link: Link, clock: Clock) -> Wire {
        let retry_at = clock.mono();
        Wire { link, clock, session: None, retry_at, backoff: RECONNECT_MIN, why: String::new() }
    }

    async fn ask(&mut self, ask: &Ask) -> Result<Cells, LineFault> {
        let mut miss = self.try_ask(ask).await;
        if let Err(Miss::HungUp) = miss {
            miss = self.try_ask(ask).await;
        }
        miss.map_err(|miss| match miss {
            Miss::HungUp => self.is_down("the other side hangs up at once"),
            Miss::Fault(fault) => fault,
        })
    }

    async fn try_ask(&mut self, ask: &Ask) -> Result<Cells, Miss> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.connect(ask.purpose).await.map_err(Miss::Fault)?,
        };
        session.set_slave(Slave(ask.unit));
        let answer = match timeout(duration(ask.timeout), session.call(request(&ask.question))).await {
            Err(_elapsed) => return Err(Miss::Fault(LineFault::NoReply)),
            Ok(Err(error)) => return Err(miss(&error)),
            Ok(Ok(Err(code))) => Err(LineFault::Exception(code.into())),
            Ok(Ok(Ok(response))) => {
                let answer = answer(response).map_err(Miss::Fault)?;
                Ok(check_answer(&ask.question, answer).map_err(Miss::Fault)?)
            }
        };
        // Only an answer that fits its question leaves a connection that can be trusted.
        self.session = Some(session);
        self.backoff = RECONNECT_MIN;
        answer.map_err(Miss::Fault)
    }

    async fn connect(&mut self, purpose: Purpose) -> Result<Session, LineFault> {
        if matches!(purpose, Purpose::Poll { .. }) && self.clock.mono() < self.retry_at {
            return Err(LineFault::Link(self.why.clone()));
        }
        let Link::Tcp { host, port } = &self.link;
        let connecting = TcpStream::connect((host.as_str(), *port));
        let opened = match timeout(duration(CONNECT_TIMEOUT), connecting).await {
            Ok(opened) => opened.and_then(|stream| stream.set_nodelay(true).map(|()| stream)),
            Err(_elapsed) => Err(io::Error::other(format!("no connection within {CONNECT_TIMEOUT}"))),
        };
        match opened {
            Ok(stream) => Ok(tcp::attach(QuietIo::new(stream))),
            Err(error) => Err(self.is_down(&error.to_string())),
        }
    }

    fn is_down(&mut self, why: &str) -> LineFault {
        self.retry_at = self.clock.mono() + self.backoff;
        self.backoff = self.backoff.times(2).min(RECONNECT_MAX);
        self.why = format!("{}: {why}", self.link);
        LineFault::Link(self.why.clone())
    }
}

fn request(question: &Question) -> Request<'static> {
    match *question {
        Question::Read(ReadBlock { at: Location { space, address }, count, .. }) => match space {
            Space::Coil => Request::ReadCoils(address, count),
            Space::Discrete => Request::ReadDiscreteInputs(address, count),
            Space::Input => Request::ReadInputRegisters(address, count),
            Space::Holding => Request::ReadHoldingRegisters(address, count),
        },
        Question::Write { at: Location { space, address }, value, how } => {
            let is_on = as_written(space, value) == 1;
            match (how, space.is_bits()) {
                (Write::Single, true) => Request::WriteSingleCoil(address, is_on),
                (Write::Single, false) => Request::WriteSingleRegister(address, value),
                (Write::Multiple, true) => Request::WriteMultipleCoils(address, vec![is_on].into()),
                (Write::Multiple, false) => Request::WriteMultipleRegisters(address, vec![value].into()),
                (Write::Mask(mask), _) => {
                    let (and, or) = masks(mask, value);
                    Request::MaskWriteRegister(address, and, or)
                }
            }
        }
    }
}

fn answer(response: Response) -> Result<Answer, LineFault> {
    let cells = |space, cells| Ok(Answer::Cells { space, cells });
    let echo = |space, address, value| Ok(Answer::Echo { at: Location { space, address }, value });
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum: what was never asked for")]
    match response {
        Response::ReadCoils(bits) => cells(Space::Coil, Cells::Bits(bits)),
        Response::ReadDiscreteInputs(bits) => cells(Space::Discrete, Cells::Bits(bits)),
        Response::ReadInputRegisters(words) => cells(Space::Input, Cells::Words(words)),
        Response::ReadHoldingRegisters(words) => cells(Space::Holding, Cells::Words(words)),
        Response::WriteSingleCoil(address, on) => echo(Space::Coil, address, u16::from(on)),
        Response::WriteSingleRegister(address, word) => echo(Space::Holding, address, word),
        Response::WriteMultipleCoils(address, count) => {
            Ok(Answer::EchoMany { at: Location { space: Space::Coil, address }, count })
        }
        Response::WriteMultipleRegisters(address, count) => {
            Ok(Answer::EchoMany { at: Location { space: Space::Holding, address }, count })
        }
        Response::MaskWriteRegister(address, and, or) => {
            Ok(Answer::EchoMasked { at: Location { space: Space::Holding, address }, and, or })
        }
        other => Err(LineFault::Garbled(format!("answered with function {}", other.function_code()))),
    }
}

/// What an error of the library means. The kind of an I/O error tells nothing: at the end of a stream the library
/// reports whatever the system's last error was.
fn miss(error: &Error) -> Miss {
    match error {
        Error::Protocol(error) => Miss::Fault(LineFault::Garbled(error.to_string())),
        Error::Transport(error) if error.get_ref().is_some_and(|inner| inner.is::<HungUp>()) => Miss::HungUp,
        Error::Transport(error) if error.raw_os_error().is_some() => {
            Miss::Fault(LineFault::Garbled("the connection was closed instead of an answer".to_owned()))
        }
        Error::Transport(error) => Miss::Fault(LineFault::Garbled(error.to_string())),
    }
}

/// While nothing was asked the other side closed the connection, or talked without end.
#[derive(Debug)]
struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was of no use when the next request came")
    }
}

impl std::error::Error for HungUp {}

/// A stream that throws away, before each request, what arrived since the last answer: a late answer to an earlier
/// question is never taken for the answer to the next one.
#[derive(Debug)]
struct QuietIo<T> {
    inner: T,
    /// A request is being sent; nothing was read since its first byte.
    sending: bool,
    /// Bytes thrown away before the next request.
    stale: usize,
}

/// Most bytes thrown away before one request. A peer that talks without end is cut off and called again: what it
/// says on a connection that is new can only be meant for the request.
const STALE_MAX: usize = 64 * 1024;

impl<T: AsyncRead + AsyncWrite + Unpin> QuietIo<T> {
    fn new(inner: T) -> QuietIo<T> {
        QuietIo { inner, sending: false, stale: 0 }
    }

    fn discard_stale(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stale = [0; 512];
        while self.stale < STALE_MAX {
            let mut buf = ReadBuf::new(&mut stale);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buf) {
                Poll::Pending if has_budget_remaining() => return Poll::Ready(Ok(())),
                // Perhaps not empty, but others have to have their turn first; the runtime has seen to the waking.
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.stale = self.stale.saturating_add(buf.filled().len());
                }
                Poll::Ready(Ok(()) | Err(_)) => return Poll::Ready(Err(io::Error::other(HungUp))),
            }
        }
        Poll::Ready(Err(io::Error::other(HungUp)))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for QuietIo<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.sending {
            ready!(this.discard_stale(cx))?;
            (this.sending, this.stale) = (true, 0);
        }
        Pin::new(&mut this.inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for QuietIo<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        this.sending = false;
        Poll::Ready(Ok(()))
    }
}

/// Says a fault once, then counts it, and says once that it is over; again after a while at the earliest, so that a
/// fault that comes and goes with every poll does not fill the log.
struct Voice<'a> {
    plan: &'a Plan,
    bus: BusId,
    said: BTreeMap<Topic, Said>,
    /// Elements whose undone trip was counted only; nor is it said that it was written again.
    unsaid: BTreeSet<ElementId>,
}

/// How long after a fault was said the same one is not said again.
const SAY_AGAIN: Span = Span::from_secs(60);

/// What can be wrong, at most once at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Silent(DeviceId),
    Refused(DeviceId, usize),
    Busy(DeviceId),
    Write(ElementId),
    Undone(ElementId),
}

/// What was said of a topic.
#[derive(Default)]
struct Said {
    /// How often it was met since it was last said to be over.
    count: u64,
    /// It was said, and not yet that it is over.
    stands: bool,
    last: Option<Mono>,
}

impl Voice<'_> {
    fn tell(&mut self, event: &Event, now: Mono) {
        let bus = &self.plan.buses[self.bus].tag;
        match event {
            Event::Read { device, block, .. } => {
                self.heard(*device);
                if let Some(failures) = self.over(Topic::Refused(*device, *block)) {
                    let tag = &self.plan.devices[*device].tag;
                    tracing::info!(%bus, device = %tag, block, failures, "registers no longer refused");
                }
            }
            Event::Refused { device, block, code, .. } => {
                self.heard(*device);
                if self.is_news(Topic::Refused(*device, *block), now) {
                    let (tag, fault) = (&self.plan.devices[*device].tag, LineFault::Exception(*code));
                    tracing::warn!(%bus, device = %tag, block, %fault, "registers refused; see the device's profile");
                }
            }
            Event::NoAnswer { device, fault } => {
                if self.is_news(Topic::Silent(*device), now) {
                    let tag = &self.plan.devices[*device].tag;
                    tracing::warn!(%bus, device = %tag, %fault, "no usable answer");
                }
            }
            Event::Wrote { element, demand, outcome: Ok(()) } => {
                let tag = &self.plan.elements[*element].tag;
                let failures = self.over(Topic::Write(*element));
                if !self.unsaid.remove(element) || failures.is_some() {
                    let failures = failures.unwrap_or(0);
                    tracing::info!(%bus, element = %tag, ?demand, failures, "written and read back");
                }
            }
            Event::Wrote { element, demand, outcome: Err(fault) } => {
                if self.is_news(Topic::Write(*element), now) {
                    let tag = &self.plan.elements[*element].tag;
                    tracing::error!(%bus, element = %tag, ?demand, %fault, "write failed, will be repeated");
                }
            }
            Event::Undone { element } => {
                if self.is_news(Topic::Undone(*element), now) {
                    let tag = &self.plan.elements[*element].tag;
                    let times = self.over(Topic::Undone(*element)).unwrap_or(0);
                    tracing::error!(%bus, element = %tag, times, "a trip was undone at the device, writing it again");
                } else {
                    self.unsaid.insert(*element);
                }
            }
            Event::Skipped { device, polls } => {
                if self.is_news(Topic::Busy(*device), now) {
                    let tag = &self.plan.devices[*device].tag;
                    tracing::warn!(%bus, device = %tag, polls, "line too busy for the poll period, polls left out");
                }
            }
        }
    }

    fn heard(&mut self, device: DeviceId) {
        if let Some(failures) = self.over(Topic::Silent(device)) {
            let (bus, tag) = (&self.plan.buses[self.bus].tag, &self.plan.devices[device].tag);
            tracing::info!(%bus, device = %tag, failures, "answers again");
        }
    }

    /// Counts a fault; whether it is to be said.
    fn is_news(&mut self, topic: Topic, now: Mono) -> bool {
        let said = self.said.entry(topic).or_default();
        said.count = said.count.saturating_add(1);
        if said.stands || said.last.is_some_and(|last| now.since(last) < SAY_AGAIN) {
            return false;
        }
        (said.stands, said.last) = (true, Some(now));
        true
    }

    /// How often a fault was met, where it was said and is over now.
    fn over(&mut self, topic: Topic) -> Option<u64> {
        let said = self.said.get_mut(&topic).filter(|said| said.stands)?;
        said.stands = false;
        Some(std::mem::take(&mut said.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn what_arrives_unasked_is_never_taken_for_an_answer() {
        let (near, mut far) = duplex(1024);
        let mut quiet = QuietIo::new(near);
        for _ in 0..3 {
            far.write_all(b"late answer").await.unwrap();
            quiet.write_all(b"que").await.unwrap();
            quiet.write_all(b"stion").await.unwrap();
            far.write_all(b"answer").await.unwrap();
            let mut answer = [0; 6];
            quiet.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"answer");
        }
    }

    #[tokio::test]
    async fn a_runtime_that_lets_others_go_first_leaves_nothing_stale() {
        let (near, mut far) = duplex(STALE_MAX);
        let mut quiet = QuietIo::new(near);
        far.write_all(&[0; STALE_MAX - 512]).await.unwrap();
        // What is left of this task's turn is not enough to read all that.
        for _ in 0..100 {
            tokio::task::coop::consume_budget().await;
        }
        quiet.write_all(b"question").await.unwrap();
        far.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        quiet.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
    }

    #[tokio::test]
    async fn the_answer_is_not_thrown_away_with_a_request_sent_in_parts() {
        let (near, mut far) = duplex(1024);
        let mut quiet = QuietIo::new(near);
        quiet.write_all(b"que").await.unwrap();
        far.write_all(b"answer").await.unwrap();
        quiet.write_all(b"stion").await.unwrap();
        let mut answer = [0; 6];
        quiet.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_while_idle_is_known_before_anything_is_sent() {
        let (near, far) = duplex(1024);
        drop(far);
        let error = QuietIo::new(near).write_all(b"question").await.unwrap_err();
        assert!(matches!(miss(&Error::Transport(error)), Miss::HungUp));
    }

    #[tokio::test]
    async fn a_peer_that_talks_without_end_is_cut_off_before_anything_is_sent() {
        let (near, mut far) = duplex(2 * STALE_MAX);
        far.write_all(&[0; STALE_MAX + 1]).await.unwrap();
        let error = QuietIo::new(near).write_all(b"question").await.unwrap_err();
        assert!(matches!(miss(&Error::Transport(error)), Miss::HungUp));
    }
}
