//! Site files for Davy that ask of it what the bare loop does: the same devices, registers and periods, with alarms on
//! every register, a valve and a trip on every bus, and a broker to tell.

use super::bare::Line;
use super::field::VALVE;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// The trip of the first bus.
pub(crate) const TRIP: &str = "b0-shutoff";

/// The site file of `lines`.
pub(crate) fn file(state: &Path, broker: SocketAddr, lines: &[Line]) -> String {
    let mut text = format!(
        "[gateway]\nid = \"bench\"\nstate = \"{}\"\noutputs = \"act\"\n\n[site]\nname = \"bench\"\n\n\
         [[gas]]\nid = \"methane\"\nlel_pct_vol = 5.0\n\n\
         [[area]]\nid = \"plant\"\nkind = \"iec-plant\"\n\n\
         [[destination]]\nid = \"control-room\"\nbroker = \"mqtt://{broker}\"\n",
        state.display()
    );
    for (n, line) in lines.iter().enumerate() {
        bus(&mut text, n, line).unwrap_or_default(); // Writing to a text never fails.
    }
    text
}

fn bus(text: &mut String, bus: usize, line: &Line) -> std::fmt::Result {
    let Line { port, devices, period_ms, .. } = line;
    let timeout_ms = period_ms.min(&500);
    writeln!(
        text,
        "\n[[bus]]\nid = \"b{bus}\"\nlink = \"tcp://127.0.0.1:{port}\"\npoll_ms = {period_ms}\ntimeout_ms = {timeout_ms}"
    )?;
    for unit in 1..=*devices {
        writeln!(
            text,
            "\n[[device]]\nid = \"b{bus}.d{unit}\"\nbus = \"b{bus}\"\nunit = {unit}\nprofile = \"ten-registers\"\n\
             area = \"plant\""
        )?;
        for register in 0..10 {
            writeln!(
                text,
                "\n[[point]]\nid = \"b{bus}.d{unit}.r{register}\"\ndevice = \"b{bus}.d{unit}\"\nsignal = \"r{register}\"\n\
                 decimals = 0\noff_delay_s = 0\n\
                 set_points = {{ unit = \"%\", alarm = 80, trip = 90, reset = 80 }}"
            )?;
        }
    }
    let causes: Vec<String> = (1..=*devices).map(|unit| format!("\"b{bus}.d{unit}.r0:trip\"")).collect();
    writeln!(
        text,
        "\n[[device]]\nid = \"b{bus}.actuator\"\nbus = \"b{bus}\"\nunit = {VALVE}\nprofile = \"valve-2limit\"\n\
         area = \"plant\"\n\n\
         [[valve]]\nid = \"b{bus}.valve\"\ndevice = \"b{bus}.actuator\"\noutput = \"close\"\nclosed = \"closed\"\n\
         open = \"open\"\n\n\
         [[trip]]\nid = \"b{bus}-shutoff\"\nvote = \"1oo{devices}\"\nwhen = [{}]\neffects = [\"b{bus}.valve\"]\n\
         reset_hold_s = 0.1",
        causes.join(", ")
    )
}
