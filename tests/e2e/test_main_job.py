"""The main job: gas is read, the valve is shut, the events are kept and told. With Mosquitto, paho, pymodbus and
libmodbus as peers."""

import json

import pytest
from bench import first_copies, wait_until
from sites import bottle_room

VALVE = "coil 3 1"


@pytest.fixture(params=["pymodbus", "libmodbus"])
def device(request, bench):
    return bench.peer(request.getfixturevalue(f"{request.param}_server"))


def told_as_recorded(agent, subscriber):
    """Waits until everything that is recorded was told; both must be the same lines in the same order."""
    recorded = agent.journal_lines()
    agent.journal()
    wait_until(
        lambda: len(first_copies(subscriber.lines())) >= len(recorded),
        lambda: f"{len(recorded)} events are told; {len(first_copies(subscriber.lines()))} were",
    )
    assert first_copies(subscriber.lines()) == recorded


def test_gas_shuts_the_valve_and_the_control_room_hears_of_it(bench, device, messages):
    broker = bench.mosquitto()
    subscriber = bench.subscriber(broker.port)
    agent = bench.davy(bottle_room(device.port, broker.port)).start().await_start()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    wait_until(lambda: any(s["online"] for s in subscriber.statuses()), "the birth message")
    assert device.coils() == [], "nothing is written without a cause"

    device.gas(21.0)
    level_1 = subscriber.wait_event("alarm", key="gas.lpg-1:alarm", to="unacknowledged")["body"]
    assert level_1["value"] == 21.0 and level_1["set_point"] == 20.0 and level_1["quality"] == "good"
    assert device.coils() == [], "level 1 shuts nothing"

    device.gas(25.0)
    level_2 = subscriber.wait_event("alarm", key="gas.lpg-1:trip", to="unacknowledged")["body"]
    assert level_2["value"] == 25.0, "25.00 alarms at 25.00"
    trip = subscriber.wait_event("trip", tag="shutoff", tripped=True)["body"]
    assert trip["first_out"] in ("gas.lpg-1:trip", "gas.lpg-2:trip") and trip["effects"] == ["valve"]
    shut = subscriber.wait_event("element", tag="valve", phase="confirmed")["body"]
    assert shut["position"] == "safe" and shut["mode"] == "act" and 0 < shut["elapsed_us"] < 3_000_000
    assert device.coils() == [VALVE], "written once, read back, left alone"

    # Whoever comes late finds where everything stands.
    late = bench.subscriber(broker.port, name="late")
    assert late.wait_state("/state/alarm/gas.lpg-1:trip")["body"]["to"] == "unacknowledged"
    assert late.wait_state("/state/trip/shutoff")["body"]["tripped"]
    assert late.wait_state("/state/element/valve")["body"]["phase"] == "confirmed"
    assert late.wait_state("/status")["online"]

    # Gas goes; people acknowledge and reset; the valve's demand is withdrawn, which opens nothing.
    device.gas(0.0)
    device.gas(0.0, unit=2)
    wait_until(lambda: agent.alarm("gas.lpg-1:trip")["state"] != "unacknowledged", "the gas is seen to go")
    assert agent.order("reset", "shutoff").returncode == 1, "nobody has acknowledged"
    assert agent.order("ack", "--all", "--as", "Li").returncode == 0
    wait_until(lambda: agent.order("reset", "shutoff", "--as", "Li").returncode == 0, "the reset is taken", patience_s=90)
    subscriber.wait_event("trip", tag="shutoff", tripped=False)
    wait_until(lambda: device.coils() == [VALVE, "coil 3 0"], lambda: f"the release, not {device.coils()}")
    command = subscriber.wait_event("command", command="reset shutoff", refused=None)["body"]
    assert command["who"]["name"].startswith("Li (")

    telemetry = lambda: [t for t, _, _ in subscriber.all() if t.endswith("/telemetry")]
    wait_until(telemetry, "values are told too")
    agent.end()
    wait_until(lambda: subscriber.statuses()[-1]["reason"] == "ended", "the end is told")
    assert [event["kind"] for event in subscriber.events()[-2:]] == ["ended", "checkpoint"], "the end is told, and sealed"
    anchor = [payload for topic, payload, _ in subscriber.all() if topic.endswith("/checkpoint") and "/event/" not in topic][-1]
    assert anchor == subscriber.lines()[-1], "the far side keeps the anchor"
    told_as_recorded(agent, subscriber)
    for topic, payload, _ in subscriber.all() + late.all():
        messages.check(topic, payload)


def test_a_killed_agent_is_missed_and_comes_back_with_its_alarms(bench, device, messages):
    broker = bench.mosquitto()
    subscriber = bench.subscriber(broker.port)
    agent = bench.davy(bottle_room(device.port, broker.port)).start()
    device.gas(30.0)
    subscriber.wait_event("element", tag="valve", phase="confirmed")
    boot = subscriber.statuses()[0]["boot"]

    agent.process.kill()
    wait_until(lambda: subscriber.statuses()[-1]["reason"] == "lost", "the last will")
    will = subscriber.statuses()[-1]
    assert not will["online"] and will["boot"] == boot
    assert bench.subscriber(broker.port, name="late").wait_state("/status")["reason"] == "lost"

    agent.start()
    wait_until(lambda: subscriber.statuses()[-1]["online"], "the second birth")
    assert subscriber.statuses()[-1]["boot"] != boot
    assert subscriber.wait_event("started", previous_end="unclean")
    agent.await_start()
    assert agent.trip("shutoff")["tripped"], "the trip outlives the agent"
    assert agent.alarm("gas.lpg-1:trip")["occurrence"] == 1, "and so does the alarm: it is no new one"
    agent.wait_good("gas.lpg-1")
    assert subscriber.wait_event("trip", occurrence=1)
    assert not [e for e in subscriber.events("trip") if e["body"]["occurrence"] > 1]
    agent.end()
    told_as_recorded(agent, subscriber)
    for topic, payload, _ in subscriber.all():
        messages.check(topic, payload)


def test_an_observed_output_is_told_and_never_written(bench, device, messages):
    broker = bench.mosquitto()
    subscriber = bench.subscriber(broker.port)
    agent = bench.davy(bottle_room(device.port, broker.port, outputs="observe")).start().await_start()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    device.gas(40.0)
    subscriber.wait_event("trip", tag="shutoff", tripped=True)
    said = subscriber.wait_event("element", tag="valve", demand="trip")["body"]
    assert said["mode"] == "observe"
    assert "would" in said["text"]["en"], said
    assert "valve" in said["text"]["en"] or "close" in said["text"]["en"], said
    assert said["phase"] != "confirmed"
    # Polls go on, and among them there is no write.
    before = json.loads(subscriber.lines()[-1])["seq"]
    device.gas(0.0)
    device.gas(0.0, unit=2)
    subscriber.wait_event("alarm", key="gas.lpg-1:trip", cause="cleared")
    assert subscriber.events()[-1]["seq"] > before
    assert device.coils() == []
    agent.end()
    told_as_recorded(agent, subscriber)
    for topic, payload, _ in subscriber.all():
        messages.check(topic, payload)
