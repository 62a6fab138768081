//! What other rooms tell the safety room without waiting for an answer. They may tell much at once and the safety room
//! may be busy, and still neither waits for the other and nothing is lost unsaid.

use super::Lost;
use crate::io::clock::Clock;
use crate::model::record::{Body, Lane};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// What may wait: the room collects ten times a second, and what is told is told at most some times a second by each
/// of a handful of senders.
const MAIL_MAX: usize = 1_000;

/// The box at the door. Locked only to put in or to take out, never across anything that waits.
#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    clock: Clock,
    mail: Arc<Mutex<Mail>>,
}

#[derive(Debug, Default)]
struct Mail {
    bodies: Vec<Body>,
    lost: Lost,
}

impl Mailbox {
    pub(super) fn new(clock: Clock) -> Mailbox {
        Mailbox { clock, mail: Arc::default() }
    }

    /// Puts `body` in. In a full box a trouble takes the place of what was said of it before, because each change is
    /// said once and the last one must arrive; anything else is counted as lost.
    pub(super) fn put(&self, body: Body) {
        let mut mail = self.mail.lock().unwrap_or_else(PoisonError::into_inner);
        if mail.bodies.len() >= MAIL_MAX {
            let Body::Trouble(new) = &body else { return mail.lost.add(1, self.clock.now().wall) };
            mail.bodies.retain(
                |b| !matches!(b, Body::Trouble(old) if old.code == new.code && old.detail == new.detail),
            );
        }
        mail.bodies.push(body);
    }

    /// Takes everything out, in order. Where somebody is just putting something in there is nothing this time.
    pub(super) fn try_take(&self) -> Vec<Body> {
        match self.mail.try_lock() {
            Ok(mail) => self.empty(mail),
            Err(TryLockError::Poisoned(mail)) => self.empty(mail.into_inner()),
            Err(TryLockError::WouldBlock) => Vec::new(),
        }
    }

    /// Takes everything out, in order.
    pub(super) fn take(&self) -> Vec<Body> {
        self.empty(self.mail.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn empty(&self, mut mail: MutexGuard<'_, Mail>) -> Vec<Body> {
        let mut bodies = std::mem::take(&mut mail.bodies);
        let now = self.clock.now().wall;
        let gap = mail.lost.gap(Lane::Event, now, "more was told at once than the safety room could collect");
        bodies.extend(gap.map(Body::Gap));
        bodies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::point::Text;
    use crate::model::record::Trouble;

    fn trouble(detail: &str, raised: bool) -> Body {
        Body::Trouble(Trouble { code: "test", detail: detail.to_owned(), raised, text: Text::default() })
    }

    fn note(n: usize) -> Body {
        Body::Ended { reason: n.to_string() }
    }

    #[test]
    fn what_is_told_arrives_in_order_and_once() {
        let mail = Mailbox::new(Clock::start());
        let told = [trouble("a", true), note(1), trouble("a", false)];
        told.iter().cloned().for_each(|body| mail.put(body));
        assert_eq!(mail.try_take(), told);
        assert_eq!(mail.take(), []);
    }

    #[test]
    fn a_full_box_keeps_the_last_word_on_every_trouble_and_counts_the_rest() {
        let mail = Mailbox::new(Clock::start());
        mail.put(trouble("a", true));
        (1..MAIL_MAX).for_each(|n| mail.put(note(n)));
        mail.put(note(MAIL_MAX));
        mail.put(trouble("a", false));
        mail.put(trouble("b", true));
        let taken = mail.take();
        assert_eq!(taken.len(), MAIL_MAX + 2);
        assert_eq!(taken.first(), Some(&note(1)));
        let [.., a, b, Body::Gap(gap)] = &taken[..] else { panic!("{:?}", taken.last()) };
        assert_eq!((a, b), (&trouble("a", false), &trouble("b", true)));
        assert_eq!((gap.lane, gap.count), (Lane::Event, 1));
    }
}
