//! Site files made of a few words, so that a scenario or a seed can have a site of its own.

use std::fmt::Write as _;

/// A site file that grows by lines as people say them:
///
/// ```text
/// area face is a cn-coal-face
/// head face.t1 in face at T1 measures methane in %vol    [with off_delay_s = 1]
/// again face.t1-high of face-t1 measures methane         with …, of the same register
/// fan heading.fan in heading                             [with …]
/// valve bottle-room.valve in bottle-room                 [with …]
/// load face.supply in face                               [with …]
/// siren face.siren in face                               [with …]
/// trip face-cut when face.t1:trip face.t2:trip acts on face.supply [with vote = "2oo2"]
/// group heading-gas when heading.t1:trip heading.t2:trip [with vote = "2oo2"]
/// contact face.t1-muted in face                          [with tells = "mute"]
/// airway face.t1 face.t2                                 [with diluted = true]
/// alarms escalate_s = 60
/// signs frozen_min_s = 60                                 and so on for grades
/// gateway start_hold_s = 90
/// ```
#[derive(Clone, Debug, Default)]
pub(crate) struct SiteText {
    gateway: String,
    areas: String,
    rows: String,
    units: u32,
    gases: Vec<String>,
}

impl SiteText {
    /// Takes in one line; `None` where it is none of the above.
    pub(crate) fn line(&mut self, line: &str) -> Option<()> {
        let (line, options) = match line.split_once(" with ") {
            Some((line, options)) => (line, options.replace("; ", "\n")),
            None => (line, String::new()),
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["area", id, "is", "a" | "an", kind] => {
                writeln!(self.areas, "[[area]]\nid = \"{id}\"\nkind = \"{kind}\"\n{options}").ok()
            }
            ["head", id, "in", area, "at", place, "measures", gas, "in", unit] => {
                self.head(id, area, Some(place), gas, unit, &options)
            }
            ["head", id, "in", area, "measures", gas, "in", unit] => {
                self.head(id, area, None, gas, unit, &options)
            }
            ["again", id, "of", device, "measures", gas] => self.point(id, device, None, gas, &options),
            ["fan", id, "in", area] => self.fan(id, area, &options),
            [kind @ ("valve" | "load" | "siren"), id, "in", area] => self.element(kind, id, area, &options),
            ["trip", id, "when", rest @ ..] => self.trip(id, rest, &options),
            ["group", id, "when", members @ ..] => {
                writeln!(self.rows, "[[group]]\nid = \"{id}\"\nwhen = [{}]\n{options}", list(members)).ok()
            }
            ["contact", id, "in", area] => {
                let device = self.device(id, area, "fan-duct");
                writeln!(
                    self.rows,
                    "[[point]]\nid = \"{id}\"\ndevice = \"{device}\"\nsignal = \"running\"\n{options}"
                )
                .ok()
            }
            ["airway", points @ ..] => {
                writeln!(self.rows, "[[airway]]\npoints = [{}]\n{options}", list(points)).ok()
            }
            ["gateway", ..] => {
                writeln!(self.gateway, "{}", line.strip_prefix("gateway ")?.replace("; ", "\n")).ok()
            }
            [table @ ("alarms" | "signs" | "grades"), keys @ ..] => {
                writeln!(self.areas, "[{table}]\n{}", keys.join(" ").replace("; ", "\n")).ok()
            }
            _ => None,
        }
    }

    fn device(&mut self, id: &str, area: &str, profile: &str) -> String {
        self.units += 1;
        let device = id.replace('.', "-");
        let unit = self.units;
        writeln!(
            self.rows,
            "[[device]]\nid = \"{device}\"\nbus = \"line\"\nunit = {unit}\nprofile = \"{profile}\"\narea = \"{area}\""
        )
        .unwrap();
        device
    }

    fn head(
        &mut self,
        id: &str,
        area: &str,
        place: Option<&str>,
        gas: &str,
        unit: &str,
        options: &str,
    ) -> Option<()> {
        let profile = match (gas, unit) {
            ("oxygen", "%vol") => "gas-float",
            (_, "%vol") => "gas-2reg",
            (_, "%LEL") => "lel-2reg",
            (_, "ppm") => "co-sensor",
            _ => return None,
        };
        if !self.gases.iter().any(|g| g == gas) {
            self.gases.push(gas.to_owned());
        }
        let device = self.device(id, area, profile);
        self.point(id, &device, place, gas, options)
    }

    fn point(&mut self, id: &str, device: &str, place: Option<&str>, gas: &str, options: &str) -> Option<()> {
        let place = place.map_or_else(String::new, |place| format!("place = \"{place}\"\n"));
        writeln!(
            self.rows,
            "[[point]]\nid = \"{id}\"\ndevice = \"{device}\"\nsignal = \"value\"\ngas = \"{gas}\"\n{place}{options}"
        )
        .ok()
    }

    fn fan(&mut self, id: &str, area: &str, options: &str) -> Option<()> {
        let device = self.device(id, area, "fan-duct");
        let (air, level) = (id.replace(".fan", ".duct"), "alarm_when = false\nlevel = \"trip\"");
        writeln!(
            self.rows,
            "[[point]]\nid = \"{id}\"\ndevice = \"{device}\"\nsignal = \"running\"\n{level}\n{options}\n\
             [[point]]\nid = \"{air}\"\ndevice = \"{device}\"\nsignal = \"air\"\n\
             set_points = {{ unit = \"m/s\", low_alarm = 3.00, low_trip = 2.00, low_reset = 3.00 }}\n{options}"
        )
        .ok()
    }

    fn element(&mut self, kind: &str, id: &str, area: &str, options: &str) -> Option<()> {
        let (profile, wiring) = match kind {
            "valve" => ("valve-2limit", "output = \"close\"\nclosed = \"closed\"\nopen = \"open\""),
            "load" => ("feed-breaker", "output = \"cut\"\nlive = \"live\""),
            _ => ("feed-breaker", "output = \"cut\"\non = \"live\""),
        };
        let device = self.device(id, area, profile);
        writeln!(self.rows, "[[{kind}]]\nid = \"{id}\"\ndevice = \"{device}\"\n{wiring}\n{options}").ok()
    }

    fn trip(&mut self, id: &str, rest: &[&str], options: &str) -> Option<()> {
        let acts = rest.iter().position(|word| *word == "acts")?;
        let (causes, effects) = (list(rest.get(..acts)?), list(rest.get(acts + 2..)?));
        writeln!(self.rows, "[[trip]]\nid = \"{id}\"\nwhen = [{causes}]\neffects = [{effects}]\n{options}")
            .ok()
    }

    /// The whole file.
    pub(crate) fn text(&self) -> String {
        let gas = |g: &String| format!("[[gas]]\nid = \"{g}\"\nlel_pct_vol = 5.0\n");
        format!(
            "[gateway]\nid = \"scenario\"\noutputs = \"act\"\n{}[site]\nname = {{ zh = \"矿\", en = \"mine\" }}\n{}{}\
             [[bus]]\nid = \"line\"\nlink = \"tcp://127.0.0.1:1\"\npoll_ms = 500\ntimeout_ms = 300\n{}",
            self.gateway,
            self.gases.iter().map(gas).collect::<String>(),
            self.areas,
            self.rows,
        )
    }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ")
}
