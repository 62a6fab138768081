//! What a serial port says of single characters: that parity or frame were wrong. The system marks them among the bytes
//! (`PARMRK` of termios): FF 00 and the character, and FF FF for an FF that was one.

use rustix::termios::{InputModes, OptionalActions, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many characters were marked since somebody last asked.
#[derive(Clone, Debug, Default)]
pub struct Marks(Arc<AtomicU64>);

impl Marks {
    pub(super) fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Asks the system to mark them; says whether it does.
pub(super) fn ask_for(port: &impl AsFd) -> bool {
    let asked = tcgetattr(port).and_then(|mut modes| {
        modes.input_modes |= InputModes::INPCK | InputModes::PARMRK;
        modes.input_modes -= InputModes::IGNPAR | InputModes::IGNBRK | InputModes::BRKINT;
        tcsetattr(port, OptionalActions::Now, &modes)
    });
    // A driver may refuse a part of it without a word.
    asked.is_ok() && tcgetattr(port).is_ok_and(|modes| modes.input_modes.contains(InputModes::PARMRK))
}

/// A port whose marks are taken out. A character that was marked is turned over, so that no checksum over it holds:
/// the standard has such a frame thrown away.
#[derive(Debug)]
pub(super) struct Marked<T> {
    inner: T,
    /// Whether the system marks at all.
    marks: bool,
    count: Marks,
    at: At,
}

/// Where in a mark we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Outside,
    /// After an FF.
    Begun,
    /// After FF 00.
    Character,
}

impl<T> Marked<T> {
    pub(super) fn new(inner: T, marks: bool) -> (Marked<T>, Marks) {
        let count = Marks::default();
        (Marked { inner, marks, count: count.clone(), at: At::Outside }, count)
    }

    /// What one byte adds to what was received.
    fn read(&mut self, byte: u8) -> Option<u8> {
        let (at, out) = match (self.at, byte) {
            (At::Outside, 0xFF) if self.marks => (At::Begun, None),
            (At::Outside, byte) => (At::Outside, Some(byte)),
            (At::Begun, 0) => (At::Character, None),
            // FF FF, or what no system sends.
            (At::Begun, byte) => (At::Outside, Some(byte)),
            (At::Character, byte) => {
                self.count.0.fetch_add(1, Ordering::Relaxed);
                (At::Outside, Some(!byte))
            }
        };
        self.at = at;
        out
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Marked<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (before, mut raw) = (buf.filled().len(), [0; 256]);
        // Nothing but half a mark is no end.
        while buf.filled().len() == before && buf.remaining() > 0 {
            let room = buf.remaining().min(raw.len());
            let mut part = ReadBuf::new(raw.get_mut(..room).unwrap_or_default());
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut part))?;
            if part.filled().is_empty() {
                break;
            }
            for byte in part.filled() {
                if let Some(byte) = this.read(*byte) {
                    buf.put_slice(&[byte]);
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Marked<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As the system sends them: each character, and whether it is to be marked.
    fn sent(characters: &[(u8, bool)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (character, marked) in characters {
            match (character, marked) {
                (character, true) => bytes.extend([0xFF, 0, *character]),
                (0xFF, false) => bytes.extend([0xFF, 0xFF]),
                (character, false) => bytes.push(*character),
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn every_character_comes_once_and_the_marked_ones_turned_over(
            characters in proptest::collection::vec((prop_oneof![Just(0xFF), Just(0), any::<u8>()], any::<bool>()), 0..50),
        ) {
            let (mut port, marks) = Marked::new((), true);
            let heard: Vec<u8> = sent(&characters).into_iter().filter_map(|byte| port.read(byte)).collect();
            let wanted: Vec<u8> =
                characters.iter().map(|(character, marked)| if *marked { !character } else { *character }).collect();
            prop_assert_eq!(heard, wanted);
            let marked = characters.iter().filter(|(_, marked)| *marked).count();
            prop_assert_eq!(marks.take(), u64::try_from(marked).unwrap());
            prop_assert_eq!(marks.take(), 0);
        }

        #[test]
        fn where_nothing_is_marked_bytes_are_what_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            let (mut port, marks) = Marked::new((), false);
            let heard: Vec<u8> = bytes.iter().filter_map(|byte| port.read(*byte)).collect();
            prop_assert_eq!((heard, marks.take()), (bytes, 0));
        }
    }
}
