//! Lines over every kind of link, against a pretended plant at their far ends.

use crate::plan::{Builder, Valve};
use crate::wire::Running;
use davy::io::clock::Clock;
use davy::io::slave::Slave;
use davy::model::element::{Demand, Mode};
use davy::model::line::LineFault;
use davy::model::link::{Link, Pace, Parity};
use davy::model::point::{Doubt, Quality};
use davy::model::table::PointId;
use davy::model::time::Span;
use davy::safety::Input;
use davy::simulator::mischief::Mischief;
use davy::simulator::plant::Plant;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};

const PACE: Pace = Pace { baud: 115_200, parity: Parity::Even, stop: 1 };

/// A detector and a valve on a line that is reached over `link`.
fn builder(link: Link) -> (Builder, PointId, Valve) {
    let mut builder = Builder::new();
    let (_, gas) = builder.detector(Span::from_ms(100));
    let valve = builder.valve(Span::from_ms(100), Mode::Act, Some(0));
    builder.plan.buses[builder.bus].link = link;
    (builder, gas, valve)
}

/// Reads a value, shuts the valve and lets it go again.
fn works_over(link: Link) {
    let clock = Clock::start();
    let (mut builder, gas, valve) = builder(link);
    let plant = Arc::new(Mutex::new(Plant::new(&builder.plan)));
    let slave = Slave::start(&builder.plan, Arc::clone(&plant), clock).unwrap();
    builder.plan.buses[builder.bus].link = slave.link(builder.bus).clone();
    let line = Running::over_its_link(builder.plan, builder.bus, clock, Arc::default());
    plant.lock().unwrap().set(clock.mono(), gas, 1.25);
    line.reading(gas, |r| r.quality == Quality::Good && r.value == Some(1.25));
    line.trip(valve, Demand::Trip);
    line.wrote(valve, Demand::Trip);
    line.trip(valve, Demand::None);
    line.wrote(valve, Demand::None);
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_serial_port_is_read_and_written() {
    works_over(Link::Serial { path: String::new(), pace: PACE, rs485: false });
}

#[test]
fn a_slow_serial_port_is_read_and_written() {
    let pace = Pace { baud: 4_800, parity: Parity::None, stop: 2 };
    works_over(Link::Serial { path: String::new(), pace, rs485: false });
}

#[test]
fn a_serial_server_is_read_and_written() {
    works_over(Link::RtuTcp { host: "127.0.0.1".to_owned(), port: 0, pace: Some(PACE) });
}

#[test]
fn what_a_serial_server_says_first_over_a_new_connection_is_doubted() {
    let (clock, link) = (Clock::start(), Link::RtuTcp { host: "127.0.0.1".to_owned(), port: 0, pace: None });
    let (mut builder, gas, _) = builder(link);
    let plant = Arc::new(Mutex::new(Plant::new(&builder.plan)));
    let slave = Slave::start(&builder.plan, Arc::clone(&plant), clock).unwrap();
    builder.plan.buses[builder.bus].link = slave.link(builder.bus).clone();
    let device = builder.plan.points[gas].device;
    let line = Running::over_its_link(builder.plan, builder.bus, clock, Arc::default());
    let unconfirmed = Quality::Uncertain(Doubt::Unconfirmed);
    line.reading(gas, |r| r.quality == Quality::Good);
    plant.lock().unwrap().set_mischief(device, Some(Mischief::Close));
    line.wait(|input| matches!(input, Input::NoAnswer { .. }).then_some(()));
    // One question only: a device that is lost is doubted anyway.
    plant.lock().unwrap().set_mischief(device, None);
    let first = line.reading(gas, |_| true);
    assert_eq!(first.quality, unconfirmed);
    line.reading(gas, |r| r.quality == Quality::Good);
}

#[test]
fn a_modem_that_dials_in_is_read_and_written() {
    let id = b"+DTU-0042".to_vec();
    works_over(Link::Listen { host: "127.0.0.1".to_owned(), port: free_port(), id, pace: None });
}

#[test]
fn a_modem_with_a_longer_name_is_another_one_and_silent_callers_keep_nobody_out() {
    let (id, port, clock) = (b"DTU-1".to_vec(), free_port(), Clock::start());
    let (builder, gas, _) = builder(Link::Listen { host: "127.0.0.1".to_owned(), port, id, pace: None });
    let line = Running::over_its_link(builder.plan.clone(), builder.bus, clock, Arc::default());
    let call = || loop {
        // The line listens soon.
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(_) => std::thread::yield_now(),
        }
    };
    let mut other = call();
    other.write_all(b"DTU-10\r\n").unwrap();
    let _silent: Vec<TcpStream> = (0..200).map(|_| call()).collect();
    let plant = Arc::new(Mutex::new(Plant::new(&builder.plan)));
    plant.lock().unwrap().set(clock.mono(), gas, 1.25);
    let _modem = Slave::start(&builder.plan, Arc::clone(&plant), clock).unwrap();
    line.reading(gas, |r| r.quality == Quality::Good && r.value == Some(1.25));
    other.set_nonblocking(true).unwrap();
    let mut asked = [0; 64];
    // It may have been turned away by now; it was never asked anything.
    assert!(!matches!(other.read(&mut asked), Ok(1..)), "{asked:?}");
}

#[test]
fn a_serial_adapter_that_is_unplugged_and_comes_back_is_picked_up_again() {
    let folder = std::env::temp_dir().join(format!("davy-links-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let by_id = folder.join("usb-adapter");
    let link = Link::Serial { path: by_id.display().to_string(), pace: PACE, rs485: false };
    let clock = Clock::start();
    let (builder, gas, _) = builder(link.clone());
    let plant = Arc::new(Mutex::new(Plant::new(&builder.plan)));
    let plug_in = |value: f64| {
        plant.lock().unwrap().set(clock.mono(), gas, value);
        let slave = Slave::start(&builder.plan, Arc::clone(&plant), clock).unwrap();
        let Link::Serial { path, .. } = slave.link(builder.bus) else { panic!("a serial link stays one") };
        drop(std::fs::remove_file(&by_id));
        symlink(path, &by_id).unwrap();
        slave
    };
    // Nothing is there at first.
    let line = Running::over_its_link(builder.plan.clone(), builder.bus, clock, Arc::default());
    let down = |input: &Input| match input {
        Input::NoAnswer { fault: LineFault::Link(why), .. } => Some(why.clone()),
        _ => None,
    };
    let why = line.wait(down);
    assert!(why.contains("usb-adapter"), "{why}");
    for value in [0.5, 0.75] {
        let adapter = plug_in(value);
        line.reading(gas, |r| r.quality == Quality::Good && r.value == Some(value));
        adapter.stop();
        std::fs::remove_file(&by_id).unwrap();
        line.wait(down);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_driver_that_can_not_switch_directions_is_told_and_not_used() {
    let clock = Clock::start();
    let (mut builder, ..) = builder(Link::Serial { path: String::new(), pace: PACE, rs485: false });
    let plant = Arc::new(Mutex::new(Plant::new(&builder.plan)));
    let slave = Slave::start(&builder.plan, plant, clock).unwrap();
    let Link::Serial { path, pace, .. } = slave.link(builder.bus).clone() else {
        panic!("a serial link stays one")
    };
    builder.plan.buses[builder.bus].link = Link::Serial { path, pace, rs485: true };
    let line = Running::over_its_link(builder.plan, builder.bus, clock, Arc::default());
    let why = line.wait(|input| match input {
        Input::NoAnswer { fault: LineFault::Link(why), .. } => Some(why.clone()),
        _ => None,
    });
    assert!(why.contains("rs485=on"), "{why}");
}
