//! The line against a Modbus server that we did not write.

use crate::plan::Builder;
use crate::wire::Running;
use davy::io::clock::Clock;
use davy::model::element::{Demand, Mode};
use davy::model::line::LineFault;
use davy::model::point::Quality;
use davy::model::time::Span;
use davy::safety::Input;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Units 1 and 2 with input register 0 at 100 times the unit; says its port, then every coil that is written.
const SERVER: &str = "
import asyncio, logging
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

def unit(n):
    bits = lambda *on: [SimData(0, values=[b in on for b in range(16)], datatype=DataType.BITS)]
    words = lambda *values: [SimData(0, values=list(values), datatype=DataType.REGISTERS)]
    return SimDevice(n, (bits(), bits(1), words(0), words(100 * n, 0)))

def trace(sending, pdu):
    if not sending and pdu.function_code == 5:
        print('coil', pdu.dev_id, pdu.address, int(pdu.bits[0]), flush=True)
    return pdu

logging.disable()

async def main():
    server = ModbusTcpServer([unit(1), unit(2)], address=('127.0.0.1', 0), trace_pdu=trace)
    await server.listen()
    print(server.transport.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
";

/// Ends the server with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_pymodbus_server_is_polled_and_its_coil_is_closed() {
    let mut child = Command::new(std::env::var_os("DAVY_PYTHON").unwrap_or_else(|| "python3".into()))
        .args(["-c", SERVER])
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed for this test: apt-get install python3");
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let _server = Server(child);
    let port = said
        .next()
        .and_then(|line| line.ok()?.parse().ok())
        .expect("pymodbus 3.13 or newer is needed for this test: pip install pymodbus");

    let mut builder = Builder::new();
    builder.timeout = Span::from_secs(2);
    let (_, gas) = builder.detector(Span::from_ms(50));
    let valve = builder.valve(Span::from_ms(50), Mode::Act, Some(0));
    // The server knows no unit 3.
    let (absent, _) = builder.detector(Span::from_ms(50));
    let line = Running::start(builder.plan, builder.bus, port, Clock::start());

    let reading = line.reading(gas, |_| true);
    assert_eq!((reading.value, reading.quality), (Some(1.0), Quality::Good));
    let fault = line.wait(|input| match input {
        Input::NoAnswer { device, fault } if *device == absent => Some(fault.clone()),
        _ => None,
    });
    assert!(matches!(fault, LineFault::NoReply | LineFault::Exception(_)), "{fault}");
    line.trip(valve, Demand::Trip);
    line.wrote(valve, Demand::Trip);
    assert_eq!(said.next().unwrap().unwrap(), "coil 2 0 1");
    line.trip(valve, Demand::None);
    line.wrote(valve, Demand::None);
    assert_eq!(said.next().unwrap().unwrap(), "coil 2 0 0");
}
