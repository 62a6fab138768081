"""Devices and brokers that misbehave: the agent stays up, says so, and goes on protecting."""

import time

import pytest
from bench import first_copies, free_port, wait_until
from broken_broker import HABITS, BrokenBroker
from plant import MOODS, NUISANCE
from sites import bottle_room, bus, detector, destination, head, trip, valve

BAD_MOODS = [mood for mood in MOODS if mood != "good"]


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Room:
    """A detector, a valve and a device that will misbehave, on one link or with that device on a link of its own."""

    def __init__(self, plant, name, mood, shared):
        link = plant.link()
        bad_link = link if shared else plant.link()
        self.name, self.mood = name, mood
        self.good, self.valve, self.bad = link.unit(1), link.unit(3), bad_link.unit(9)
        self.bad.gas(7.0)
        lines = bus(name, link.port) if shared else bus(name, link.port) + bus(f"{name}-bad", bad_link.port)
        self.site = (
            lines
            + detector(f"{name}-good", name, 1)
            + detector(f"{name}-bad", name if shared else f"{name}-bad", 9)
            + valve(f"{name}-valve", name, 3)
            + trip([f"gas.{name}-good:trip"], f"{name}-valve", name=f"{name}-shutoff")
        )

    def __repr__(self):
        return f"{self.name} ({self.mood})"


@pytest.mark.parametrize("shared", [False, True], ids=["own links", "shared links"])
def test_devices_that_misbehave_are_alarmed_and_the_others_go_on(bench, shared):
    plant = bench.plant()
    rooms = [Room(plant, f"r{n}", mood, shared) for n, mood in enumerate(BAD_MOODS)]
    agent = bench.davy(head() + "".join(room.site for room in rooms)).start().await_start()
    agent.wait_good(*(f"gas.r{n}-{which}" for n in range(len(rooms)) for which in ("good", "bad")))

    for room in rooms:
        room.bad.mood = room.mood
    for room in rooms:
        agent.wait_alarm(f"{room.name}-bad:comm-lost")
        point = agent.point(f"gas.{room.name}-bad")
        assert point["value"] is None and point["quality"] != "good", f"{room}: the last value is not believed"
    polled = [len(room.good.asked) for room in rooms]
    for room, before in zip(rooms, polled):
        wait_until(lambda: len(room.good.asked) > before + 10, f"{room}: the others are polled")
        room.good.gas(30.0)
        wait_until(lambda: room.valve.coils[0], f"{room}: trips work", 10)
        agent.wait_recorded("element", tag=f"{room.name}-valve", phase="confirmed")
        assert agent.alarm(f"{room.name}-valve-io:comm-lost") is None, room
        assert agent.alarm(f"{room.name}-good:comm-lost") is None, room
    assert resident_kib(agent.process.pid) < 100 * 1024

    for room in rooms:
        room.bad.mood = "good"
    for room in rooms:
        agent.wait_good(f"gas.{room.name}-bad")
        assert agent.point(f"gas.{room.name}-bad")["value"] == 7.0
        lines = [line for line in agent.log().splitlines() if f"device={room.name}-bad " in line]
        assert len(lines) <= 2, f"{room}: lost once, found once: {lines}"
    agent.end()


def test_a_device_that_repeats_itself_without_end_hinders_nobody(bench):
    room = Room(bench.plant(), "room", NUISANCE, shared=True)
    agent = bench.davy(head() + room.site).start().await_start()
    agent.wait_good("gas.room-good", "gas.room-bad")
    room.bad.mood = room.mood
    polled = len(room.good.asked), len(room.bad.asked)
    wait_until(lambda: len(room.good.asked) > polled[0] + 10, "the others are polled")
    wait_until(lambda: len(room.bad.asked) > polled[1] + 10, "and so is that one")
    room.bad.gas(9.0)
    wait_until(lambda: agent.point("gas.room-bad")["value"] == 9.0, "its first answer is the one that counts")
    room.good.gas(30.0)
    wait_until(lambda: room.valve.coils[0], "trips work", 10)
    assert not [a for a in agent.status()["alarms"] if a["key"].endswith("comm-lost")]
    agent.end()


def test_a_device_that_fails_every_other_time_does_not_fill_the_log(bench):
    link = bench.plant().link()
    agent = bench.davy(head() + bus("canteen", link.port, poll_ms=50, timeout_ms=50) + detector("lpg-1", "canteen", 1))
    unit = link.unit(1)
    agent.start().await_start().wait_good("gas.lpg-1")
    unit.mood = "exception every other time"
    wait_until(lambda: len(unit.asked) > 100, "many polls")
    lines = [line for line in agent.log().splitlines() if "device=lpg-1" in line]
    assert len(lines) == 2, f"said once, and once that it answers: {lines}"
    agent.end()


PULSED = """
id = "pulsed"
name = { zh = "脉冲阀", en = "pulsed valve" }
source = "of this test"
confirmed = true
[[output]]
id = "close"
space = "coil"
address = 0
trip = 1
pulse = { ms = 1000, rest = 0 }
[[signal]]
id = "closed"
space = "discrete"
address = 0
encoding = "bit"
unit = "state"
[[signal]]
id = "open"
space = "discrete"
address = 1
encoding = "bit"
unit = "state"
"""


def test_an_end_in_the_midst_of_a_pulse_waits_until_the_pulse_is_ended(bench, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own/pulsed.toml").write_text(PULSED)
    link = bench.plant().link()
    detecting, shutting = link.unit(1), link.unit(3)
    site = head().replace("[gateway]", f'[gateway]\nprofiles = "{tmp_path}/own"', 1)
    site += bus("r", link.port) + detector("d", "r", 1) + trip(["gas.d:trip"], "v", name="t")
    site += valve("v", "r", 3).replace('"valve-2limit"', '"pulsed"')
    agent = bench.davy(site).start().await_start()
    agent.wait_good("gas.d")
    detecting.gas(30.0)
    wait_until(lambda: shutting.coils[0], "the pulse stands")
    agent.end()
    assert not shutting.coils[0], "a coil that stays under power burns out"
    agent.assert_sound()


def test_valves_that_misbehave_are_written_until_they_obey(bench):
    plant = bench.plant()
    rooms = []
    site = head()
    for n, mood in enumerate(BAD_MOODS):
        link = plant.link()
        site += (
            bus(f"r{n}", link.port)
            + detector(f"d{n}", f"r{n}", 1)
            + valve(f"v{n}", f"r{n}", 3, travel_s=1.0)
            + trip([f"gas.d{n}:trip"], f"v{n}", name=f"t{n}")
        )
        rooms.append((n, mood, link.unit(1), link.unit(3)))
    agent = bench.davy(site).start().await_start()
    agent.wait_good(*(f"gas.d{n}" for n, *_ in rooms))
    for _, mood, detecting, shutting in rooms:
        shutting.mood = mood
        detecting.gas(30.0)
    for n, mood, *_ in rooms:
        agent.wait_recorded("trip", tag=f"t{n}", tripped=True)
        agent.wait_alarm(f"v{n}:not-confirmed")
        assert agent.point(f"gas.d{n}")["quality"] == "good", f"{mood}: detectors on the same line go on"
    for n, mood, _, shutting in rooms:
        shutting.mood = "good"
    for n, mood, _, shutting in rooms:
        wait_until(lambda: shutting.coils[0], f"{mood}: the valve is written in the end", 15)
        agent.wait_recorded("element", tag=f"v{n}", phase="confirmed")
    agent.end()


def test_brokers_that_misbehave_stop_no_trip_and_lose_no_event(bench):
    broken = [bench.add(BrokenBroker(habit)) for habit in HABITS]
    broker = bench.mosquitto()
    subscriber = bench.subscriber(broker.port)
    link = bench.plant().link()
    detecting, _, shutting = (link.unit(n) for n in (1, 2, 3))
    site = bottle_room(link.port, broker.port) + "".join(destination(b.port, f"b{n}") for n, b in enumerate(broken))
    agent = bench.davy(site).start().await_start()
    agent.wait_good("gas.lpg-1")
    for other in broken:
        wait_until(lambda: other.connections > 0, f"{other.habit}: it is tried")
    detecting.gas(30.0)
    begin = time.monotonic()
    wait_until(lambda: shutting.coils[0], "the valve is shut", 5)
    assert time.monotonic() - begin < 1.5
    subscriber.wait_event("element", phase="confirmed")
    refusing = HABITS.index("refuses")
    said = subscriber.wait_event("trouble", code="destination-refused", raised=True)["body"]
    assert said["detail"] == f"b{refusing}" and "user" in said["text"]["en"]
    for n, habit in enumerate(HABITS):
        lines = [line for line in agent.log().splitlines() if f"destination=b{n} " in line]
        assert len([line for line in lines if "not connected" in line]) <= 2, f"{habit}: {lines}"
    assert resident_kib(agent.process.pid) < 100 * 1024
    agent.end()
    recorded = agent.journal_lines()
    wait_until(lambda: len(first_copies(subscriber.lines())) == len(recorded), "all is told to the sound one")
    assert first_copies(subscriber.lines()) == recorded


def test_what_a_broken_broker_was_not_told_is_told_to_the_sound_one_in_its_place(bench):
    broker = bench.mosquitto()
    subscriber = bench.subscriber(broker.port)
    broken = bench.add(BrokenBroker("never acknowledges"))
    link = bench.plant().link()
    detecting, _, shutting = (link.unit(n) for n in (1, 2, 3))
    agent = bench.davy(bottle_room(link.port, broken.port)).start().await_start()
    agent.wait_good("gas.lpg-1")
    for _ in range(10):
        detecting.gas(12.0)
        wait_until(lambda: (agent.alarm("gas.lpg-1:warning") or {}).get("state") == "unacknowledged", "it comes")
        detecting.gas(0.0)
        agent.order("ack", "--all")
        wait_until(lambda: agent.alarm("gas.lpg-1:warning") is None, "it goes")
    agent.write(bottle_room(link.port, broker.port))
    agent.signal(1)
    subscriber.wait_event("config", taken=True)
    agent.end()
    recorded = agent.journal_lines()
    wait_until(lambda: len(first_copies(subscriber.lines())) == len(recorded), "all is told")
    assert first_copies(subscriber.lines()) == recorded


def test_a_trip_works_while_the_broker_stands_still(bench):
    broker = bench.mosquitto()
    subscriber = bench.subscriber(broker.port)
    link = bench.plant().link()
    detecting, _, shutting = (link.unit(n) for n in (1, 2, 3))
    agent = bench.davy(bottle_room(link.port, broker.port)).start().await_start()
    subscriber.wait_event("started")
    agent.wait_good("gas.lpg-1")
    broker.freeze()
    begin = time.monotonic()
    detecting.gas(30.0)
    wait_until(lambda: shutting.coils[0], "the valve is shut", 5)
    assert time.monotonic() - begin < 1.5
    agent.wait_recorded("element", phase="confirmed")
    assert agent.trip("shutoff")["tripped"], "and people can ask"
    broker.thaw()
    subscriber.wait_event("element", phase="confirmed", patience_s=60)
    agent.end()


def test_a_dead_broker_is_a_trouble_and_no_obstacle(bench):
    link = bench.plant().link()
    detecting, _, shutting = (link.unit(n) for n in (1, 2, 3))
    agent = bench.davy(bottle_room(link.port, free_port())).start().await_start()
    agent.wait_good("gas.lpg-1")
    detecting.gas(30.0)
    wait_until(lambda: shutting.coils[0], "the valve is shut", 5)
    trouble = agent.wait_recorded("trouble", code="destination-unreachable", raised=True)
    assert "control-room" in trouble["body"]["text"]["en"]
    assert agent.status()["troubles"][0]["code"] == "destination-unreachable"
    assert "destination-unreachable" in agent.order("status").stdout
    agent.end()
