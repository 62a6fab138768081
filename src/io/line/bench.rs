//! A line without a site: one unit is asked one thing at a time, by a person who commissions. What goes out and what is
//! taken for an answer is the same as when the agent asks, because it is the same code.

use super::link::{Dialler, Modems};
use super::tap::Tap;
use super::wire::Wire;
use crate::field::codec::{Cells, Question};
use crate::field::schedule::{Ask, Purpose};
use crate::io::clock::{Clock, duration};
use crate::model::line::{LineFault, Stray};
use crate::model::link::Link;
use crate::model::point::Tag;
use crate::model::table::{DeviceId, Row};
use crate::model::time::{Mono, Span};
use tokio::time::{sleep, sleep_until};

/// A line to ask by hand.
pub struct Bench {
    wire: Wire<Dialler>,
    link: Link,
    clock: Clock,
    /// Until then an answer may still come that is too late; nobody is asked before.
    settled: Mono,
    _modems: Modems,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Tried {
    /// The cells, or what came instead.
    pub outcome: Result<Cells, LineFault>,
    /// From the question to the answer, or for how long one was waited for.
    pub took: Span,
}

/// How often it is looked whether a modem has dialled in.
const LOOK: Span = Span::from_ms(100);

impl Bench {
    /// A line to `link`, not opened yet. Must be called within a runtime that nothing else runs on: a serial port blocks
    /// its thread.
    #[must_use]
    pub fn new(link: &Link, clock: Clock) -> Bench {
        let modems = Modems::listen(std::iter::once(link));
        let tap = Tap::new(Tag::new("probe").expect("a name of small letters is a tag"));
        let wire = Wire::new(link.clone(), tap, Dialler::new(link, &modems), clock);
        Bench { wire, link: link.clone(), clock, settled: clock.mono(), _modems: modems }
    }

    /// Opens the line. A modem is waited for so long.
    ///
    /// # Errors
    /// Why it can't be opened.
    pub async fn open(&mut self, modem: Span) -> Result<(), LineFault> {
        let begun = self.clock.mono();
        loop {
            match self.wire.ready(Purpose::Watchdog).await {
                Err(_) if self.is_awaited() && self.clock.mono().since(begun) < modem => {
                    sleep(duration(LOOK)).await;
                }
                done => return done,
            }
        }
    }

    /// Asks `unit`, and waits for so long. On a serial line an answer that comes too late is waited for as well before
    /// anybody else is asked.
    pub async fn ask(&mut self, unit: u8, timeout: Span, question: Question) -> Tried {
        // A poll would not try to connect for a while after a failure; here somebody is waiting.
        let purpose = Purpose::Watchdog;
        let ask = Ask { device: DeviceId::from_usize(0), unit, timeout, question, purpose };
        sleep_until(self.clock.instant(self.settled)).await;
        if let Err(fault) = self.wire.ready(purpose).await {
            return Tried { outcome: Err(fault), took: Span::ZERO };
        }
        let begun = self.clock.mono();
        let outcome = self.wire.ask(&ask).await;
        // What lay beside the answer is counted with the rest.
        self.wire.finish();
        let now = self.clock.mono();
        let late = match outcome {
            Ok(_) | Err(LineFault::Exception(_) | LineFault::Link(_)) => false,
            Err(LineFault::NoReply | LineFault::Damaged(_) | LineFault::Garbled(_)) => self.link.is_rtu(),
        };
        if late {
            self.settled = now + Span::from_us(timeout.us() / 2);
        }
        Tried { outcome, took: now.since(begun) }
    }

    /// What was heard on a serial line beside answers.
    #[must_use]
    pub fn strays(&self) -> Stray {
        self.wire.strays()
    }

    fn is_awaited(&self) -> bool {
        matches!(self.link, Link::Listen { .. })
    }
}
