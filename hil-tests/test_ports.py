"""Ports that go and come back, lines that are full, peers that we did not write, and a port for one Davy only."""

import os
import select
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path

import pytest
from bench import wait_until
from lines import Room, Watch, all_good, bus, detector, each, head, late, trip, valve

E2E = Path(__file__).parents[1] / "tests/e2e"
sys.path.insert(0, str(E2E))
from sites import bottle_room  # noqa: E402


def room_on(bench, kind):
    line = bench.world().line(kind, path=str(bench.folder / "port"))
    line.appear()
    link = f"rtu://{line.path}?baud=115200" if kind == "rtu" else f"{kind}://127.0.0.1:{line.port}"
    return Room(line, "l0", link, kind)


def unplug_and_replug(wiring, room, plugged):
    """The port disappears or comes back: by itself where it is virtual, by command or by hand where it is real."""
    if not wiring["device"]:
        return room.line.appear() if plugged else room.line.vanish()
    command = wiring.get("plug" if plugged else "unplug")
    if command:
        subprocess.run(command, shell=True, check=True)
    else:
        input(f"\n{'Plug in' if plugged else 'Unplug'} the adapter of {wiring['link']}, then press Enter: ")


@pytest.mark.virtual
@pytest.mark.parametrize("kind", ["tcp", "rtu+tcp", "rtu"])
def test_a_port_that_goes_and_comes_back_is_picked_up_again_twice(bench, wiring, kind):
    room = room_on(bench, kind)
    agent = bench.davy(head() + room.site()).start().await_start()
    watch = bench.add(Watch(agent, [room]))
    all_good(watch, [room], 20)
    for _ in range(2):
        unplug_and_replug(wiring, room, plugged=False)
        agent.wait_alarm("l0-1:comm-lost")
        wait_until(lambda: agent.point("gas.l0-1")["quality"] != "good", "no value without a port")
        unplug_and_replug(wiring, room, plugged=True)
        all_good(watch, [room], 40)
    room.neighbour.alarm = True
    wait_until(lambda: room.valve.coil, "the trip gets through afterwards")
    watch.end()
    agent.end()


@pytest.mark.virtual
@pytest.mark.parametrize("kind", ["tcp", "rtu+tcp", "rtu"])
def test_a_port_that_is_absent_at_the_start_is_found_when_it_comes(bench, kind):
    room = room_on(bench, kind)
    room.line.vanish()
    agent = bench.davy(head() + room.site()).start().await_start()
    agent.wait_alarm("l0-1:comm-lost")
    room.line.appear()
    watch = bench.add(Watch(agent, [room]))
    all_good(watch, [room], 40)
    watch.end()
    agent.end()


@pytest.mark.skipif("not __import__('os').environ.get('DAVY_HIL_LINK')", reason="needs a real port: DAVY_HIL_LINK")
def test_a_real_port_is_unplugged_and_plugged_in_again(bench, wiring):
    if not wiring.get("plug") and not sys.stdin.isatty():
        pytest.skip("nobody is there to unplug it: run with -s, or give `unplug` and `plug` in the bench's file")
    line = bench.world().line("rtu", path=wiring["device"])
    line.settings = {k: wiring[k] for k in ("baudrate", "parity", "stopbits") if k in wiring}
    room = Room(line.appear(), "l0", wiring["link"], "unplugged")
    agent = bench.davy(head() + room.site()).start().await_start()
    watch = bench.add(Watch(agent, [room]))
    all_good(watch, [room], 20)
    unplug_and_replug(wiring, room, plugged=False)
    agent.wait_alarm("l0-1:comm-lost")
    unplug_and_replug(wiring, room, plugged=True)
    all_good(watch, [room], 60)
    watch.end()
    agent.end()


@pytest.mark.virtual
def test_on_a_busy_line_with_a_dead_unit_the_trip_gets_through_and_nobody_waits(bench):
    line = bench.world().line("rtu", path=str(bench.folder / "port"), baud=9600)
    line.appear()
    units = [line.unit(n) for n in range(1, 9)]
    site = head() + bus("l0", f"rtu://{line.path}?baud=9600", poll_s=1.0)
    site += late("".join(detector(f"d{n}", "l0", n) for n in range(1, 8)) + valve("v", "l0", 8), line)
    site += trip(["gas.d2:trip"], "v", bad_delay_s=60.0)
    agent = bench.davy(site).start().await_start()
    agent.wait_good(*(f"gas.d{n}" for n in range(1, 8)))
    dead, others = units[6], units[:6]
    dead.fault = "no answer"
    agent.wait_alarm("d7:comm-lost")
    before, since, silent = [u.asked for u in others], time.monotonic(), dead.asked
    wait_until(lambda: others[0].asked >= before[0] + 10, "ten polls of the first")
    took = time.monotonic() - since
    polls = [u.asked - b for u, b in zip(others, before)]
    assert min(polls) >= 8, f"all are asked as often: {polls}"
    assert took < 15, f"ten polls of a second each took {took:.1f} s"
    assert dead.asked - silent <= 8, "the dead one is asked ever less often"
    others[1].alarm = True
    wait_until(lambda: units[7].coil, "the trip write gets through", 5)
    agent.wait_recorded("element", tag="v", phase="confirmed")
    agent.end()


@pytest.mark.virtual
def test_two_davys_do_not_share_a_port(bench):
    room = room_on(bench, "rtu")
    first = bench.davy(head() + room.site(), "first").start().await_start()
    first.wait_good("gas.l0-1", "gas.l0-2")
    second = bench.davy(head(gateway="other") + room.site(), "second").start().await_start()
    second.wait_alarm("l0-1:comm-lost")
    assert second.point("gas.l0-1")["value"] is None
    wait_until(lambda: room.link.split("?")[0].removeprefix("rtu://") in second.log(), "the second says which port")
    first.wait_good("gas.l0-1", "gas.l0-2")
    second.end()
    first.end()


@pytest.fixture(scope="session")
def libmodbus(tmp_path_factory):
    binary = tmp_path_factory.mktemp("libmodbus") / "server"
    command = ["cc", "-O1", "-I/usr/include/modbus", str(E2E / "libmodbus_server.c"), "-o", str(binary), "-lmodbus"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"libmodbus-dev is needed: {done.stderr}"
    return [str(binary)]


class Bus:
    """A serial line with several devices: what one says all the others hear."""

    def __init__(self, devices):
        self.ends = [os.openpty() for _ in range(1 + devices)]
        for _, port in self.ends:
            tty.setraw(port)
        self.ports = [os.ttyname(port) for _, port in self.ends]
        self.whole = True
        self.thread = threading.Thread(target=self._carry, daemon=True)
        self.thread.start()

    def _carry(self):
        ends = [end for end, _ in self.ends]
        while self.whole:
            for end in select.select(ends, [], [], 0.05)[0]:
                data = os.read(end, 1024)
                for other in ends:
                    if other != end:
                        os.write(other, data)

    def stop(self):
        self.whole = False
        self.thread.join()
        for pair in self.ends:
            for fd in pair:
                os.close(fd)


@pytest.mark.virtual
@pytest.mark.parametrize("over", ["TCP", "a serial port"])
@pytest.mark.parametrize("maker", ["pymodbus", "libmodbus"])
def test_devices_that_we_did_not_write_read_well_and_are_tripped(bench, libmodbus, maker, over):
    argv = libmodbus if maker == "libmodbus" else [sys.executable, str(E2E / "pymodbus_server.py")]
    if over == "TCP":
        peers = [bench.peer(argv)] * 3
        link = f"tcp://127.0.0.1:{peers[0].port}"
    elif maker == "pymodbus":
        line = bench.add(Bus(1))
        peers = [bench.peer([*argv, "rtu", line.ports[1]])] * 3
        link = f"rtu://{line.ports[0]}?baud=19200"
    else:
        # A server of libmodbus is one unit of a serial line.
        line = bench.add(Bus(3))
        peers = [bench.peer([*argv, "rtu", line.ports[n], str(n)]) for n in (1, 2, 3)]
        link = f"rtu://{line.ports[0]}?baud=19200"
    site = bottle_room(1, 1).replace('link = "tcp://127.0.0.1:1"', f'link = "{link}"')
    agent = bench.davy(site).start().await_start()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    for tenths in (31, 47, 112):
        peers[1].order(f"gas 2 {tenths}")
        wait_until(lambda: (agent.point("gas.lpg-2") or {}).get("value") == tenths / 10, "the value follows")
    peers[0].gas(25.0)
    wait_until(lambda: "coil 3 1" in peers[2].coils(), "the valve is shut")
    agent.wait_recorded("element", tag="valve", phase="confirmed")
    agent.end()
