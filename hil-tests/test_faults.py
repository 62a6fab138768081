"""Every line fault, alone and mixed: no wrong value is good, no write is believed that did not happen, nobody is left out."""

import os
import time

import pytest
from device import FAULTS, harmless
from lines import NEIGHBOUR, Room, Watch, all_good, each, head, troubles, FAULTY, VALVE

ROUNDS = int(os.environ.get("DAVY_HIL_ROUNDS", 1))
# After a fault: the longest back-off that it can have led to, and some polls.
RECOVERY_S = 30


def rooms_of(bench, wiring, kind, faults):
    """A line for each fault at once on virtual ports; on a real one a single line."""
    world = bench.world()
    if wiring["device"]:
        line = world.line("rtu", path=wiring["device"])
        line.settings = {k: wiring[k] for k in ("baudrate", "parity", "stopbits") if k in wiring}
        line.appear()
        return [Room(line, "l0", wiring["link"])]
    rooms = []
    for n, fault in enumerate(faults):
        line = world.line(kind, path=str(bench.folder / f"port-{n}"))
        line.dice.seed(n)
        line.appear()
        link = f"rtu://{line.path}?baud=115200" if kind == "rtu" else f"{kind}://127.0.0.1:{line.port}"
        rooms.append(Room(line, f"l{n}", link, fault))
    return rooms


def start(bench, rooms):
    agent = bench.davy(head() + "".join(room.site() for room in rooms)).start().await_start()
    watch = bench.add(Watch(agent, rooms))
    all_good(watch, rooms, 30)
    return agent, watch


def turns(rooms, faults, wiring):
    """Which rooms have which fault at a time."""
    if not wiring["device"]:
        yield rooms
        return
    for fault in faults:
        rooms[0].fault = fault
        yield rooms


def kinds(wiring):
    return ["rtu"] if wiring["device"] else list(FAULTS)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_of_a_read_leaves_no_wrong_value_and_no_neighbour_unasked(bench, wiring, kind):
    if kind not in kinds(wiring):
        pytest.skip("the bench has a serial line")
    faults = [f for f in FAULTS[kind] if f != "write not carried out"]
    rooms = rooms_of(bench, wiring, kind, faults)
    agent, watch = start(bench, rooms)
    for having in turns(rooms, faults, wiring):
        before = {room: (room.faulty.struck, room.neighbour.asked, troubles(*watch.figures(room, FAULTY))) for room in having}
        for room in having:
            room.faulty.fault = room.fault
        each(having, lambda r: r.faulty.struck >= before[r][0] + 3, "the fault struck three times", 30)
        each(having, lambda r: r.neighbour.asked >= before[r][1] + 3, "the neighbour is still asked", 15)
        noted = lambda r: harmless(kind, r.fault) or troubles(*watch.figures(r, FAULTY)) > before[r][2]
        each(having, noted, "the fault is in the figures", 10)
        for room in having:
            room.faulty.fault = None
        all_good(watch, having, RECOVERY_S)
    watch.end()
    agent.end()


@pytest.mark.parametrize("kind", FAULTS)
def test_no_fault_of_a_trip_write_makes_it_believed_and_after_the_fault_it_happens(bench, wiring, kind):
    if kind not in kinds(wiring):
        pytest.skip("the bench has a serial line")
    faults = FAULTS[kind]
    rooms = rooms_of(bench, wiring, kind, faults)
    agent, watch = start(bench, rooms)
    phase = lambda room: next(e["phase"] for e in watch.last["elements"] if e["id"] == room.name)
    for having in turns(rooms, faults, wiring):
        for room in having:
            room.valve.fault, room.valve.struck, room.valve.struck_writes = room.fault, 0, 0
            room.neighbour.alarm = True
        each(having, lambda r: r.valve.struck >= 2, "the fault struck twice", 30)
        wrote = lambda r: r.valve.coil if harmless(kind, r.fault) else r.valve.struck_writes > 0
        each(having, wrote, "the trip write was tried in the midst of the fault", 30)
        for room in having:
            room.valve.fault = None
        each(having, lambda r: r.valve.coil, "the coil is set", RECOVERY_S)
        each(having, lambda r: phase(r) == "confirmed", "the valve is confirmed shut", RECOVERY_S)
        if wiring["device"]:
            room = having[0]
            room.neighbour.alarm = False
            reset = lambda r: agent.order("reset", f"t-{r.name}", "--as", "bench").returncode == 0
            each(having, reset, "the trip is reset", 100)
            each(having, lambda r: not r.valve.coil, "the demand is withdrawn", 15)
    watch.end()
    agent.end()


@pytest.mark.parametrize("kind", FAULTS)
def test_seeded_mixes_of_all_faults(bench, wiring, kind):
    if kind not in kinds(wiring):
        pytest.skip("the bench has a serial line")
    rooms = rooms_of(bench, wiring, kind, [f"mix {n}" for n in range(8)])
    agent, watch = start(bench, rooms)
    for turn in range(ROUNDS):
        for room in rooms:
            room.line.dice.seed(f"{os.environ.get('DAVY_SEED', 1)} {room.name} {turn}")
            for unit in room.line.units.values():
                unit.mix, unit.struck = FAULTS[kind], 0
        time.sleep(5)  # Not asserted: how long the mix lasts.
        before = {room: room.neighbour.asked for room in rooms}
        for room in rooms:
            for unit in room.line.units.values():
                unit.mix = None
        all_good(watch, rooms, 45)
        each(rooms, lambda r: r.neighbour.asked > before[r], "asked again", 15)
    watch.end()
    agent.end()
