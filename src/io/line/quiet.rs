//! What lies between a connection and the library: nothing that was said before a request is taken for its answer, and
//! on a serial line nothing else that is heard meanwhile either.

use super::marks::Marks;
use super::tap::Tap;
use crate::field::rtu::{FRAME_MAX, Sieve};
use crate::io::clock::{Clock, duration};
use crate::model::line::{LineFault, Stray};
use crate::model::link::Pace;
use crate::model::time::{Mono, Span};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::has_budget_remaining;

/// A connection, whatever carries it.
pub trait Stream: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Stream for T {}

/// While nothing was asked the other side closed the connection, or talked without end.
#[derive(Debug)]
pub(super) struct HungUp;

impl fmt::Display for HungUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was of no use when the next request came")
    }
}

impl std::error::Error for HungUp {}

/// A stream that throws away, before each request, what arrived since the last answer: a late answer to an earlier
/// question is never taken for the answer to the next one.
#[derive(Debug)]
pub(super) struct QuietIo<T> {
    inner: T,
    tap: Tap,
    /// A request is being sent; nothing was read since its first byte.
    sending: bool,
    /// Bytes thrown away before the next request.
    stale: usize,
}

/// Most bytes thrown away before one request. A peer that talks without end is cut off and called again: what it
/// says on a connection that is new can only be meant for the request.
const STALE_MAX: usize = 64 * 1024;

impl<T: AsyncRead + AsyncWrite + Unpin> QuietIo<T> {
    pub(super) fn new(inner: T, tap: Tap) -> QuietIo<T> {
        QuietIo { inner, tap, sending: false, stale: 0 }
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
                    self.tap.thrown_away(buf.filled());
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
        let sent = ready!(Pin::new(&mut this.inner).poll_write(cx, buf))?;
        this.tap.sent(buf.get(..sent).unwrap_or_default());
        Poll::Ready(Ok(sent))
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
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        this.tap.heard(buf.filled().get(before..).unwrap_or_default());
        this.sending = false;
        Poll::Ready(Ok(()))
    }
}

/// What is shared by a serial line's stream and whoever asks over it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ear(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    sieve: Sieve,
    /// A request is to be sent, of which nothing was sent yet.
    fresh: bool,
    /// The whole of the last request was sent.
    sent: bool,
}

impl Ear {
    fn open(&self) -> MutexGuard<'_, Heard> {
        // A sieve is as good after a panic as before: what it holds is bytes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new request follows: what came before does not answer it.
    pub(super) fn begin(&self) {
        let mut heard = self.open();
        (heard.fresh, heard.sent) = (true, false);
    }

    /// What came instead of an answer to the last request.
    pub(super) fn instead(&self) -> Option<LineFault> {
        self.open().sieve.instead()
    }

    /// The exchange is over; gives what came beside its answer.
    pub(super) fn finish(&self) -> Stray {
        self.open().sieve.finish()
    }

    /// Whether the whole of the last request was sent.
    pub(super) fn has_asked(&self) -> bool {
        self.open().sent
    }

    /// What else was on the line since it was opened first.
    pub(super) fn strays(&self) -> Stray {
        self.open().sieve.strays()
    }
}

/// A stream of serial frames. Before a request it waits for silence and throws away what lies there; after it, it
/// gives nothing on but the one frame that answers. So the library, which would take a late answer to another
/// question for the right one and can't find its way out of noise, sees whole and sound answers only.
#[derive(Debug)]
pub(super) struct SerialIo<T> {
    inner: T,
    tap: Tap,
    ear: Ear,
    clock: Clock,
    /// How fast characters go, where the silence between frames has to be kept here.
    pace: Option<Pace>,
    /// What the port says of characters.
    marks: Marks,
    /// The line is silent since then, or will be when the last request is out.
    quiet_since: Mono,
    /// The answer, as far as it was not given on yet.
    answer: Vec<u8>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> SerialIo<T> {
    /// Keeps the silence of `pace` by blocking its thread, which then must be the line's own.
    pub(super) fn new(
        inner: T,
        tap: Tap,
        ear: Ear,
        clock: Clock,
        pace: Option<Pace>,
        marks: Marks,
    ) -> SerialIo<T> {
        SerialIo { inner, tap, ear, quiet_since: clock.mono(), clock, pace, marks, answer: Vec::new() }
    }

    /// Waits for silence; what comes meanwhile is thrown away.
    fn settle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let begun = self.clock.mono();
        let mut thrown: usize = 0;
        while thrown < STALE_MAX {
            let mut stale = [0; 512];
            let mut buf = ReadBuf::new(&mut stale);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buf) {
                Poll::Pending if has_budget_remaining() => match self.silence_left() {
                    None => return Poll::Ready(Ok(())),
                    // A line that is never silent: a trip is sent into the noise rather than not at all.
                    Some(_) if self.clock.mono().since(begun) >= self.longest_wait() => {
                        return Poll::Ready(Ok(()));
                    }
                    // Not the runtime's timer, which can't tell 1.75 ms from 3: a line that waits longer than it has
                    // to between any two frames is a slower line.
                    Some(left) => std::thread::sleep(left),
                },
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    thrown = thrown.saturating_add(buf.filled().len());
                    self.ear.open().sieve.stray(buf.filled().len());
                    self.tap.thrown_away(buf.filled());
                    self.quiet_since = self.clock.mono();
                }
                Poll::Ready(Ok(()) | Err(_)) => return Poll::Ready(Err(io::Error::other(HungUp))),
            }
        }
        Poll::Ready(Err(io::Error::other(HungUp)))
    }

    /// How long silence is waited for at most: as long as the longest frame takes that may be under way.
    fn longest_wait(&self) -> Span {
        self.pace.map(|pace| pace.chars(FRAME_MAX) + pace.silence()).unwrap_or_default()
    }

    fn silence_left(&self) -> Option<std::time::Duration> {
        let until = self.quiet_since + self.pace?.silence();
        let now = self.clock.mono();
        (now < until).then(|| duration(until.since(now)))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for SerialIo<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.ear.open().fresh {
            ready!(this.settle(cx))?;
            this.answer.clear();
            let mut heard = this.ear.open();
            heard.fresh = false;
            // The library hands over a whole frame at once.
            heard.sieve.asked(buf);
        }
        let sent = ready!(Pin::new(&mut this.inner).poll_write(cx, buf))?;
        this.ear.open().sent = sent == buf.len();
        this.tap.sent(buf.get(..sent).unwrap_or_default());
        let begins = this.clock.mono().max(this.quiet_since);
        this.quiet_since = begins + this.pace.map(|pace| pace.chars(sent)).unwrap_or_default();
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A serial driver would block here until the last bit is out; the answer comes after that anyway.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for SerialIo<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.answer.is_empty() {
            let mut part = [0; 512];
            let mut part = ReadBuf::new(&mut part);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            this.quiet_since = this.clock.mono();
            this.tap.heard(part.filled());
            let mut heard = this.ear.open();
            heard.sieve.misshapen(this.marks.take());
            this.answer = heard.sieve.heard(part.filled()).unwrap_or_default();
        }
        let count = this.answer.len().min(buf.remaining());
        buf.put_slice(this.answer.get(..count).unwrap_or_default());
        this.answer.drain(..count);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::point::Tag;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn tap() -> Tap {
        Tap::new(Tag::new("line").unwrap())
    }

    #[tokio::test]
    async fn what_arrives_unasked_is_never_taken_for_an_answer() {
        let (near, mut far) = duplex(1024);
        let mut quiet = QuietIo::new(near, tap());
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
        let mut quiet = QuietIo::new(near, tap());
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
        let mut quiet = QuietIo::new(near, tap());
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
        let error = QuietIo::new(near, tap()).write_all(b"question").await.unwrap_err();
        assert!(error.get_ref().is_some_and(|inner| inner.is::<HungUp>()));
    }

    #[tokio::test]
    async fn a_peer_that_talks_without_end_is_cut_off_before_anything_is_sent() {
        let (near, mut far) = duplex(2 * STALE_MAX);
        far.write_all(&[0; STALE_MAX + 1]).await.unwrap();
        let error = QuietIo::new(near, tap()).write_all(b"question").await.unwrap_err();
        assert!(error.get_ref().is_some_and(|inner| inner.is::<HungUp>()));
    }

    /// Says a byte whenever it is looked at a second time, for ever.
    #[derive(Debug)]
    struct Babble(bool);

    impl AsyncRead for Babble {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.0 = !self.0;
            if self.0 {
                return Poll::Pending;
            }
            buf.put_slice(&[0x55]);
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Babble {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_line_that_is_never_silent_keeps_no_request_for_longer_than_a_frame() {
        let pace = Pace { baud: 115_200, parity: crate::model::link::Parity::None, stop: 1 };
        let (ear, clock) = (Ear::default(), Clock::start());
        let mut line = SerialIo::new(Babble(false), tap(), ear.clone(), clock, Some(pace), Marks::default());
        ear.begin();
        line.write_all(b"question").await.unwrap();
        assert!(ear.has_asked());
        assert!(ear.strays().bytes < 1_000, "given up long before the bound of bytes: {}", ear.strays());
    }
}
