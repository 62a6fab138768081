//! When the journal is signed: at the start, every minute with new entries, at the end of a file and of a run. All of it
//! on the journal's own thread, behind what is to be recorded: no trip and no entry waits for a signature.

use super::writer::Writer;
use crate::io::keys;
use crate::model::point::Text;
use crate::model::record::{Trouble, Who};
use crate::model::time::{Mono, Span};
use crate::record::seal::PublicKey;
use crate::record::tally::KeyStep;
use std::path::PathBuf;

/// How often what is new is sealed, and how often a key that can't be had is looked for again.
const EVERY: Span = Span::from_secs(60);

/// The signing of a journal.
pub(super) struct Sealing {
    /// The state folder.
    dir: PathBuf,
    /// The key that the journal announces.
    announced: Option<PublicKey>,
    due: Mono,
    /// What is wrong with the key.
    trouble: Option<Trouble>,
    /// A new key is in the journal's hands and not yet under its name.
    rotated: bool,
}

impl Sealing {
    pub(super) fn new(dir: PathBuf, announced: Option<PublicKey>) -> Sealing {
        Sealing { dir, announced, due: Mono::START, trouble: None, rotated: false }
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble.clone()
    }

    /// When there is something to do; `None` while all is sealed.
    pub(super) fn until(&self, writer: &Writer) -> Option<Mono> {
        (!writer.has_key() || !writer.is_sealed()).then_some(self.due)
    }

    /// Does what is due; says whether there are new lines to be brought to disk.
    pub(super) fn tend(&mut self, writer: &mut Writer, now: Mono) -> bool {
        if now < self.due {
            return false;
        }
        if !writer.has_key() && !self.find_key(writer, now) {
            return false;
        }
        if writer.is_sealed() {
            return false;
        }
        self.due = now + EVERY;
        writer.seal();
        true
    }

    /// The key, with what the journal has to say of it.
    fn find_key(&mut self, writer: &mut Writer, now: Mono) -> bool {
        let key = match keys::open(&self.dir, self.announced) {
            Ok(key) => key,
            Err(e) => {
                self.due = now + EVERY;
                let path = keys::path(&self.dir);
                let path = path.display();
                self.trouble = Some(trouble(Text::new(
                    format!("签名密钥 {path} 不可用: {e}。保护和记录照常, 但日志未签名; 请修复。"),
                    format!(
                        "The signing key {path} can't be used: {e}. Davy protects and records; the journal is not signed \
                         until this is mended."
                    ),
                )));
                return false;
            }
        };
        let public = key.public();
        let step = match self.announced {
            None => Some(KeyStep::Announced),
            Some(known) if known == public => None,
            Some(_) => Some(KeyStep::Replaced),
        };
        // What was wrong before is over.
        self.trouble = self.trouble.take().map(|trouble| Trouble { raised: false, ..trouble });
        if let (Some(KeyStep::Replaced), Some(known)) = (step, self.announced) {
            tracing::error!(%known, %public, "the signing key is not the one that the journal announces");
            self.trouble = Some(trouble(Text::new(
                format!(
                    "签名密钥丢失或被更换: 日志公布的是 {known}, 现用 {public}。请查明原因, 并告知监管方新公钥。"
                ),
                format!(
                    "The signing key was lost or taken away: the journal announces {known}, and {public} signs now. Find out \
                     why, and tell whoever verifies the journal the new key."
                ),
            )));
        }
        self.announced = Some(public);
        writer.set_key(key, step, None);
        true
    }

    /// Signs with a new key from now on; says which.
    pub(super) fn rotate(&mut self, writer: &mut Writer, who: &Who, now: Mono) -> Result<PublicKey, String> {
        if !writer.has_key() && !self.find_key(writer, now) {
            return Err("there is no key in force yet: see the journal-key trouble in davy status".to_owned());
        }
        if self.rotated {
            return Err(
                "the rotation before is not on disk yet: see what the disk lacks, then try again".to_owned()
            );
        }
        let key = keys::make_next(&self.dir)
            .map_err(|e| format!("cannot make a key beside {}: {e}", keys::path(&self.dir).display()))?;
        let public = key.public();
        writer.seal();
        writer.set_key(key, Some(KeyStep::Rotated), Some(who));
        writer.seal();
        self.announced = Some(public);
        self.rotated = true;
        Ok(public)
    }

    /// Everything is on disk: a new key may take its name.
    pub(super) fn recorded(&mut self) {
        if self.rotated {
            match keys::promote(&self.dir) {
                Ok(()) => self.rotated = false,
                // The next start does it, or the next entry.
                Err(error) => tracing::error!(%error, "the new signing key could not take its name yet"),
            }
        }
    }
}

fn trouble(text: Text) -> Trouble {
    Trouble { code: "journal-key", detail: String::new(), raised: true, text }
}
