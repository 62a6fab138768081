//! The copy of a site file that an agent is run with against a pretended plant. It tells nobody, unless that is asked
//! for, and mixes with nothing of the site's own.

use super::links::written;
use crate::model::link::Link;
use crate::model::point::Tag;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::DeTable;

/// What is other in the copy of a site file that a pretended plant is run with.
#[derive(Clone, Debug)]
pub struct Pretended<'a> {
    /// Where lines lead.
    pub links: &'a BTreeMap<String, Link>,
    /// Folder of journal, buffer and command socket.
    pub state: &'a str,
    /// Whether brokers are told.
    pub destinations: bool,
}

/// At the end of the id of a gateway that is only pretended: no record of it can be taken for the site's.
const SUFFIX: &str = "-sim";

/// The site file `text` for a pretended plant: under another id, with another state folder, its lines elsewhere and
/// nobody told unless that is asked for; and with files that are named in full, so that it may lie elsewhere.
#[must_use]
pub fn pretended(text: &str, other: &Pretended<'_>, full: impl Fn(&str) -> String) -> String {
    let (table, _) = DeTable::parse_recoverable(text);
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let rows = |name: &str| {
        let rows = table.get_ref().get(name).and_then(|rows| rows.get_ref().as_array());
        rows.into_iter().flat_map(|list| list.iter())
    };
    for bus in rows("bus") {
        let Some(bus) = bus.get_ref().as_table() else { continue };
        let id = bus.get("id").and_then(|id| id.get_ref().as_str()).unwrap_or_default();
        if let (Some(link), Some(old)) = (other.links.get(id), bus.get("link")) {
            edits.push((old.span(), quote(&written(link))));
        }
    }
    let gateway = table.get_ref().get("gateway").and_then(|g| g.get_ref().as_table());
    let of_gateway = |key: &str| {
        let value = gateway.and_then(|g| g.get(key))?;
        Some((value.span(), value.get_ref().as_str()?))
    };
    for key in ["profiles", "standards"] {
        edits.extend(of_gateway(key).map(|(span, named)| (span, quote(&full(named)))));
    }
    let state = of_gateway("state").map(|(span, _)| (span, quote(other.state)));
    if let Some((span, id)) = of_gateway("id") {
        let mut own = quote(&suffixed(id));
        if state.is_none() {
            let inline = text.get(..span.start).and_then(|before| before.lines().last());
            let between = if inline.is_some_and(|line| line.contains('{')) { ", " } else { "\n" };
            own.push_str(&format!("{between}state = {}", quote(other.state)));
        }
        edits.push((span, own));
    }
    edits.extend(state);
    for row in rows("destination") {
        let Some(keys) = row.get_ref().as_table() else { continue };
        if other.destinations {
            let file = keys.get("password_file");
            let named = file.and_then(|file| Some((file.span(), quote(&full(file.get_ref().as_str()?)))));
            edits.extend(named);
        } else if text.get(row.span()).is_some_and(|row| row.starts_with("[[")) {
            let end = keys.values().map(|value| value.span().end).max();
            let whole = row.span().start..end.unwrap_or(row.span().end).max(row.span().end);
            edits.push((whole, String::new()));
        }
    }
    let all = table.get_ref().get("destination").map(|all| all.span());
    edits.extend(
        all.filter(|all| !other.destinations && is_list(text, all)).map(|all| (all, "[]".to_owned())),
    );
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut copy = text.to_owned();
    for (span, new) in edits {
        if copy.get(span.clone()).is_some() {
            copy.replace_range(span, &new);
        }
    }
    copy
}

/// Whether what stands there is a list in brackets, rather than tables under headings.
fn is_list(text: &str, span: &Range<usize>) -> bool {
    text.get(span.clone()).is_some_and(|text| text.starts_with('[') && !text.starts_with("[["))
}

fn suffixed(id: &str) -> String {
    let bare = id.strip_suffix(SUFFIX).unwrap_or(id);
    let room = Tag::MAX.saturating_sub(SUFFIX.len());
    let kept: String = bare.chars().take(room).collect();
    kept + SUFFIX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(text: &str, destinations: bool) -> String {
        let links =
            BTreeMap::from([("face".to_owned(), Link::Tcp { host: "127.0.0.1".to_owned(), port: 7 })]);
        let other = Pretended { links: &links, state: "/tmp/pretended.state", destinations };
        pretended(text, &other, |named| format!("/site/{named}"))
    }

    #[test]
    fn a_copy_has_an_id_and_a_state_folder_of_its_own_and_tells_nobody() {
        let site = "# a site\n[gateway]\nid = \"gw\" # an id\nprofiles = \"p\"\n\n[[destination]]\nid = \"room\"\nbroker = \"mqtt://a:1\"\n\n\
                    [[destination]]\nid = \"two\"\npassword_file = \"\"\"\n[[bus]]\"\"\"\n# and\n[[bus]]\nid = \"face\"\nlink = \"tcp://10.0.0.1\"\n";
        let text = copy(site, false);
        assert_eq!(
            text,
            "# a site\n[gateway]\nid = \"gw-sim\"\nstate = \"/tmp/pretended.state\" # an id\nprofiles = \"/site/p\"\n\n\n\n\
             \n# and\n[[bus]]\nid = \"face\"\nlink = \"tcp://127.0.0.1:7\"\n"
        );
        assert_eq!(copy(&text, false).matches("-sim").count(), 1);
    }

    #[test]
    fn destinations_that_are_asked_for_are_kept_with_their_files_in_full() {
        let site =
            "[gateway]\nid = \"gw\"\nstate = \"s\"\n[[destination]]\nid = \"room\"\npassword_file = \"pw\"\n";
        let kept = site
            .replace("\"gw\"", "\"gw-sim\"")
            .replace("\"s\"", "\"/tmp/pretended.state\"")
            .replace("\"pw\"", "\"/site/pw\"");
        assert_eq!(copy(site, true), kept);
    }

    #[test]
    fn tables_in_one_line_are_understood_too_and_a_long_id_stays_an_id() {
        let id = "a".repeat(Tag::MAX);
        let site = format!(
            "gateway = {{ id = \"{id}\" }}\ndestination = [{{ id = \"room\" }}, {{ id = \"two\" }}]\n"
        );
        let own = format!("{}-sim", "a".repeat(Tag::MAX - 4));
        let expected =
            format!("gateway = {{ id = \"{own}\", state = \"/tmp/pretended.state\" }}\ndestination = []\n");
        assert_eq!(copy(&site, false), expected);
    }
}
