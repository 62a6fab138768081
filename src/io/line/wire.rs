//! The connection of a line: made when it is needed, dropped at the first doubt. The only file that speaks to
//! tokio-modbus, of which it takes frames and transaction numbers; whether an answer fits is checked in
//! `field/codec.rs`, because the library's typed calls check it in debug builds only.

use super::link::{Dial, Opened};
use super::quiet::{Ear, HungUp, QuietIo, SerialIo};
use super::tap::Tap;
use crate::field::codec::{Answer, Cells, Question, as_written, check_answer, masks};
use crate::field::schedule::{Ask, Purpose};
use crate::io::clock::{Clock, duration};
use crate::model::line::{LineFault, Stray};
use crate::model::link::Link;
use crate::model::register::{Location, ReadBlock, Space, Write};
use crate::model::time::{Mono, Span};
use tokio::time::timeout;
use tokio_modbus::client::{Client, Context as Session, rtu, tcp};
use tokio_modbus::slave::{Slave, SlaveContext};
use tokio_modbus::{Error, Request, Response};

/// First pause after a connection did not come up.
const RECONNECT_MIN: Span = Span::from_ms(200);

/// Longest such pause. Trips do not wait for it.
const RECONNECT_MAX: Span = Span::from_secs(10);

/// So many questions in a row to one unit without a single byte, and a connection that carries serial frames is made
/// anew: a peer that has gone without a word looks just like devices that do not answer. Where two units in a row are
/// silent it is made anew at once: whoever is asked after a silence has answered before.
const SILENCES_MAX: u32 = 3;

/// The connection of a line.
pub(super) struct Wire<D> {
    link: Link,
    tap: Tap,
    dial: D,
    clock: Clock,
    session: Option<Session>,
    /// What is heard on a serial line.
    ear: Ear,
    /// Questions in a row after which nothing was heard, and the unit that the last of them was for.
    silences: u32,
    silent: Option<u8>,
    /// Polls do not try to connect before.
    retry_at: Mono,
    backoff: Span,
    /// Why the connection last failed to come up.
    why: String,
    /// A connection was made before this one.
    connected: bool,
    /// The last question went over a connection that is not the one before it, and whose first answers may be meant for
    /// somebody else.
    renewed: bool,
    /// It could not be made at first.
    was_down: bool,
    /// How long the last answer took, from the question on.
    took: Span,
}

/// How one attempt to ask went wrong.
pub(super) enum Miss {
    /// The connection was of no use before this request was sent: it costs nothing to ask again on another.
    HungUp,
    Fault(LineFault),
}

impl<D: Dial> Wire<D> {
    pub(super) fn new(link: Link, tap: Tap, dial: D, clock: Clock) -> Wire<D> {
        Wire {
            link,
            tap,
            dial,
            retry_at: clock.mono(),
            clock,
            session: None,
            ear: Ear::default(),
            silences: 0,
            silent: None,
            backoff: RECONNECT_MIN,
            why: String::new(),
            connected: false,
            renewed: false,
            was_down: false,
            took: Span::ZERO,
        }
    }

    pub(super) async fn ask(&mut self, ask: &Ask) -> Result<Cells, LineFault> {
        (self.renewed, self.took) = (false, Span::ZERO);
        let mut miss = self.try_ask(ask).await;
        if let Err(Miss::HungUp) = miss {
            miss = self.try_ask(ask).await;
        }
        miss.map_err(|miss| match miss {
            Miss::HungUp => self.is_down("the other side hangs up at once"),
            Miss::Fault(fault) => fault,
        })
    }

    /// Opens the connection where it is not open, so that it costs the next question no time.
    pub(super) async fn ready(&mut self, purpose: Purpose) -> Result<(), LineFault> {
        if self.session.is_none() {
            self.session = Some(self.connect(purpose).await?);
        }
        Ok(())
    }

    /// Whether the last question was the first one over another connection than before. What comes over one may have been
    /// said to somebody else, as a serial server hands out what lay in its memory. Answers of Modbus/TCP have numbers:
    /// there only a server that was away counts, which may come back as another one.
    pub(super) const fn is_renewed(&self) -> bool {
        self.renewed
    }

    /// How long the last question took, from its being sent.
    pub(super) const fn took(&self) -> Span {
        self.took
    }

    /// The exchange is over; gives what was heard beside its answer, on a serial line.
    pub(super) fn finish(&self) -> Stray {
        self.ear.finish()
    }

    /// What else was heard on a serial line so far.
    pub(super) fn strays(&self) -> Stray {
        self.ear.strays()
    }

    async fn try_ask(&mut self, ask: &Ask) -> Result<Cells, Miss> {
        if self.dial.is_called_anew() {
            self.session = None;
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.connect(ask.purpose).await.map_err(Miss::Fault)?,
        };
        session.set_slave(Slave(ask.unit));
        self.ear.begin();
        let sent = self.clock.mono();
        let answered = timeout(duration(ask.timeout), session.call(request(&ask.question))).await;
        self.took = self.clock.mono().since(sent);
        let answer = match answered {
            Err(_elapsed) => return Err(Miss::Fault(self.unanswered(ask.unit, session))),
            Ok(Err(error)) => return Err(miss(&error)),
            Ok(Ok(Err(code))) => Err(LineFault::Exception(code.into())),
            Ok(Ok(Ok(response))) => {
                let answer = answer(response).and_then(|answer| check_answer(&ask.question, answer));
                if answer.is_err() && self.link.is_rtu() {
                    // It was a whole and sound frame, so that the next one will be found as well.
                    self.session = Some(session);
                    return answer.map_err(Miss::Fault);
                }
                Ok(answer.map_err(Miss::Fault)?)
            }
        };
        // Only an answer that fits its question leaves a connection that can be trusted.
        self.session = Some(session);
        (self.backoff, self.silences, self.silent) = (RECONNECT_MIN, 0, None);
        answer.map_err(Miss::Fault)
    }

    /// No answer came in time. Modbus/TCP is asked anew over another connection; a serial line has no other one, and
    /// what still comes is thrown away before the next request.
    fn unanswered(&mut self, unit: u8, session: Session) -> LineFault {
        if !self.link.is_rtu() {
            return LineFault::NoReply;
        }
        let instead = self.ear.instead();
        let before = self.silent.replace(unit);
        self.silences = if instead.is_some() { 0 } else { self.silences.saturating_add(1) };
        let another = self.silences > 1 && before != Some(unit);
        let gone = (another || self.silences >= SILENCES_MAX) && self.dial.can_redial();
        if self.ear.has_asked() && !gone {
            self.session = Some(session);
        } else {
            (self.silences, self.silent) = (0, None);
        }
        instead.unwrap_or(LineFault::NoReply)
    }

    async fn connect(&mut self, purpose: Purpose) -> Result<Session, LineFault> {
        let waits = self.clock.mono() < self.retry_at && !self.dial.is_called_anew();
        if waits && matches!(purpose, Purpose::Poll { .. }) {
            return Err(LineFault::Link(self.why.clone()));
        }
        let opened = self.dial.open().await;
        if opened.is_ok() {
            let broken = std::mem::take(&mut self.was_down) || self.link.is_rtu();
            self.renewed = std::mem::replace(&mut self.connected, true) && broken;
        }
        match opened {
            Ok(Opened::Numbered(stream)) => Ok(tcp::attach(QuietIo::new(stream, self.tap.clone()))),
            Ok(Opened::Serial(stream, pace, marks)) => {
                let ear = self.ear.clone();
                Ok(rtu::attach(SerialIo::new(stream, self.tap.clone(), ear, self.clock, pace, marks)))
            }
            Err(why) => Err(self.is_down(&why)),
        }
    }

    fn is_down(&mut self, why: &str) -> LineFault {
        self.was_down = true;
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
