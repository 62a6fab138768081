//! What every entry has around its body, read without taking the body apart: that is what makes a season of entries a
//! matter of seconds.

use crate::model::time::Wall;
use crate::record::chain::Digest;
use crate::record::entry::{SEQ_MAX, VERSION, read_boot};
use crate::record::seal::{CHECKPOINT, KEY};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;

/// The fields of an entry.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    body: Signed,
    #[serde(borrow)]
    boot: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) gateway: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    prev: Cow<'a, str>,
    pub(super) seq: u64,
    pub(super) up_us: u64,
    #[serde(borrow)]
    utc: Cow<'a, str>,
    v: u64,
}

/// Of the body, whether it is signed.
#[derive(Deserialize)]
struct Signed {
    signature: Option<IgnoredAny>,
}

/// Those that are more than text.
pub(super) struct Checked {
    pub(super) boot: u64,
    pub(super) prev: Digest,
    pub(super) wall: Wall,
}

impl Head<'_> {
    /// Whether they are what they should be.
    pub(super) fn check(&self) -> Result<Checked, String> {
        if self.v > VERSION {
            return Err(format!("it was written in version {}: verify it with a newer davy", self.v));
        }
        if self.v == 0 || self.seq == 0 || self.seq > SEQ_MAX.0 {
            return Err("its version or number is impossible".to_owned());
        }
        if self.body.signature.is_some() && self.kind != CHECKPOINT && self.kind != KEY {
            return Err("it is signed, and no kind of entry that is".to_owned());
        }
        let field = |name: &str| format!("field `{name}` is not what it should be");
        Ok(Checked {
            boot: read_boot(&self.boot).ok_or_else(|| field("boot"))?,
            prev: Digest::parse(&self.prev).ok_or_else(|| field("prev"))?,
            wall: Wall::parse(&self.utc).ok_or_else(|| field("utc"))?,
        })
    }
}
