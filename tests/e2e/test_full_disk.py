"""A disk that is full while gas comes: the valve shuts, the control room hears of it at once, and what a kill takes is told."""

import json

import pytest
from bench import wait_until
from sites import bottle_room


def unrecorded(subscriber, kind, **body):
    copies = [json.loads(p) for topic, p, _ in subscriber.all() if "/unrecorded/" in topic]
    return [c for c in copies if c["kind"] == kind and body.items() <= c["body"].items()]


def stands(agent, code):
    return [t for t in agent.status()["troubles"] if t["code"] == code]


@pytest.fixture
def tripped(bench, pymodbus_server):
    """An agent that has shut its valve on a full disk."""
    disk = bench.small_disk()
    broker = bench.mosquitto()
    subscriber = bench.subscriber(broker.port)
    device = bench.peer(pymodbus_server)
    agent = bench.davy(bottle_room(device.port, broker.port)).start().await_start()
    agent.wait_good("gas.lpg-1", "gas.lpg-2")
    subscriber.wait_event("started")
    disk.fill()
    # What is left of the journal's last page takes some entries yet.
    wait_until(lambda: agent.order("reset", "nothing") and stands(agent, "journal-write"), "the trouble")
    device.gas(33.0)
    wait_until(lambda: device.coils() == ["coil 3 1"], "the valve is shut")
    wait_until(lambda: unrecorded(subscriber, "trip", tag="shutoff", tripped=True), "the trip is told")
    return disk, broker, subscriber, device, agent


def test_the_control_room_hears_at_once_and_the_events_follow_when_the_disk_takes_them(bench, tripped, messages):
    disk, broker, subscriber, _, agent = tripped
    wait_until(lambda: unrecorded(subscriber, "alarm", key="gas.lpg-1:trip"), "the alarm is told")
    wait_until(lambda: unrecorded(subscriber, "trouble", code="journal-write"), "and that it is not recorded")
    assert not [e for e in subscriber.events("trip")], "an event is what is recorded"
    late = bench.subscriber(broker.port, name="late")
    assert late.wait_state("/state/trip/shutoff")["body"]["tripped"], "what is retained is true"
    assert late.wait_state("/status")["recording"] is False

    disk.free()
    subscriber.wait_event("trip", tag="shutoff", tripped=True)
    subscriber.wait_event("trouble", code="journal-write", raised=False)
    wait_until(lambda: "recording" not in subscriber.statuses()[-1], "it records again")
    later = bench.subscriber(broker.port, name="later")
    assert later.wait_state("/state/trip/shutoff")["seq"] > 0
    agent.end()
    assert agent.recorded("gap") == [], "nothing was lost"
    for topic, payload, _ in subscriber.all() + late.all() + later.all():
        messages.check(topic, payload)


def test_what_a_kill_takes_while_the_disk_is_full_is_a_gap_of_the_next_start(tripped):
    disk, _, subscriber, device, agent = tripped
    agent.process.kill()
    device.gas(0.0)
    disk.free()
    agent.start().await_start()
    gap = agent.wait_recorded("gap", lane="event")["body"]
    assert gap["at_least"] is True and gap["count"] > 0 and gap["from"] < gap["to"]
    assert subscriber.wait_event("gap", lane="event")["body"] == gap
    agent.end()
    agent.start().await_start()
    agent.end()
    assert len(agent.recorded("gap")) == 1, "told once"


def test_what_an_end_can_not_write_down_is_a_gap_of_the_next_start_with_its_number(tripped):
    disk, _, _, device, agent = tripped
    code, _ = agent.process.terminate()
    assert code == 1 and "could not be written down" in agent.log()
    device.gas(0.0)
    disk.free()
    agent.start().await_start()
    gap = agent.wait_recorded("gap", lane="event")["body"]
    assert "at_least" not in gap and f"{gap['count']} records could not be written down" in agent.log()
    agent.end()
