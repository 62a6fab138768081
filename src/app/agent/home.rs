//! Where an agent keeps what it records: in the state folder, or, where that can't be used, in a folder that lasts until
//! the machine is started again. To protect comes before to record, so that a dead disk keeps no agent from its work;
//! another agent does.

use super::StartError;
use crate::io::buffer;
use crate::io::clock::Clock;
use crate::io::files::{self, State, StateError};
use crate::io::journal::{Journal, JournalError, Opened};
use crate::model::plan::Plan;
use crate::model::point::Text;
use crate::model::record::{Body, Seq, Trouble};
use std::path::{Path, PathBuf};

/// Names that are tried in the temporary folder.
const SPARES: u32 = 10;

/// A folder that belongs to this agent, with a journal in it.
pub(super) struct Home {
    /// Where journal and buffer are.
    pub(super) dir: PathBuf,
    /// What is held to the end; the command socket is in the first: where people look for it, if that can be.
    pub(super) held: Vec<State>,
    pub(super) opened: Opened,
    /// What is wrong with it.
    pub(super) trouble: Option<Body>,
}

impl Home {
    /// Moves in. `on_grown` as for [`Journal::open`].
    pub(super) fn open(
        plan: &Plan,
        boot: u64,
        clock: Clock,
        on_grown: impl Fn(Seq) + Clone + Send + 'static,
    ) -> Result<Home, StartError> {
        let dir = PathBuf::from(&plan.state_dir);
        let journal = |dir: &Path| {
            Journal::open(dir, &plan.gateway, boot, clock, buffer::last_told(dir), on_grown.clone())
        };
        let mut held = Vec::new();
        let why = match State::lock(&dir) {
            Ok(state) => {
                let used_before = state.used_before();
                held.push(state);
                match journal(&dir) {
                    Ok(mut opened) => {
                        if used_before && opened.last_seq == Seq(0) {
                            opened.notes.push(emptied());
                        }
                        return Ok(Home { dir, held, opened, trouble: None });
                    }
                    Err(e) => StartError::Journal(e),
                }
            }
            // What another version wrote is not ours to touch, and no reason to leave a mine unguarded.
            Err(e @ (StateError::Unwritable { .. } | StateError::Format { .. })) if files::is_free(&dir) => {
                StartError::State(e)
            }
            Err(e) => return Err(StartError::State(e)),
        };
        Home::spare(plan, held, why, journal)
    }

    /// Moves into the temporary folder, because `why` stands against the state folder.
    fn spare(
        plan: &Plan,
        mut held: Vec<State>,
        why: StartError,
        journal: impl Fn(&Path) -> Result<Opened, JournalError>,
    ) -> Result<Home, StartError> {
        // Anybody can take a name in that folder before us: then another will do.
        for n in 0..SPARES {
            let name = if n == 0 { String::new() } else { format!("-{n}") };
            let spare = std::env::temp_dir().join(format!("davy-{}{name}", plan.gateway));
            if let Err(no_spare) = files::make_own_folder(&spare) {
                tracing::error!(%no_spare, spare = %spare.display(), "no place for a journal either");
                continue;
            }
            let state = match State::lock(&spare) {
                Ok(state) => state,
                // Another agent has had the same misfortune, and two are one too many.
                Err(e @ StateError::InUse { .. }) => return Err(StartError::State(e)),
                Err(e) => {
                    tracing::error!(no_spare = %e, "no place for a journal either");
                    continue;
                }
            };
            match journal(&spare) {
                Ok(opened) => {
                    tracing::error!(%why, spare = %spare.display(), "davy protects, and can't record where it should");
                    let trouble = Some(unusable(&why, &spare));
                    held.push(state);
                    return Ok(Home { dir: spare, held, opened, trouble });
                }
                Err(no_spare) => tracing::error!(%no_spare, "no place for a journal either"),
            }
        }
        Err(why)
    }
}

/// The folder was marked by an earlier run, and neither journal nor ledger know of one.
fn emptied() -> Body {
    Body::Trouble(Trouble {
        code: "journal-shortened",
        detail: String::new(),
        raised: true,
        text: Text::new(
            "状态目录以前用过, 但其中没有日志: 日志被删除, 或首次启动时断电。请恢复文件备查。",
            "The state folder was used before and holds no journal: it was removed, or the power went at the very first \
             start. Look for it, and keep it as evidence.",
        ),
    })
}

fn unusable(why: &StartError, spare: &Path) -> Body {
    let spare = spare.display();
    Body::Trouble(Trouble {
        code: "state-folder",
        detail: String::new(),
        raised: true,
        text: Text::new(
            format!(
                "状态目录不可用: {why}. 保护照常工作; 事件暂记在 {spare}, 系统重启后丢失; 编号重新开始, 此前的锁定状态未知. \
                 请修复后重启 davy, 并保留该目录备查"
            ),
            format!(
                "the state folder can't be used: {why}. Davy protects, and records in {spare}, which a reboot of the \
                 machine empties; numbers begin anew there, and what was latched in earlier runs is not known. Mend \
                 it, keep that folder as evidence, restart davy"
            ),
        ),
    })
}
