//! When a disk that refused is tried again: after pauses that double, so that neither disk nor log is flooded.

use crate::model::time::{Mono, Span};

/// The attempts on one disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    first: Span,
    longest: Span,
    /// The pause that runs and its end; `None` while the disk does what it should.
    pause: Option<(Span, Mono)>,
}

impl Retry {
    /// Nothing was refused so far. Pauses begin with `first` and end with `longest`.
    pub(super) const fn new(first: Span, longest: Span) -> Retry {
        Retry { first, longest, pause: None }
    }

    /// The disk has refused; says whether that is news.
    pub(super) fn refused(&mut self, now: Mono) -> bool {
        let pause = self.pause.map_or(self.first, |(pause, _)| self.longest.min(pause.times(2)));
        self.pause.replace((pause, now + pause)).is_none()
    }

    /// The disk has done what it was asked; says whether that is news.
    pub(super) fn worked(&mut self) -> bool {
        self.pause.take().is_some()
    }

    /// When the next attempt is due, if it has to wait at all.
    pub(super) fn until(&self) -> Option<Mono> {
        self.pause.map(|(_, until)| until)
    }

    /// Whether an attempt may be made.
    pub(super) fn is_due(&self, now: Mono) -> bool {
        self.until().is_none_or(|until| now >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_the_longest_and_begin_again_once_it_worked() {
        let mut retry = Retry::new(Span::from_secs(1), Span::from_secs(5));
        assert!(retry.is_due(Mono::START));
        let at = |s| Mono::START + Span::from_secs(s);
        for (n, pause) in [1, 2, 4, 5, 5].into_iter().enumerate() {
            assert_eq!(retry.refused(at(100)), n == 0);
            assert_eq!(retry.until(), Some(at(100 + pause)));
        }
        assert!(!retry.is_due(at(104)) && retry.is_due(at(105)));
        assert!(retry.worked() && !retry.worked());
        retry.refused(at(200));
        assert_eq!(retry.until(), Some(at(201)));
    }
}
