//! Who has a device file open: for the message that tells why a serial port can't be had.

use std::fs;
use std::path::Path;

/// Most programs that are named.
const NAMED_MAX: usize = 4;

/// The programs that have `path` open, as far as this user may see them: name and process number.
pub(super) fn holders(path: &str) -> Vec<String> {
    let Ok(wanted) = fs::canonicalize(path) else { return Vec::new() };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for process in processes.flatten() {
        let id = process.file_name().to_string_lossy().into_owned();
        if found.len() < NAMED_MAX
            && id != own
            && id.bytes().all(|b| b.is_ascii_digit())
            && has_open(&process.path(), &wanted)
        {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(format!("{} (process {id})", name.trim()));
        }
    }
    found
}

fn has_open(process: &Path, wanted: &Path) -> bool {
    let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    open.into_iter().any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_program_that_has_a_file_open_is_named() {
        let path = std::env::temp_dir().join(format!("davy-held-{}", std::process::id()));
        let file = fs::File::create(&path).unwrap();
        assert!(holders(path.to_str().unwrap()).is_empty(), "we ourselves are nobody else");
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::from(file)).spawn().unwrap();
        let found = holders(path.to_str().unwrap());
        drop(child.stdin.take());
        child.wait().unwrap();
        fs::remove_file(&path).unwrap();
        // Between fork and exec it still bears our name.
        assert!(
            matches!(&found[..], [one] if one.contains(&format!("(process {})", child.id()))),
            "{found:?}"
        );
    }
}
